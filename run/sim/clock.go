// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
)

// Now is the virtual time.
func (x *Executor) Now() time.Time { return Begin.Add(x.cluster.Now()) }

// Wake has the virtual time sent once it is at.
func (x *Executor) Wake(at time.Time) (<-chan time.Time, func()) {
	up := at.Truncate(time.Microsecond)
	if up.Before(at) {
		up = up.Add(time.Microsecond)
	}
	a := &alarm{at: up, c: make(chan time.Time, 1)}
	x.alarm = a
	return a.c, func() {
		if x.alarm == a {
			x.alarm = nil
		}
	}
}

// Resume lets time pass to where an earlier session stood: nodes come and go
// meanwhile.
func (x *Executor) Resume(last time.Time) {
	for last.After(x.Now()) {
		if at, ok := x.cluster.Next(); !ok || Begin.Add(at).After(last) {
			x.cluster.Advance(last.Sub(Begin))
			return
		}
		x.cluster.Step() // of a node: there are no jobs yet
	}
}

// Events is where events come from. To ask for it is to wait: time passes to the
// next event or alarm, which is there when Events returns.
func (x *Executor) Events() <-chan ensemble.Event {
	for len(x.events) == 0 && x.pass() {
	}
	return x.events
}

// pass lets time pass to the next event of the cluster, and says whether to go on:
// the driver heard of nothing yet and can.
func (x *Executor) pass() bool {
	if len(x.found) > 0 {
		x.events <- x.found[0]
		x.found = x.found[1:]
		return false
	}
	at, ok := x.cluster.Next()
	switch {
	case x.alarm != nil && (!ok || Begin.Add(at).After(x.alarm.at)):
		x.cluster.Advance(x.alarm.at.Sub(Begin))
		x.alarm.c <- x.Now()
		x.alarm = nil
		return false
	case ok:
		e, _ := x.cluster.Step()
		x.take(e)
		return true
	}
	return x.cluster.GiveUp()
}

// GiveUp ends the job that waits longest, as Failed, and says whether one does. It
// is for when nothing more will happen, so that a rehearsal ends where a run would
// wait for ever.
func (c *Cluster) GiveUp() bool {
	j := c.oldest()
	if j != nil {
		c.interrupt(j, ensemble.Failed, "it waits for nodes, and nothing more happens on the simulated member")
	}
	return j != nil
}

// take makes of an event of the cluster what the driver hears.
func (x *Executor) take(e Event) {
	if e.Job == nil {
		x.events <- ensemble.Event{Time: Begin.Add(e.At), Name: ensemble.Resize, Nodes: x.cluster.Up()}
		return
	}
	a := x.open[e.Job.ID]
	now := Begin.Add(e.At)
	switch e.Kind {
	case Alloc:
		a.exit.Begin = now
	case Start:
		a.exit.Start = now
		x.events <- ensemble.Event{Time: now, Name: ensemble.Start, Job: a.ID, Attempt: a.number}
	case Finish:
		x.finish(a, e, now)
	case Free:
		x.conclude(a, now)
	}
}

// finish notes how an attempt ended. The driver hears of it when everything is
// cleaned up.
func (x *Executor) finish(a *attempt, e Event, now time.Time) {
	a.exit.Status = e.Status
	if e.Reason != "" { // something cut it short
		a.exit.Reason, a.metrics = e.Reason, nil
	}
	if e.Status == ensemble.Succeeded {
		a.exit.ExitCode = new(int)
	}
	if !a.exit.Start.IsZero() {
		a.exit.Finish = now
	}
	if a.exit.Begin.IsZero() { // it never had nodes to be freed
		a.exit.Begin = now
		x.conclude(a, now)
	}
}

// conclude writes the exit and tells of it. A lost attempt leaves none.
func (x *Executor) conclude(a *attempt, now time.Time) {
	delete(x.open, a.ID)
	a.exit.End = now
	if a.exit.Status != ensemble.Lost {
		if err := run.WriteJSON(filepath.Join(a.dir, run.ExitFile), a.exit); err != nil {
			a.exit.Status, a.exit.Reason = ensemble.Lost, fmt.Sprint(err)
		}
	}
	x.events <- ensemble.Event{
		Time: now, Name: ensemble.Finish, Job: a.ID, Attempt: a.number,
		Status: a.exit.Status, Reason: a.exit.Reason, Metrics: a.metrics,
	}
}
