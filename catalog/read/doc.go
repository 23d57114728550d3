// SPDX-License-Identifier: MIT

// Package read turns what applications print into runs: status, metrics,
// series, tables, and what the log tells of how it was launched.
//
// The model has two layers that know nothing of each other. The wrapper layer
// knows the shapes of log: an application's output alone, a Slurm wrapper with
// start and end times, an attached Flux job followed by its jobspec and
// eventlog, a pod's log with many marked runs and their jobs at the end. It
// recognises them by content, never by a file's name, and cuts the log into
// runs. The application layer is data: the rules of a [spec.Output], or a
// built-in reader where rules cannot express the format.
//
// The steps of [Reader.Read]:
//
//  1. the file is read in blocks that end with a line's end;
//  2. one pass searches a line for the literal texts that the rules require,
//     all of them at once; one with a text of a wrapper goes to that layer, which
//     opens and closes runs;
//  3. a line goes to the rules of the application whose texts it has or with
//     whose beginning it begins, which for most lines are none;
//  4. a closed run gets the facts of its job, its formulas and its status.
//
// Memory is bounded whatever the size of the log: lines are cut at [MaxLine],
// series and tables at [MaxPoints], and a pod's log may hold [MaxRuns] runs.
// Runs without marks are given out as they close, however many there are.
//
// Two durations are never mixed: metrics of the application come from what it
// printed, and duration_wrapper is the launcher's, from Flux's shell.start to
// done or from Slurm's start to end.
package read

// The bounds that keep memory constant.
const (
	// MaxLine is the length in bytes at which a line is cut; the run gets the
	// flag "long-lines".
	MaxLine = 1 << 20
	// MaxPoints is the number of points of one series, of rows of one table and
	// of values of one metric that are kept; the run gets the flag "truncated".
	MaxPoints = 1 << 18
	// MaxRuns is the number of marked runs, and of jobs, that one pod's log may
	// hold; more are an error.
	MaxRuns = 1 << 16
)
