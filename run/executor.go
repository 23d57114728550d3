// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"fmt"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// Executor runs attempts on one member and reports what becomes of them.
//
// The order of events of one attempt is Wait, Start, Finish. Wait is left out
// where nothing is waited for, and Start where the application never started. A
// Finish is sent exactly once for every attempt that was submitted or recovered,
// after everything that the attempt leaves behind is saved. A [Resizer] sends
// Resize, too, which is of no attempt.
type Executor interface {
	// Check says what the machine lacks to run the job; the error tells how to
	// get it. It is asked before anything runs.
	Check(job *ensemble.Job) error
	// Room says whether the job can be submitted now.
	Room(job *ensemble.Job) bool
	// Submit hands over one attempt. The directory exists and holds job.json. An
	// error means that nothing was started.
	Submit(job *ensemble.Job, attempt int, dir string) error
	// Recover asks what became of an attempt that an earlier driver submitted;
	// the answer comes as events. An attempt that never began ends as lost.
	Recover(job *ensemble.Job, attempt int, phase ensemble.Phase, dir string) error
	// Cancel ends an attempt; its Finish follows.
	Cancel(job string, attempt int)
	// Events is where events come from. It is never closed.
	Events() <-chan ensemble.Event
}

// Observer is told of a run as it goes on. Its methods are called one after
// another and have to return soon.
type Observer interface {
	// Event is told after the event is in the journal; the job is nil where it is
	// of none.
	Event(job *ensemble.Job, e ensemble.Event, s Standing)
}

// Standing is how a run stands behind an event.
type Standing struct {
	// Settled is how many jobs are settled; Skipped is how many of them an earlier
	// session had settled, and Omitted how many were not needed.
	Settled, Skipped, Omitted int
	// Jobs is how many jobs are known so far.
	Jobs int
	// Again says that the attempt ended and this session tries the job again.
	Again bool
	// Dropped says that the attempt was cancelled for good: no session tries the
	// job again.
	Dropped bool
}

// Judge decides from what an attempt left in its directory, and from the finish
// that the executor reports, how the application ended and why.
type Judge func(ctx context.Context, job *ensemble.Job, dir string, finish ensemble.Event) Judgement

// Judgement is how an application ended, and what it says of itself.
type Judgement struct {
	Status ensemble.Status
	Reason string
	// Metrics are those of its output, by name, as the output has them.
	Metrics map[string]float64
}

// Sizer is an executor whose member has nodes that rules may ask for; the member of
// others counts as one.
type Sizer interface {
	// Nodes is how many nodes the member has now.
	Nodes() int
}

// Resizer is an executor whose member can grow and shrink. Where its nodes change
// later than Resize returns, or by themselves, it sends the event Resize with the
// number of nodes that there are then: rules see no other change.
type Resizer interface {
	Sizer
	// Resize asks for nodes more, or gives back as many where it is below zero. It
	// returns at once; Nodes tells what became of it so far.
	Resize(nodes int) error
}

// Prioritizer is an executor that can change the urgency of what is pending.
type Prioritizer interface {
	// Urge sets the urgency of a job, from 0 to 31; 16 is usual.
	Urge(job string, attempt, urgency int) error
}

// Clock is an executor with a time of its own, as a simulation has: all events of
// the run go by it. Its time passes while the driver waits for events, and only
// then: the driver calls Events anew each time that it waits.
type Clock interface {
	// Now is the time.
	Now() time.Time
	// Wake has the time sent on the channel once it is at, unless stop is called
	// before. Events that are earlier come first.
	Wake(at time.Time) (c <-chan time.Time, stop func())
	// Resume tells the latest time of an earlier session, when one begins; of a new
	// run it is zero.
	Resume(last time.Time)
}

// Opener is an executor that keeps something of its own with a run.
type Opener interface {
	// Open is called first, by a session that has the run directory to itself.
	Open(ctx context.Context, dir Dir) error
}

// Failing is an executor that can lose its member in the middle of a run, or what it
// needs to keep what attempts leave.
type Failing interface {
	// Failed has the reason sent once. No event comes behind it; the driver ends the
	// session, and the next one asks what became of the attempts that are open.
	Failed() <-chan error
}

// MemberError says that a member is lost or cannot be reached.
type MemberError struct {
	Member string // and where it is
	Err    error
}

func (e *MemberError) Error() string { return fmt.Sprintf("%s: %v", e.Member, e.Err) }

func (e *MemberError) Unwrap() error { return e.Err }
