// SPDX-License-Identifier: MIT

package read

import (
	"slices"
	"time"
)

// Run is what a log tells of one run of an application. What the log does not
// tell is left empty; a file's name tells nothing.
type Run struct {
	// App is the application's name.
	App string `json:"app,omitempty"`
	// Problem names the problem, as the application prints it.
	Problem string `json:"problem,omitempty"`
	// File is the name that Read was given.
	File string `json:"file,omitempty"`
	// RunID is the name that the launcher's log gives the run.
	RunID string `json:"run_id,omitempty"`
	// Iteration is the number at the end of a RunID such as lammps-iter-3.
	Iteration *int `json:"iteration,omitempty"`
	// Nodes and Tasks count what the run was placed on.
	Nodes int `json:"nodes,omitempty"`
	Tasks int `json:"tasks,omitempty"`
	// Threads is the number of threads of one task.
	Threads int `json:"threads,omitempty"`
	// Command is the command of one task, its arguments joined by spaces.
	Command string `json:"command,omitempty"`
	// Status is never empty.
	Status Status `json:"status"`
	// Reason says in the words of the log why the run did not succeed.
	Reason string `json:"reason,omitempty"`
	// ExitCode is the launcher's.
	ExitCode *int `json:"exit_code,omitempty"`
	// Flags warn of values to take with care: "truncated", "long-lines",
	// "not-finite" (a value was NaN or infinite and is left out), "shared-wrapper"
	// (duration_wrapper covers other runs too), "restarted" (the application
	// began to print again), "tasks-differ" (the application counts other tasks
	// than the launcher).
	Flags []string `json:"flags,omitempty"`
	// Times are the launcher's.
	Times Times `json:"times,omitzero"`
	// Metrics are the values by name.
	Metrics map[string]Value `json:"metrics,omitempty"`
	// Series are the curves by name.
	Series map[string]Series `json:"series,omitempty"`
	// Tables are lists of rows by name.
	Tables map[string]Table `json:"tables,omitempty"`
}

// Value is a number with its unit.
type Value struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Series is a curve: the units of x and y, and points in the order of the log.
type Series struct {
	Unit   [2]string    `json:"unit"`
	Points [][2]float64 `json:"points"`
}

// Times are moments, zero where unknown.
type Times struct {
	Submit time.Time `json:"submit,omitzero"`
	Start  time.Time `json:"start,omitzero"`
	Finish time.Time `json:"finish,omitzero"`
}

// Status says how a run ended.
type Status string

// The ways in which a run ends.
const (
	// Succeeded is a run that printed all that a good one prints and whose
	// launcher, where there is one, ended well.
	Succeeded Status = "succeeded"
	// Failed is a run that ended badly or without its result.
	Failed Status = "failed"
	// Cancelled is a run that somebody ended.
	Cancelled Status = "cancelled"
	// TimedOut is a run that its time limit ended.
	TimedOut Status = "timeout"
	// Incomplete is a run whose log stops before its end.
	Incomplete Status = "incomplete"
)

// The metric that the wrapper layer adds: the launcher's time.
const durationWrapper = "duration_wrapper"

// flag adds a warning once.
func (r *Run) flag(f string) {
	if !slices.Contains(r.Flags, f) {
		r.Flags = append(r.Flags, f)
	}
}

func (r *Run) metric(name string, value float64, unit string) {
	if r.Metrics == nil {
		r.Metrics = map[string]Value{}
	}
	r.Metrics[name] = Value{value, unit}
}

func (r *Run) series(name string, s Series) {
	if r.Series == nil {
		r.Series = map[string]Series{}
	}
	r.Series[name] = s
}
