// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// Job is one configuration to run, resolved: nothing in it is looked up
// anywhere else or interpreted by a shell.
type Job struct {
	// ID is the trial's: a digest of all that decides what runs.
	ID string `json:"id"`
	// Ensemble and Group say where the job comes from.
	Ensemble string `json:"ensemble,omitempty"`
	Group    string `json:"group,omitempty"`
	// App, Variant, Environment, Problem, Parameters and Repetition describe
	// the job for records; they do not change how it runs.
	App         string                `json:"app,omitempty"`
	Variant     string                `json:"variant,omitempty"`
	Environment string                `json:"environment,omitempty"`
	Problem     string                `json:"problem,omitempty"`
	Parameters  map[string]spec.Value `json:"parameters,omitempty"`
	Repetition  int                   `json:"repetition,omitempty"`

	// Cell is the configuration that the job repeats: a digest like the ID, but
	// the same for all its repetitions. It goes with Until, which says when they
	// are enough; both are empty where every repetition runs.
	Cell  string      `json:"cell,omitempty"`
	Until *spec.Until `json:"until,omitempty"`

	// Partition is of how many nodes the Flux instance is that the jobs of the group
	// have to themselves; 0 has them run beside those of other groups.
	Partition int `json:"partition,omitempty"`

	Shape  Shape  `json:"shape"`
	Launch Launch `json:"launch"`
	Policy Policy `json:"policy"`
}

// Check says what is wrong with a job that no executor could carry out.
func (j *Job) Check() error {
	if err := CheckID(j.ID); err != nil {
		return err
	}
	l := &j.Launch
	for _, argv := range slices.Concat([][]string{l.Command}, l.Before, l.Prepare, l.After, l.ServiceCommands()) {
		if len(argv) == 0 || argv[0] == "" { // as a template can leave it
			return fmt.Errorf("job %s: got the command %q, want a program and its arguments", j.ID, argv)
		}
	}
	if l.Workdir != "" && !filepath.IsAbs(l.Workdir) {
		return fmt.Errorf("job %s: got the directory %q to work in, want an absolute path", j.ID, l.Workdir)
	}
	return nil
}

// CheckID says what is wrong with the ID of a job. It names a directory of the
// run, so it is one plain element of a path: an ID from elsewhere must not lead
// out of the run.
func CheckID(id string) error {
	if id == "" || id == "." || !filepath.IsLocal(id) || strings.ContainsAny(id, "/\\\x00") {
		return fmt.Errorf("got the job ID %q, want the plain name of a directory", id)
	}
	return nil
}

// Shape is what a job asks of the machine.
type Shape struct {
	// Nodes, Tasks, Threads and CoresPerTask are 1 at least. Tasks counts the
	// MPI ranks on all nodes, Threads the threads of one rank.
	Nodes        int `json:"nodes"`
	Tasks        int `json:"tasks"`
	Threads      int `json:"threads"`
	CoresPerTask int `json:"cores_per_task"`
	// MapBy and BindTo place ranks; empty leaves it to the launcher.
	MapBy  string `json:"map_by,omitempty"`
	BindTo string `json:"bind_to,omitempty"`
}

// Cores is the number of cores that the job asks for, on all nodes.
func (s Shape) Cores() int { return s.Tasks * s.CoresPerTask }

// Launch is what runs.
type Launch struct {
	// MPI is the MPI whose launcher starts the ranks; spec.NoMPI starts Command
	// once.
	MPI spec.MPI `json:"mpi"`
	// Profile is what is measured inside of the job: spec.ProfileMPI or nothing.
	Profile spec.Profile `json:"profile,omitempty"`
	// Image is the container image in which the application, the launcher of its MPI and
	// what prepares and serves it are, as NAME@sha256:HEX; empty is the machine itself.
	// Before and After run outside of it.
	Image string `json:"image,omitempty"`
	// Command is the argument vector of one rank.
	Command []string `json:"command"`
	// Workdir is where Command works, as an absolute path; empty is the job's
	// directory, where everything else works in any case.
	Workdir string `json:"workdir,omitempty"`
	// Before, Prepare and After are run one by one in the job's directory:
	// Before and Prepare ahead of the application, After behind it whatever
	// happened.
	Before  [][]string `json:"before,omitempty"`
	Prepare [][]string `json:"prepare,omitempty"`
	After   [][]string `json:"after,omitempty"`
	// Services run beside the application.
	Services []spec.Service `json:"services,omitempty"`
	// Env is added to the environment, as NAME=VALUE.
	Env []string `json:"env,omitempty"`
	// Files are written into the job's directory, by relative path.
	Files map[string]string `json:"files,omitempty"`
	// Collect are glob patterns of the files to keep.
	Collect []string `json:"collect,omitempty"`
}

// ServiceCommands are the argument vectors of the services.
func (l *Launch) ServiceCommands() [][]string {
	commands := make([][]string, len(l.Services))
	for i, s := range l.Services {
		commands[i] = s.Command
	}
	return commands
}

// Policy is how the job is treated.
type Policy struct {
	// Timeout ends the application when it takes longer; 0 is no limit.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Retries is how often a failed job is tried again.
	Retries int `json:"retries,omitempty"`
	// Shared lets the job run beside others.
	Shared bool `json:"shared,omitempty"`
	// Oversubscribe allows more ranks than cores.
	Oversubscribe bool `json:"oversubscribe,omitempty"`
	// Sample is the interval of samples of the job's use of the machine; 0 is
	// none.
	Sample time.Duration `json:"sample,omitempty"`
	// Busy is the share of all cores that others may use before the machine
	// counts as busy, and IdleWait how long to wait for it to calm down; a
	// negative IdleWait neither waits nor flags.
	Busy     float64       `json:"busy,omitempty"`
	IdleWait time.Duration `json:"idle_wait,omitempty"`
}

// Status is how an attempt ended.
type Status string

// The ways in which an attempt ends, as records name them.
const (
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"     // the application or a command around it failed
	Cancelled  Status = "cancelled"  // somebody stopped it
	Timeout    Status = "timeout"    // it took longer than allowed
	Incomplete Status = "incomplete" // its output ends before the application did
	Lost       Status = "lost"       // nobody knows how it ended
)

func (s Status) known() bool {
	switch s {
	case Succeeded, Failed, Cancelled, Timeout, Incomplete, Lost:
		return true
	}
	return false
}

// Settles says whether an attempt that ended like this counts as a try at its
// job.
func (s Status) Settles() bool { return s != Cancelled && s != Lost }
