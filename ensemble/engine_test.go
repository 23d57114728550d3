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

// fileOf is the spec of an ensemble whose file has these fields.
func fileOf(t *testing.T, body string) *spec.EnsembleSpec {
	t.Helper()
	doc, err := spec.Decode("f.yaml", []byte("apiVersion: converged-computing.org/v1alpha1\nkind: Ensemble\nmetadata: {name: test}\nspec:\n"+body))
	if err != nil {
		t.Fatal(err)
	}
	return &doc.Object.(*spec.Ensemble).Spec
}

// make names jobs by their group and number, from 1: a-1.
func makeJobs(g *spec.Group, parameters map[string]spec.Value, serial, count int) ([]*ensemble.Job, error) {
	if x, ok := parameters["x"]; ok && x == spec.Of(13) {
		return nil, fmt.Errorf("x is 13")
	}
	jobs := make([]*ensemble.Job, count)
	for i := range jobs {
		jobs[i] = &ensemble.Job{ID: fmt.Sprintf("%s-%d", g.Name, serial+i+1), Group: g.Name, Parameters: parameters, Shape: ensemble.Shape{Nodes: g.Nodes}}
	}
	return jobs, nil
}

func engine(t *testing.T, body string) *ensemble.Engine {
	t.Helper()
	g, faults := ensemble.NewEngine(fileOf(t, body), makeJobs)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return g
}

// happened reads "12 finish a-1 succeeded rate=3" as an event 12 s after the run
// began.
func happened(t *testing.T, text string) ensemble.Event {
	t.Helper()
	f := strings.Fields(text)
	var seconds float64
	if _, err := fmt.Sscan(f[0], &seconds); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	e := ensemble.Event{Time: time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second))), Name: ensemble.EventName(f[1])}
	if len(f) > 2 {
		e.Job, e.Attempt = f[2], 1
	}
	for _, word := range f[min(3, len(f)):] {
		if name, number, ok := strings.Cut(word, "="); ok {
			var x float64
			if _, err := fmt.Sscan(number, &x); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if e.Metrics == nil {
				e.Metrics = map[string]float64{}
			}
			e.Metrics[name] = x
		} else {
			e.Status = ensemble.Status(word)
		}
	}
	return e
}

// decisions gives what is decided at each event that decides something: "event:
// rule: note".
func decisions(t *testing.T, g *ensemble.Engine, events []string) (all []string) {
	t.Helper()
	for _, text := range events {
		for _, a := range g.Apply(happened(t, text)) {
			all = append(all, text+": "+a.Rule+": "+a.Note)
		}
	}
	return all
}

// through are the events of a job from its submission at a time to its end.
func through(at float64, job, status string) []string {
	return []string{fmt.Sprint(at, " submit ", job), fmt.Sprint(at+1, " start ", job), fmt.Sprint(at+3, " finish ", job, " ", status)}
}

func TestRulesDecide(t *testing.T) {
	t.Parallel()
	const two = "  groups: [{name: a, command: [a], count: 2}, {name: b, command: [b]}]\n  rules:\n  - {name: begin, on: start, do: {submit: a}}\n"
	begin := "0 run-start: begin: submit 2 jobs of a"
	own := "0 run-start: : submit 1 job of b" // which no rule submits
	both := slices.Concat([]string{"0 run-start"}, through(1, "a-1", "succeeded"), through(2, "a-2", "failed"))
	for _, c := range []struct {
		name, body string
		events     []string
		want       []string
	}{
		{"groups that no rule submits are submitted at the start", "  groups: [{name: a, command: [a], count: 2}, {name: b, command: [b]}]\n",
			[]string{"0 run-start"}, []string{"0 run-start: : submit 2 jobs of a", "0 run-start: : submit 1 job of b"}},
		{"a group comes after others", "  groups: [{name: b, command: [b], after: [a]}, {name: a, command: [a], count: 2}]\n",
			slices.Concat([]string{"0 run-start"}, through(1, "a-1", "succeeded"), through(2, "a-2", "succeeded")),
			[]string{"0 run-start: : submit 2 jobs of a", "5 finish a-2 succeeded: : submit 1 job of b"}},
		{"a group does not come after one that failed", "  groups: [{name: b, command: [b], after: [a]}, {name: a, command: [a], count: 2}]\n",
			both, []string{"0 run-start: : submit 2 jobs of a"}},
		{"a rule is carried out once", two + "  - {name: more, on: job-finish, do: {submit: b}}\n", both,
			[]string{begin, "4 finish a-1 succeeded: more: submit 1 job of b"}},
		{"or as often as it says", two + "  - {name: more, on: job-finish, repetitions: 3, do: {submit: b}}\n", both,
			[]string{begin, "4 finish a-1 succeeded: more: submit 1 job of b", "5 finish a-2 failed: more: submit 1 job of b"}},
		{"success and failure are told apart", two + "  - {on: job-succeed, do: {submit: b}}\n  - {on: job-fail, do: {finish: failure}}\n", both,
			[]string{begin, "4 finish a-1 succeeded: rule-2: submit 1 job of b", "5 finish a-2 failed: rule-3: finish with failure"}},
		{"events of other groups pass", two + "  - {on: job-start, group: b, do: {submit: b}}\n  - {on: job-submit, group: a, do: {submit: b}}\n", both,
			[]string{begin, "1 submit a-1: rule-3: submit 1 job of b"}},
		{"a condition over counts", two + "  - {on: metric, when: 'groups[\"a\"].finished >= 2', do: {submit: b}}\n", both,
			[]string{begin, "5 finish a-2 failed: rule-2: submit 1 job of b"}},
		{"a count that is skipped is met all the same", two + "  - {on: heartbeat, when: 'groups.a.finished > 0', do: {submit: b}}\n  heartbeat: 1m\n", append(slices.Clone(both), "9 heartbeat"),
			[]string{begin, "9 heartbeat: rule-2: submit 1 job of b"}},
		{"a condition over times", two + "  - {on: metric, when: 'groups.a.runTime.mean == 2.0 && groups.a.pendingTime.max == 3.0', do: {submit: b}}\n", both,
			[]string{begin, "3 start a-2: rule-2: submit 1 job of b"}},
		{"a condition over metrics", two + "  - {on: job-finish, when: 'job.metrics.rate > 2.5', repetitions: 9, do: {submit: b}}\n  - {on: metric, when: 'groups.a.metrics.rate.median == 2.5', do: {finish: success}}\n",
			[]string{"0 run-start", "1 start a-1", "2 start a-2", "3 finish a-1 succeeded rate=2", "4 finish a-2 succeeded rate=3"},
			[]string{begin, "4 finish a-2 succeeded rate=3: rule-2: submit 1 job of b", "4 finish a-2 succeeded rate=3: rule-3: finish with success"}},
		{"a condition over what waits, at a heartbeat", two + "  - {on: metric, when: groups.a.waiting.max > 5.0 && groups.a.waiting.count == 1, do: {submit: b}}\n  heartbeat: 1m\n",
			[]string{"0 run-start", "6 start a-1", "7 heartbeat"}, []string{begin, "6 start a-1: rule-2: submit 1 job of b"}},
		{"which is looked at by itself", two + "  - {on: metric, when: groups.a.waiting.max > 5.0, do: {submit: b}}\n  heartbeat: 1m\n",
			[]string{"0 run-start", "1 submit a-1", "7 heartbeat"}, []string{begin, "7 heartbeat: rule-2: submit 1 job of b"}},
		{"what has no value yet does not hold", two + "  - {on: metric, when: 'groups.a.runTime.mean < 100.0', do: {submit: b}}\n", both,
			[]string{begin, "4 finish a-1 succeeded: rule-2: submit 1 job of b"}},
		{"a rule lets events pass", two + "  - {on: job-start, repetitions: 9, backoff: 1, do: {submit: b}}\n",
			[]string{"0 run-start", "1 start a-1", "2 start a-2", "3 start b-1"},
			[]string{begin, "1 start a-1: rule-2: submit 1 job of b", "3 start b-1: rule-2: submit 1 job of b"}},
		{"a rule rests", two + "  - {on: heartbeat, repetitions: 9, coolDown: 10s, do: {submit: b}}\n  heartbeat: 5s\n",
			[]string{"0 run-start", "5 heartbeat", "10 heartbeat", "15 heartbeat", "24 heartbeat", "26 heartbeat"},
			[]string{begin, "5 heartbeat: rule-2: submit 1 job of b", "15 heartbeat: rule-2: submit 1 job of b", "26 heartbeat: rule-2: submit 1 job of b"}},
		{"once for a job", two + "  - {on: metric, when: 'true', oncePerJob: true, repetitions: 9, do: {urgency: {group: b, value: 20}}}\n", both,
			[]string{own, begin, "1 submit a-1: rule-2: urgency 20 for b", "2 submit a-2: rule-2: urgency 20 for b"}},
		{"a number is computed", two + "  - {on: job-start, do: {submit: b, count: 'groups.a.pending + 2'}}\n",
			[]string{"0 run-start", "1 start a-1"}, []string{begin, "1 start a-1: rule-2: submit 3 jobs of b"}},
		{"a check is run one at a time", two + "  - {on: job-start, repetitions: 2, do: {check: b}}\n  - {on: job-fail, group: b, do: {finish: failure}}\n",
			[]string{"0 run-start", "1 start a-1", "2 start a-2", "3 start b-1", "4 finish b-1 succeeded", "5 start a-1", "6 start b-2", "7 finish b-2 failed"},
			[]string{begin, "1 start a-1: rule-2: check b, with 1 job", "5 start a-1: rule-2: check b, with 1 job", "7 finish b-2 failed: rule-3: finish with failure"}},
		{"a group is cancelled", two + "  - {on: job-start, do: {cancel: a}}\n  - {on: job-start, do: {submit: a}}\n", []string{"0 run-start", "1 start a-1"},
			[]string{own, begin, "1 start a-1: rule-2: cancel 2 jobs of a", "1 start a-1: rule-3: submit 2 jobs of a"}},
		{"a group that was stopped is not submitted", two + "  - {on: job-start, do: {stop: a}}\n  - {on: job-start, do: {submit: a}}\n", []string{"0 run-start", "1 start a-1"},
			[]string{own, begin, "1 start a-1: rule-2: stop a, with 2 jobs", "1 start a-1: rule-3: submit nothing of a, which was stopped"}},
		{"nodes come and go", two + "  - {on: job-start, do: {grow: nodes * 2}}\n  - {on: job-finish, do: {shrink: '1'}}\n", both,
			[]string{own, begin, "2 start a-1: rule-2: grow by 2 nodes", "4 finish a-1 succeeded: rule-3: shrink by 1 node"}},
		{"a moment out of order does no harm", two + "  - {on: job-finish, repetitions: 9, do: {submit: b}}\n",
			[]string{"0 run-start", "1 start a-1", "1 start a-2", "2.001 finish a-1 succeeded", "2 finish a-2 succeeded"},
			[]string{begin, "2.001 finish a-1 succeeded: rule-2: submit 1 job of b", "2 finish a-2 succeeded: rule-2: submit 1 job of b"}},
		{"nothing follows the end", two + "  - {on: job-start, do: {finish: success}}\n  - {on: job-start, repetitions: 9, do: {submit: b}}\n", both,
			[]string{begin, "2 start a-1: rule-2: finish with success"}},
		{"a job that is tried again has not finished", "  run: {retries: 1}\n" + two + "  - {on: job-finish, do: {submit: b}}\n",
			[]string{"0 run-start", "1 start a-1", "2 finish a-1 failed", "3 start a-1", "4 finish a-1 failed"},
			[]string{begin, "4 finish a-1 failed: rule-2: submit 1 job of b"}},
		{"a lost attempt is no end", two + "  - {on: job-finish, do: {submit: b}}\n", []string{"0 run-start", "1 start a-1", "2 finish a-1 lost", "3 finish a-1 cancelled"},
			[]string{begin}},
		{"a job that is left out counts as cancelled", two + "  - {on: metric, when: groups.a.cancelled == 1, do: {submit: b}}\n", []string{"0 run-start", "1 omit a-1"},
			[]string{begin, "1 omit a-1: rule-2: submit 1 job of b"}},
		{"a limit of jobs", two + "  - {on: job-submit, repetitions: 9, do: {submit: b, count: '2'}}\n  limits: {jobs: 4}\n", both,
			[]string{begin, "1 submit a-1: rule-2: submit 2 jobs of b", "2 submit a-2: rule-2: finish with failure: the limit of 4 jobs"}},
		{"a limit of time", two + "  limits: {time: 4s}\n", both, []string{own, begin, "4 finish a-1 succeeded: : finish with failure: the limit of 4s"}},
		{"a limit of node-hours", "  limits: {nodeHours: 0.001}\n" + strings.Replace(two, "command: [a]", "command: [a], nodes: 2", 1),
			[]string{"0 run-start", "1 start a-1", "1.5 start a-2", "2 heartbeat", "2.2 heartbeat"},
			[]string{own, begin, "2.2 heartbeat: : finish with failure: the limit of 0.001 node-hours"}},
		{"a second session is no start", two, []string{"0 run-start", "0 run-finish", "9 run-start"}, []string{own, begin}},
		{"time between sessions does not count", two + "  limits: {time: 5s}\n", []string{"0 run-start", "2 run-finish", "100 run-start", "102 heartbeat", "103 heartbeat"},
			[]string{own, begin, "103 heartbeat: : finish with failure: the limit of 5s"}},
		{"a lost job used no node while nobody looked", "  limits: {nodeHours: 0.01}\n  groups: [{name: a, command: [a], count: 2}]\n",
			[]string{"0 run-start", "1 start a-1", "2 start a-2", "5 start x", "1000 run-start", "1001 finish a-1 lost", "1002 finish a-2 lost", "1003 start a-1", "1004 start a-2", "1015 heartbeat", "1018 heartbeat"},
			[]string{"0 run-start: : submit 2 jobs of a", "1018 heartbeat: : finish with failure: the limit of 0.01 node-hours"}},
		{"a job that went on meanwhile did", "  limits: {nodeHours: 0.01}\n  groups: [{name: a, command: [a]}]\n",
			[]string{"0 run-start", "1 start a-1", "2 run-finish", "30 run-start", "36 heartbeat", "38 finish a-1 succeeded"},
			[]string{"0 run-start: : submit 1 job of a", "38 finish a-1 succeeded: : finish with failure: the limit of 0.01 node-hours"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, decisions(t, engine(t, c.body), c.events)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}
