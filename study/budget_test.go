// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/google/go-cmp/cmp"
)

// compare holds values and big numbers against each other, and sums up to
// rounding.
var compare = cmp.Options{
	cmp.Comparer(func(a, b spec.Value) bool { return a == b }),
	cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
	cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }),
}

// summary plans a study and sums it up.
func summary(t *testing.T, body, environment string) (*study.Summary, []study.Trial) {
	t.Helper()
	p := plan(t, body, environment)
	s, err := p.Summary(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s, slices.Collect(p.Trials())
}

const priced = `  seed: 4
  repetitions: 2
  environments:
  - {name: big, pricePerNodeHour: 4}
  - {name: small, pricePerNodeHour: 1.5}
  sweeps:
  - name: demo
    apps: demo
    nodes: [1, 2, 4]
    tasksPerNode: [1, 2]
    threads: [1, 2]
    parameters: {cells: [1, 2, 3]}
    constraints: ['nodes < 4 || parameters.cells > 1']
    run: {timeout: 30m}
`

// cost is what trials of priced take, trial by trial.
func cost(all []study.Trial) study.Cost {
	c := study.Cost{}
	for _, x := range all {
		price := map[string]float64{"big": 4, "small": 1.5}[x.Environment]
		c.Trials++
		c.CoreHours += float64(x.Tasks*x.CoresPerTask) / 4
		c.NodeHours += float64(x.Nodes) / 4
		if c.Money == nil {
			c.Money = map[string]float64{}
		}
		c.Money["USD"] += float64(x.Nodes) / 4 * price
	}
	return c
}

func TestBudgetsCutThePlan(t *testing.T) {
	t.Parallel()
	const expected = "expectedTime: 15m" // less than the timeout
	_, all := summary(t, priced+"  budget: {"+expected+"}\n", "")
	if want := (2*2*2*3 + 2*2*2) * 2 * 2; len(all) != want {
		t.Fatalf("the whole plan has %d trials, want %d", len(all), want)
	}
	for _, c := range []struct {
		name, budget, limit string
		within              func(c study.Cost) bool
	}{
		{"in trials", "trials: 100", "trials", func(c study.Cost) bool { return c.Trials <= 100 }},
		{"in core-hours", "coreHours: 60", "coreHours", func(c study.Cost) bool { return c.CoreHours <= 60 }},
		{"in node-hours", "nodeHours: 7.5", "nodeHours", func(c study.Cost) bool { return c.NodeHours <= 7.5 }},
		{"in money", "money: 33", "money", func(c study.Cost) bool { return c.Money["USD"] <= 33 }},
		{"in several at once", "money: 1000, trials: 20, coreHours: 1000", "trials", func(c study.Cost) bool { return c.Trials <= 20 }},
		{"not at all where it suffices", "money: 100000, trials: 2000, coreHours: 10000", "", func(study.Cost) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, got := summary(t, priced+"  budget: {"+expected+", "+c.budget+"}\n", "")
			keep := 0
			for keep < len(all) && c.within(cost(all[:keep+1])) {
				keep++
			}
			if diff := cmp.Diff(all[:keep], got, compare); diff != "" {
				t.Fatalf("the plan is not the longest beginning within the budget (-want +got):\n%s", diff)
			}
			if s.Limit != c.limit {
				t.Errorf("the limit is %q, want %q", s.Limit, c.limit)
			}
			kept, cut := cost(all[:keep]), cost(all[keep:])
			if diff := cmp.Diff([]study.Cost{kept, cut}, []study.Cost{s.Cost, s.Cut}, compare); diff != "" {
				t.Errorf("the costs differ (-want +got):\n%s", diff)
			}
			for _, e := range s.Environments {
				here := slices.DeleteFunc(slices.Clone(got), func(x study.Trial) bool { return x.Environment != e.Name })
				if diff := cmp.Diff(cost(here), e.Cost, compare); diff != "" {
					t.Errorf("the cost in %s differs (-want +got):\n%s", e.Name, diff)
				}
				own, _ := summary(t, priced+"  budget: {"+expected+", "+c.budget+"}\n", e.Name)
				if diff := cmp.Diff(e.Cost, own.Cost, compare); diff != "" {
					t.Errorf("the cost of the plan of %s differs (-part +own):\n%s", e.Name, diff)
				}
			}
			for strength := 1; strength <= 3; strength++ {
				covered, total := tuples(got, strength), tuples(all, strength)
				g := s.Sweeps[0].Coverage[strength-1]
				if g.Strength != strength || g.Covered != len(covered) || g.Total != len(total) {
					t.Errorf("the %d-way coverage is %d of %d, want %d of %d", g.Strength, g.Covered, g.Total, len(covered), len(total))
				}
				if want := min(5, len(total)-len(covered)); len(g.Missing) != want {
					t.Errorf("%d combinations of %d are named as missing, want %d", len(g.Missing), strength, want)
				}
				for _, m := range g.Missing {
					if name := fmt.Sprint(m); covered[name] || !total[name] {
						t.Errorf("%s is named as missing", name)
					}
				}
			}
		})
	}
}

// tuples gives the combinations of values of that many axes of priced.
func tuples(all []study.Trial, strength int) map[string]bool {
	out := map[string]bool{}
	for _, x := range all {
		values := map[string]any{
			"environments": x.Environment, "nodes": x.Nodes, "tasksPerNode": x.TasksPerNode,
			"threads": x.Threads, "parameters.cells": x.Parameters["cells"],
		}
		names := []string{"environments", "nodes", "tasksPerNode", "threads", "parameters.cells"}
		for set := range 1 << len(names) {
			m := map[string]any{}
			for i, name := range names {
				if set>>i&1 == 1 {
					m[name] = values[name]
				}
			}
			if len(m) == strength {
				out[fmt.Sprint(m)] = true
			}
		}
	}
	return out
}

func TestSummaryCountsPoints(t *testing.T) {
	t.Parallel()
	s, _ := summary(t, `  environments: [{name: a, nodes: 3}, {name: b}]
  repetitions: 2
  sweeps:
  - apps: [demo, grid]
    variants: [openmpi, serial]
    nodes: [1, 2, 4]
    tasks: [1, 2, 4]
    constraints: [tasks < 4]
  - name: interval
    apps: demo
    sampler: {kind: sobol, count: 4}
    threads: [1, 2]
    parameters: {rate: {from: 0, to: 1}}
  - name: pairs
    apps: demo
    environments: a
    sampler: {kind: covering}
    zip: [{nodes: [1, 2], threads: [1, 2]}]
    parameters: {cells: [1, 2], mode: [fast, slow]}
`, "")
	// 72 points; grid has no serial variant (18); tasks and nodes have to add
	// up: of 9 layouts 3 do not, in 3 (app, variant) and 2 environments (18);
	// demo's serial variant has one task: of 6 layouts 5 have more (10); grid
	// has one rank, px × py = 1 (10). What is left is demo/openmpi with 6
	// layouts and the two with one task.
	one := study.Cost{Trials: 24, Untimed: 24}
	want := &study.Summary{
		Cost: study.Cost{Trials: 24 + 16 + 8},
		Sweeps: []study.SweepSummary{{
			Name: "sweep-1", Apps: []string{"demo", "grid"},
			Axes:   []study.AxisSummary{{"apps", 2}, {"environments", 2}, {"variants", 2}, {"nodes", 3}, {"tasks", 3}},
			Points: big.NewInt(72),
			Removed: []study.Removal{
				{"the application has the variant", 18}, {"tasks = nodes × tasksPerNode", 18},
				{"grid accepts px × py ranks", 10}, {"a variant without MPI runs as one task", 10},
				{"the environment has the nodes", 1}, {"tasks < 4", 5},
			},
			Sampler: spec.SampleFull, Sampled: 10, Repetitions: 2, Cost: one,
		}},
	}
	got := s.Sweeps[0]
	got.Coverage, got.Cost = nil, one
	if diff := cmp.Diff(want.Sweeps[0], got, compare); diff != "" {
		t.Errorf("the sweep differs (-want +got):\n%s", diff)
	}
	if got := s.Sweeps[1]; got.Points != nil || got.Sampled != 8 || got.Asked != 4 ||
		!slices.Equal(got.Axes, []study.AxisSummary{{"environments", 2}, {"threads", 2}, {"parameters.rate", 0}}) {
		t.Errorf("the sweep with an interval is %+v", got)
	}
	pairs := s.Sweeps[2]
	if !slices.Equal(pairs.Axes, []study.AxisSummary{{"parameters.cells", 2}, {"parameters.mode", 2}, {"nodes+threads", 2}}) {
		t.Errorf("the axes of the covering sweep are %+v", pairs.Axes)
	}
	if c := pairs.Coverage[1]; pairs.Sampled != 4 || c.Strength != 2 || c.Covered != 12 || c.Total != 12 {
		t.Errorf("%d points cover %+v, want 12 pairs with 4", pairs.Sampled, c)
	}
	if c := pairs.Coverage[2]; c.Strength != 3 || c.Covered != 4 || c.Total != 8 || len(c.Missing) != 4 || len(c.Missing[0]) != 4 {
		t.Errorf("the 3-way coverage is %+v, want 4 of 8", c)
	}
}

func TestThePolicyOfASweepReplacesFieldsOfTheStudys(t *testing.T) {
	t.Parallel()
	p := plan(t, `  run: {timeout: 1h, retries: 2, shared: true, noise: {busy: 0.5}, beforeJob: [[a]], afterJob: [[b]]}
  sweeps:
  - {apps: demo, run: {timeout: 2h, retries: 0, noise: {wait: 1s}, afterJob: [[c]]}}
`, "")
	zero, yes, wait := 0, true, spec.Duration(1e9)
	want := spec.RunPolicy{
		Timeout: 7200e9, Retries: &zero, Shared: &yes, Noise: spec.Noise{Busy: 0.5, Wait: &wait},
		BeforeJob: [][]string{{"a"}}, AfterJob: [][]string{{"c"}},
	}
	if diff := cmp.Diff(want, p.Policy("demo")); diff != "" {
		t.Errorf("the policy differs (-want +got):\n%s", diff)
	}
}
