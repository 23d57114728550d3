// SPDX-License-Identifier: MIT

package ensemble_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

const steered = "  applications: [{apiVersion: converged-computing.org/v1alpha1, kind: Application, metadata: {name: app}, spec: {description: It runs., parameters: {x: {type: int, default: 1}, y: {type: float, default: 1}}, command: [app]}}]\n" +
	"  groups: [{name: a, command: [a]}, {name: b, app: app, parameters: {y: 2}}]\n  rules:\n"

func TestParametersAreComputed(t *testing.T) {
	t.Parallel()
	g := engine(t, steered+"  - {on: job-finish, repetitions: 5, do: {submit: b, parameters: {x: 'int(job.metrics.rate) + 1'}}}\n")
	g.Apply(happened(t, "0 run-start"))
	actions := g.Apply(happened(t, "1 finish a-1 succeeded rate=6"))
	if len(actions) != 1 || actions[0].Note != "submit 1 job of b x=7" {
		t.Fatalf("got %+v, want one submission", actions)
	}
	if diff := cmp.Diff(map[string]spec.Value{"x": spec.Of(7), "y": spec.Of(2)}, actions[0].Submit[0].Parameters, cmp.Comparer(func(a, b spec.Value) bool { return a == b })); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestWhatCameToNothingIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules string
		want        []string
	}{
		{"a rule that was carried out is not", "  - {on: start, do: {submit: b}}\n", nil},
		{"a rule whose event never came", "  - {name: late, on: job-fail, do: {submit: b}}\n", []string{"rule late was never carried out: no job-fail came"}},
		{"a rule whose event never came in its group", "  - {name: late, on: job-start, group: b, do: {submit: b}}\n", []string{"rule late was never carried out: no job-start of b came"}},
		{"a condition that never held", "  - {name: late, on: job-start, when: elapsed > 100.0, do: {submit: b}}\n", []string{"rule late was never carried out: its condition never held"}},
		{"a check that had no room", "  - {name: late, on: job-start, do: {check: b}}\n  - {name: first, on: start, do: {submit: b}}\n", []string{"rule late was never carried out: a check was at it"}},
		{"a condition that has no value", "  - {on: metric, when: groups.b.runTime.mean > 1.0, do: {submit: b}}\n",
			[]string{"rule rule-1 was never carried out: spec.rules[0].when: evaluating groups.b.runTime.mean > 1.0: there is no value yet"}},
		{"a condition that makes no sense", "  - {on: metric, when: 'job.status > 3', do: {submit: b}}\n",
			[]string{"rule rule-1 was never carried out: spec.rules[0].when: evaluating job.status > 3: no such overload"}},
		{"a parameter that is refused", "  - {on: start, do: {submit: b, parameters: {x: '13'}}}\n", []string{"rule rule-1 cannot be carried out: spec.rules[0].do: x is 13"}},
		{"a parameter that is no number", "  - {on: start, do: {submit: b, parameters: {y: '0.0/0.0'}}}\n", []string{"rule rule-1 cannot be carried out: spec.rules[0].do.parameters.y: 0.0/0.0 gives NaN, want a finite number"}},
		{"a number that is none", "  - {on: start, do: {submit: b, count: '0.5'}}\n", []string{"rule rule-1 cannot be carried out: spec.rules[0].do.count: 0.5 gives 0.5, want a whole number of 0 or more"}},
		{"a number that is too large", "  - {on: start, do: {submit: b, count: 2147483648 * 4}}\n", []string{"rule rule-1 cannot be carried out: spec.rules[0].do.count: 2147483648 * 4 gives 8.589934592e+09, want 2147483647 at most"}},
		{"a negative number", "  - {on: start, do: {submit: b, count: '1 - 2'}}\n", []string{"rule rule-1 cannot be carried out: spec.rules[0].do.count: 1 - 2 gives -1, want a whole number of 0 or more"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := engine(t, steered+c.rules)
			for _, text := range []string{"0 run-start", "1 start a-1", "2 finish a-1 succeeded"} {
				g.Apply(happened(t, text))
			}
			if got := g.Unused(); !strings.HasPrefix(strings.Join(got, "\n"), strings.Join(c.want, "\n")) || len(got) > len(c.want)+1 {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGroupsThatWereNeverSubmitted(t *testing.T) {
	t.Parallel()
	const groups = "  groups: [{name: a, command: [a], count: 2}, {name: b, command: [b], after: [a]}, {name: c, command: [c], after: [b]}]\n"
	for _, c := range []struct {
		name, rules string
		events      []string
		want        []string
	}{
		{"as one before them failed", "", slices.Concat([]string{"0 run-start"}, through(1, "a-1", "failed"), through(1, "a-2", "succeeded")),
			[]string{"group b was never submitted: it comes after a, of which 1 of 2 jobs failed", "group c was never submitted: it comes after b, which was not submitted"}},
		{"as one before them was cancelled", "", slices.Concat([]string{"0 run-start"}, through(1, "a-1", "succeeded"), []string{"2 omit a-2"}),
			[]string{"group b was never submitted: it comes after a, of which 1 of 2 jobs was cancelled", "group c was never submitted: it comes after b, which was not submitted"}},
		{"as the run ended before", "  rules: [{name: r, on: job-submit, do: {finish: success}}]\n", []string{"0 run-start", "1 submit a-1"},
			[]string{"group b was never submitted: the run ended before", "group c was never submitted: the run ended before"}},
		{"as a rule stopped them", "  rules: [{name: r, on: job-submit, do: {stop: b}}]\n", slices.Concat([]string{"0 run-start"}, through(1, "a-1", "succeeded"), through(1, "a-2", "succeeded")),
			[]string{"group b was never submitted: a rule stopped it", "group c was never submitted: it comes after b, which was not submitted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := engine(t, groups+c.rules)
			for _, text := range c.events {
				g.Apply(happened(t, text))
			}
			if diff := cmp.Diff(c.want, g.Unused()); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheEngineSaysWhenItWantsToBeWoken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		events     []string
		want       float64 // in seconds from the begin
		waits      bool
	}{
		{"at the limit of time", "  limits: {time: 90s}\n  rules: []\n", []string{"0 run-start"}, 90, false},
		{"a day by default", "  rules: []\n", []string{"0 run-start"}, 86400, false},
		{"when it is kept", "  keep: true\n  rules: []\n", []string{"0 run-start"}, 86400, true},
		{"at the next heartbeat", "  heartbeat: 7s\n  rules: [{on: heartbeat, repetitions: 2, do: {submit: a}}]\n", []string{"0 run-start", "7 heartbeat"}, 14, true},
		{"when no rule waits for it any more", "  heartbeat: 7s\n  rules: [{on: heartbeat, do: {submit: a}}]\n", []string{"0 run-start", "7 heartbeat"}, 14, false},
		{"after a gap between sessions", "  limits: {time: 90s}\n  rules: []\n", []string{"0 run-start", "10 run-finish", "110 run-start"}, 190, false},
		{"when its node-hours are used up", "  limits: {nodeHours: 0.01}\n  rules: []\n", []string{"0 run-start", "5 start a-1"}, 41, false},
		{"not for node-hours when nothing runs", "  limits: {nodeHours: 0.01}\n  rules: []\n", []string{"0 run-start", "5 start a-1", "9 finish a-1 succeeded"}, 86400, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := engine(t, "  groups: [{name: a, command: [a]}]\n"+c.body)
			for _, text := range c.events {
				g.Apply(happened(t, text))
			}
			if got := g.Wake().Sub(time.Unix(1000, 0)).Seconds(); got != c.want || g.Waits() != c.waits {
				t.Errorf("got %v and %t, want %v and %t", got, g.Waits(), c.want, c.waits)
			}
		})
	}
}

func TestExpressionsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ when, want string }{
		{"groups.c.failed > 1", `unknown group "c"; known: "a" or "b"`},
		{`groups["sleep"].failed > 1`, `unknown group "sleep"; known: "a" or "b"`},
		{"groups.a.succeded > 1", `unknown field of a group "succeded"; did you mean "succeeded"?`},
		{"groups.a.runTime.avg > 1", `unknown statistic "avg"`},
		{"groups.a.metrics.rate.p99 > 1.0", `unknown statistic "p99"`},
		{"job.state == 'failed'", `unknown field of a job "state"; known: "group", "status"`},
		{"elapsed", "it gives a value of type double, want a condition that is true or false"},
		{"elapsed >", "unexpected end at column 10"},
		{"elapsed > > 3", `unexpected ">" at column 11`},
		{"(elapsed > 3", `missing ")" at column 13`},
		{"elapsed > 3)", `unexpected ")" at column 12`},
		{"elapsed > #", `unexpected "#" at column 11`},
		{"job.status == 'failed", `unexpected "'failed" at column 15`},
		{"elapsed & 3", `unexpected "&" at column 9`},
		{"groups.all(g, groups[g].failed > 0)", `groups cannot be gone through; want a value by its name, such as groups.a.finished`},
		{"groups.a.metrics.exists(m, m == 'x')", `groups.a.metrics cannot be gone through; want a value by its name, such as groups.a.metrics["NAME"].mean`},
		{"size(groups) > 0", "groups is no value by itself; want one of it, such as groups.a.finished"},
		{"groups == groups", "groups is no value by itself"},
		{"groups.a.runTime > 1.0", `groups.a.runTime has several statistics; want one of them, such as groups.a.runTime.mean; known: "count", "mean"`},
		{`groups.a.metrics["a b"] > 1`, `groups.a.metrics["a b"] has several statistics; want one of them, such as groups.a.metrics["a b"].mean`},
		{"groups[job.group].waiting > 1", `groups[…].waiting has several statistics; want one of them, such as groups[…].waiting.mean`},
		{"groups.a", "groups.a is no value by itself; want one of it, such as groups.a.finished"},
		{"(elapsed > 3.0 ? groups.a : groups.b).failed > 1", "groups.a is no value by itself"},
		{"job.metrics > 3", `job.metrics is no value by itself; want one of it, such as job.metrics["NAME"]`},
		{"job.metrics.rate.mean > 3", `job.metrics.rate is one value and has no "mean"`},
		{"groups.a.failed.count > 3", `groups.a.failed is one value and has no "count"`},
		{"has(groups.a.metrics.rate)", "groups.a.metrics.rate is always there; want groups.a.metrics.rate.count > 0"},
		{"'mean' in groups.a.runTime", "groups.a.runTime has several statistics"},
		{"job.status == 'success'", `unknown status "success"; known: "succeeded", "failed", "timeout", "incomplete" or "cancelled"`},
		{"'done' != job.status", `unknown status "done"`},
		{"job.status in ['failed', 'timedout']", `unknown status "timedout"`},
		{"job.status == 3", `job.status is a text; want "succeeded", "failed"`},
		{"job.status == null", `job.status is a text; want "succeeded", "failed"`},
		{"groups[1].failed > 1", "column 7: what is in the brackets is of the wrong type"},
		{"'failed' in groups.a", "groups.a is no value by itself"},
		{"job.group == 'c'", `unknown group "c"; known: "a" or "b"`},
		{"whatever > 1", "column 1: undeclared reference to 'whatever'"},
		{"elapsed == 'x'", "column 9: == does not go with double and string"},
		{strings.Repeat("x", 10_001), "size"},
	} {
		t.Run(fmt.Sprintf("%.40s", c.when), func(t *testing.T) {
			t.Parallel()
			e := fileOf(t, "  groups: [{name: a, command: [a]}, {name: b, command: [b]}]\n  rules: [{on: metric, when: 'true', do: {submit: a}}]\n")
			e.Rules[0].When = c.when
			_, faults := ensemble.NewEngine(e, makeJobs)
			if len(faults) == 0 || !strings.Contains(faults[0].Message, c.want) || faults[0].Path != "spec.rules[0].when" {
				t.Errorf("got %v, want %s", faults, c.want)
			}
		})
	}
}

// A file may come from anybody: an expression that costs too much does not hold.
func TestAnExpressionThatCostsTooMuchEnds(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("1,", 60) + "1]"
	g := engine(t, steered+"  - {on: metric, when: '"+list+".all(a, "+list+".all(b, "+list+".all(c, a == b)))', do: {submit: b}}\n")
	for _, text := range []string{"0 run-start", "1 start a-1"} {
		g.Apply(happened(t, text))
	}
	if notes := g.Unused(); len(notes) != 1 || !strings.Contains(notes[0], "cost limit") {
		t.Errorf("got %q, want a word about its cost", notes)
	}
}

func TestMetricsThatRulesRead(t *testing.T) {
	t.Parallel()
	all := map[string]float64{"rate": 1, "other": 2}
	for when, want := range map[string]map[string]float64{
		"groups.a.metrics.rate.mean > 1.0":    {"rate": 1},
		`job.metrics["other"] > 1.0`:          {"other": 2},
		"groups.a.failed > 1":                 nil,
		"job.metrics[job.group] > 1.0":        all,
		"'rate' in job.metrics":               all,
		"groups.a.metrics.absent.count > 100": nil,
		"'rate' in groups.a.metrics":          all,
		"{'metrics': 1}.metrics > 0":          all,
	} {
		g := engine(t, steered+"  - {on: metric, when: '"+strings.ReplaceAll(when, "'", "''")+"', do: {submit: b}}\n")
		if diff := cmp.Diff(want, g.Reads(all)); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", when, diff)
		}
	}
}

// What has no value yet is not there, which an expression can ask.
func TestWhatIsThereCanBeAsked(t *testing.T) {
	t.Parallel()
	events := []string{"0 run-start", "1 submit a-1", "2 start a-1", "3 finish a-1 succeeded rate=2"}
	for _, c := range []struct{ when, want string }{
		{"has(groups.a.metrics.rate.mean)", events[3]},
		{"'rate' in groups.a.metrics", events[3]},
		{"has(job.metrics.rate)", events[3]},
		{"'rate' in job.metrics", events[3]},
		{"has(job.status)", events[3]},
		{"has(job.runTime)", events[3]},
		{"has(job.pendingTime)", events[2]},
		{"has(job.group)", events[1]},
		{"has(groups.a.pendingTime.mean)", events[2]},
		{"!has(groups.a.runTime.mean)", events[1]},
		{"job.status != 'failed'", events[3]},
		{"'a' in groups && !('c' in groups)", events[1]},
		{"['a', 'b'].exists(x, groups[x].succeeded == 1)", events[3]},
		{"groups[job.group].running == 1", events[2]},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			g := engine(t, "  groups: [{name: a, command: [a]}, {name: b, command: [b], after: [a]}]\n  rules: [{name: r, on: metric, when: '"+strings.ReplaceAll(c.when, "'", "''")+"', do: {cancel: b}}]\n")
			want := []string{c.want + ": r: cancel 0 jobs of b"}
			if diff := cmp.Diff(want, slices.DeleteFunc(decisions(t, g, events), func(s string) bool { return !strings.Contains(s, ": r:") })); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// A run in which a rule could not do what the file says did not do it either.
func TestRulesThatAreFaulty(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules, want string // want is a note
	}{
		{"not one that had nothing to do", "  - {on: job-fail, do: {submit: b}}\n", ""},
		{"not one whose condition has no value", "  - {on: metric, when: groups.b.runTime.mean > 1.0, do: {submit: b}}\n", ""},
		{"not one whose action has no value", "  - {on: metric, when: 'true', do: {submit: b, count: int(groups.b.runTime.mean)}}\n", ""},
		{"not one whose condition made sense later", "  - {on: metric, when: groups.a.succeeded / groups.a.finished > 3, do: {submit: b}}\n", ""},
		{"one whose condition makes no sense", "  - {on: metric, when: 'job.status > 3', do: {submit: b}}\n", "rule rule-1 was never carried out: spec.rules[0].when: evaluating job.status > 3: no such overload"},
		{"one that was carried out before", "  - {on: metric, repetitions: 9, when: 1 / groups.a.pending >= 0, do: {submit: b}}\n", "rule rule-1 could not be asked in the end: spec.rules[0].when: evaluating 1 / groups.a.pending >= 0: division by zero"},
		{"one whose action makes no sense", "  - {on: start, do: {submit: b, count: 1 / groups.b.pending}}\n", "rule rule-1 cannot be carried out: spec.rules[0].do.count: evaluating 1 / groups.b.pending: division by zero"},
		{"one whose parameter is refused", "  - {on: start, do: {submit: b, parameters: {x: '13'}}}\n", "rule rule-1 cannot be carried out: spec.rules[0].do: x is 13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := engine(t, steered+strings.ReplaceAll(c.rules, "when: groups", "group: a, when: groups"))
			for _, text := range []string{"0 run-start", "0 submit a-1", "1 start a-1", "2 finish a-1 succeeded"} {
				g.Apply(happened(t, text))
			}
			if g.Faulty() != (c.want != "") || c.want != "" && !slices.Contains(g.Unused(), c.want) {
				t.Errorf("got %t and %q, want %q", g.Faulty(), g.Unused(), c.want)
			}
		})
	}
}

func TestAnActionWithoutAValueIsNotDueYet(t *testing.T) {
	t.Parallel()
	g := engine(t, steered+"  - {name: r, on: metric, when: 'true', do: {submit: b, count: int(groups.a.runTime.mean)}}\n")
	want := []string{"0 run-start: : submit 1 job of a", "3 finish a-1 succeeded: r: submit 2 jobs of b"}
	if diff := cmp.Diff(want, decisions(t, g, []string{"0 run-start", "0 submit a-1", "1 start a-1", "3 finish a-1 succeeded"})); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if g.Faulty() || g.Unused() != nil {
		t.Errorf("got %t and %q", g.Faulty(), g.Unused())
	}
}
