// SPDX-License-Identifier: MIT

package forecast_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/forecast"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// job is one of an application that runs a task on each of its nodes.
func job(id string, nodes int) *ensemble.Job {
	return &ensemble.Job{ID: id, App: "solver", Group: "g", Shape: ensemble.Shape{Nodes: nodes, Tasks: nodes, Threads: 1, CoresPerTask: 1},
		Launch: ensemble.Launch{Command: []string{"solver"}}}
}

// study makes ensembles of n alike jobs.
func study(n, nodes int) func() (forecast.Ensemble, error) {
	return func() (forecast.Ensemble, error) {
		engine, _ := ensemble.NewEngine(&spec.EnsembleSpec{}, nil)
		return forecast.Ensemble{Engine: engine, Jobs: func(yield func(*ensemble.Job, error) bool) {
			for i := range n {
				if !yield(job(fmt.Sprint("j", i), nodes), nil) {
					return
				}
			}
		}}, nil
	}
}

// runs are those of a law, three of each size, 2 % apart.
func runs(sizes []int, law func(n float64) float64) (all []forecast.Run) {
	for _, n := range sizes {
		for i := range 3 {
			all = append(all, forecast.Run{App: "solver", Nodes: n, Tasks: n, Threads: 1, Seconds: law(float64(n)) * (1 + 0.02*float64(i-1))})
		}
	}
	return all
}

func amdahl(n float64) float64 { return 10 + 1000/n }

func source(t testing.TB, times forecast.Times) *forecast.Source {
	t.Helper()
	s, err := times.Source(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMeasuredSizeTakesTheTimesOfItsRuns(t *testing.T) {
	t.Parallel()
	s := source(t, forecast.Times{Runs: runs([]int{1, 2, 4}, amdahl)})
	f, err := forecast.Many(context.Background(), study(8, 2), &forecast.Machine{Nodes: 4, Cores: 1}, s, forecast.Price{PerNodeHour: 2, Currency: "EUR"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Predicted() {
		t.Error("predicted a size that was measured")
	}
	// Four waves of two jobs of 510 s.
	if math.Abs(f.Makespan.Median-2040) > 40 || f.Makespan.High-f.Makespan.Low > 80 || f.Makespan.High == f.Makespan.Low {
		t.Errorf("makespan %+v, want some 2040", f.Makespan)
	}
	if got, want := f.Money.Median, 2*f.NodeHours.Median; got != want || f.Currency != "EUR" {
		t.Errorf("money %v %s, want %v EUR", got, f.Currency, want)
	}
}

func TestAnotherSizeHasTheIntervalOfThePattern(t *testing.T) {
	t.Parallel()
	s := source(t, forecast.Times{Runs: runs([]int{1, 2, 4, 8, 16}, amdahl)})
	f, err := forecast.Many(context.Background(), study(8, 32), &forecast.Machine{Nodes: 32, Cores: 1}, s, forecast.Price{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	truth := 8 * amdahl(32)
	if !s.Predicted() || f.Makespan.Low > truth || f.Makespan.High < truth {
		t.Errorf("makespan %+v, want %v inside", f.Makespan, truth)
	}
	// Jobs of one law err together: their sum is as uncertain as each of them.
	if rel := (f.Makespan.High - f.Makespan.Low) / f.Makespan.Median; rel < 0.05 {
		t.Errorf("the interval is %.1f %% wide: independent errors were averaged away", 100*rel)
	}
}

func TestWhereAPatternRefusesThereIsNoForecast(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		runs []forecast.Run
		want string
	}{
		{"too few sizes", runs([]int{1, 2}, amdahl), "cannot be predicted from the runs: over nodes: "},
		{"runs of nothing alike", []forecast.Run{{App: "other", Nodes: 1, Tasks: 1, Threads: 1, Seconds: 1}}, "nothing says how long solver on 64 nodes with 64 tasks takes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := source(t, forecast.Times{Runs: test.runs})
			_, err := forecast.Many(context.Background(), study(1, 64), &forecast.Machine{Nodes: 64, Cores: 1}, s, forecast.Price{}, 1)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--from RUN") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheSameInputGivesTheSameForecast(t *testing.T) {
	t.Parallel()
	play := func() *forecast.Forecast {
		s := source(t, forecast.Times{Runs: runs([]int{1, 2, 4, 8}, amdahl)})
		f, err := forecast.Many(context.Background(), study(50, 3), &forecast.Machine{Nodes: 7, Cores: 2, Scheduler: sim.Easy}, s, forecast.Price{}, 20)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if diff := cmp.Diff(play(), play()); diff != "" {
		t.Error(diff)
	}
}

func TestSimulatedAndFailedRecordsTellNoTime(t *testing.T) {
	t.Parallel()
	records := []measure.Record{{App: "a", Status: ensemble.Succeeded}, {App: "a", Status: ensemble.Failed}, {App: "a", Status: ensemble.Succeeded, Flags: []string{"simulated"}}}
	for i := range records {
		records[i].Times.Start, records[i].Times.Finish = sim.Begin, sim.Begin.Add(time.Duration(i+1)*time.Second)
	}
	got := forecast.FromRecords(records)
	if len(got) != 1 || got[0].Seconds != 1 {
		t.Errorf("got %+v, want the first", got)
	}
}

func TestPoliciesAreComparedOnTheSameJobs(t *testing.T) {
	t.Parallel()
	var recorded []forecast.Recorded
	for i := range 8 { // all at once, then one an hour later
		recorded = append(recorded, forecast.Recorded{Job: job(fmt.Sprint("j", i), 1), Number: 1, Time: 600 * time.Second})
	}
	recorded = append(recorded, forecast.Recorded{Job: job("late", 1), Number: 1, At: time.Hour, Time: 600 * time.Second})
	machine := forecast.Machine{Cores: 1, Growth: time.Minute}
	for _, test := range []struct {
		policy    string
		makespan  time.Duration
		nodeHours float64
	}{
		{"1", 9 * 600 * time.Second, 1.5},
		{"8", 4200 * time.Second, 8 * 4200 / 3600.},
		{"1-8", 4200 * time.Second, (4200 + 7*600) / 3600.}, // what comes goes after its job
	} {
		p, err := forecast.ParsePolicy(test.policy)
		if err != nil {
			t.Fatal(err)
		}
		r, err := forecast.Replay(context.Background(), recorded, p, machine)
		if err != nil {
			t.Fatal(err)
		}
		if r.Makespan != test.makespan || math.Abs(r.NodeHours-test.nodeHours) > 0.02 || math.Abs(r.Busy-1.5) > 1e-9 {
			t.Errorf("%s: makespan %v, %v node-hours, %v busy; want %v, %v, 1.5", test.policy, r.Makespan, r.NodeHours, r.Busy, test.makespan, test.nodeHours)
		}
	}
	for _, text := range []string{"0", "x", "4-2", "-1", "1-"} {
		if _, err := forecast.ParsePolicy(text); err == nil {
			t.Errorf("policy %q is taken", text)
		}
	}
}

// BenchmarkMany plays 1000 jobs 100 times.
func BenchmarkMany(b *testing.B) {
	s := source(b, forecast.Times{Runs: runs([]int{1, 2, 4, 8}, amdahl)})
	for b.Loop() {
		if _, err := forecast.Many(context.Background(), study(1000, 3), &forecast.Machine{Nodes: 64, Cores: 4}, s, forecast.Price{}, 100); err != nil {
			b.Fatal(err)
		}
	}
}
