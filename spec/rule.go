// SPDX-License-Identifier: MIT

package spec

import "cmp"

// EnsembleRule says what to do when something happens.
type EnsembleRule struct {
	// Name is what the journal and the end of the run call it. The default is
	// rule-N.
	Name string `json:"name,omitempty" jsonschema:"pattern=^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"`
	// On is the event: start of the run; job-submit, job-start, job-finish,
	// however it ended, job-succeed, job-fail, of a job that is not tried again;
	// metric, at each of them, at a heartbeat and when nodes came or went; or
	// heartbeat.
	On Trigger `json:"on" jsonschema:"enum=start,enum=job-submit,enum=job-start,enum=job-finish,enum=job-succeed,enum=job-fail,enum=metric,enum=heartbeat"`
	// Group has only events of the jobs of that group count.
	Group string `json:"group,omitempty"`
	// When is a CEL expression that has to hold, over groups["NAME"], with the
	// counts submitted, pending, running, finished, succeeded, failed and
	// cancelled and the statistics runTime, pendingTime, waiting (so far, of pending
	// jobs) and metrics["NAME"], each with count, mean, variance, min, max, median, iqr and mad; job, with group,
	// status, runTime, pendingTime and metrics; and elapsed, nodes and the number
	// of the beat. Times are in seconds.
	When string `json:"when,omitempty"`
	// Do is what is done.
	Do Action `json:"do"`
	// Repetitions is how often the rule is carried out at most. The default is 1.
	Repetitions int `json:"repetitions,omitempty" jsonschema:"minimum=1"`
	// CoolDown is how long the rule rests once it was carried out.
	CoolDown Duration `json:"coolDown,omitempty"`
	// Backoff is how many events the rule lets pass once it was carried out.
	Backoff int `json:"backoff,omitempty" jsonschema:"minimum=1"`
	// OncePerJob carries the rule out once for a job.
	OncePerJob bool `json:"oncePerJob,omitempty"`
}

// Trigger is the event of a rule.
type Trigger string

// The events of rules.
const (
	OnStart     Trigger = "start"
	OnSubmit    Trigger = "job-submit"
	OnJobStart  Trigger = "job-start"
	OnFinish    Trigger = "job-finish"
	OnSucceed   Trigger = "job-succeed"
	OnFail      Trigger = "job-fail"
	OnMetric    Trigger = "metric"
	OnHeartbeat Trigger = "heartbeat"
)

// Action is what a rule does: one of its fields, and those that go with it.
type Action struct {
	// Submit submits a group.
	Submit string `json:"submit,omitempty"`
	// Count is a CEL expression for the number of jobs to submit, in place of the
	// group's.
	Count string `json:"count,omitempty"`
	// Parameters are CEL expressions for parameters of the application that is
	// submitted, in place of the group's.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Check runs a group as a check: it is submitted unless jobs of it are pending
	// or run, which leaves the rule as it is.
	Check string `json:"check,omitempty"`
	// Cancel ends the jobs of a group that are pending or run.
	Cancel string `json:"cancel,omitempty"`
	// Stop cancels a group and submits no more of it.
	Stop string `json:"stop,omitempty"`
	// Grow and Shrink are CEL expressions for a number of nodes to add or to give
	// back, where the executor can.
	Grow   string `json:"grow,omitempty"`
	Shrink string `json:"shrink,omitempty"`
	// Urgency changes the urgency of a group's pending jobs.
	Urgency *Urgency `json:"urgency,omitempty"`
	// Finish ends the run with success or failure.
	Finish Outcome `json:"finish,omitempty" jsonschema:"enum=success,enum=failure"`
}

// Submits gives the group that the action submits; none is empty.
func (a *Action) Submits() string { return cmp.Or(a.Submit, a.Check) }

// Urgency is how urgent the jobs of a group are, as Flux has it: 0 holds them
// back, 16 is usual, 31 goes first.
type Urgency struct {
	Group string `json:"group"`
	Value int    `json:"value" jsonschema:"minimum=0,maximum=31"`
}

// Outcome is how a run ends.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)
