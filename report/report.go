// SPDX-License-Identifier: MIT

package report

import (
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// Report is what a set of records amounts to.
type Report struct {
	// Level is the confidence level of all intervals, as a fraction.
	Level        float64       `json:"level"`
	Counts       Counts        `json:"counts"`
	Applications []Application `json:"applications,omitempty"`
	// Failures are all attempts that did not succeed.
	Failures []Failure `json:"failures,omitempty"`
	// Jobs are all attempts whose start and finish are known, by start.
	Jobs []Job `json:"jobs,omitempty"`
}

// Counts are the sums of a report.
type Counts struct {
	Trials   int `json:"trials"`
	Attempts int `json:"attempts"`
	// Succeeded counts the trials with an attempt that succeeded. Of the others,
	// Unneeded are those that a rule cancelled for good.
	Unneeded int `json:"unneeded,omitempty"`
	// Unfinished are those whose last attempt was cancelled or lost, which a
	// resumed run tries again, and Failed the rest.
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
	Unfinished int `json:"unfinished"`
	// Noisy counts the successful attempts that other work on the machine may
	// have disturbed.
	Noisy int `json:"noisy"`
	// Flags count the attempts that carry each flag, those that did not succeed
	// included.
	Flags map[string]int `json:"flags,omitempty"`
}

// Application is what is known of one application.
type Application struct {
	Name    string       `json:"name"`
	Scaling spec.Scaling `json:"scaling"`
	// Time says which time all series of the application hold.
	Time Quantity `json:"time"`
	// Merits are the figures of merit, in the order of the application's file.
	Merits []Quantity `json:"merits,omitempty"`
	Series []Series   `json:"series,omitempty"`
	// Curves are what the application measured over something other than ranks.
	Curves   []Curve  `json:"curves,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Quantity says what a number is.
type Quantity struct {
	// Name is the metric's, or [WallTime].
	Name   string      `json:"name"`
	Unit   string      `json:"unit,omitempty"`
	Better spec.Better `json:"better,omitempty"`
}

// WallTime is the name of the launcher's time, from its start to its finish: it
// holds the application and its launch overhead.
const WallTime = "launcher_wall_time"

// Setting is what all trials of a series have in common.
type Setting struct {
	Variant     string `json:"variant,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Problem is the application's name for it where all records agree, else
	// the parameters.
	Problem    string                `json:"problem,omitempty"`
	Parameters map[string]spec.Value `json:"parameters,omitempty"`
	// Threads of one rank; zero where unknown.
	Threads int `json:"threads,omitempty"`
	// Differs are the parameters that tell the series from others in the same words.
	Differs string `json:"differs,omitempty"`
	// Label tells the series from the others of its application.
	Label string `json:"label"`
}

// Series is the time over the number of ranks, all else being equal.
type Series struct {
	Setting
	// Images are those that the trials ran in, NAME@sha256:HEX, in their order.
	Images []string `json:"images,omitempty"`
	// Points are in the order of ranks, then nodes.
	Points []Point `json:"points"`
	// Profile is what a typical trial on the most ranks that were profiled did in
	// MPI.
	Profile  *MPIProfile `json:"profile,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
}

// Point is what the trials on one number of ranks and nodes measured.
type Point struct {
	// Nodes and Ranks are zero where unknown.
	Nodes int `json:"nodes,omitempty"`
	Ranks int `json:"ranks,omitempty"`
	// Grid has the parameters of the process grid where several grids were
	// measured on these ranks and nodes, which are points of their own then.
	Grid string `json:"grid,omitempty"`
	// Base marks the point that speed-up and efficiency refer to: the smallest
	// number of ranks, and of nodes among these, that has a mean time above zero.
	Base bool `json:"base,omitempty"`
	// Time is in the unit of the application's Time.
	Time stats.Summary `json:"time"`
	// Speedup is mean time of the base over mean time here; none under weak
	// scaling.
	Speedup *stats.Estimate `json:"speedup,omitempty"`
	// Efficiency is the speed-up times the ranks of the base over the ranks
	// here; under weak scaling the mean time of the base over the mean time here.
	Efficiency *stats.Estimate `json:"efficiency,omitempty"`
	// Merits are the figures of merit by name, in the units of the application's
	// Merits.
	Merits map[string]stats.Summary `json:"merits,omitempty"`
	// Overhead is the launcher's wall time less the application's own, in
	// seconds, where both are known.
	Overhead *stats.Summary `json:"overhead,omitempty"`
	// MPI is what trials spent in MPI, where some were profiled or tell.
	MPI *MPIShare `json:"mpi,omitempty"`
	// Quiet summarises Time without the noisy trials, where there are some of
	// both kinds.
	Quiet *stats.Summary `json:"quiet,omitempty"`
	// QuietEfficiency is Efficiency without the noisy trials here and at the
	// base, where there are some and enough others.
	QuietEfficiency *stats.Estimate `json:"quiet_efficiency,omitempty"`
	// Noisy counts the trials flagged noisy.
	Noisy int `json:"noisy,omitempty"`
	// Flags count the trials that carry each flag, noisy included.
	Flags map[string]int `json:"flags,omitempty"`
	// Repetitions is what they bought, where the study asks for an interval.
	Repetitions *Repetitions `json:"repetitions,omitempty"`
	// Outliers counts the trials whose time is one.
	Outliers int `json:"outliers,omitempty"`
	// Trials are those that succeeded.
	Trials   []Trial  `json:"trials"`
	Warnings []string `json:"warnings,omitempty"`
}

// Trial is one measurement of a point.
type Trial struct {
	ID         string `json:"id,omitempty"`
	Attempt    int    `json:"attempt,omitempty"`
	Repetition int    `json:"repetition,omitempty"`
	// Time is in the unit of the application's Time, and missing where the record
	// has none of that kind.
	Time *float64 `json:"time,omitempty"`
	// Overhead is in seconds, Merits in the units of the application's Merits.
	Overhead *float64           `json:"overhead,omitempty"`
	Merits   map[string]float64 `json:"merits,omitempty"`
	// MPI is the share of the time in MPI in percent: of a trial that was
	// profiled, or, where none of the point was, as it reports it.
	MPI   *float64 `json:"mpi_percent,omitempty"`
	Flags []string `json:"flags,omitempty"`
	// Outlier is the modified z-score of the time where it is an outlier.
	Outlier float64 `json:"outlier,omitempty"`
}

// Curve is one measurement over another, such as latency over message size.
type Curve struct {
	Name  string    `json:"name"`
	Unit  [2]string `json:"unit"` // of x and y
	Lines []Line    `json:"lines"`
}

// Line is a curve in one setting on one number of ranks.
type Line struct {
	Setting
	Nodes  int         `json:"nodes,omitempty"`
	Ranks  int         `json:"ranks,omitempty"`
	N      int         `json:"n"` // trials
	Points []LinePoint `json:"points"`
}

// LinePoint is the middle of the trials at one x, in the units of the curve.
type LinePoint struct {
	X      float64 `json:"x"`
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Failure is one attempt that did not succeed.
type Failure struct {
	App         string          `json:"app,omitempty"`
	Variant     string          `json:"variant,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Problem     string          `json:"problem,omitempty"`
	Nodes       int             `json:"nodes,omitempty"`
	Ranks       int             `json:"ranks,omitempty"`
	Trial       string          `json:"trial,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
	Status      ensemble.Status `json:"status"`
	Reason      string          `json:"reason,omitempty"`
	ExitCode    *int            `json:"exit_code,omitempty"`
	Flags       []string        `json:"flags,omitempty"`
	// Recovered is set where a later attempt of the trial succeeded.
	Recovered bool `json:"recovered,omitempty"`
}

// Job is one attempt on the time line.
type Job struct {
	App         string          `json:"app,omitempty"`
	Variant     string          `json:"variant,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Problem     string          `json:"problem,omitempty"`
	Nodes       int             `json:"nodes,omitempty"`
	Ranks       int             `json:"ranks,omitempty"`
	Trial       string          `json:"trial,omitempty"`
	Attempt     int             `json:"attempt,omitempty"`
	Status      ensemble.Status `json:"status"`
	Reason      string          `json:"reason,omitempty"`
	Flags       []string        `json:"flags,omitempty"`
	Start       time.Time       `json:"start"`
	Finish      time.Time       `json:"finish"`
}
