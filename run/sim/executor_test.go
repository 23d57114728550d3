// SPDX-License-Identifier: MIT

package sim_test

import (
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
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

func executor(t *testing.T, c sim.Config, o sim.Options) *sim.Executor {
	t.Helper()
	x, err := sim.NewExecutor(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestASimulatedMemberConforms(t *testing.T) {
	t.Parallel()
	runtest.Conform(t, func(t *testing.T) run.Executor {
		return executor(t, sim.Config{Nodes: sim.Nodes(1, 1)}, sim.Options{Window: 1})
	})
}

// rehearsal is a run on a simulated member.
type rehearsal struct {
	*testing.T
	dir run.Dir
}

func newRehearsal(t *testing.T) *rehearsal {
	t.Helper()
	t.Parallel()
	return &rehearsal{t, create(t)}
}

// create makes the directory of a run.
func create(t testing.TB) run.Dir {
	t.Helper()
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "test"}}
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), &spec.Ensemble{Header: h})
	if err != nil {
		t.Fatal(err)
	}
	return d
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

func (r *rehearsal) run(x *sim.Executor, g *ensemble.Engine, jobs ...*ensemble.Job) run.Summary {
	r.Helper()
	s, err := (&run.Driver{Dir: r.dir, Executor: x, Engine: g}).Run(r.Context(), stream(jobs...))
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// journal gives the events with their times in virtual seconds, and checks that
// times do not fall.
func (r *rehearsal) journal() (lines []string) {
	r.Helper()
	var s ensemble.State
	last := sim.Begin
	err := r.dir.Events(func(e ensemble.Event) error {
		if e.Time.Before(last) {
			r.Errorf("%+v comes after an event at %v", e, last)
		}
		last = e.Time
		text := strings.Join(strings.Fields(fmt.Sprint(e.Name, " ", e.Job, " ", e.Status, " ", e.Note)), " ")
		lines = append(lines, fmt.Sprintf("%v %s", e.Time.Sub(sim.Begin).Seconds(), text))
		return s.Apply(e)
	})
	if err != nil {
		r.Fatal(err)
	}
	return lines
}

func (r *rehearsal) same(what string, want, got any) {
	r.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// sleep is a job that has a node for itself.
func sleep(id string, seconds int) *ensemble.Job {
	return runtest.Job(id, "sleep", fmt.Sprint(seconds))
}

func TestARehearsalHasVirtualTimes(t *testing.T) {
	r := newRehearsal(t)
	x := executor(t, sim.Config{Nodes: sim.Nodes(2, 1)}, sim.Options{Before: sim.Constant(2 * time.Second), After: sim.Constant(3 * time.Second)})
	limited := sleep("b", 100)
	limited.Policy.Timeout = time.Minute
	r.same("summary", run.Summary{Jobs: 4, Status: map[ensemble.Status]int{ensemble.Succeeded: 2, ensemble.Failed: 1, ensemble.Timeout: 1}},
		r.run(x, nil, sleep("a", 10), limited, runtest.Job("c", "false"), sleep("d", 1)))
	r.same("journal", []string{
		"0 run-start", "0 submit a", "0 submit b", "0 submit c", "0 submit d",
		"2 start a", "2 start b", "15 finish a succeeded", "17 start c", "20 finish c failed",
		"22 start d", "26 finish d succeeded", "63 finish b timeout", "63 run-finish",
	}, r.journal())
	var exit run.Exit
	if err := run.ReadJSON(filepath.Join(r.dir.Attempt("a", 1), run.ExitFile), &exit); err != nil {
		t.Fatal(err)
	}
	at := func(s int) time.Time { return sim.Begin.Add(time.Duration(s) * time.Second) }
	r.same("exit", run.Exit{Status: ensemble.Succeeded, ExitCode: new(int), Command: []string{"sleep", "10"},
		Begin: at(0), Start: at(2), Finish: at(12), End: at(15), Flags: []string{"simulated"}}, exit)
}

func TestTheSameRehearsalLeavesTheSameJournal(t *testing.T) {
	t.Parallel()
	var journals [2][]byte
	for i := range journals {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := newRehearsal(t)
			var jobs []*ensemble.Job
			for i := range 50 {
				j := runtest.Job(fmt.Sprintf("j%d", i), "app")
				j.Shape.Nodes, j.Shape.Tasks = 1+i%4, 1+i%4
				jobs = append(jobs, j)
			}
			o := sim.Options{Model: sim.Lasting(sim.LogNormal(7, time.Minute, 1)), Before: sim.Exponential(8, time.Second)}
			r.run(executor(t, sim.Config{Nodes: sim.Nodes(4, 1)}, o), nil, jobs...)
			b, err := os.ReadFile(r.dir.Path(run.JournalFile))
			if err != nil {
				t.Fatal(err)
			}
			journals[i] = b
		})
	}
	t.Cleanup(func() {
		if diff := cmp.Diff(string(journals[0]), string(journals[1])); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

func TestMetricsOfAModelReachTheJournal(t *testing.T) {
	r := newRehearsal(t)
	o := sim.Options{Model: func(j *ensemble.Job, attempt int) (sim.Outcome, error) {
		return sim.Outcome{Time: time.Minute, Metrics: map[string]float64{"energy": 3}}, nil
	}}
	short := runtest.Job("b", "app")
	short.Policy.Timeout = time.Second
	r.run(executor(t, sim.Config{Nodes: sim.Nodes(1, 1)}, o), nil, runtest.Job("a", "app"), short)
	got := map[string]map[string]float64{}
	err := r.dir.Events(func(e ensemble.Event) error {
		if e.Name == ensemble.Finish {
			got[e.Job] = e.Metrics
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.same("metrics", map[string]map[string]float64{"a": {"energy": 3}, "b": nil}, got)
}

func TestASimulationThatWasCutOffGoesOn(t *testing.T) {
	r := newRehearsal(t)
	jobs := []*ensemble.Job{sleep("a", 10), sleep("b", 10), sleep("c", 10)}
	at := func(s int, name ensemble.EventName, job string) ensemble.Event {
		e := ensemble.Event{Time: sim.Begin.Add(time.Duration(s) * time.Second), Name: name, Job: job, Attempt: 1}
		if name == ensemble.Finish {
			e.Status = ensemble.Succeeded
		}
		return e
	}
	j, err := run.OpenJournal(r.dir.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	err = j.Append(at(0, ensemble.RunStart, ""), at(0, ensemble.Submit, "a"), at(0, ensemble.Submit, "b"), at(0, ensemble.Submit, "c"),
		at(0, ensemble.Start, "a"), at(10, ensemble.Finish, "a"), at(10, ensemble.Start, "b"))
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	nodes := []sim.Node{{Cores: 1}, {Cores: 1, Absent: true, Changes: []time.Duration{5 * time.Second, 6 * time.Second, 15 * time.Second}}}
	r.same("summary", run.Summary{Jobs: 3, Status: map[ensemble.Status]int{ensemble.Succeeded: 3}, Skipped: 1},
		r.run(executor(t, sim.Config{Nodes: nodes}, sim.Options{}), nil, jobs...))
	r.same("second session", []string{
		"10 run-start", "10 finish b lost", "10 submit b", "10 finish c lost", "10 submit c", "10 start b",
		"15 start c", "20 finish b succeeded", "25 finish c succeeded", "25 run-finish",
	}, r.journal()[7:])
}

func TestAWindowHoldsJobsBack(t *testing.T) {
	r := newRehearsal(t)
	r.run(executor(t, sim.Config{Nodes: sim.Nodes(4, 1)}, sim.Options{Window: 2}), nil, sleep("a", 10), sleep("b", 20), sleep("c", 10))
	r.same("journal", []string{
		"0 run-start", "0 submit a", "0 submit b", "0 start a", "0 start b",
		"10 finish a succeeded", "10 submit c", "10 start c", "20 finish b succeeded", "20 finish c succeeded", "20 run-finish",
	}, r.journal())
}

func TestWhatNeverFitsIsToldBeforeTheRun(t *testing.T) {
	t.Parallel()
	x := executor(t, sim.Config{Nodes: append(sim.Nodes(2, 4), sim.Node{Cores: 4, Absent: true})}, sim.Options{})
	for _, c := range []struct {
		name                string
		nodes, tasks, cores int
		oversubscribe       bool
		argv, want          string
	}{
		{"a job that fits", 2, 8, 1, false, "true", ""},
		{"a job that fits when the member has grown", 3, 3, 4, false, "true", ""},
		{"too many nodes", 4, 4, 1, false, "true", "job j asks for 4 nodes and 4 tasks of 1 cores, which the simulated member never has"},
		{"too many cores", 1, 5, 1, false, "true", "job j asks for 1 nodes and 5 tasks of 1 cores, which the simulated member never has"},
		{"too many cores, and it does not mind", 1, 5, 1, true, "true", ""},
		{"a command of which nobody knows", 1, 1, 1, false, "app", `simulating job j: nothing says how long ["app"] takes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := runtest.Job("j", c.argv)
			j.Shape.Nodes, j.Shape.Tasks, j.Shape.CoresPerTask, j.Policy.Oversubscribe = c.nodes, c.tasks, c.cores, c.oversubscribe
			got := ""
			if err := x.Check(j); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAJobThatWaitsForEverFails(t *testing.T) {
	r := newRehearsal(t)
	nodes := append(sim.Nodes(1, 1), sim.Node{Cores: 1, Absent: true})
	j := sleep("a", 1)
	j.Shape.Nodes, j.Shape.Tasks = 2, 2
	r.run(executor(t, sim.Config{Nodes: nodes}, sim.Options{}), nil, j, sleep("b", 1))
	r.same("journal", []string{"0 run-start", "0 submit a", "0 submit b", "0 finish a failed", "0 start b", "1 finish b succeeded", "1 run-finish"}, r.journal())
}

func TestALostJobIsTriedAgain(t *testing.T) {
	r := newRehearsal(t)
	nodes := []sim.Node{{Cores: 1, Changes: []time.Duration{5 * time.Second, 7 * time.Second}}}
	r.run(executor(t, sim.Config{Nodes: nodes}, sim.Options{}), nil, sleep("a", 10))
	r.same("journal", []string{
		"0 run-start", "0 submit a", "0 start a", "5 finish a lost", "5 submit a", "7 start a", "17 finish a succeeded", "17 run-finish",
	}, r.journal())
	entries, err := os.ReadDir(r.dir.Attempt("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == run.ExitFile }) {
		t.Error("a lost attempt left an exit")
	}
}

func TestAnAlarmComesNoEarlierThanAsked(t *testing.T) {
	t.Parallel()
	x := executor(t, sim.Config{Nodes: sim.Nodes(1, 1)}, sim.Options{})
	at := sim.Begin.Add(time.Minute + time.Nanosecond)
	alarm, stop := x.Wake(at)
	defer stop()
	x.Events()
	if got := <-alarm; got.Before(at) || !got.Equal(x.Now()) || !got.Equal(got.Truncate(time.Microsecond)) {
		t.Errorf("got %v at %v, want whole microseconds and %v at least", got, x.Now(), at)
	}
	_, stop = x.Wake(at.Add(time.Hour))
	stop()
	x.Events()
	if x.Now().After(at.Add(time.Second)) {
		t.Errorf("the time is %v after an alarm that was stopped", x.Now())
	}
}
