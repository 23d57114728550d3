// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// bench is a run directory under test, with a fake member.
type bench struct {
	*testing.T
	dir run.Dir
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "test"}}
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), &spec.Ensemble{Header: h, Spec: spec.EnsembleSpec{Applications: []spec.Application{},
		Study: spec.StudySpec{Sweeps: []spec.Sweep{{Apps: spec.Axis{Values: []spec.Value{spec.Of("none")}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, d}
}

func stream(jobs ...*ensemble.Job) iter.Seq2[*ensemble.Job, error] {
	return func(yield func(*ensemble.Job, error) bool) {
		for _, j := range jobs {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// session drives jobs, in a new session of the run.
func (b *bench) session(x *runtest.Executor, jobs ...*ensemble.Job) (run.Summary, error) {
	return (&run.Driver{Dir: b.dir, Executor: x}).Run(b.Context(), stream(jobs...))
}

// good is a session that has no error.
func (b *bench) good(x *runtest.Executor, jobs ...*ensemble.Job) run.Summary {
	b.Helper()
	s, err := b.session(x, jobs...)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// journal gives the events of jobs, such as "finish j 1 failed", by job: those of
// different jobs come in any order.
func (b *bench) journal() (events []string) {
	b.Helper()
	var s ensemble.State
	err := b.dir.Events(func(e ensemble.Event) error {
		if e.Job != "" {
			events = append(events, strings.TrimSpace(fmt.Sprint(e.Name, " ", e.Job, " ", e.Attempt, " ", e.Status)))
		}
		return s.Apply(e)
	})
	if err != nil {
		b.Fatalf("the journal does not replay: %v", err)
	}
	return byJob(events)
}

func byJob(lines []string) []string {
	job := func(line string) string { return strings.Fields(line)[1] }
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(job(a), job(b)) })
	return lines
}

func (b *bench) same(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wrote writes events into the journal, as a session that was cut off.
func (b *bench) wrote(events ...ensemble.Event) {
	b.Helper()
	j, err := run.OpenJournal(b.dir.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(j.Append(events...), j.Close()); err != nil {
		b.Fatal(err)
	}
}

// file writes a file of an attempt; v is a text or becomes JSON.
func (b *bench) file(attempt int, name string, v any) {
	b.Helper()
	dir := b.dir.Attempt("j", attempt)
	err := os.MkdirAll(dir, 0o755)
	if text, ok := v.(string); ok {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	} else {
		err = errors.Join(err, run.WriteJSON(filepath.Join(dir, name), v))
	}
	if err != nil {
		b.Fatal(err)
	}
}

var (
	submitted = ensemble.Event{Time: time.Unix(1, 0), Name: ensemble.Submit, Job: "j", Attempt: 1}
	started   = ensemble.Event{Time: time.Unix(2, 0), Name: ensemble.Start, Job: "j", Attempt: 1}
	exited    = run.Exit{Status: ensemble.Succeeded, Begin: time.Unix(1, 0), Start: time.Unix(2, 0), Finish: time.Unix(3, 0), End: time.Unix(4, 0)}
)

func counts(jobs int, status map[ensemble.Status]int, skipped int) run.Summary {
	return run.Summary{Jobs: jobs, Status: status, Skipped: skipped}
}

type statuses = map[ensemble.Status]int

func TestEveryJobIsRunAndWrittenDown(t *testing.T) {
	b := newBench(t)
	s := b.good(new(runtest.Executor), runtest.Job("a", "true"), runtest.Job("b", "false"))
	b.same("summary", counts(2, statuses{ensemble.Succeeded: 1, ensemble.Failed: 1}, 0), s)
	b.same("journal", []string{"submit a 1", "start a 1", "finish a 1 succeeded", "submit b 1", "start b 1", "finish b 1 failed"}, b.journal())
	s = b.good(new(runtest.Executor), runtest.Job("a", "true"), runtest.Job("b", "false"))
	b.same("summary of a second session", counts(2, statuses{ensemble.Succeeded: 1, ensemble.Failed: 1}, 2), s)
}

func TestRetriesFollowThePolicy(t *testing.T) {
	for _, c := range []struct {
		name     string
		failures int
		retries  int
		status   ensemble.Status
		attempts int
	}{
		{"no retry is needed", 0, 2, ensemble.Succeeded, 1},
		{"the second retry succeeds", 2, 2, ensemble.Succeeded, 3},
		{"no retry is left", 3, 2, ensemble.Failed, 3},
		{"no retry is allowed", 1, 0, ensemble.Failed, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			x := &runtest.Executor{Do: func(_ *ensemble.Job, attempt int) runtest.Attempt {
				if attempt <= c.failures {
					return runtest.Attempt{Status: ensemble.Failed, Reason: "exit code 1"}
				}
				return runtest.Attempt{}
			}}
			j := runtest.Job("j", "app")
			j.Policy.Retries = c.retries
			b.same("summary", counts(1, statuses{c.status: 1}, 0), b.good(x, j))
			b.same("number of attempts", c.attempts, len(x.Calls()))
		})
	}
}

func TestALostAttemptIsNoTry(t *testing.T) {
	b := newBench(t)
	x := &runtest.Executor{Do: func(_ *ensemble.Job, attempt int) runtest.Attempt {
		if attempt == 1 {
			return runtest.Attempt{Status: ensemble.Lost, Reason: "gone", NeverStarts: true}
		}
		return runtest.Attempt{}
	}}
	b.same("summary", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(x, runtest.Job("j", "app")))
	b.same("journal", []string{"submit j 1", "finish j 1 lost", "submit j 2", "start j 2", "finish j 2 succeeded"}, b.journal())
}

func TestAJobThatIsAlwaysLostIsGivenUpForTheSession(t *testing.T) {
	b := newBench(t)
	x := &runtest.Executor{Do: func(j *ensemble.Job, _ int) runtest.Attempt {
		if j.ID == "j" {
			return runtest.Attempt{Status: ensemble.Lost, Reason: "gone"}
		}
		return runtest.Attempt{}
	}}
	jobs := []*ensemble.Job{runtest.Job("j", "app"), runtest.Job("k", "app")}
	b.same("summary", counts(2, statuses{ensemble.Succeeded: 1}, 0), b.good(x, jobs...))
	b.same("calls", []string{"submit j 1", "submit j 2", "submit j 3", "submit k 1"}, byJob(x.Calls()))
	x = new(runtest.Executor)
	b.same("summary of the next session", counts(2, statuses{ensemble.Succeeded: 2}, 1), b.good(x, jobs...))
	b.same("calls of the next session", []string{"submit j 4"}, x.Calls())
}

func TestAJobThatTheStreamHoldsTwiceIsRunOnce(t *testing.T) {
	b := newBench(t)
	x := &runtest.Executor{Slots: 4}
	j := runtest.Job("j", "true")
	j.Policy.Shared = true
	b.same("summary", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(x, j, j, j))
	b.same("journal", []string{"submit j 1", "start j 1", "finish j 1 succeeded"}, b.journal())
}

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
	b.file(1, run.ExitFile, exited) // it ends after all
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
			o := observer(func(e ensemble.Event) {
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

type observer func(ensemble.Event)

func (o observer) Event(_ *ensemble.Job, e ensemble.Event) { o(e) }
