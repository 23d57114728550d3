// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// What happens to a job:
//
//	         enqueue         launch           start          finish          free
//	blocked ────────▶ queued ──────▶ launched ─────▶ started ─────▶ finished ─────▶ ended
//	   │                 │               │                             ▲              ▲
//	   │                 │               └─ limit, cancelled ──────────┘              │
//	   └─ a dependency ──┴─ cancelled ────────────────────────────────────────────────┘
//	      did not succeed
//
// A job whose node goes ends at once: its other nodes are not cleaned up.

// expire carries out a timer.
func (c *Cluster) expire(t *timer) {
	j := t.job
	switch {
	case j == nil && t.up:
		c.arrive(t.node)
	case j == nil:
		c.depart(t.node)
	case j.phase == finished:
		c.free(j)
	case j.cut:
		c.finish(j, ensemble.Timeout, fmt.Sprintf("it took longer than its limit, %v", j.Limit))
	case j.phase == launched:
		c.start(j)
	default:
		status, reason := j.Status, ""
		if status == "" {
			status = ensemble.Succeeded
		}
		c.finish(j, status, reason)
	}
}

// launch gives a job from the queue its nodes.
func (c *Cluster) launch(j *Job, shares []Share) {
	c.queue.remove(j)
	c.pool.take(shares)
	j.phase, j.shares, j.began, j.deadline = launched, shares, c.now, never
	if j.Limit > 0 {
		j.deadline = later(c.now, j.Limit)
	}
	j.running = len(c.running)
	c.running = append(c.running, j)
	if c.scheduler.backfills() {
		c.plan.expect(j)
	}
	c.tell(Event{Kind: Alloc, Job: j})
	if j.Before == 0 {
		c.start(j)
		return
	}
	c.set(j, j.Before)
}

func (c *Cluster) start(j *Job) {
	j.phase = started
	c.tell(Event{Kind: Start, Job: j})
	c.set(j, j.Run)
}

// finish ends what runs on the nodes.
func (c *Cluster) finish(j *Job, status ensemble.Status, reason string) {
	c.calendar.remove(&j.timer)
	j.phase, j.result = finished, status
	c.tell(Event{Kind: Finish, Job: j, Status: status, Reason: reason})
	if j.After == 0 {
		c.free(j)
		return
	}
	j.deadline = never // cleaning up has no limit
	c.set(j, j.After)
}

// free gives the nodes back.
func (c *Cluster) free(j *Job) {
	c.calendar.remove(&j.timer)
	c.pool.give(j.shares)
	if c.scheduler.backfills() {
		c.plan.forget(j)
	}
	last := len(c.running) - 1
	c.running[j.running] = c.running[last]
	c.running[j.running].running = j.running
	c.running[last] = nil
	c.running = c.running[:last]
	c.dirty = true
	c.tell(Event{Kind: Free, Job: j})
	for _, s := range j.shares {
		if c.leaving[s.Node] && c.pool.free[s.Node] == c.pool.cores[s.Node] {
			c.depart(s.Node)
		}
	}
	c.end(j)
}

// end lets those go on that wait for a job.
func (c *Cluster) end(j *Job) {
	j.phase = ended
	for _, w := range j.waiters {
		if w.phase != blocked {
			continue
		}
		if j.result != ensemble.Succeeded {
			c.reject(w, j)
			continue
		}
		w.needs--
		c.enqueue(w)
	}
	j.waiters, j.Dependencies = nil, nil
}

// reject ends a job whose dependency did not succeed.
func (c *Cluster) reject(j, dependency *Job) {
	c.interrupt(j, ensemble.Cancelled, fmt.Sprintf("job %s, which it comes after, ended as %s", dependency.ID, dependency.result))
}

// interrupt ends a job wherever it stands.
func (c *Cluster) interrupt(j *Job, status ensemble.Status, reason string) {
	switch j.phase {
	case queued, blocked:
		if j.phase == queued {
			c.queue.remove(j)
			c.dirty = true // it may have been in the way
		}
		j.result = status
		c.tell(Event{Kind: Finish, Job: j, Status: status, Reason: reason})
		c.end(j)
	case launched, started:
		c.finish(j, status, reason)
	}
}

// set has the timer of a job expire after a duration, or at its limit.
func (c *Cluster) set(j *Job, d time.Duration) {
	at := later(c.now, d)
	if j.cut = at > j.deadline; j.cut {
		at = j.deadline
	}
	if at != never { // else it runs until somebody ends it
		j.timer.at = at
		c.calendar.add(&j.timer)
	}
}

// arrive brings a node.
func (c *Cluster) arrive(n int32) {
	c.leaving[n] = false
	if !c.up[n] {
		c.up[n] = true
		c.nodes++
		c.tell(Event{Kind: NodeUp, Node: int(n)})
	}
	c.pool.show(n)
	c.dirty = true
}

// depart takes a node away, and what runs there is lost.
func (c *Cluster) depart(n int32) {
	if !c.up[n] {
		return
	}
	c.pool.hide(n)
	c.up[n], c.leaving[n] = false, false
	c.nodes--
	c.dirty = true
	c.tell(Event{Kind: NodeDown, Node: int(n)})
	var lost []*Job
	for _, j := range c.running {
		if slices.ContainsFunc(j.shares, func(s Share) bool { return s.Node == n }) {
			lost = append(lost, j)
		}
	}
	slices.SortFunc(lost, func(a, b *Job) int { return int(a.serial - b.serial) })
	for _, j := range lost {
		if j.phase != finished {
			c.calendar.remove(&j.timer)
			j.phase, j.result = finished, ensemble.Lost
			c.tell(Event{Kind: Finish, Job: j, Status: ensemble.Lost, Reason: fmt.Sprintf("node %d went", n)})
		}
		c.free(j)
	}
}

// Resize brings nodes, after a delay, or gives back as many where n is below zero:
// of those that are there the highest numbers, each as soon as nothing runs on it.
// It says how many nodes it found to bring or to give back.
func (c *Cluster) Resize(n int, delay time.Duration) (found int) {
	for i := range c.up {
		switch {
		case found >= n:
		case c.leaving[i]:
			c.arrive(int32(i))
			found++ // it stays
		case !c.up[i] && !c.coming(int32(i)):
			c.calendar.add(&timer{at: later(c.now, delay), node: int32(i), up: true})
			found++
		}
	}
	for i := len(c.up) - 1; i >= 0 && found < -n; i-- {
		if c.up[i] && !c.leaving[i] {
			c.release(int32(i))
			found++
		}
	}
	return found
}

// coming says whether a node is about to come.
func (c *Cluster) coming(n int32) bool {
	return slices.ContainsFunc(c.calendar.heap, func(t *timer) bool { return t.job == nil && t.node == n && t.up })
}

// release lets a node go when nothing runs there.
func (c *Cluster) release(n int32) {
	c.pool.hide(n)
	c.leaving[n] = true
	if c.pool.free[n] == c.pool.cores[n] {
		c.depart(n)
	}
}
