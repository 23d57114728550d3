// SPDX-License-Identifier: MIT

package spec

// Study is a file that says which applications, parameters, sizes, variants and
// environments to measure.
type Study struct {
	Header
	// Spec is the study itself.
	Spec StudySpec `json:"spec"`
}

// StudySpec is a set of sweeps under one seed and one budget.
type StudySpec struct {
	// Description says in a sentence or two what the study asks.
	Description string `json:"description,omitempty"`
	// Seed decides every random choice: samples and order. The same file and
	// seed give the same plan.
	Seed uint64 `json:"seed,omitempty"`
	// Repetitions is how often each configuration runs: a number, or until the
	// interval of its time is tight enough. The default is 1.
	Repetitions Repetitions `json:"repetitions,omitzero"`
	// Order is blocked (each repetition is a block in random order), random
	// (all in random order) or listed. The default is blocked.
	Order Order `json:"order,omitempty" jsonschema:"enum=blocked,enum=random,enum=listed"`
	// Environments are the places that sweeps may name.
	Environments []NamedEnvironment `json:"environments,omitempty"`
	// Sweeps are the parts of the study.
	Sweeps []Sweep `json:"sweeps" jsonschema:"minItems=1"`
	// Budget bounds the plan.
	Budget *Budget `json:"budget,omitempty"`
	// Run says how jobs run.
	Run RunPolicy `json:"run,omitzero"`
}

// Order is how trials are ordered.
type Order string

// The orders of a plan.
const (
	OrderBlocked Order = "blocked"
	OrderRandom  Order = "random"
	OrderListed  Order = "listed"
)

// Sweep is the product of its axes, sampled.
type Sweep struct {
	// Name is the group that its trials belong to. The default is the name of
	// its application, or sweep-N.
	Name string `json:"name,omitempty" jsonschema:"pattern=^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"`
	// Apps are the names of the applications.
	Apps Axis `json:"apps"`
	Axes `json:",inline"`
	// Zip are axes that advance together: all axes of one entry have the same
	// number of values.
	Zip []Axes `json:"zip,omitempty"`
	// Constraints are CEL expressions that each trial has to meet, over app,
	// variant, environment, nodes, tasks, tasksPerNode, threads, coresPerTask,
	// mapBy, bindTo and parameters.NAME.
	Constraints []string `json:"constraints,omitempty"`
	// Sampler says which points of the product are taken. The default is full.
	Sampler Sampler `json:"sampler,omitzero"`
	// Repetitions replaces the study's.
	Repetitions Repetitions `json:"repetitions,omitzero"`
	// Run replaces the study's policy, field by field. It has no beforeRun and
	// afterRun, since these are for the whole run.
	Run RunPolicy `json:"run,omitzero"`
}

// Axes are the dimensions of a sweep beside the application.
type Axes struct {
	// Variants are names of variants; "*" alone stands for all that each
	// application has. The default is the first variant of the application.
	Variants *Axis `json:"variants,omitempty"`
	// Environments are names of environments, sampled like any other axis. By
	// default every environment of the study gets the same points.
	Environments *Axis `json:"environments,omitempty"`
	// Nodes are numbers of nodes. The default is 1.
	Nodes *Axis `json:"nodes,omitempty"`
	// Tasks are total numbers of MPI ranks. The default is nodes times tasks
	// per node.
	Tasks *Axis `json:"tasks,omitempty"`
	// TasksPerNode are numbers of MPI ranks on one node. The default is 1, or
	// tasks over nodes.
	TasksPerNode *Axis `json:"tasksPerNode,omitempty"`
	// Threads are numbers of threads of one rank. The default is 1.
	Threads *Axis `json:"threads,omitempty"`
	// CoresPerTask are numbers of cores of one rank. The default is the number
	// of threads.
	CoresPerTask *Axis `json:"coresPerTask,omitempty"`
	// MapBy says in which order ranks are placed: core, socket, node, slot or
	// numa. The default is the launcher's.
	MapBy *Axis `json:"mapBy,omitempty"`
	// BindTo says what a rank is bound to: none, core, socket or numa. The
	// default is none.
	BindTo *Axis `json:"bindTo,omitempty"`
	// Parameters are the application's parameters by name.
	Parameters map[string]Axis `json:"parameters,omitempty"`
}

// Sampler says which points of a product are taken.
type Sampler struct {
	// Kind is full, random, latin-hypercube, sobol or covering. The default is
	// full.
	Kind SamplerKind `json:"kind,omitempty" jsonschema:"enum=full,enum=random,enum=latin-hypercube,enum=sobol,enum=covering"`
	// Count is how many points random, latin-hypercube and sobol take.
	Count int `json:"count,omitempty" jsonschema:"minimum=1"`
	// Strength is the t of a covering array: every combination of values of any
	// t axes occurs. The default is 2.
	Strength int `json:"strength,omitempty" jsonschema:"minimum=1,maximum=6"`
}

// SamplerKind names a sampler.
type SamplerKind string

// The samplers.
const (
	SampleFull           SamplerKind = "full"
	SampleRandom         SamplerKind = "random"
	SampleLatinHypercube SamplerKind = "latin-hypercube"
	SampleSobol          SamplerKind = "sobol"
	SampleCovering       SamplerKind = "covering"
)

// Budget bounds a plan. A trial's cost before anything ran is its cores or
// nodes times its expected time.
type Budget struct {
	// Trials is the largest number of trials.
	Trials int `json:"trials,omitempty" jsonschema:"minimum=1"`
	// CoreHours is the largest sum of cores times hours.
	CoreHours float64 `json:"coreHours,omitempty" jsonschema:"exclusiveMinimum=0"`
	// NodeHours is the largest sum of nodes times hours.
	NodeHours float64 `json:"nodeHours,omitempty" jsonschema:"exclusiveMinimum=0"`
	// Money is the largest sum of node-hours times the environment's price, in
	// its currency. An environment without a price costs nothing: this limit
	// says nothing about its trials.
	Money float64 `json:"money,omitempty" jsonschema:"exclusiveMinimum=0"`
	// ExpectedTime is what one trial is taken to last where its timeout says
	// nothing better.
	ExpectedTime Duration `json:"expectedTime,omitempty"`
}

// RunPolicy says how jobs run.
type RunPolicy struct {
	// Timeout ends a job that takes longer. The default is no limit.
	Timeout Duration `json:"timeout,omitempty"`
	// Retries is how often a job that failed is tried again. The default is 0.
	Retries *int `json:"retries,omitempty" jsonschema:"minimum=0,maximum=100"`
	// Shared lets jobs run side by side where cores are free. By default a job
	// has the machine to itself, so that jobs do not disturb one another.
	Shared *bool `json:"shared,omitempty"`
	// Oversubscribe allows more ranks than cores, and more threads of a rank
	// that is bound to cores than it has.
	Oversubscribe *bool `json:"oversubscribe,omitempty"`
	// Sample is the interval at which CPU, memory, I/O and network of a job are
	// recorded; none by default.
	Sample Duration `json:"sample,omitempty"`
	// Profile says what is measured inside of jobs: mpi has the MPI profiling
	// library count what the ranks of MPI applications do. The default is none.
	Profile Profile `json:"profile,omitempty" jsonschema:"enum=none,enum=mpi"`
	// ProfileShare is the share of each trial's repetitions that are profiled,
	// above 0 to 1, so that profiled and unprofiled ones can be compared. The
	// default is 1.
	ProfileShare float64 `json:"profileShare,omitempty" jsonschema:"exclusiveMinimum=0,maximum=1"`
	// Noise says what to do about other work on the machine.
	Noise Noise `json:"noise,omitzero"`
	// BeforeJob are commands run in the job's directory before each attempt;
	// one that fails fails the attempt.
	BeforeJob [][]string `json:"beforeJob,omitempty"`
	// AfterJob are commands run after each attempt, failed or not.
	AfterJob [][]string `json:"afterJob,omitempty"`
	// BeforeRun are commands run once before the first job; one that fails ends
	// the run.
	BeforeRun [][]string `json:"beforeRun,omitempty"`
	// AfterRun are commands run once after the last job, whatever happened.
	AfterRun [][]string `json:"afterRun,omitempty"`
}

// Profile is what is measured inside of a job.
type Profile string

// The profiles of a job.
const (
	ProfileNone Profile = "none"
	ProfileMPI  Profile = "mpi"
)

// Noise says what to do about work on the machine that is not the job's.
type Noise struct {
	// Busy is the share of all cores, from 0 to 1, that others may use before
	// the machine counts as busy. The default is 0.1.
	Busy float64 `json:"busy,omitempty" jsonschema:"minimum=0,maximum=1"`
	// Wait is how long a job waits for an idle machine before it runs all the
	// same and is flagged. The default is 30s.
	Wait *Duration `json:"wait,omitempty"`
}
