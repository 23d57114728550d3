// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
)

// repetition is one job of a cell: a2 is the second repetition of a.
func repetition(id, command string) *ensemble.Job {
	j := runtest.Job(id, command)
	j.Cell, j.Until = id[:1], &spec.Until{Interval: 0.05, AtMost: 9}
	j.Policy.Shared = true
	return j
}

// after takes so many repetitions that succeeded for enough, and notes what it
// was asked.
func after(n int, asked *[]string) run.Enough {
	return func(_ context.Context, job *ensemble.Job, done []run.Done) (string, error) {
		var ids []string
		good := 0
		for _, d := range done {
			ids = append(ids, fmt.Sprint(d.Job, "/", d.Attempt, " ", d.Status))
			if d.Status == ensemble.Succeeded {
				good++
			}
		}
		*asked = append(*asked, job.ID+": "+strings.Join(ids, ", "))
		if good >= n {
			return "enough", nil
		}
		return "", nil
	}
}

func (b *bench) until(enough run.Enough, x *runtest.Executor, jobs ...*ensemble.Job) (run.Summary, error) {
	return (&run.Driver{Dir: b.dir, Executor: x, Enough: enough}).Run(b.Context(), stream(jobs...))
}

func cells() (jobs []*ensemble.Job) {
	for _, id := range []string{"a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"} {
		jobs = append(jobs, repetition(id, "true"))
	}
	return append(jobs, runtest.Job("other", "true"))
}

func TestRepetitionsEndWhenTheyAreEnough(t *testing.T) {
	b := newBench(t)
	x := &runtest.Executor{Slots: 4, Do: func(job *ensemble.Job, _ int) runtest.Attempt {
		if job.ID == "b1" {
			return runtest.Attempt{Status: ensemble.Failed}
		}
		return runtest.Attempt{}
	}}
	var asked []string
	s, err := b.until(after(2, &asked), x, cells()...)
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 9, Status: statuses{ensemble.Succeeded: 5, ensemble.Failed: 1}, Omitted: 3}, s)
	b.same("settled", 9, s.Settled())
	b.same("asked", []string{
		"a1: ", "b1: ", "a2: a1/1 succeeded", "b2: b1/1 failed", "a3: a1/1 succeeded, a2/1 succeeded",
		"b3: b1/1 failed, b2/1 succeeded", "b4: b1/1 failed, b2/1 succeeded, b3/1 succeeded",
	}, asked)
	var omitted []string
	for _, e := range b.journal() {
		if strings.HasPrefix(e, "omit") {
			omitted = append(omitted, e)
		}
	}
	b.same("omitted", []string{"omit a3 0", "omit a4 0", "omit b4 0"}, omitted)

	again := new(runtest.Executor)
	asked = nil
	s, err = b.until(after(2, &asked), again, cells()...)
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary of a second session", run.Summary{Jobs: 9, Status: statuses{ensemble.Succeeded: 5, ensemble.Failed: 1}, Omitted: 3, Skipped: 6}, s)
	b.same("calls of a second session", 0, len(again.Calls()))
	b.same("asked in a second session", 0, len(asked))
}

func TestARetryIsNotHeldUpByItsCell(t *testing.T) {
	b := newBench(t)
	x := &runtest.Executor{Slots: 2, Do: func(job *ensemble.Job, attempt int) runtest.Attempt {
		if job.ID == "a1" && attempt < 3 {
			return runtest.Attempt{Status: ensemble.Failed}
		}
		return runtest.Attempt{}
	}}
	first := repetition("a1", "true")
	first.Policy.Retries = 2
	var asked []string
	s, err := b.until(after(1, &asked), x, first, repetition("a2", "true"))
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 2, Status: statuses{ensemble.Succeeded: 1}, Omitted: 1}, s)
	b.same("asked", []string{"a1: ", "a2: a1/3 succeeded"}, asked)
}

// A run may be cut off behind any event; the sessions together decide as one.
func TestASessionThatGoesOnDecidesTheSame(t *testing.T) {
	whole := newBench(t)
	var asked []string
	if _, err := whole.until(after(2, &asked), new(runtest.Executor), cells()...); err != nil {
		t.Fatal(err)
	}
	var events []ensemble.Event
	err := whole.dir.Events(func(e ensemble.Event) error { events = append(events, e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*ensemble.Job{}
	for _, j := range cells() {
		byID[j.ID] = j
	}
	for n := range len(events) + 1 {
		t.Run(fmt.Sprint("after ", n, " events"), func(t *testing.T) {
			b := newBench(t)
			b.wrote(events[:n]...)
			for _, e := range events[:n] {
				if e.Name == ensemble.Submit {
					b.file(e.Job, 1, run.JobFile, byID[e.Job])
				}
				if e.Name == ensemble.Finish {
					b.file(e.Job, 1, run.ExitFile, exited)
				}
			}
			var asked []string
			s, err := b.until(after(2, &asked), new(runtest.Executor), cells()...)
			if err != nil {
				t.Fatal(err)
			}
			b.same("jobs, omitted and succeeded", []int{9, 4, 5}, []int{s.Jobs, s.Omitted, s.Status[ensemble.Succeeded]})
			for _, id := range []string{"a3", "a4", "b3", "b4"} {
				state, err := b.dir.State()
				if err != nil {
					t.Fatal(err)
				}
				if j, _ := state.Job(id); j.Phase != ensemble.Omitted || j.Reason != "enough" {
					t.Errorf("%s: got %+v, want it omitted", id, j)
				}
			}
		})
	}
}

func TestADecisionThatFailsEndsTheRun(t *testing.T) {
	b := newBench(t)
	broken := errors.New("the disk is gone")
	_, err := b.until(func(context.Context, *ensemble.Job, []run.Done) (string, error) { return "", broken },
		new(runtest.Executor), repetition("a1", "true"))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "a1") {
		t.Errorf("got %v, want an error that names the job", err)
	}
}
