// SPDX-License-Identifier: MIT

package runtest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// patience ends a test that waits for an event in vain. No test is judged by
// the time it takes.
const patience = time.Minute

// Job makes a job of one task without MPI.
func Job(id string, argv ...string) *ensemble.Job {
	return &ensemble.Job{
		ID:     id,
		Shape:  ensemble.Shape{Nodes: 1, Tasks: 1, Threads: 1, CoresPerTask: 1},
		Launch: ensemble.Launch{MPI: spec.NoMPI, Command: argv},
		Policy: ensemble.Policy{IdleWait: -1},
	}
}

// Conform tests what the driver expects of an executor. fresh makes one for a
// member that is idle and can run the commands true, false and sleep.
func Conform(t *testing.T, fresh func(*testing.T) run.Executor) {
	c := conform{fresh}
	t.Run("an attempt starts, finishes, and leaves its exit", c.succeeds)
	t.Run("an application that fails is a failed attempt", c.fails)
	t.Run("a cancelled attempt finishes as cancelled and makes room", c.cancels)
	t.Run("an attempt that finished is recovered as it ended", c.recoversFinished)
	t.Run("an attempt that never began is recovered as lost", c.recoversLost)
}

type conform struct{ fresh func(*testing.T) run.Executor }

// one is an attempt under test.
type one struct {
	*testing.T
	x   run.Executor
	job *ensemble.Job
	dir string
}

func (c conform) attempt(t *testing.T, argv ...string) *one {
	t.Parallel()
	o := &one{T: t, x: c.fresh(t), job: Job("j", argv...), dir: t.TempDir()}
	if err := o.x.Check(o.job); err != nil {
		t.Fatal(err)
	}
	if err := run.WriteJSON(filepath.Join(o.dir, run.JobFile), o.job); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *one) submit() {
	o.Helper()
	if !o.x.Room(o.job) {
		o.Fatal("an idle member has no room")
	}
	if err := o.x.Submit(o.job, 1, o.dir); err != nil {
		o.Fatal(err)
	}
}

// next takes an event, which has to be of this name.
func (o *one) next(name ensemble.EventName) ensemble.Event {
	o.Helper()
	select {
	case e := <-o.x.Events():
		if e.Name != name || e.Job != "j" || e.Attempt != 1 || e.Time.IsZero() {
			o.Fatalf("got %+v, want %s of job j, attempt 1, with its time", e, name)
		}
		return e
	case <-time.After(patience):
		o.Fatalf("no %s came", name)
	}
	return ensemble.Event{}
}

// finish takes the last event and checks it against exit.json.
func (o *one) finish(want ensemble.Status) {
	o.Helper()
	e := o.next(ensemble.Finish)
	if e.Status != want {
		o.Errorf("got %s because %q, want %s", e.Status, e.Reason, want)
	}
	if !o.x.Room(o.job) {
		o.Error("the attempt finished and there is no room")
	}
	var exit run.Exit
	if err := run.ReadJSON(filepath.Join(o.dir, run.ExitFile), &exit); err != nil {
		o.Fatal(err)
	}
	if diff := cmp.Diff([]any{exit.Status, exit.Reason}, []any{e.Status, e.Reason}); diff != "" {
		o.Errorf("the event is not what the exit says (-exit +event):\n%s", diff)
	}
	if exit.Begin.IsZero() || exit.Start.Before(exit.Begin) || exit.Finish.Before(exit.Start) || exit.End.Before(exit.Finish) {
		o.Errorf("times are out of order: %+v", exit)
	}
}

func (c conform) succeeds(t *testing.T) {
	o := c.attempt(t, "true")
	o.submit()
	o.next(ensemble.Start)
	o.finish(ensemble.Succeeded)
}

func (c conform) fails(t *testing.T) {
	o := c.attempt(t, "false")
	o.submit()
	o.next(ensemble.Start)
	o.finish(ensemble.Failed)
}

func (c conform) cancels(t *testing.T) {
	o := c.attempt(t, "sleep", "600")
	o.submit()
	o.next(ensemble.Start)
	if o.x.Room(o.job) {
		t.Error("there is room for another job that wants the member for itself")
	}
	o.x.Cancel("j", 1)
	o.x.Cancel("j", 1) // again, as who is impatient does
	o.finish(ensemble.Cancelled)
	o.x.Cancel("j", 1) // too late
}

func (c conform) recoversFinished(t *testing.T) {
	o := c.attempt(t, "false")
	o.submit()
	o.next(ensemble.Start)
	o.finish(ensemble.Failed)
	for _, phase := range []ensemble.Phase{ensemble.Queued, ensemble.Running} {
		o.x = c.fresh(t)
		if err := o.x.Recover(o.job, 1, phase, o.dir); err != nil {
			t.Fatal(err)
		}
		if phase == ensemble.Queued {
			o.next(ensemble.Start)
		}
		o.finish(ensemble.Failed)
	}
}

func (c conform) recoversLost(t *testing.T) {
	o := c.attempt(t, "true")
	if err := o.x.Recover(o.job, 1, ensemble.Queued, o.dir); err != nil {
		t.Fatal(err)
	}
	if e := o.next(ensemble.Finish); e.Status != ensemble.Lost || e.Reason == "" {
		t.Errorf("got %s because %q, want lost and why", e.Status, e.Reason)
	}
	if !o.x.Room(o.job) {
		t.Error("the attempt is lost and there is no room")
	}
}
