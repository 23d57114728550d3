// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"math"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// never is the time of what does not happen.
const never = time.Duration(math.MaxInt64)

// A Job is what is submitted, with what will become of it. Times count from the
// begin of the simulation, durations are virtual. A Job is submitted once.
type Job struct {
	// ID is the caller's; the simulation does not look at it.
	ID string
	// At is when Play submits the job.
	At time.Duration
	// Nodes is how many nodes the job asks for. 0 leaves it open: the tasks go
	// where there are cores.
	Nodes int
	// Tasks is how many tasks there are on all nodes, and Cores how many cores each
	// has; 0 is 1. A job that asks for nodes gets room for as many tasks on each, as
	// flux submit does: 5 tasks on 2 nodes ask for 3 on each.
	Tasks, Cores int
	// Exclusive keeps other jobs from the nodes. It goes with Nodes.
	Exclusive bool
	// Urgency is relative to the usual: it is 16 below what Flux calls so. The job
	// of the highest goes first, and the one of Held does not go.
	Urgency int
	// Limit ends the job as Timeout that long after it got its nodes, which is what
	// the expiration in Flux's R says (RFC 20); 0 is no limit. Backfilling plans
	// with it.
	Limit time.Duration
	// Before lies between alloc and start, and After between finish and free: the
	// overhead of launching and of cleaning up.
	Before, After time.Duration
	// Run lies between start and finish, where nothing cuts it short, and Status is
	// how the job ends then; empty is succeeded.
	Run    time.Duration
	Status ensemble.Status
	// Dependencies have to succeed first. They are submitted before the job. Where
	// one does not succeed, the job ends as Cancelled.
	Dependencies []*Job

	serial   int64 // counts submissions
	phase    phase
	timer    timer // of what happens to it next
	needs    int   // dependencies that did not end
	waiters  []*Job
	prev     *Job // in the queue
	next     *Job
	demand   demand
	shares   []Share
	began    time.Duration // when it got its nodes
	deadline time.Duration
	cut      bool // the timer is that of the limit
	result   ensemble.Status
	running  int // index among those that have nodes
}

// The range of urgencies.
const (
	Held       = -16
	MaxUrgency = 15
)

// phase is where a job stands.
type phase uint8

const (
	fresh    phase = iota
	blocked        // dependencies did not end
	queued         // it waits for nodes, or is held
	launched       // it has nodes and did not start
	started
	finished // it has nodes until they are cleaned up
	ended
)

// Share is what a job has of a node.
type Share struct{ Node, Cores int32 }

// Shares is what the job has, or had last. It is not to be changed.
func (j *Job) Shares() []Share { return j.shares }

// check says what is wrong with a job on any cluster.
func (j *Job) check() error {
	switch {
	case j.phase != fresh:
		return fmt.Errorf("job %q was submitted before", j.ID)
	case j.Nodes < 0 || j.Tasks < 0 || j.Cores < 0 || j.Nodes > math.MaxInt32 || j.Tasks > math.MaxInt32 || j.Cores > math.MaxInt32:
		return fmt.Errorf("job %q asks for %d nodes and %d tasks of %d cores", j.ID, j.Nodes, j.Tasks, j.Cores)
	case j.Exclusive && j.Nodes == 0:
		return fmt.Errorf("job %q wants nodes for itself and does not say how many", j.ID)
	case j.Urgency < Held || j.Urgency > MaxUrgency:
		return fmt.Errorf("job %q has the urgency %d, want one from %d to %d", j.ID, j.Urgency, Held, MaxUrgency)
	case j.Limit < 0 || j.Before < 0 || j.Run < 0 || j.After < 0:
		return fmt.Errorf("job %q has a duration below zero", j.ID)
	}
	for _, d := range j.Dependencies {
		if d.phase == fresh {
			return fmt.Errorf("job %q comes after job %q, which was not submitted", j.ID, d.ID)
		}
	}
	return nil
}

// later adds durations without overflow.
func later(t, d time.Duration) time.Duration {
	if d > never-t {
		return never
	}
	return t + d
}

// Kind says what an event is about.
type Kind uint8

// The events of a job, in their order, and those of a node. Alloc, Start and Free
// are left out where a job ends before them.
const (
	Submit   Kind = iota
	Alloc         // it got its nodes
	Start         // the application runs
	Finish        // it ended, which Status and Reason tell
	Free          // its nodes are free again
	NodeUp        // a node came
	NodeDown      // a node went, and what ran on it is lost
)

func (k Kind) String() string {
	return [...]string{"submit", "alloc", "start", "finish", "free", "node-up", "node-down"}[k]
}

// Event is one change.
type Event struct {
	At   time.Duration
	Kind Kind
	// Job is nil where a node comes or goes, which is Node then.
	Job  *Job
	Node int
	// Status and Reason say how a job ended.
	Status ensemble.Status
	Reason string
}
