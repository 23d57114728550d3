// SPDX-License-Identifier: MIT

package cli

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

func lammps(change ...func(*ensemble.Job)) *ensemble.Job {
	j := &ensemble.Job{
		ID: "0f", App: "lammps", Variant: "debian", Group: "strong", Repetition: 1,
		Shape:      ensemble.Shape{Nodes: 1, Tasks: 2, Threads: 1, CoresPerTask: 1},
		Parameters: map[string]spec.Value{"x": spec.Of(int64(10)), "steps": spec.Of(int64(100))},
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func TestTitlesSayWhatTellsTrialsApart(t *testing.T) {
	t.Parallel()
	parameter := func(name string, v int64) func(*ensemble.Job) {
		return func(j *ensemble.Job) { j.Parameters[name] = spec.Of(v) }
	}
	shape := func(change func(*ensemble.Shape)) func(*ensemble.Job) {
		return func(j *ensemble.Job) { change(&j.Shape) }
	}
	problem := func(p string) func(*ensemble.Job) { return func(j *ensemble.Job) { j.Problem = p } }
	for _, c := range []struct {
		name string
		jobs []*ensemble.Job
		want []string
	}{
		{"one trial needs no more than its ranks", []*ensemble.Job{lammps()}, []string{"lammps debian, 2 ranks"}},
		{"a parameter", []*ensemble.Job{lammps(), lammps(parameter("x", 20))}, []string{"lammps debian x=10, 2 ranks", "lammps debian x=20, 2 ranks"}},
		{"a problem that tells its parameters",
			[]*ensemble.Job{lammps(problem("small")), lammps(problem("large"), parameter("x", 20))},
			[]string{"lammps debian small, 2 ranks", "lammps debian large, 2 ranks"}},
		{"a parameter that the problem does not tell",
			[]*ensemble.Job{lammps(problem("small")), lammps(problem("small"), parameter("steps", 5))},
			[]string{"lammps debian small steps=100, 2 ranks", "lammps debian small steps=5, 2 ranks"}},
		{"nodes", []*ensemble.Job{lammps(), lammps(shape(func(s *ensemble.Shape) { s.Nodes = 2 }))},
			[]string{"lammps debian, 1 node, 2 ranks", "lammps debian, 2 nodes, 2 ranks"}},
		{"threads with their cores", []*ensemble.Job{lammps(), lammps(shape(func(s *ensemble.Shape) { s.Threads, s.CoresPerTask = 2, 2 }))},
			[]string{"lammps debian, 2 ranks, 1 thread", "lammps debian, 2 ranks, 2 threads"}},
		{"cores alone", []*ensemble.Job{lammps(), lammps(shape(func(s *ensemble.Shape) { s.CoresPerTask = 2 }))},
			[]string{"lammps debian, 2 ranks", "lammps debian, 2 ranks, 2 cores per rank"}},
		{"placement", []*ensemble.Job{lammps(), lammps(shape(func(s *ensemble.Shape) { s.MapBy, s.BindTo = "numa", "core" }))},
			[]string{"lammps debian, 2 ranks", "lammps debian, 2 ranks, mapped by numa, bound to core"}},
		{"groups and repetitions", []*ensemble.Job{lammps(), lammps(func(j *ensemble.Job) { j.Group, j.Repetition = "weak", 2 })},
			[]string{"lammps debian, 2 ranks, in strong, repetition 1", "lammps debian, 2 ranks, in weak, repetition 2"}},
		{"another application has titles of its own", []*ensemble.Job{lammps(), lammps(func(j *ensemble.Job) { j.App, j.Shape.Threads = "fio", 4 })},
			[]string{"lammps debian, 2 ranks", "fio debian, 2 ranks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			names := titles{}
			for _, j := range c.jobs {
				names.add(j)
			}
			var got []string
			for _, j := range c.jobs {
				got = append(got, names.of(j))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("titles (-want +got):\n%s", diff)
			}
		})
	}
	if want, got := "lammps debian steps=100 x=10, 1 node, 2 ranks, 1 thread, in strong, repetition 1", (titles{}).of(lammps()); got != want {
		t.Errorf("got %q of a job that the plan does not have, want %q", got, want)
	}
}

func TestProgressSaysOneLineForEachAttempt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		event ensemble.Event
		s     run.Standing
		took  time.Duration
		want  string
	}{
		{"a success", ensemble.Event{Name: ensemble.Finish, Attempt: 1, Status: ensemble.Succeeded}, run.Standing{Settled: 3}, 1500 * time.Millisecond,
			"[3/9] lammps debian, 2 ranks: succeeded in 1.5 s\n"},
		{"an attempt that never started has no time", ensemble.Event{Name: ensemble.Finish, Attempt: 1, Status: ensemble.Failed, Reason: "no deck"}, run.Standing{Settled: 3}, 0,
			"[3/9] lammps debian, 2 ranks: failed: no deck\n"},
		{"a failure that is tried again is no trial yet", ensemble.Event{Name: ensemble.Finish, Attempt: 1, Status: ensemble.Failed, Reason: "exit code 1"}, run.Standing{Settled: 2, Again: true}, time.Second,
			"[2/9] lammps debian, 2 ranks, attempt 1: failed in 1.0 s: exit code 1; it is tried again\n"},
		{"a second attempt has its number, and a short one its milliseconds", ensemble.Event{Name: ensemble.Finish, Attempt: 2, Status: ensemble.Succeeded}, run.Standing{Settled: 3}, 5 * time.Millisecond,
			"[3/9] lammps debian, 2 ranks, attempt 2: succeeded in 0.005 s\n"},
		{"a cancelled attempt is run again by the next session", ensemble.Event{Name: ensemble.Finish, Attempt: 1, Status: ensemble.Cancelled, Reason: "cancelled"}, run.Standing{Settled: 2}, time.Second,
			"[2/9] lammps debian, 2 ranks: cancelled in 1.0 s; it is tried again when the run goes on (--resume)\n"},
		{"a wait says why", ensemble.Event{Name: ensemble.Wait, Attempt: 1, Note: "others use half"}, run.Standing{Settled: 2}, 0,
			"[2/9] lammps debian, 2 ranks: waits for an idle machine: others use half\n"},
		{"a start is no news", ensemble.Event{Name: ensemble.Start, Attempt: 1}, run.Standing{}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			names := titles{}
			names.add(lammps())
			var out bytes.Buffer
			p := newProgress(&out, names, func(string, int) (time.Duration, bool) { return c.took, c.took > 0 }, 9)
			p.Event(lammps(), c.event, c.s)
			p.close()
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheTimeOfAnAttemptIsItsLaunchers(t *testing.T) {
	t.Parallel()
	d := run.Dir(t.TempDir())
	begin := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	for name, c := range map[string]struct {
		exit run.Exit
		want time.Duration
		ok   bool
	}{
		"waited": {run.Exit{Begin: begin, Start: at(30), Finish: at(32), End: at(35)}, 2 * time.Second, true},
		"failed": {run.Exit{Begin: begin, End: at(35)}, 0, false},
	} {
		dir := run.Dir(d.Attempt(name, 1))
		if err := os.MkdirAll(string(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := run.WriteJSON(dir.Path(run.ExitFile), c.exit); err != nil {
			t.Fatal(err)
		}
		if got, ok := took(d)(name, 1); got != c.want || ok != c.ok {
			t.Errorf("%s: got %v, %v, want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
	if _, ok := took(d)("lost", 1); ok {
		t.Error("an attempt without an exit has a time")
	}
}

func TestTheTimeThatRemainsIsThatOfJobsOfThisSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    run.Standing
		want time.Duration
	}{
		{"nothing is known at the beginning", run.Standing{}, 0},
		{"half is done", run.Standing{Settled: 5}, 10 * time.Second},
		{"jobs of an earlier session took no time", run.Standing{Settled: 5, Skipped: 4}, 50 * time.Second},
		{"nothing is known of a session that only passed over jobs", run.Standing{Settled: 5, Skipped: 5}, 0},
		{"all is done", run.Standing{Settled: 10}, 0},
	} {
		if got := remaining(c.s, 10, 10*time.Second); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSummariesHaveTheWordsOfReports(t *testing.T) {
	t.Parallel()
	type statuses = map[ensemble.Status]int
	noisy := measure.Record{Status: ensemble.Succeeded, Flags: []string{"noisy", "shared", "noisy"}}
	for _, c := range []struct {
		name    string
		jobs    int
		s       run.Summary
		records []measure.Record
		want    string
	}{
		{"one trial", 1, run.Summary{Status: statuses{ensemble.Succeeded: 1}}, nil, "1 trial: 1 succeeded"},
		{"ways to fail are failures", 9, run.Summary{Status: statuses{ensemble.Succeeded: 2, ensemble.Failed: 4, ensemble.Timeout: 1, ensemble.Incomplete: 2}}, nil,
			"9 trials: 2 succeeded, 7 failed (2 incomplete, 1 timeout)"},
		{"a run that was cut off", 4, run.Summary{Status: statuses{ensemble.Failed: 1}}, nil, "4 trials: 1 failed, 3 not finished"},
		{"a run that went on", 4, run.Summary{Status: statuses{ensemble.Succeeded: 4}, Skipped: 3}, nil, "4 trials: 4 succeeded (3 of them before)"},
		{"flags of what succeeded", 3, run.Summary{Status: statuses{ensemble.Succeeded: 2, ensemble.Failed: 1}},
			[]measure.Record{noisy, {Status: ensemble.Succeeded}, {Status: ensemble.Failed, Flags: []string{"noisy"}}},
			"3 trials: 2 succeeded, 1 failed\nflags: noisy 1 of 2, shared 1 of 2"},
	} {
		if got := describeSummary(c.jobs, c.s, c.records); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
