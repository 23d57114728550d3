// SPDX-License-Identifier: MIT

// Package measure turns a run directory into records.
//
// The model: a [Record] is what one attempt did. It is derived: everything in
// it stands in the run directory, in the journal (status, attempts), job.json
// (what was asked), exit.json (times, resources, load), what the application
// printed (metrics) and what its ranks counted (the MPI profile), so records can be rebuilt at any time and are never the
// only copy of anything.
//
// Two times are kept apart: a metric is the application's own word, while
// times.start and times.finish are the launcher's, and what lies between them
// holds the launch overhead too.
package measure

import (
	"slices"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// Record is what one attempt did. Fields that are not known are left out.
type Record struct {
	App         string                `json:"app,omitempty"`
	Variant     string                `json:"variant,omitempty"`
	Environment string                `json:"environment,omitempty"`
	Problem     string                `json:"problem,omitempty"`
	Parameters  map[string]spec.Value `json:"parameters,omitempty"`
	Ensemble    string                `json:"ensemble,omitempty"`
	Group       string                `json:"group,omitempty"`
	Trial       string                `json:"trial,omitempty"`
	Job         string                `json:"job,omitempty"`
	Attempt     int                   `json:"attempt,omitempty"`
	// File is the log that was read; RunID and Iteration name the run in it.
	File      string `json:"file,omitempty"`
	RunID     string `json:"run_id,omitempty"`
	Iteration *int   `json:"iteration,omitempty"`
	// Until is when the study takes the repetitions of the trial's configuration
	// for enough; nil where it asks for a fixed number.
	Until *spec.Until `json:"until,omitempty"`
	// Nodes, Tasks and Threads count nodes, MPI ranks on all of them, and threads
	// of one rank.
	Nodes    int             `json:"nodes,omitempty"`
	Tasks    int             `json:"tasks,omitempty"`
	Threads  int             `json:"threads,omitempty"`
	Command  string          `json:"command,omitempty"`
	Image    string          `json:"image,omitempty"`
	Status   ensemble.Status `json:"status"`
	Reason   string          `json:"reason,omitempty"`
	ExitCode *int            `json:"exit_code,omitempty"`
	// Flags tell what to know before using the numbers: those of [run.Exit],
	// not-needed (a rule cancelled the job for good),
	// unreadable (files of the attempt are missing or broken), no-NAME (a success
	// without the application's time of that name), no-profile (none of the ranks
	// that should have been profiled left a profile that can be read),
	// partial-profile (some were not, or did
	// not reach MPI_Finalize), other-mpi (processes use another MPI than the
	// application is said to, and so were not profiled), and those of [read.Run].
	Flags []string `json:"flags,omitempty"`
	// Times are the submission, and the start and the finish as the launcher saw
	// them.
	Times read.Times `json:"times,omitzero"`
	// Metrics are what the application says of itself, each with its unit, by
	// name.
	Metrics map[string]read.Value `json:"metrics,omitempty"`
	// Series are curves by name: those of the application, and what was sampled
	// while it ran over the seconds since its start, as sample_cpu [cores],
	// sample_rss [bytes] and, counted from the start, sample_read, sample_write,
	// sample_received and sample_sent [bytes].
	Series map[string]read.Series `json:"series,omitempty"`
	Tables map[string]read.Table  `json:"tables,omitempty"`
	// MPI is what the ranks did in MPI, of a job that was profiled. Of others it
	// holds the share alone, where what they printed tells [MPIPercent].
	MPI *mpi.Summary `json:"mpi,omitempty"`
	// Load is the other work on the machine, as a share of it.
	Load *run.Load `json:"load,omitempty"`
	// Flux is what Flux says of the attempt, with the times that tell queueing,
	// launching and running apart; nil where it ran elsewhere.
	Flux *run.FluxJob `json:"flux,omitempty"`
	// Resources are what all processes of the attempt used.
	Resources *run.Resources `json:"resources,omitempty"`
}

// MPIPercent is the metric [%] by which an application or the report of a
// profiler says itself what share of the time ranks spent in MPI. What exactly it
// is a share of is for its reader to say. It stays a metric beside a profile, which
// has its own.
const MPIPercent = "mpi_percent"

// Simulated says whether the attempt was played by a simulation: its times are not
// measured.
func (r *Record) Simulated() bool { return slices.Contains(r.Flags, run.Simulated) }

// FromLog makes a record of a run that was found in a log. The application is nil
// where only a format is known.
func FromLog(r read.Run, app *spec.Application) Record {
	record := newRecord(r)
	record.flagTime(app)
	return record
}

func newRecord(r read.Run) Record {
	record := Record{
		App: r.App, Problem: r.Problem, File: r.File, RunID: r.RunID, Iteration: r.Iteration,
		Nodes: r.Nodes, Tasks: r.Tasks, Threads: r.Threads, Command: r.Command,
		Status: ensemble.Status(r.Status), Reason: r.Reason, ExitCode: r.ExitCode, Flags: r.Flags,
		Times: r.Times, Metrics: r.Metrics, Series: r.Series, Tables: r.Tables,
	}
	if v, ok := r.Metrics[MPIPercent]; ok && v.Unit == "%" {
		record.MPI = &mpi.Summary{Percent: v.Value}
	}
	return record
}

// flagTime flags a record that succeeded without the time that the application
// reports by its own account, as no-NAME. Whether the job succeeded is for the
// rules of success to say; but its time is missing where it is compared. Other
// metrics are left out by many applications, depending on what they are asked to
// do.
func (r *Record) flagTime(app *spec.Application) {
	if app == nil || r.Status != ensemble.Succeeded {
		return
	}
	for _, m := range app.Spec.Output.Metrics {
		flag := "no-" + m.Name
		if _, ok := r.Metrics[m.Name]; !ok && m.Role == spec.RoleApplicationTime && !slices.Contains(r.Flags, flag) {
			r.Flags = append(r.Flags, flag)
		}
	}
}
