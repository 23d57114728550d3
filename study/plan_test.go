// SPDX-License-Identifier: MIT

package study_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/google/go-cmp/cmp"
)

// lasting is a study with a sweep of every kind, but for the covering array,
// which package sample may come to make shorter.
const lasting = `  seed: 7
  repetitions: 2
  environments:
  - {name: here, nodes: 4}
  - {name: cloud, pricePerNodeHour: 2.5}
  sweeps:
  - name: whole
    apps: [demo, grid]
    nodes: [1, 2]
    tasksPerNode: {from: 1, to: 4, times: 2}
    parameters: {cells: {from: 10, to: 30, by: 10}}
    constraints: ['app == "grid" || tasks * parameters.cells < 200']
  - name: lucky
    apps: demo
    sampler: {kind: random, count: 10}
    parameters: {cells: {from: 1, to: 1000}, rate: {from: 0.1, to: 10, log: true}}
  - name: even
    apps: demo
    sampler: {kind: latin-hypercube, count: 8}
    tasks: [1, 2, 4, 8]
    parameters: {cells: {from: 10, to: 100000, log: true}}
  - name: quasi
    apps: demo
    sampler: {kind: sobol, count: 8}
    parameters: {rate: {from: 0, to: 1}}
  - name: zipped
    apps: cube
    zip:
    - {tasks: [1, 8, 27], parameters: {size: [10, 20, 30]}}
`

// everything is a study with a sweep of every kind.
const everything = lasting + `  - name: pairs
    apps: demo
    variants: "*"
    sampler: {kind: covering}
    tasks: [1, 2, 4]
    threads: [1, 2]
    bindTo: [none, core]
    mapBy: [core, socket]
    parameters: {mode: [fast, slow], cells: [1, 2, 3]}
    repetitions: 1
`

// digest is the SHA-256 of the trials as lines of JSON.
func digest(t *testing.T, p *study.Plan) string {
	t.Helper()
	h := sha256.New()
	e := json.NewEncoder(h)
	for x := range p.Trials() {
		if err := e.Encode(x); err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestTheSameFileGivesTheSamePlanByteForByte(t *testing.T) {
	t.Parallel()
	// A change of this digest changes the plans that users have: say so in the
	// release notes.
	const golden = "f3e5ffe8c6338743c0e70bf064b05c3e13c8d9997ac07da27e8f6ab774e54bb8"
	if got := digest(t, plan(t, lasting, "")); got != golden {
		t.Errorf("the plan has the digest %s, want %s", got, golden)
	}
	p := plan(t, everything, "")
	first, again, other := digest(t, p), digest(t, p), digest(t, plan(t, everything, ""))
	if first != again {
		t.Error("a plan gives other trials the second time")
	}
	if first != other {
		t.Error("two plans of one file differ")
	}
}

func TestThePlansOfEnvironmentsArePartsOfOne(t *testing.T) {
	t.Parallel()
	for _, body := range []string{everything, everything + "  budget: {trials: 100}\n"} {
		all := slices.Collect(plan(t, body, "").Trials())
		for _, env := range []string{"here", "cloud"} {
			p := plan(t, body, env)
			got := slices.Collect(p.Trials())
			var want []study.Trial
			for _, x := range all {
				if x.Environment == env {
					want = append(want, x)
				}
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b spec.Value) bool { return a == b })); diff != "" {
				t.Errorf("the plan of %s differs (-part +own):\n%s", env, diff)
			}
			if p.Len() != len(got) || len(got) == 0 {
				t.Errorf("Len of %s is %d, want %d", env, p.Len(), len(got))
			}
		}
	}
}

// config names a trial's configuration without its repetition.
func config(x study.Trial) string {
	x.ID, x.Repetition = "", 0
	return fmt.Sprint(x)
}

func TestEveryBlockHoldsEachConfigurationOnce(t *testing.T) {
	t.Parallel()
	const body = `  seed: 3
  repetitions: 4
  sweeps:
  - {apps: demo, nodes: [1, 2, 3], parameters: {cells: {from: 1, to: 30}}}
  - {apps: grid, repetitions: 2, parameters: {cells: [1, 2, 3]}}
`
	all := trials(t, body)
	var orders [][]string
	for block := 1; block <= 4; block++ {
		n := 93
		if block > 2 {
			n = 90
		}
		seen := map[string]int{}
		var order []string
		for _, x := range all[:n] {
			if x.Repetition != block {
				t.Fatalf("block %d has repetition %d", block, x.Repetition)
			}
			seen[config(x)]++
			order = append(order, config(x))
		}
		if len(seen) != n {
			t.Errorf("block %d has %d configurations, want %d", block, len(seen), n)
		}
		orders = append(orders, order)
		all = all[n:]
	}
	if len(all) > 0 {
		t.Errorf("%d trials are left over", len(all))
	}
	if slices.Equal(orders[2], orders[3]) {
		t.Error("two blocks have the same order")
	}
	for b, order := range orders {
		if slices.IsSorted(order) {
			t.Errorf("block %d is not shuffled", b+1)
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	body := func(order string) string {
		return "  order: " + order + "\n" + `  repetitions: 50
  sweeps:
  - {apps: demo, nodes: [1, 2, 3], tasksPerNode: [1, 2]}
  - {apps: grid, repetitions: 3}
`
	}
	listed, random, blocked := trials(t, body("listed")), trials(t, body("random")), trials(t, body("blocked"))
	if !slices.Equal(ids(listed), ids(random)) || !slices.Equal(ids(listed), ids(blocked)) {
		t.Error("the orders do not have the same trials")
	}
	if len(slices.Compact(ids(listed))) != 303 {
		t.Errorf("got %d different trials, want 303", len(slices.Compact(ids(listed))))
	}
	var first []string
	for _, x := range listed[:8] {
		first = append(first, fmt.Sprintf("%s %d×%d #%d", x.Group, x.Nodes, x.TasksPerNode, x.Repetition))
	}
	want := []string{"demo 1×1 #1", "demo 1×2 #1", "demo 2×1 #1", "demo 2×2 #1", "demo 3×1 #1", "demo 3×2 #1", "grid 1×1 #1", "demo 1×1 #2"}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("listed begins otherwise (-want +got):\n%s", diff)
	}
	if late := slices.MaxFunc(random[:50], func(a, b study.Trial) int { return a.Repetition - b.Repetition }); late.Repetition < 20 {
		t.Errorf("random begins with early repetitions only, up to %d", late.Repetition)
	}
}

func TestLayoutsAreDerived(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, axes, want string }{
		{"nothing gives one rank", "", "1×1=1 1/1"},
		{"nodes have a rank each", ", nodes: 3", "3×1=3 1/1"},
		{"tasks go on one node", ", tasks: 6", "1×6=6 1/1"},
		{"tasks per node go on one node", ", tasksPerNode: 6", "1×6=6 1/1"},
		{"nodes and tasks per node give tasks", ", nodes: 2, tasksPerNode: 3", "2×3=6 1/1"},
		{"nodes and tasks give tasks per node", ", nodes: 2, tasks: 6", "2×3=6 1/1"},
		{"tasks and tasks per node give nodes", ", tasks: 6, tasksPerNode: 3", "2×3=6 1/1"},
		{"all three have to agree", ", nodes: [2, 3], tasks: [6, 8], tasksPerNode: 3", "2×3=6 1/1"},
		{"cores are those of the threads", ", threads: 4", "1×1=1 4/4"},
		{"cores can be given", ", threads: 2, coresPerTask: 4", "1×1=1 2/4"},
		{"threads stay one when cores are given", ", coresPerTask: 4", "1×1=1 1/4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := trials(t, "  sweeps:\n  - {apps: demo"+c.axes+"}\n")
			if len(all) != 1 {
				t.Fatalf("got %d trials, want 1", len(all))
			}
			x := all[0]
			if got := fmt.Sprintf("%d×%d=%d %d/%d", x.Nodes, x.TasksPerNode, x.Tasks, x.Threads, x.CoresPerTask); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBoundRanksHaveCoresForTheirThreads(t *testing.T) {
	t.Parallel()
	const axes = "threads: [1, 2, 4], coresPerTask: [1, 2], bindTo: [none, core]"
	for _, c := range []struct {
		name, sweep string
		want        int
	}{
		{"threads without a core of their own are left out where ranks are bound to cores", axes, 6 + 3},
		{"oversubscribe allows them", axes + ", run: {oversubscribe: true}", 12},
		{"cores follow the threads where they are not given", "threads: [1, 2, 4], bindTo: core", 3},
		{"ranks bound to sockets share cores", "threads: 4, coresPerTask: 1, bindTo: socket", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if n := len(trials(t, "  sweeps:\n  - {apps: demo, "+c.sweep+"}\n")); n != c.want {
				t.Errorf("got %d trials, want %d", n, c.want)
			}
		})
	}
}

func TestATrialHasAValueForEveryParameter(t *testing.T) {
	t.Parallel()
	all := trials(t, "  order: listed\n  sweeps:\n  - {apps: [demo, grid], parameters: {cells: 7.0}}\n")
	got, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var ids []any
	for _, x := range all {
		ids = append(ids, x.ID)
	}
	want := fmt.Sprintf(`[{"trial":"%s","group":"sweep-1","app":"demo","variant":"openmpi","nodes":1,"tasks":1,"tasks_per_node":1,"threads":1,"cores_per_task":1,"bind_to":"none","parameters":{"cells":7,"label":"a","mode":"fast","rate":0.5},"repetition":1},`+
		`{"trial":"%s","group":"sweep-1","app":"grid","variant":"openmpi","nodes":1,"tasks":1,"tasks_per_node":1,"threads":1,"cores_per_task":1,"bind_to":"none","parameters":{"cells":7,"px":1,"py":1},"repetition":1}]`, ids...)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the trials differ (-want +got):\n%s", diff)
	}
}
