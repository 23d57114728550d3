// SPDX-License-Identifier: MIT

package run_test

import (
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
)

// timed is a fake whose time is the same for a whole session, until it is asked to
// wake somebody.
type timed struct {
	*runtest.Executor
	now     time.Time
	resumed []time.Time
}

var _ run.Clock = (*timed)(nil)

func (x *timed) Now() time.Time        { return x.now }
func (x *timed) Resume(last time.Time) { x.resumed = append(x.resumed, last) }

func (x *timed) Wake(at time.Time) (<-chan time.Time, func()) {
	c := make(chan time.Time, 1)
	if len(x.Calls()) == 0 { // nothing runs that an event could come from
		x.now = at
		c <- at
	}
	return c, func() {}
}

// own gives the times of the events that are the driver's, by name, in seconds
// after a time.
func (b *bench) own(after time.Time) map[ensemble.EventName]float64 {
	b.Helper()
	times := map[ensemble.EventName]float64{}
	err := b.dir.Events(func(e ensemble.Event) error {
		if e.Name != ensemble.Start && e.Name != ensemble.Finish {
			times[e.Name] = e.Time.Sub(after).Seconds()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return times
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestARunGoesByTheClockOfItsMember(t *testing.T) {
	b := newBench(t)
	x := &timed{Executor: new(runtest.Executor), now: epoch.Add(time.Second)}
	g := steering(t, `
  heartbeat: 1h
  groups: [{name: a, command: ["true"]}]
  rules: [{name: r, on: heartbeat, do: {submit: a}}]
`)
	if _, err := b.steer(g, x); err != nil {
		t.Fatal(err)
	}
	b.same("times", map[ensemble.EventName]float64{
		ensemble.RunStart: 1, ensemble.Heartbeat: 3601, ensemble.Decide: 3601, ensemble.Submit: 3601, ensemble.RunFinish: 3601,
	}, b.own(epoch))
	b.same("resumed at", []time.Time{{}}, x.resumed)
}

func TestAClockIsToldWhereTheRunStood(t *testing.T) {
	b := newBench(t)
	last := epoch.Add(time.Minute)
	b.wrote(ensemble.Event{Time: last, Name: ensemble.RunStart}, ensemble.Event{Time: epoch, Name: ensemble.RunFinish})
	x := &timed{Executor: new(runtest.Executor), now: last}
	if _, err := (&run.Driver{Dir: b.dir, Executor: x}).Run(t.Context(), stream()); err != nil {
		t.Fatal(err)
	}
	b.same("resumed at", []time.Time{last}, x.resumed)
}
