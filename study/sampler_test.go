// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/study"
	"github.com/google/go-cmp/cmp"
)

func TestSamplersTakeWhatTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	const axes = "    nodes: [1, 2, 4, 8]\n    threads: {from: 1, to: 16, times: 2}\n    parameters: {cells: {from: 1, to: 50}}\n"
	for _, c := range []struct {
		name, sweep string
		want        int
	}{
		{"full takes all", axes, 1000},
		{"full takes all that the constraints leave", axes + "    constraints: [nodes * threads <= 8, 'parameters.cells % 2 == 0']\n", 10 * 25},
		{"random takes as many as asked", axes + "    sampler: {kind: random, count: 37}\n", 37},
		{"random takes as many where constraints hold", axes + "    sampler: {kind: random, count: 37}\n    constraints: [nodes * threads == 8]\n", 37},
		{"random takes all when there are no more", axes + "    sampler: {kind: random, count: 900}\n    constraints: [nodes * threads == 8]\n", 200},
		{"a Latin hypercube takes as many as asked", axes + "    sampler: {kind: latin-hypercube, count: 37}\n", 37},
		{"a Latin hypercube takes as many where constraints hold", axes + "    sampler: {kind: latin-hypercube, count: 37}\n    constraints: [nodes * threads == 8]\n", 37},
		{"a Latin hypercube ends when there are no more", axes + "    sampler: {kind: latin-hypercube, count: 900}\n    constraints: [nodes * threads == 8]\n", 200},
		{"Sobol' takes as many as asked", axes + "    sampler: {kind: sobol, count: 37}\n", 37},
		{"Sobol' takes as many where constraints hold", axes + "    sampler: {kind: sobol, count: 37}\n    constraints: [nodes * threads == 8]\n", 37},
		{"Sobol' ends when there are no more", axes + "    sampler: {kind: sobol, count: 900}\n    constraints: [nodes * threads == 8]\n", 200},
		{"covering takes as many as the two longest axes need", axes + "    sampler: {kind: covering}\n", 250},
		{"covering of all axes takes all", axes + "    sampler: {kind: covering, strength: 3}\n", 1000},
		{"a product of one point is one trial for each sampler", "    sampler: {kind: sobol, count: 4}\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, "  sweeps:\n  - apps: demo\n"+c.sweep, "")
			got := ids(slices.Collect(p.Trials()))
			if len(got) != c.want || len(slices.Compact(got)) != c.want {
				t.Errorf("got %d trials, %d of them different; want %d", len(got), len(slices.Compact(got)), c.want)
			}
			if p.Len() != c.want {
				t.Errorf("Len is %d, want %d", p.Len(), c.want)
			}
		})
	}
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	values := func(kind, parameter, r string) (all []float64) {
		body := fmt.Sprintf("  seed: 5\n  sweeps:\n  - {apps: demo, sampler: {kind: %s, count: 64}, parameters: {%s: %s}}\n", kind, parameter, r)
		for _, x := range trials(t, body) {
			f, _ := x.Parameters[parameter].Float()
			all = append(all, f)
		}
		slices.Sort(all)
		return all
	}
	for _, kind := range []string{"random", "latin-hypercube", "sobol"} {
		linear := values(kind, "rate", "{from: 1, to: 9}")
		if len(linear) != 64 || linear[0] < 1 || linear[63] > 9 {
			t.Errorf("%s: got %d values from %g to %g, want 64 from 1 to 9", kind, len(linear), linear[0], linear[63])
		}
		if kind != "random" {
			for i, x := range linear {
				if stratum := int((x - 1) / 8 * 64); stratum != i {
					t.Errorf("%s: the value %g is in stratum %d, want %d", kind, x, stratum, i)
				}
			}
		}
		log := values(kind, "rate", "{from: 0.001, to: 10, log: true}")
		if median := log[32]; median < 0.02 || median > 0.5 {
			t.Errorf("%s: the median of a logarithmic interval is %g, want about 0.1", kind, median)
		}
		whole := values(kind, "cells", "{from: 1, to: 1000000, log: true}")
		for _, x := range whole {
			if x != math.Trunc(x) || x < 1 || x > 1e6 {
				t.Errorf("%s: got %g, want a whole number from 1 to 1000000", kind, x)
			}
		}
		if median := whole[len(whole)/2]; median < 200 || median > 5000 {
			t.Errorf("%s: the median is %g, want about 1000", kind, median)
		}
	}
}

func TestConstraintsHoldForIntervalsToo(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"random", "latin-hypercube", "sobol"} {
		all := trials(t, "  environments: [{name: a}, {name: b}]\n  sweeps:\n  - {apps: demo, nodes: [1, 2], sampler: {kind: "+kind+
			", count: 20}, parameters: {rate: {from: 0, to: 1}}, constraints: [parameters.rate * double(nodes) < 0.5]}\n")
		if len(all) != 40 {
			t.Errorf("%s: got %d trials, want 40", kind, len(all))
		}
		points := map[string]int{}
		for _, x := range all {
			rate, _ := x.Parameters["rate"].Float()
			if rate*float64(x.Nodes) >= 0.5 {
				t.Errorf("%s: got rate %g on %d nodes", kind, rate, x.Nodes)
			}
			points[fmt.Sprint(rate, x.Nodes)]++
		}
		if len(points) != 20 {
			t.Errorf("%s: the environments have %d different points, want the same 20", kind, len(points))
		}
	}
}

// pairs gives the pairs of values of axes that occur in trials.
func pairs(all []study.Trial) map[string]bool {
	out := map[string]bool{}
	for _, x := range all {
		values := []string{
			"a:" + x.App, "v:" + x.Variant, fmt.Sprint("n:", x.Nodes), fmt.Sprint("t:", x.Tasks),
			fmt.Sprint("h:", x.Threads), fmt.Sprint("c:", x.Parameters["cells"]), "e:" + x.Environment,
			fmt.Sprint("x:", x.Parameters["px"]), fmt.Sprint("y:", x.Parameters["py"]),
		}
		for i, a := range values {
			for _, b := range values[:i] {
				out[a+" "+b] = true
			}
		}
	}
	return out
}

func TestCoveringCoversEveryPairThatCanOccur(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sweep string }{
		{"layouts that have to add up", "{apps: demo, nodes: [1, 2, 3, 4], tasks: [1, 2, 4, 6, 8, 12], parameters: {cells: [1, 2, 3]}"},
		{"ranks that are a product", "{apps: grid, nodes: [1, 2], tasks: [2, 4, 6, 8, 12], parameters: {px: [1, 2, 3], py: [2, 4], cells: [1, 2, 3]}"},
		{"variants of two applications", "{apps: [demo, grid], variants: '*', tasks: [1, 2], nodes: [1, 2], parameters: {cells: [1, 2, 3]}"},
		{"constraints over derived axes", "{apps: demo, nodes: [1, 2, 3], tasks: [2, 4, 6, 12], parameters: {cells: [1, 2, 3, 4]}, constraints: [tasksPerNode * parameters.cells <= 12]"},
		{"environments as an axis", "{apps: demo, environments: [a, b], nodes: [1, 2, 3, 8], parameters: {cells: [1, 2, 3, 4]}, constraints: ['environment == \"a\" || parameters.cells > 1']"},
		{"the same points in every environment", "{apps: demo, nodes: [1, 2, 3, 8], threads: [1, 2], parameters: {cells: [1, 2, 3, 4]}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := "  environments: [{name: a, nodes: 4}, {name: b, nodes: 16}]\n  sweeps:\n  - " + c.sweep
			full, few := trials(t, body+"}\n"), trials(t, body+", sampler: {kind: covering}}\n")
			if diff := cmp.Diff(pairs(full), pairs(few)); diff != "" {
				t.Errorf("pairs differ (-full +covering):\n%s", diff)
			}
			if len(few) >= len(full) {
				t.Errorf("covering has %d trials, full %d", len(few), len(full))
			}
			t.Logf("%d of %d trials", len(few), len(full))
		})
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sweep, want string }{
		{"the default is the first", "{apps: [demo, grid]}", "demo/openmpi grid/openmpi"},
		{"a star is all of each application", "{apps: [demo, grid], variants: '*'}", "demo/openmpi demo/mpich demo/serial grid/openmpi"},
		{"a name that only one has is left out of the other", "{apps: [demo, grid], variants: [mpich, openmpi]}", "demo/mpich demo/openmpi grid/openmpi"},
		{"one without MPI runs as one task only", "{apps: demo, variants: '*', tasks: [1, 2], constraints: [tasks == 2]}", "demo/openmpi demo/mpich"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range trials(t, "  order: listed\n  sweeps:\n  - "+c.sweep+"\n") {
				got = append(got, x.App+"/"+x.Variant)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestZipsAdvanceTogether(t *testing.T) {
	t.Parallel()
	var got []string
	for _, x := range trials(t, `  order: listed
  sweeps:
  - apps: demo
    threads: [1, 2]
    zip:
    - {nodes: [1, 2, 4], parameters: {cells: [10, 20, 40]}}
    - {mapBy: [core, node], bindTo: [core, none]}
`) {
		got = append(got, fmt.Sprintf("%d %d %s %s %s", x.Threads, x.Nodes, x.Parameters["cells"], x.MapBy, x.BindTo))
	}
	var want []string
	for threads := 1; threads <= 2; threads++ {
		for _, n := range []int{1, 2, 4} {
			want = append(want, fmt.Sprintf("%d %d %d core core", threads, n, 10*n), fmt.Sprintf("%d %d %d node none", threads, n, 10*n))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the trials differ (-want +got):\n%s", diff)
	}
}

func TestALargeProductWithTightConstraintsIsPlanned(t *testing.T) {
	t.Parallel()
	p := plan(t, `  sweeps:
  - apps: grid
    nodes: {from: 1, to: 64, by: 1}
    tasks: {from: 1, to: 64, by: 1}
    tasksPerNode: {from: 1, to: 64, by: 1}
    parameters: {px: {from: 1, to: 64}, py: {from: 1, to: 64}}
`, "")
	want := 0 // n × p = x × y = tasks
	for tasks := 1; tasks <= 64; tasks++ {
		divisors := 0
		for d := 1; d <= tasks; d++ {
			if tasks%d == 0 {
				divisors++
			}
		}
		want += divisors * divisors
	}
	if p.Len() != want {
		t.Errorf("got %d trials, want %d", p.Len(), want)
	}
}

func TestNewEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, e := resolve(t, "  sweeps:\n  - {apps: demo, nodes: {from: 1, to: 1000, by: 1}, threads: {from: 1, to: 1000, by: 1}, constraints: [nodes < 900]}\n")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := study.New(ctx, &e.Spec, ""); err != context.Canceled {
		t.Errorf("got the error %v, want %v", err, context.Canceled)
	}
}
