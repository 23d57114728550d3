// SPDX-License-Identifier: MIT

package flux

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Job is a job in plain values, from which Jobspec makes what is submitted. Only
// Command is needed: it then runs once on one core.
type Job struct {
	Command []string // {{id}}, {{tmpdir}}, {{taskid}} and the like are filled in by the job shell

	// Tasks is how many tasks there are in all; 0 stands for one on each of
	// Nodes. They are spread evenly over Nodes, which need not divide them.
	Tasks        int
	CoresPerTask int // 0 stands for 1
	GPUsPerTask  int
	Nodes        int  // 0 leaves it to the scheduler
	Exclusive    bool // no other job on these Nodes

	// Cores asks for cores instead of tasks, in all, which Nodes has to divide.
	// How many tasks run there is what TasksPerNode or TasksPerCore say; where both
	// are 0, one on each node, or one on each core without Nodes.
	Cores        int
	TasksPerNode int // also without Cores: with Nodes, in place of Tasks
	TasksPerCore int // with Cores, or with Nodes and Exclusive

	TimeLimit time.Duration // 0 for none
	Dir       string        // the working directory; "" is the broker's
	Env       map[string]string
	Name      string
	Queue     string
	Bank      string
	Files     map[string]File // by path below {{tmpdir}}

	Dependencies []Dependency
	Requires     any // constraints as RFC 31 has them, such as {"hostlist": ["node[1-3]"]}

	CPUAffinity string // on, off, per-task, map:LIST, ...; "" is the shell's default
	GPUAffinity string
	TaskMap     string // block, cyclic, cyclic:2, manual:..., ...
	MPI         string // none, spectrum, openmpi@5, ...
	PMI         string // simple, pmix, off, ... and lists of them

	// Stdin, Stdout and Stderr are paths on the nodes. Without them output is
	// kept by Flux, where [Client.Output] finds it.
	Stdin, Stdout, Stderr string

	Shell map[string]any // further options of the job shell
	User  map[string]any // attributes.user
	Mock  *Mock          // do not run it, only seem to
}

// Mock is a job that is scheduled and has all events, and runs nothing. Without
// tasks, Kill does nothing to it; cancelled it ends with the signal itself as its
// status, 15 and not 36608.
type Mock struct {
	Duration time.Duration
	Status   WaitStatus
}

// Jobspec makes the jobspec, or says all that is wrong with the job.
func (j *Job) Jobspec() (*Jobspec, error) {
	if err := j.check(); err != nil {
		return nil, fmt.Errorf("making a jobspec: %w", err)
	}
	resources, count := j.resources()
	js := &Jobspec{
		Version:   1,
		Resources: []Resource{resources},
		Tasks:     []Task{{Command: slices.Clone(j.Command), Slot: "task", Count: count}},
		Attributes: Attributes{User: maps.Clone(j.User), System: System{
			Duration: j.TimeLimit.Seconds(), Environment: maps.Clone(j.Env), Dir: j.Dir, Queue: j.Queue, Bank: j.Bank,
			Dependencies: slices.Clone(j.Dependencies), Constraints: j.Requires, Files: maps.Clone(j.Files),
		}},
	}
	system := &js.Attributes.System
	if j.Name != "" {
		system.Job = &Naming{Name: j.Name}
	}
	options := maps.Clone(j.Shell)
	if options == nil {
		options = map[string]any{}
	}
	for key, value := range j.options() {
		options[key] = value
	}
	if len(options) > 0 {
		system.Shell = &Shell{Options: options}
	}
	if j.Mock != nil {
		// A duration of 0 would never end.
		test := map[string]any{"run_duration": seconds(max(j.Mock.Duration, time.Microsecond))}
		if j.Mock.Status != 0 {
			test["wait_status"] = int(j.Mock.Status)
		}
		system.Exec = map[string]any{"test": test}
	}
	return js, nil
}

// seconds is a duration as RFC 23 writes it.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

func (j *Job) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(j.Command) == 0 || j.Command[0] == "" {
		bad("Command: there is none")
	}
	for _, c := range []struct {
		name  string
		value int
	}{{"Tasks", j.Tasks}, {"CoresPerTask", j.CoresPerTask}, {"GPUsPerTask", j.GPUsPerTask}, {"Nodes", j.Nodes},
		{"Cores", j.Cores}, {"TasksPerNode", j.TasksPerNode}, {"TasksPerCore", j.TasksPerCore}} {
		if c.value < 0 {
			bad("%s: %d is below zero", c.name, c.value)
		}
	}
	switch {
	case j.Exclusive && j.Nodes == 0:
		bad("Exclusive: needs Nodes")
	case j.TasksPerNode > 0 && j.TasksPerCore > 0:
		bad("TasksPerNode and TasksPerCore: only one of both")
	case j.Cores > 0 && (j.Tasks > 0 || j.CoresPerTask > 0 || j.GPUsPerTask > 0):
		bad("Cores: cannot be given with Tasks, CoresPerTask or GPUsPerTask")
	case j.Cores > 0 && j.Nodes > 0 && j.Cores%j.Nodes != 0:
		bad("Cores: %d cannot be spread evenly over %d nodes", j.Cores, j.Nodes)
	case j.TasksPerCore > 0 && j.Cores == 0 && !j.Exclusive:
		bad("TasksPerCore: needs Cores, or Nodes and Exclusive")
	case j.TasksPerCore > 0 && j.Tasks > 0:
		bad("TasksPerCore: cannot be given with Tasks")
	case j.TasksPerNode > 0 && j.Cores == 0 && j.Nodes == 0:
		bad("TasksPerNode: needs Nodes or Cores")
	case j.TasksPerNode > 0 && j.Tasks > 0 && j.Tasks != j.Nodes*j.TasksPerNode:
		bad("Tasks: %d is not %d nodes with %d tasks each", j.Tasks, j.Nodes, j.TasksPerNode)
	case j.Tasks > 0 && j.Nodes > j.Tasks:
		bad("Nodes: %d nodes are more than %d tasks", j.Nodes, j.Tasks)
	}
	if j.TimeLimit < 0 {
		bad("TimeLimit: %v is below zero", j.TimeLimit)
	}
	for _, path := range slices.Sorted(maps.Keys(j.Files)) {
		if err := checkFilePath(path); err != nil {
			bad("Files: %w", err)
		}
	}
	for _, d := range j.Dependencies {
		if d.Scheme == "" {
			bad("Dependencies: %q has no scheme", d.Value)
		}
	}
	for key := range j.options() {
		if _, twice := j.Shell[key]; twice {
			bad("Shell: option %q has a field of its own, which is set", key)
		}
	}
	if j.Mock != nil && j.Mock.Duration < 0 {
		bad("Mock: a duration of %v is below zero", j.Mock.Duration)
	}
	return errors.Join(errs...)
}

// perResource says whether the shell counts tasks by nodes or cores, and not
// by slots.
func (j *Job) perResource() bool {
	return j.Cores > 0 || j.TasksPerCore > 0 || j.TasksPerNode > 0 && j.Exclusive && j.Tasks == 0 && j.CoresPerTask == 0 && j.GPUsPerTask == 0
}

// resources follows flux-submit(1), so that a job gets the same from both.
func (j *Job) resources() (Resource, TaskCount) {
	slot := Resource{Type: "slot", Label: "task"}
	count := TaskCount{PerSlot: 1}
	cores := max(1, j.CoresPerTask)
	if j.perResource() {
		slot.Count = max(1, j.Cores)
		if j.Nodes > 0 {
			slot.Count, cores = 1, max(1, j.Cores/j.Nodes)
		}
	} else {
		slot.Count = j.Tasks
		if slot.Count == 0 {
			slot.Count = max(1, j.Nodes) * max(1, j.TasksPerNode)
		}
		if j.Nodes > 0 {
			if tasks := slot.Count; tasks%j.Nodes != 0 {
				count = TaskCount{Total: tasks}
			}
			slot.Count = (slot.Count + j.Nodes - 1) / j.Nodes
		}
	}
	slot.With = []Resource{{Type: "core", Count: cores}}
	if j.GPUsPerTask > 0 {
		slot.With = append(slot.With, Resource{Type: "gpu", Count: j.GPUsPerTask})
	}
	if j.Nodes == 0 {
		return slot, count
	}
	return Resource{Type: "node", Count: j.Nodes, Exclusive: j.Exclusive, With: []Resource{slot}}, count
}

// options are those of the shell that have fields.
func (j *Job) options() map[string]any {
	o := map[string]any{}
	for key, value := range map[string]string{"cpu-affinity": j.CPUAffinity, "gpu-affinity": j.GPUAffinity, "mpi": j.MPI, "pmi": j.PMI} {
		if value != "" {
			o[key] = value
		}
	}
	if j.TaskMap != "" {
		scheme, value, _ := strings.Cut(j.TaskMap, ":")
		o["taskmap"] = map[string]any{"scheme": scheme, "value": value}
	}
	if j.perResource() {
		if j.TasksPerNode > 0 {
			o["per-resource"] = map[string]any{"type": "node", "count": j.TasksPerNode}
		} else if j.TasksPerCore > 0 {
			o["per-resource"] = map[string]any{"type": "core", "count": j.TasksPerCore}
		}
	}
	if j.Stdin != "" {
		o["input"] = map[string]any{"stdin": toFile(j.Stdin)}
	}
	output := map[string]any{}
	if j.Stdout != "" {
		output["stdout"] = toFile(j.Stdout)
	}
	if j.Stderr != "" {
		output["stderr"] = toFile(j.Stderr)
	}
	if len(output) > 0 {
		o["output"] = output
	}
	return o
}

func toFile(path string) map[string]any { return map[string]any{"type": "file", "path": path} }
