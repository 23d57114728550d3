// SPDX-License-Identifier: MIT

package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
)

// steering makes the engine of groups of plain commands.
func steering(t *testing.T, body string) *ensemble.Engine {
	t.Helper()
	doc, err := spec.Decode("f.yaml", []byte("apiVersion: converged-computing.org/v1alpha1\nkind: Ensemble\nmetadata: {name: test}\nspec:\n"+body))
	if err != nil {
		t.Fatal(err)
	}
	g, faults := ensemble.NewEngine(&doc.Object.(*spec.Ensemble).Spec, func(g *spec.Group, _ map[string]spec.Value, serial, count int) (jobs []*ensemble.Job, _ error) {
		for i := range count {
			j := runtest.Job(fmt.Sprintf("%s-%d", g.Name, serial+i+1), g.Command...)
			j.Group = g.Name
			jobs = append(jobs, j)
		}
		return jobs, nil
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return g
}

func TestRulesAreRehearsed(t *testing.T) {
	r := newRehearsal(t)
	nodes := append(sim.Nodes(1, 1), sim.Node{Cores: 1, Absent: true}, sim.Node{Cores: 1, Absent: true})
	x := executor(t, sim.Config{Nodes: nodes}, sim.Options{Growth: 90 * time.Second})
	g := steering(t, `
  heartbeat: 1m
  limits: {time: 1h}
  groups:
    - {name: a, command: [sleep, "100"], count: 4}
    - {name: last, command: [sleep, "5"]}
  rules:
    - {name: more, on: heartbeat, do: {grow: "1"}, repetitions: 1}
    - {name: first, on: job-start, do: {urgency: {group: last, value: 20}}, repetitions: 1}
`)
	if err := run.CanSteer(x, g); err != nil {
		t.Fatal(err)
	}
	r.run(x, g)
	r.same("journal", []string{
		"0 run-start", "0 decide submit 4 jobs of a", "0 decide submit 1 job of last",
		"0 submit a-1", "0 submit a-2", "0 submit a-3", "0 submit a-4", "0 submit last-1",
		"0 start a-1", "0 decide urgency 20 for last", "60 heartbeat", "60 decide grow by 1 node",
		"100 finish a-1 succeeded", "100 start last-1", "105 finish last-1 succeeded", "105 start a-2",
		"120 heartbeat", "150 resize", "150 start a-3", "180 heartbeat", "205 finish a-2 succeeded", "205 start a-4",
		"240 heartbeat", "250 finish a-3 succeeded", "300 heartbeat", "305 finish a-4 succeeded", "305 run-finish",
	}, r.journal())
	if x.Nodes() != 2 {
		t.Errorf("the member has %d nodes, want 2", x.Nodes())
	}
}

// Rules see nodes that come later and go by themselves, and a session that goes on
// sees them at the same events.
func TestRulesSeeNodesComeAndGo(t *testing.T) {
	const file = `
  heartbeat: 1m
  groups: [{name: a, command: [sleep, "200"], count: 2}, {name: wide, command: [sleep, "10"]}, {name: two, command: [sleep, "1"]}]
  rules:
    - {name: more, on: start, do: {grow: "nodes"}}
    - {name: use, on: metric, when: nodes == 4, do: {submit: wide, count: "nodes"}}
    - {name: left, on: job-succeed, group: wide, when: nodes == 4, do: {shrink: "3"}}
    - {name: low, on: metric, when: nodes < 2, do: {submit: two, count: "nodes"}}
`
	member := func() *sim.Executor {
		nodes := append(sim.Nodes(2, 1), sim.Node{Cores: 1, Absent: true}, sim.Node{Cores: 1, Absent: true})
		return executor(t, sim.Config{Nodes: nodes}, sim.Options{Growth: 90 * time.Second})
	}
	whole := newRehearsal(t)
	whole.run(member(), steering(t, file))
	journal := whole.journal()
	whole.same("decisions", []string{
		"0 decide submit 2 jobs of a", "0 decide grow by 2 nodes", "90 decide submit 4 jobs of wide", "100 decide shrink by 3 nodes", "200 decide submit 1 job of two",
	}, slices.DeleteFunc(slices.Clone(journal), func(s string) bool { return !strings.Contains(s, "decide") }))

	// Cut off behind any event, a run with other rules would refuse the journal.
	var events []ensemble.Event
	if err := whole.dir.Events(func(e ensemble.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatal(err)
	}
	for n := range events {
		g := steering(t, file)
		var decided []ensemble.Action
		for _, e := range events[:n] {
			if e.Name != ensemble.Decide {
				decided = append(decided, g.Apply(e)...)
			} else if len(decided) == 0 || decided[0].Note != e.Note {
				t.Fatalf("%q is decided again as %+v", e.Note, decided)
			} else {
				decided = decided[1:]
			}
		}
	}
}
