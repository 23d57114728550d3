// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"fmt"
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

// steering makes the engine of an ensemble whose groups run the command true, or
// false where their name says so. Jobs are named by group and number: a-1.
func steering(t *testing.T, body string) *ensemble.Engine {
	t.Helper()
	doc, err := spec.Decode("f.yaml", []byte("apiVersion: converged-computing.org/v1alpha1\nkind: Ensemble\nmetadata: {name: test}\nspec:\n"+body))
	if err != nil {
		t.Fatal(err)
	}
	g, faults := ensemble.NewEngine(&doc.Object.(*spec.Ensemble).Spec, func(g *spec.Group, _ map[string]spec.Value, serial, count int) (jobs []*ensemble.Job, _ error) {
		for i := range count {
			j := runtest.Job(fmt.Sprintf("%s-%d", g.Name, serial+i+1), g.Command[0])
			j.Group, j.Policy.Shared = g.Name, true
			jobs = append(jobs, j)
		}
		return jobs, nil
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return g
}

func (b *bench) steer(g *ensemble.Engine, x run.Executor) (run.Summary, error) {
	return (&run.Driver{Dir: b.dir, Executor: x, Engine: g}).Run(b.Context(), stream())
}

// notes are the decisions and what became of the jobs, as the journal has them.
func (b *bench) notes() (decided, ended []string) {
	b.Helper()
	err := b.dir.Events(func(e ensemble.Event) error {
		switch e.Name {
		case ensemble.Decide:
			decided = append(decided, e.Rule+": "+e.Note)
		case ensemble.Finish, ensemble.Omit:
			ended = append(ended, strings.TrimSpace(fmt.Sprint(e.Job, " ", e.Name, " ", e.Status)))
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(ended)
	return decided, ended
}

const twoStages = `  groups:
  - {name: a, command: ["true"], count: 3}
  - {name: b, command: ["true"], count: 2}
  - {name: bad, command: ["false"]}
  - {name: last, command: ["true"], after: [bad]}
  rules:
  - {name: begin, on: start, do: {submit: a}}
  - {name: more, on: metric, when: groups.a.succeeded >= 2, do: {submit: b}}
  - {name: again, on: job-fail, do: {submit: a, count: '1'}}
`

func TestRulesSteerARun(t *testing.T) {
	b := newBench(t)
	g := steering(t, twoStages)
	s, err := b.steer(g, new(runtest.Executor))
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 7, Status: statuses{ensemble.Succeeded: 6, ensemble.Failed: 1}}, s)
	decided, ended := b.notes()
	b.same("decisions", []string{": submit 1 job of bad", "begin: submit 3 jobs of a", "again: submit 1 job of a", "more: submit 2 jobs of b"}, decided)
	b.same("ends", []string{"a-1 finish succeeded", "a-2 finish succeeded", "a-3 finish succeeded", "a-4 finish succeeded",
		"b-1 finish succeeded", "b-2 finish succeeded", "bad-1 finish failed"}, ended)
	b.same("what came to nothing", []string{"group last was never submitted: it comes after bad, of which 1 of 1 job failed"}, g.Unused())
}

func TestARuleEndsARun(t *testing.T) {
	b := newBench(t)
	g := steering(t, `  groups: [{name: long, command: [sleep], count: 2}, {name: a, command: ["true"]}, {name: queued, command: [sleep], count: 3}]
  rules: [{name: stop, on: job-succeed, do: {finish: failure}}]
`)
	s, err := b.steer(g, &runtest.Executor{Slots: 3})
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 6, Status: statuses{ensemble.Succeeded: 1}, Omitted: 5}, s)
	outcome, why := g.Ended()
	b.same("outcome", "failure: rule stop", string(outcome)+": "+why)
	_, ended := b.notes()
	// Whether the first that is queued has begun is a matter of time.
	ended = slices.DeleteFunc(ended, func(s string) bool { return strings.HasSuffix(s, "cancelled") })
	b.same("ends", []string{"a-1 finish succeeded", "long-1 omit", "long-2 omit", "queued-1 omit", "queued-2 omit", "queued-3 omit"}, ended)
}

func TestAGroupIsCancelled(t *testing.T) {
	b := newBench(t)
	g := steering(t, `  groups: [{name: long, command: [sleep], count: 3}, {name: a, command: ["true"]}]
  rules: [{on: job-start, group: long, do: {submit: a}}, {on: job-succeed, do: {cancel: long}}]
`)
	if _, err := b.steer(g, &runtest.Executor{Slots: 4}); err != nil {
		t.Fatal(err)
	}
	_, ended := b.notes()
	b.same("ends", []string{"a-1 finish succeeded", "long-1 finish cancelled", "long-1 omit", "long-2 finish cancelled", "long-2 omit",
		"long-3 finish cancelled", "long-3 omit"}, ended)
}

func TestAHeartbeatKeepsARunGoing(t *testing.T) {
	b := newBench(t)
	g := steering(t, "  heartbeat: 1ms\n  groups: [{name: a, command: [\"true\"]}]\n  rules: [{on: heartbeat, when: beat >= 3, do: {submit: a}}]\n")
	s, err := b.steer(g, new(runtest.Executor))
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 1, Status: statuses{ensemble.Succeeded: 1}}, s)
	beats := 0
	if err := b.dir.Events(func(e ensemble.Event) error {
		if e.Name == ensemble.Heartbeat {
			beats++
		}
		return nil
	}); err != nil || beats < 3 {
		t.Errorf("got %d beats, %v, want 3 at least", beats, err)
	}
}

// A run may be cut off behind any event: what was decided is carried out, once.
func TestASteeredRunGoesOn(t *testing.T) {
	whole := newBench(t)
	if _, err := whole.steer(steering(t, twoStages), new(runtest.Executor)); err != nil {
		t.Fatal(err)
	}
	var events []ensemble.Event
	if err := whole.dir.Events(func(e ensemble.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatal(err)
	}
	wantDecided, wantEnded := whole.notes()
	for n := range len(events) + 1 {
		t.Run(fmt.Sprint("after ", n, " events"), func(t *testing.T) {
			b := newBench(t)
			b.wrote(events[:n]...)
			for _, e := range events[:n] {
				if e.Name == ensemble.Submit {
					command := "true"
					if e.Group == "bad" {
						command = "false"
					}
					j := runtest.Job(e.Job, command)
					j.Group = e.Group
					b.file(e.Job, 1, run.JobFile, j)
				}
				if e.Name == ensemble.Finish {
					b.file(e.Job, 1, run.ExitFile, exited)
				}
			}
			if _, err := b.steer(steering(t, twoStages), new(runtest.Executor)); err != nil {
				t.Fatal(err)
			}
			decided, ended := b.notes()
			ended = slices.DeleteFunc(ended, func(s string) bool { return strings.HasSuffix(s, "lost") })
			// What was lost with the session runs later than it did.
			b.same("decisions", slices.Sorted(slices.Values(wantDecided)), slices.Sorted(slices.Values(decided)))
			b.same("ends", wantEnded, ended)
		})
	}
}

// What a rule asks for while a repetition runs does not wait for the next one.
func TestAParkedRepetitionHoldsNothingUp(t *testing.T) {
	b := newBench(t)
	g := steering(t, "  study: {sweeps: [{name: s, apps: x}]}\n  groups: [{name: probe, command: [\"true\"]}]\n  rules: [{on: job-start, group: s, do: {submit: probe}}]\n")
	release := make(chan struct{})
	x := &runtest.Executor{Slots: 2, Do: func(job *ensemble.Job, _ int) runtest.Attempt {
		if job.ID == "a1" {
			return runtest.Attempt{Until: release}
		}
		if job.Group == "probe" {
			close(release) // the repetition ends only once this was submitted
		}
		return runtest.Attempt{}
	}}
	first, second := repetition("a1", "true"), repetition("a2", "true")
	first.Group, second.Group = "s", "s"
	var asked []string
	s, err := (&run.Driver{Dir: b.dir, Executor: x, Engine: g, Enough: after(9, &asked)}).Run(b.Context(), stream(first, second))
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 3, Status: statuses{ensemble.Succeeded: 3}}, s)
}

func TestRulesDoNotWaitForAJobThatWasGivenUp(t *testing.T) {
	b := newBench(t)
	g := steering(t, "  heartbeat: 1ms\n  groups: [{name: a, command: [\"true\"]}]\n  rules: [{on: heartbeat, when: groups.a.finished == 1, do: {finish: success}}]\n")
	x := &runtest.Executor{Do: func(*ensemble.Job, int) runtest.Attempt {
		return runtest.Attempt{Status: ensemble.Lost, Reason: "gone", NeverStarts: true}
	}}
	s, err := b.steer(g, x)
	if err != nil {
		t.Fatal(err)
	}
	b.same("summary", run.Summary{Jobs: 1, Status: statuses{}}, s)
	b.same("number of attempts", 3, len(x.Calls()))
}

func TestAJournalOfOtherRulesIsRefused(t *testing.T) {
	b := newBench(t)
	if _, err := b.steer(steering(t, twoStages), new(runtest.Executor)); err != nil {
		t.Fatal(err)
	}
	_, err := b.steer(steering(t, strings.Replace(twoStages, "count: 3", "count: 4", 1)), new(runtest.Executor))
	want := `journal.jsonl:3: the rules are not those that the run began with: they do not decide "submit 3 jobs of a" here; go on with the version of ensemble that began it, or begin a new run in another --dir`
	if !errors.Is(err, run.ErrOtherRules) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

func TestAnExecutorThatCannotGrowIsNamed(t *testing.T) {
	t.Parallel()
	g := steering(t, "  groups: [{name: a, command: [\"true\"]}]\n  rules: [{on: start, do: {grow: '1'}}]\n")
	want := []spec.Fault{{Path: "spec.rules[0].do.grow", Message: "rule rule-1 wants grow, which this executor cannot do"}}
	if diff := cmp.Diff(want, run.CanSteer(new(runtest.Executor), g)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// The rule's word is not the run's where jobs go on against it.
func TestARunThatEndedDoesNotWaitForEver(t *testing.T) {
	const file = "  groups: [{name: a, command: [\"true\"]}]\n  rules: [{name: enough, on: job-start, do: {finish: success}}]\n"
	deaf := func() *runtest.Executor {
		return &runtest.Executor{Do: func(*ensemble.Job, int) runtest.Attempt {
			return runtest.Attempt{Until: make(chan struct{}), Deaf: true}
		}}
	}
	t.Run("when its jobs do not end", func(t *testing.T) {
		b := newBench(t)
		_, err := (&run.Driver{Dir: b.dir, Executor: deaf(), Engine: steering(t, file), StopLimit: time.Millisecond}).Run(t.Context(), stream())
		want := "the run ended with success (rule enough), but its jobs a-1 did not end within 1ms of being asked to; the next session (--resume) asks for them"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		b.file("a-1", 1, run.ExitFile, exited) // it ends after all
		s, err := b.steer(steering(t, file), new(runtest.Executor))
		if err != nil {
			t.Fatal(err)
		}
		b.same("summary of the next session", run.Summary{Jobs: 1, Status: statuses{ensemble.Succeeded: 1}}, s)
	})
	t.Run("when somebody presses Ctrl-C", func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		o := observer(func(e ensemble.Event, _ run.Standing) {
			if e.Name == ensemble.Decide && e.Rule != "" {
				time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
			}
		})
		_, err := (&run.Driver{Dir: b.dir, Executor: deaf(), Engine: steering(t, file), Observer: o}).Run(ctx, stream())
		if !errors.Is(err, enough) || !strings.Contains(err.Error(), "jobs a-1 did not end yet") {
			t.Errorf("got %v, want %v and the job that did not end", err, enough)
		}
	})
}
