// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
)

func TestASessionGoesOnWhereTheLastWasCutOff(t *testing.T) {
	job := runtest.Job("j", "app")
	again := []string{"submit j 2", "start j 2", "finish j 2 succeeded"}
	for _, c := range []struct {
		name    string
		left    func(*bench)
		calls   []string
		journal []string // after what was left
	}{
		{"nothing of the job", func(*bench) {}, []string{"submit j 1"}, []string{"submit j 1", "start j 1", "finish j 1 succeeded"}},
		{"an exit whose finish is not in the journal", func(b *bench) {
			b.wrote(submitted, started)
			b.file("j", 1, run.JobFile, job)
			b.file("j", 1, run.ExitFile, exited)
		}, []string{"recover j 1"}, []string{"finish j 1 succeeded"}},
		{"an exit whose start is not in the journal", func(b *bench) {
			b.wrote(submitted)
			b.file("j", 1, run.JobFile, job)
			b.file("j", 1, run.ExitFile, exited)
		}, []string{"recover j 1"}, []string{"start j 1", "finish j 1 succeeded"}},
		{"an attempt without an exit", func(b *bench) {
			b.wrote(submitted, started)
			b.file("j", 1, run.JobFile, job)
		}, []string{"recover j 1", "submit j 2"}, append([]string{"finish j 1 lost"}, again...)},
		{"an attempt whose directory is gone", func(b *bench) {
			b.wrote(submitted)
		}, []string{"recover j 1", "submit j 2"}, append([]string{"finish j 1 lost"}, again...)},
		{"a torn job.json", func(b *bench) {
			b.wrote(submitted)
			b.file("j", 1, run.JobFile, `{"id": "j", "launch`)
		}, []string{"recover j 1", "submit j 2"}, append([]string{"finish j 1 lost"}, again...)},
		{"an empty job.json beside an exit", func(b *bench) {
			b.wrote(submitted, started)
			b.file("j", 1, run.JobFile, "")
			b.file("j", 1, run.ExitFile, exited)
		}, []string{"recover j 1"}, []string{"finish j 1 succeeded"}},
		{"a job.json of another job", func(b *bench) {
			b.wrote(submitted)
			b.file("j", 1, run.JobFile, runtest.Job("k", "app"))
		}, []string{"recover j 1", "submit j 2"}, append([]string{"finish j 1 lost"}, again...)},
		{"the directory of a submission that is not in the journal", func(b *bench) {
			b.file("j", 1, run.JobFile, job)
			b.file("j", 1, "work", "of the attempt before")
		}, []string{"submit j 1"}, []string{"submit j 1", "start j 1", "finish j 1 succeeded"}},
		{"an exit of a submission that is not in the journal", func(b *bench) {
			b.file("j", 1, run.JobFile, job)
			b.file("j", 1, run.ExitFile, exited)
		}, []string{"recover j 1"}, []string{"submit j 1", "start j 1", "finish j 1 succeeded"}},
		{"a torn last line of the journal", func(b *bench) {
			b.wrote(submitted)
			b.file("j", 1, run.JobFile, job)
			f, err := os.OpenFile(b.dir.Path(run.JournalFile), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString(`{"timestamp":2,"name":"sta`)
			}
			if err := errors.Join(err, f.Close()); err != nil {
				b.Fatal(err)
			}
		}, []string{"recover j 1", "submit j 2"}, append([]string{"finish j 1 lost"}, again...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.left(b)
			before := 0
			if _, err := os.Stat(b.dir.Path(run.JournalFile)); err == nil {
				before = len(b.journal())
			}
			x := new(runtest.Executor)
			b.same("summary", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(x, job))
			b.same("calls", c.calls, x.Calls())
			b.same("journal", c.journal, b.journal()[before:])
			if _, err := os.Stat(filepath.Join(b.dir.Attempt("j", 1), "work")); err == nil {
				t.Error("a new attempt found what another left")
			}
			again := new(runtest.Executor)
			b.same("summary of a further session", counts(1, statuses{ensemble.Succeeded: 1}, 1), b.good(again, job))
			b.same("calls of a further session", 0, len(again.Calls()))
		})
	}
}

func TestRetriesAreCountedAcrossSessions(t *testing.T) {
	b := newBench(t)
	j := runtest.Job("j", "false")
	j.Policy.Retries = 1
	b.wrote(submitted, ensemble.Event{Name: ensemble.Finish, Job: "j", Attempt: 1, Status: ensemble.Failed})
	x := new(runtest.Executor)
	b.same("summary", counts(1, statuses{ensemble.Failed: 1}, 0), b.good(x, j))
	b.same("calls", []string{"submit j 2"}, x.Calls())
}

func TestARecoveryThatFailsEndsTheRunAndLosesNothing(t *testing.T) {
	b := newBench(t)
	b.wrote(submitted)
	b.file("j", 1, run.JobFile, runtest.Job("j", "true"))
	no := errors.New("no answer")
	x := &runtest.Executor{RecoverError: func(*ensemble.Job, int) error { return no }}
	if _, err := b.session(x, runtest.Job("j", "true")); !errors.Is(err, no) {
		t.Errorf("got %v, want %v", err, no)
	}
	b.same("journal", []string{"submit j 1"}, b.journal())
	b.file("j", 1, run.ExitFile, exited)
	b.same("summary of the next session", counts(1, statuses{ensemble.Succeeded: 1}, 0), b.good(new(runtest.Executor), runtest.Job("j", "true")))
}

func TestADirectoryIsKnownByOneName(t *testing.T) {
	b := newBench(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(string(b.dir), link); err != nil {
		t.Fatal(err)
	}
	d, _, err := run.Open(link)
	if err != nil {
		t.Fatal(err)
	}
	b.same("directory", b.dir, d)
	if _, _, err := run.Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "is not a run directory") {
		t.Errorf("got %v, want an error that says so", err)
	}
}

func TestAJudgementIsNotCancelled(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	j := runtest.Job("j", "true")
	j.App = "app"
	d := &run.Driver{Dir: b.dir, Executor: new(runtest.Executor)}
	d.Judge = func(ctx context.Context, _ *ensemble.Job, dir string, e ensemble.Event) run.Judgement {
		cancel(enough)
		if err := ctx.Err(); err != nil {
			return run.Judgement{Status: ensemble.Failed, Reason: err.Error()}
		}
		if _, err := os.Stat(filepath.Join(dir, run.ExitFile)); err != nil {
			return run.Judgement{Status: ensemble.Failed, Reason: err.Error()}
		}
		return run.Judgement{Status: ensemble.Incomplete, Reason: "half of it"}
	}
	s, err := d.Run(ctx, stream(j))
	if err != nil && !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	b.same("settled jobs", statuses{ensemble.Incomplete: 1}, s.Status)
	b.same("journal", []string{"submit j 1", "start j 1", "finish j 1 incomplete"}, b.journal())
}
