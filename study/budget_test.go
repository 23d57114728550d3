// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
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
		{"in trials", "trials: 100", "trials: 100", func(c study.Cost) bool { return c.Trials <= 100 }},
		{"in core-hours", "coreHours: 60", "coreHours: 60", func(c study.Cost) bool { return c.CoreHours <= 60 }},
		{"in node-hours", "nodeHours: 7.5", "nodeHours: 7.5", func(c study.Cost) bool { return c.NodeHours <= 7.5 }},
		{"in money", "money: 33", "money: 33", func(c study.Cost) bool { return c.Money["USD"] <= 33 }},
		{"in several at once", "money: 1000, trials: 20, coreHours: 1000", "trials: 20", func(c study.Cost) bool { return c.Trials <= 20 }},
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
			if got := strings.Join(s.Limits, ", "); got != c.limit {
				t.Errorf("the limit is %q, want %q", got, c.limit)
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
			covered, total := tuples(got, 2), tuples(all, 2)
			g := s.Sweeps[0].Coverage
			if g.Strength != 2 || g.Covered != len(covered) || g.Total != len(total) {
				t.Errorf("the %d-way coverage is %d of %d, want %d pairs of %d", g.Strength, g.Covered, g.Total, len(covered), len(total))
			}
			if want := min(5, len(total)-len(covered)); len(g.Missing) != want {
				t.Errorf("%d pairs are named as missing, want %d", len(g.Missing), want)
			}
			for _, m := range g.Missing {
				if name := fmt.Sprint(m); covered[name] || !total[name] {
					t.Errorf("%s is named as missing", name)
				}
			}
		})
	}
}

func TestMoneySaysNothingAboutWhatIsFree(t *testing.T) {
	t.Parallel()
	const body = `  seed: 2
  environments: [{name: own}, {name: cloud, pricePerNodeHour: 2}]
  run: {timeout: 1h}
  sweeps:
  - {apps: demo, threads: [1, 2, 3, 4, 5, 6, 7, 8]}
  budget: `
	for _, c := range []struct {
		name, budget string
		own, cloud   int
		limits       []string
	}{
		{"enough money cuts nothing", "{money: 16}", 8, 8, nil},
		{"money for three trials leaves the free ones", "{money: 7}", 8, 3, []string{"money: 7"}},
		{"money for none leaves the free ones", "{money: 1}", 8, 0, []string{"money: 1"}},
		{"another limit ends the free ones too", "{money: 3, nodeHours: 6}", 5, 1, []string{"money: 3", "nodeHours: 6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, all := summary(t, body+c.budget+"\n", "")
			got := map[string]int{}
			for _, x := range all {
				got[x.Environment]++
			}
			if got["own"] != c.own || got["cloud"] != c.cloud || len(all) != c.own+c.cloud {
				t.Errorf("got %v, want %d in own and %d in cloud", got, c.own, c.cloud)
			}
			if diff := cmp.Diff(c.limits, s.Limits); diff != "" {
				t.Errorf("the limits differ (-want +got):\n%s", diff)
			}
			if s.Cut.Trials != 16-len(all) {
				t.Errorf("%d trials are cut, want %d", s.Cut.Trials, 16-len(all))
			}
		})
	}
}

func TestAPlanWithoutATrialSaysWhy(t *testing.T) {
	t.Parallel()
	const body = `  environments: [{name: own, coresPerNode: 2}, {name: cloud, pricePerNodeHour: 2}, {name: unused}]
  run: {timeout: 1h}
  budget: {money: 1}
  sweeps:
  - {apps: demo, threads: 4, environments: [own, cloud]}
  - {apps: cube, environments: own, parameters: {size: 1}}
  - {apps: grid, environments: cloud}
`
	for _, c := range []struct{ name, body, environment, want string }{
		{"a budget that the first trial exceeds", "  budget: {nodeHours: 1}\n  run: {timeout: 2h}\n  sweeps:\n  - apps: demo\n", "",
			"study.yaml:5:3: spec.budget: no trial is left: the limit nodeHours: 1 cuts all 1"},
		{"a budget that cuts an environment", body, "cloud",
			`study.yaml:7:3: spec.budget: no trial is left in the environment "cloud": the limit money: 1 cuts all 2`},
		{"an environment without room", strings.Replace(body, "environments: own, p", "environments: cloud, p", 1), "own",
			`study.yaml:5:18: spec.environments[0]: no trial is left in the environment "own": the sweeps have no point that can run there`},
		{"an environment that no sweep names", body, "unused",
			`study.yaml:5:84: spec.environments[2]: no trial is left in the environment "unused": the environments of the sweeps do not name it`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, e := resolve(t, c.body)
			_, err := study.New(context.Background(), &e.Spec, c.environment)
			if err = study.Locate(doc, err); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
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
	if c := pairs.Coverage; pairs.Sampled != 4 || c.Strength != 2 || c.Covered != 12 || c.Total != 12 {
		t.Errorf("%d points cover %+v, want 12 pairs with 4", pairs.Sampled, c)
	}
}

func TestCoverageIsCountedAtTheStrengthThatMatters(t *testing.T) {
	t.Parallel()
	const axes = "nodes: [1, 2], threads: [1, 2], parameters: {cells: [1, 2], mode: [fast, slow]}"
	for _, c := range []struct{ name, sweep, want string }{
		{"pairs of a whole product", axes, "2-way 24/24"},
		{"pairs of a Latin hypercube", "sampler: {kind: latin-hypercube, count: 2}, " + axes, "2-way 12/24"},
		{"the strength of a covering array", "sampler: {kind: covering, strength: 3}, " + axes, "3-way 32/32"},
		{"single values of a covering array of strength 1", "sampler: {kind: covering, strength: 1}, " + axes, "1-way 8/8"},
		{"all axes where there are fewer", "sampler: {kind: covering, strength: 3}, nodes: [1, 2], threads: [1, 2]", "2-way 4/4"},
		{"single values of one axis", "nodes: [1, 2]", "1-way 2/2"},
		{"nothing without a choice", "nodes: 1", ""},
		{"a zip as one axis", "zip: [{nodes: [1, 2], threads: [1, 2]}], sampler: {kind: random, count: 1}, parameters: {cells: [1, 2]}", "2-way 1/4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := summary(t, "  sweeps:\n  - {apps: demo, "+c.sweep+"}\n", "")
			got := ""
			if x := s.Sweeps[0].Coverage; x != nil {
				got = fmt.Sprintf("%d-way %d/%d", x.Strength, x.Covered, x.Total)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
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
