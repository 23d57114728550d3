// SPDX-License-Identifier: MIT

package spec

// Group is a set of alike jobs: an application with its parameters, or a plain
// command. One that no rule submits is submitted when the run begins, or when the
// groups that it comes after have succeeded.
type Group struct {
	// Name is unique within the ensemble, sweeps of its study included.
	Name string `json:"name" jsonschema:"pattern=^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"`
	// App is the name of an application, and Variant one of its variants; the
	// default is the first.
	App     string `json:"app,omitempty"`
	Variant string `json:"variant,omitempty"`
	// Parameters are the application's parameters by name.
	Parameters map[string]Value `json:"parameters,omitempty"`
	// Command is the argument vector of a plain command, in place of an
	// application. Each task runs it.
	Command []string `json:"command,omitempty" jsonschema:"minItems=1"`
	// Env is added to the environment of a plain command.
	Env map[string]string `json:"env,omitempty"`
	// Workdir is the directory that a plain command works in. A relative one is of
	// the directory of the file. The default is a directory of the job's own.
	Workdir string `json:"workdir,omitempty"`
	// MPI starts the tasks of a plain command with the launcher of that MPI. The
	// default is none: the executor starts them itself.
	MPI MPI `json:"mpi,omitempty" jsonschema:"enum=openmpi,enum=mpich,enum=none"`
	// Count is the number of jobs of one submission. The default is 1.
	Count int `json:"count,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// Nodes is the number of nodes of one job. The default is 1.
	Nodes int `json:"nodes,omitempty" jsonschema:"minimum=1"`
	// Tasks is the number of tasks of one job, on all its nodes. The default is
	// one a node.
	Tasks int `json:"tasks,omitempty" jsonschema:"minimum=1"`
	// Partition has the jobs run in a Flux instance of their own on so many nodes,
	// which is started for the group; none by default.
	Partition int `json:"partition,omitempty" jsonschema:"minimum=1"`
	// Threads is the number of threads of one task. The default is 1.
	Threads int `json:"threads,omitempty" jsonschema:"minimum=1"`
	// CoresPerTask is the number of cores of one task. The default is the number
	// of threads.
	CoresPerTask int `json:"coresPerTask,omitempty" jsonschema:"minimum=1"`
	// After are the groups that have to have succeeded first, each of their jobs.
	After []string `json:"after,omitempty"`
	// Run replaces the ensemble's policy, field by field. It has no beforeRun and
	// afterRun, since these are for the whole run.
	Run RunPolicy `json:"run,omitzero"`
}

// Limits end a run whatever its rules say; what still runs is cancelled.
type Limits struct {
	// Time is how long the run may take. The default is 24h.
	Time Duration `json:"time,omitempty"`
	// Jobs is how many jobs may be submitted. The default is 100000.
	Jobs int `json:"jobs,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// NodeHours is the sum of nodes times hours of all jobs; none by default.
	NodeHours float64 `json:"nodeHours,omitempty" jsonschema:"exclusiveMinimum=0"`
}
