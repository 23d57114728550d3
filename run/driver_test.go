// SPDX-License-Identifier: MIT

package run_test

import (
	"fmt"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
)

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

func TestAnObserverIsToldHowTheRunStands(t *testing.T) {
	b := newBench(t)
	retried := runtest.Job("j", "false")
	retried.Policy.Retries = 1
	jobs := []*ensemble.Job{runtest.Job("a", "true"), retried, runtest.Job("k", "lost")}
	watch := func(x *runtest.Executor) (told []string) {
		d := &run.Driver{Dir: b.dir, Executor: x, Observer: observer(func(e ensemble.Event, s run.Standing) {
			if e.Name == ensemble.Finish {
				told = append(told, fmt.Sprintf("%s %d %s: %d settled, %d before, again %v", e.Job, e.Attempt, e.Status, s.Settled, s.Skipped, s.Again))
			}
		})}
		if _, err := d.Run(b.Context(), stream(jobs...)); err != nil {
			t.Fatal(err)
		}
		return told
	}
	lose := &runtest.Executor{Do: func(j *ensemble.Job, _ int) runtest.Attempt {
		switch j.ID {
		case "j":
			return runtest.Attempt{Status: ensemble.Failed}
		case "k":
			return runtest.Attempt{Status: ensemble.Lost}
		}
		return runtest.Attempt{}
	}}
	b.same("first session", []string{
		"a 1 succeeded: 1 settled, 0 before, again false",
		"j 1 failed: 1 settled, 0 before, again true",
		"k 1 lost: 1 settled, 0 before, again true",
		"j 2 failed: 2 settled, 0 before, again false",
		"k 2 lost: 2 settled, 0 before, again true",
		"k 3 lost: 2 settled, 0 before, again false",
	}, watch(lose))
	b.same("next session", []string{"k 4 succeeded: 3 settled, 2 before, again false"}, watch(new(runtest.Executor)))
}
