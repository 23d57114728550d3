// SPDX-License-Identifier: MIT

package sim

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// Scheduler says which pending jobs get nodes, and which nodes they get.
type Scheduler int

const (
	// Simple is the sched-simple of flux-core before 0.84: first come first served by
	// urgency. A job gets the nodes with the most free cores and, of those with as
	// many, the lowest numbers; the tasks of one that shares its nodes are dealt to
	// them.
	Simple Scheduler = iota
	// Fluxion is flux-sched with the queue policy fcfs, its default. A job gets the
	// nodes of the lowest numbers that have room.
	Fluxion
	// Easy is flux-sched with the queue policy easy: while the first job of the
	// queue waits, later ones run that do not delay it. When it can run is planned
	// from the limits of what runs; a job without a limit is not waited for.
	Easy
	// FIFO is the sched-fifo of flux-core, which sched-simple is as well from 0.84
	// on: as Simple, but each node of a job has room for as many of its tasks.
	// testdata/fcfs.schedule is what that of 0.88.0 made of 200 jobs.
	FIFO
	// Backfill is the sched-backfill of flux-core. It chooses nodes as FIFO does.
	// While the first job of the queue waits, later ones run that have a limit by
	// which they end before it is planned to start, and no others: neither without a
	// limit, nor on nodes that it would leave over, nor while its start cannot be
	// planned because it needs what a job without a limit has.
	// testdata/easy.schedule is what that of 0.88.0 made of 200 jobs.
	Backfill
)

// depth is the default of the queue-depth of flux-sched
// (flux-config-sched-fluxion-qmanager(5)).
const depth = 32

// backfills says whether the scheduler plans ahead.
func (s Scheduler) backfills() bool { return s == Easy || s == Backfill }

// Config describes a cluster.
type Config struct {
	// Nodes are all nodes that there ever are.
	Nodes     []Node
	Scheduler Scheduler
	// Depth is how many jobs that have to wait Easy and Backfill consider at a time,
	// the first included; 0 is what Flux does: 32 with Easy, all with Backfill. To look
	// at all takes time where hundreds of thousands wait.
	Depth int
}

// Node is a node of the cluster.
type Node struct {
	Cores int
	// Absent says that the node is not there at the begin.
	Absent bool
	// Changes are the times, rising, at which the node comes and goes in turn.
	Changes []time.Duration
}

// Nodes makes n nodes of as many cores each, there from the begin.
func Nodes(n, cores int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Cores = cores
	}
	return nodes
}

// Cluster simulates nodes and the queue before them. It does nothing by itself and
// knows no clock but its own: time passes in Step.
//
// It is not safe for concurrent use.
type Cluster struct {
	scheduler Scheduler
	depth     int
	now       time.Duration
	pool      *pool
	up        []bool
	leaving   []bool // up, and gone when nothing runs there
	nodes     int    // that are up
	queue     queue
	calendar  calendar
	running   []*Job // that have nodes
	plan      plan   // the same, by when they are expected to end
	ahead     shadow
	serials   int64
	dirty     bool    // whether a job could start that could not before
	news      []Event // that Step did not give yet
	told      int     // events of news that it gave
}

// New makes a cluster at the time 0.
func New(c Config) (*Cluster, error) {
	if len(c.Nodes) == 0 {
		return nil, errors.New("got no nodes, want 1 at least")
	}
	cores := make([]int32, len(c.Nodes))
	x := &Cluster{scheduler: c.Scheduler, depth: c.Depth, up: make([]bool, len(c.Nodes)), leaving: make([]bool, len(c.Nodes))}
	switch {
	case x.depth > 0:
	case c.Scheduler == Backfill:
		x.depth = math.MaxInt
	default:
		x.depth = depth
	}
	for i, n := range c.Nodes {
		if n.Cores < 1 || n.Cores > maxCores {
			return nil, fmt.Errorf("node %d has %d cores, want 1 to %d", i, n.Cores, maxCores)
		}
		cores[i] = int32(n.Cores)
	}
	x.pool = newPool(cores)
	for i, n := range c.Nodes {
		up := !n.Absent
		if up {
			x.arrive(int32(i))
		}
		last := time.Duration(0)
		for _, at := range n.Changes {
			if at < last {
				return nil, fmt.Errorf("node %d changes at %v after %v, want rising times", i, at, last)
			}
			up, last = !up, at
			x.calendar.add(&timer{at: at, node: int32(i), up: up})
		}
	}
	x.news = nil // what is there at the begin is no news
	return x, nil
}

// maxCores is far above any node there is; the sets of nodes by free cores are as
// many.
const maxCores = 1 << 16

// Now is the time that has passed.
func (c *Cluster) Now() time.Duration { return c.now }

// Up is how many nodes are there.
func (c *Cluster) Up() int { return c.nodes }

// Pending is how many jobs wait for nodes, held ones included.
func (c *Cluster) Pending() int { return c.queue.jobs }

// oldest is the pending job that was submitted first; nil is none.
func (c *Cluster) oldest() (oldest *Job) {
	for _, j := range c.queue.head {
		if j != nil && (oldest == nil || j.serial < oldest.serial) {
			oldest = j
		}
	}
	return oldest
}

// Fits says whether a job would fit on all nodes that there ever are.
func (c *Cluster) Fits(j *Job) bool {
	all := newPool(c.pool.cores)
	for n := range all.cores {
		all.show(int32(n))
	}
	d := j.asks()
	return all.meet(c.scheduler, &d) != nil
}

// Submit takes a job at the present time. One that does not fit yet waits.
func (c *Cluster) Submit(j *Job) error {
	if err := j.check(); err != nil {
		return err
	}
	c.serials++
	j.serial, j.demand = c.serials, j.asks()
	j.timer.job = j
	c.tell(Event{Kind: Submit, Job: j})
	j.phase = blocked
	for _, d := range j.Dependencies {
		switch {
		case d.phase != ended:
			d.waiters = append(d.waiters, j)
			j.needs++
		case d.result != ensemble.Succeeded:
			c.reject(j, d)
			return nil
		}
	}
	c.enqueue(j)
	return nil
}

// enqueue lets a job wait for nodes that waits for no other job.
func (c *Cluster) enqueue(j *Job) {
	if j.needs == 0 {
		j.phase, c.dirty = queued, true
		c.queue.add(j)
	}
}

// Cancel ends a job that did not end yet, as Cancelled.
func (c *Cluster) Cancel(j *Job) { c.interrupt(j, ensemble.Cancelled, "cancelled") }

// Urge changes the urgency of a job, which makes a difference as long as it is
// pending.
func (c *Cluster) Urge(j *Job, urgency int) {
	urgency = min(max(urgency, Held), MaxUrgency)
	if j.phase != queued {
		j.Urgency = urgency
		return
	}
	c.queue.remove(j)
	j.Urgency, c.dirty = urgency, true
	c.queue.add(j)
}

// settle does what is due, until there is an event to give or nothing is due. What
// ends and goes is ahead of what starts.
func (c *Cluster) settle() {
	for c.told == len(c.news) {
		if t := c.calendar.first(); t != nil && t.at <= c.now {
			c.calendar.remove(t)
			c.expire(t)
		} else if c.dirty {
			c.schedule()
		} else {
			return
		}
	}
}

// Next is when the next event happens; ok is false where none ever does.
func (c *Cluster) Next() (at time.Duration, ok bool) {
	c.settle()
	if c.told < len(c.news) {
		return c.now, true
	}
	if t := c.calendar.first(); t != nil {
		return t.at, true
	}
	return never, false
}

// Advance lets time pass to at, though not beyond the next event.
func (c *Cluster) Advance(at time.Duration) {
	next, _ := c.Next()
	c.now = max(c.now, min(at, next))
}

// Step gives the next event, and time passes up to it; ok is false where none ever
// happens. Events come in the order of their times.
func (c *Cluster) Step() (e Event, ok bool) {
	for c.settle(); c.told == len(c.news); c.settle() {
		t := c.calendar.first()
		if t == nil {
			return Event{}, false
		}
		c.now = t.at
	}
	e = c.news[c.told]
	c.news[c.told] = Event{} // so that jobs that ended can be forgotten
	if c.told++; c.told == len(c.news) {
		c.news, c.told = c.news[:0], 0
	}
	return e, true
}

func (c *Cluster) tell(e Event) {
	e.At = c.now
	c.news = append(c.news, e)
}
