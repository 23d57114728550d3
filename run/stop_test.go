// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
)

func TestASubmissionThatFailsEndsTheRunAndTheNextSessionGoesOn(t *testing.T) {
	b := newBench(t)
	no := errors.New("no more processes")
	x := &runtest.Executor{SubmitError: func(*ensemble.Job, int) error { return no }}
	_, err := b.session(x, runtest.Job("j", "true"))
	if !errors.Is(err, no) {
		t.Errorf("got %v, want %v", err, no)
	}
	b.same("summary of the next session", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(new(runtest.Executor), runtest.Job("j", "true")))
	b.same("journal", []string{"submit j 1", "finish j 1 lost", "submit j 2", "start j 2", "finish j 2 succeeded"}, b.journal())
}

func TestCancelledJobsRunAgain(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	x := &runtest.Executor{Do: func(j *ensemble.Job, _ int) runtest.Attempt {
		if j.ID == "a" {
			return runtest.Attempt{}
		}
		cancel(enough)
		return runtest.Attempt{Until: make(chan struct{})}
	}}
	jobs := []*ensemble.Job{runtest.Job("a", "app"), runtest.Job("j", "app"), runtest.Job("k", "app")}
	s, err := (&run.Driver{Dir: b.dir, Executor: x}).Run(ctx, stream(jobs...))
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	b.same("settled jobs", statuses{ensemble.Succeeded: 1}, s.Status)
	x = new(runtest.Executor)
	b.same("summary of the next session", counts(3, statuses{ensemble.Succeeded: 3}, 1), b.good(x, jobs...))
	b.same("calls of the next session", []string{"submit j 2", "submit k 1"}, x.Calls())
}

func TestStoppingDoesNotWaitForEver(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	x := &runtest.Executor{Do: func(*ensemble.Job, int) runtest.Attempt {
		cancel(enough)
		return runtest.Attempt{Until: make(chan struct{}), Deaf: true, NeverStarts: true}
	}}
	d := &run.Driver{Dir: b.dir, Executor: x, StopLimit: time.Millisecond}
	_, err := d.Run(ctx, stream(runtest.Job("j", "app")))
	if !errors.Is(err, enough) || !strings.Contains(err.Error(), "jobs j did not end within 1ms") {
		t.Errorf("got %v, want %v and the job that did not end", err, enough)
	}
	b.same("journal", []string{"submit j 1"}, b.journal())
	b.file("j", 1, run.ExitFile, exited) // it ends after all
	x = new(runtest.Executor)
	b.same("summary of the next session", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(x, runtest.Job("j", "app")))
	b.same("calls of the next session", []string{"recover j 1"}, x.Calls())
}

func TestAStreamThatFailsEndsTheRun(t *testing.T) {
	b := newBench(t)
	broken := errors.New("broken")
	x := &runtest.Executor{Slots: 2}
	sleeper := runtest.Job("j", "sleep")
	sleeper.Policy.Shared = true
	_, err := (&run.Driver{Dir: b.dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
		_ = yield(sleeper, nil) && yield(nil, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	b.same("calls", []string{"submit j 1", "cancel j 1"}, x.Calls())
}

// noRoom is an executor that never has room.
type noRoom struct{ runtest.Executor }

func (*noRoom) Room(*ensemble.Job) bool { return false }

func TestAJobThatNeverFitsEndsTheRun(t *testing.T) {
	b := newBench(t)
	_, err := (&run.Driver{Dir: b.dir, Executor: new(noRoom)}).Run(t.Context(), stream(runtest.Job("j", "true")))
	if err == nil || !strings.Contains(err.Error(), "job j asks for 1 nodes and 1 cores, which this member never has") {
		t.Errorf("got %v, want an error that says what is asked for", err)
	}
}

func TestAnIDCannotLeadOutOfTheRun(t *testing.T) {
	b := newBench(t)
	x := new(runtest.Executor)
	if _, err := b.session(x, runtest.Job("../../out", "true")); err == nil || !strings.Contains(err.Error(), `"../../out"`) {
		t.Errorf("got %v, want an error that names the ID", err)
	}
	b.same("calls", 0, len(x.Calls()))
	if _, err := os.Stat(filepath.Join(string(b.dir), "..", "out")); err == nil {
		t.Error("a directory was made outside the run")
	}
}

func TestAnExecutorThatBreaksItsPromisesCannotBreakTheJournal(t *testing.T) {
	for _, c := range []struct {
		name  string
		event ensemble.Event
	}{
		{"a job that nobody submitted", ensemble.Event{Name: ensemble.Finish, Job: "k", Attempt: 1, Status: ensemble.Failed}},
		{"another attempt", ensemble.Event{Name: ensemble.Finish, Job: "j", Attempt: 7, Status: ensemble.Failed}},
		{"a second start", ensemble.Event{Name: ensemble.Start, Job: "j", Attempt: 1}},
		{"no status", ensemble.Event{Name: ensemble.Finish, Job: "j", Attempt: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			x := new(runtest.Executor)
			o := observer(func(e ensemble.Event, _ run.Standing) {
				if e.Name == ensemble.Start {
					go x.Say(c.event)
				}
			})
			_, err := (&run.Driver{Dir: b.dir, Executor: x, Observer: o}).Run(t.Context(), stream(runtest.Job("j", "sleep")))
			if err == nil {
				t.Error("no error came")
			}
			b.same("journal", []string{"submit j 1", "start j 1", "finish j 1 cancelled"}, b.journal())
		})
	}
}

func TestARunThatCannotBeginChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*bench)
		want  func(error) bool
	}{
		{"another driver works in the directory", func(b *bench) {
			j, err := run.OpenJournal(b.dir.Path(run.JournalFile), func(ensemble.Event) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = j.Close() })
		}, func(err error) bool { return errors.Is(err, run.ErrLocked) }},
		{"the journal is broken", func(b *bench) {
			if err := os.WriteFile(b.dir.Path(run.JournalFile), []byte("no\nevents\n"), 0o644); err != nil {
				b.Fatal(err)
			}
		}, func(err error) bool {
			var broken *run.BrokenError
			return errors.As(err, &broken) && broken.Line == 1
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.spoil(b)
			d := &run.Driver{Dir: b.dir, Executor: new(runtest.Executor), Environment: new(run.Environment), Before: [][]string{{"touch", "begun"}}}
			s, err := d.Run(t.Context(), stream(runtest.Job("j", "true")))
			if !c.want(err) || s.Status != nil {
				t.Errorf("got %+v, %v", s, err)
			}
			for _, name := range []string{run.EnvironmentFile, "begun"} {
				if _, err := os.Stat(b.dir.Path(name)); err == nil {
					t.Errorf("%s was written", name)
				}
			}
		})
	}
}
