// SPDX-License-Identifier: MIT

package spec

// Output says how to read what an application prints.
type Output struct {
	// Reader names a built-in reader for a format that rules cannot express:
	// netpipe or osu for an application's output, ensemble or k8s-events for a
	// whole file. It works beside the rules; netpipe reads the collected files
	// too.
	Reader string `json:"reader,omitempty"`
	// Begin are regular expressions (RE2) on the lines with which the
	// application starts to print. A log that holds several runs without a mark
	// between them is cut where one of them matches again. Leave it out where
	// every rank prints the line.
	Begin []string `json:"begin,omitempty" jsonschema:"format=regex"`
	// Facts are the rules that find what the run was: its problem, its ranks.
	Facts []Fact `json:"facts,omitempty"`
	// Metrics are the rules that find values.
	Metrics []Metric `json:"metrics,omitempty"`
	// Success are the rules of which every one has to match in a run that
	// succeeded.
	Success []Rule `json:"success,omitempty"`
	// Failure are the rules of which any one that matches means that the run
	// failed.
	Failure []Rule `json:"failure,omitempty"`
	// Collect are glob patterns of the files to keep, relative to the job's
	// directory.
	Collect []string `json:"collect,omitempty"`
}

// Fact is something other than a value that a log tells of its run.
type Fact struct {
	// Name is what the rule finds.
	Name FactName `json:"name" jsonschema:"enum=problem,enum=command,enum=nodes,enum=tasks,enum=threads"`
	// Match is a regular expression (RE2) on one line; the last line that
	// matches counts.
	Match string `json:"match" jsonschema:"format=regex,minLength=1"`
	// Text is the fact; ${1} and ${name} stand for groups of Match. The default
	// is the group named "value", or else the first.
	Text string `json:"text,omitempty"`
	// From is the collected file to read; the default is standard output and
	// error.
	From string `json:"from,omitempty"`
}

// FactName names a fact of a run.
type FactName string

// The facts of a run. What the launcher says outranks them.
const (
	FactProblem FactName = "problem"
	FactCommand FactName = "command"
	FactNodes   FactName = "nodes"
	FactTasks   FactName = "tasks"
	FactThreads FactName = "threads"
)

// Metric is one value that an application reports. Several with the same name
// are alternatives, for the spellings of different versions say; they have to
// agree in unit and take.
type Metric struct {
	// Name is what records call the value.
	Name string `json:"name" jsonschema:"pattern=^[A-Za-z][A-Za-z0-9_]*$"`
	// Match is a regular expression (RE2) on one line; its group named "value",
	// or else its first group, is the value: a number, or h:mm:ss in seconds.
	// One that holds literal text is found fast; one without is tried on every
	// line.
	Match string `json:"match,omitempty" jsonschema:"format=regex"`
	// After is a regular expression (RE2) on a line: only matches below the
	// first such line count.
	After string `json:"after,omitempty" jsonschema:"format=regex"`
	// Formula computes the value from other metrics, instead of Match. It is a
	// CEL expression without macros in which names and numbers are doubles:
	// "100 * mpi_time / wall_time", "b > 0 ? a / b : a". Besides the
	// application's metrics it can name duration_wrapper, the time of the
	// launcher. There is no value where one that it needs is missing, or where
	// it divides by zero, which flags the run as "not-finite".
	Formula string `json:"formula,omitempty"`
	// Unit is the unit of the value after Scale, in the symbols of SI or IEC.
	Unit string `json:"unit,omitempty"`
	// Description says what the value means.
	Description string `json:"description,omitempty"`
	// Better is lower or higher; empty where neither is.
	Better Better `json:"better,omitempty" jsonschema:"enum=lower,enum=higher"`
	// Role says what reports do with the value.
	Role MetricRole `json:"role,omitempty" jsonschema:"enum=application-time,enum=figure-of-merit,enum=series,enum=detail"`
	// Take says which of several matches counts. The default is last.
	Take Take `json:"take,omitempty" jsonschema:"enum=first,enum=last,enum=min,enum=max,enum=sum,enum=mean,enum=median,enum=count"`
	// Scale multiplies the number that was read. The default is 1.
	Scale float64 `json:"scale,omitempty"`
	// From is the collected file to read; the default is standard output and
	// error.
	From string `json:"from,omitempty"`
}

// Better is the direction in which a metric improves.
type Better string

// The directions.
const (
	BetterLower  Better = "lower"
	BetterHigher Better = "higher"
)

// MetricRole says what reports do with a metric.
type MetricRole string

// The roles of metrics. A metric without one is a detail.
const (
	RoleApplicationTime MetricRole = "application-time"
	RoleFigureOfMerit   MetricRole = "figure-of-merit"
	RoleSeries          MetricRole = "series"
	RoleDetail          MetricRole = "detail"
)

// Take says which of several matches counts.
type Take string

// The ways to reduce several matches to one value.
const (
	TakeFirst  Take = "first"
	TakeLast   Take = "last"
	TakeMin    Take = "min"
	TakeMax    Take = "max"
	TakeSum    Take = "sum"
	TakeMean   Take = "mean"
	TakeMedian Take = "median"
	TakeCount  Take = "count"
)

// Rule decides on success or failure.
type Rule struct {
	// Match is a regular expression (RE2) on one line.
	Match string `json:"match" jsonschema:"format=regex,minLength=1"`
	// Reason is the text of the record's reason; ${1} and ${name} stand for
	// groups of Match. The default is the whole line. In a rule of success it
	// says what is missing when no line matches.
	Reason string `json:"reason,omitempty"`
	// From is the collected file to read; the default is standard output and
	// error.
	From string `json:"from,omitempty"`
}
