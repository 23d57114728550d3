// SPDX-License-Identifier: MIT

package convert_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/convert"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// two is a file of two jobs, of which the first is submitted.
const two = `jobs:
- {name: a, command: sleep 1, count: 2}
- {name: b, command: echo b}
rules:
- {trigger: start, action: {name: submit, label: a}}
`

// TestRulesKeepTheirMeaning adds a rule to two.
func TestRulesKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	submit := spec.Action{Submit: "b"}
	for _, c := range []struct {
		name, rule string
		want       spec.EnsembleRule
		notes      string
	}{
		{"a count that is to be a number becomes one that is at least that", `{trigger: metric, name: count.a.success, when: 2, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].succeeded >= 2`, Do: submit},
			"f.yaml:6:44: rules[1].when: 2 becomes >= 2, since a count that is only looked at where it is equal can be missed"},
		{"a comparison of a count stays", `{trigger: metric, name: count.a.finished, when: "> 1", action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].finished > 1`, Do: submit}, ""},
		{"a comparison that holds for none waits for the first, as there", `{trigger: metric, name: count.a.failed, when: "<= 3", action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].failed > 0 && groups["a"].failed <= 3`, Do: submit}, ""},
		{"a metric without when wants a value", `{trigger: metric, name: count.a.failed, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].failed > 0`, Do: submit}, ""},
		{"a statistic without when wants a value", `{trigger: metric, name: iqr.a-duration, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].runTime.count > 0`, Do: submit}, ""},
		{"a statistic of the duration is one of the run time", `{trigger: metric, name: mean.a-duration, when: "< 5", action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].runTime.mean < 5`, Do: submit}, ""},
		{"a statistic of the pending time is one of that", `{trigger: metric, name: max.a-pending, when: "= 5", action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].pendingTime.max == 5`, Do: submit}, ""},
		{"digits behind a point are read", `{trigger: metric, name: mad.a-duration, when: ">= 0.25", action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].runTime.mad >= 0.25`, Do: submit},
			`f.yaml:6:43: rules[1].when: there the comparison is with 0, since what follows the point is not read; here it is with 0.25`},
		{"a statistic that is to be a number stays, with a warning", `{trigger: metric, name: min.a-duration, when: 5, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].runTime.min == 5`, Do: submit},
			`f.yaml:6:43: rules[1].when: 5 is compared with == as there, which hardly ever holds for a time; "> 5" would`},
		{"a name on an event filters", `{trigger: job-finish, name: a, action: {name: submit, label: b, repetitions: 3, backoff: 2}}`,
			spec.EnsembleRule{On: spec.OnFinish, Group: "a", Do: submit, Repetitions: 3, Backoff: 2},
			"f.yaml:6:25: rules[1].name: only jobs of a count; there the name of a rule on an event filters nothing"},
		{"a name that is no job filters nothing", `{trigger: job-start, name: hello, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnJobStart, Do: submit},
			"f.yaml:6:24: rules[1].name: it names no job, so jobs of every group count, as there"},
		{"an event without a name is one of all jobs", `{trigger: job-submit, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnSubmit, Do: submit}, ""},
		{"when on an event is left out", `{trigger: job-submit, when: 3, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnSubmit, Do: submit},
			"f.yaml:6:25: rules[1].when: it is left out: there only a rule on metric looks at it"},
		{"an event that is not known here becomes the next", `{trigger: job-clean, action: {name: submit, label: b}}`,
			spec.EnsembleRule{On: spec.OnFinish, Do: submit},
			"f.yaml:6:4: rules[1].trigger: it becomes job-finish, the event before it"},
		{"a backoff on a metric counts other events", `{trigger: metric, name: count.a.failed, action: {name: submit, label: b, repetitions: 2, backoff: 1}}`,
			spec.EnsembleRule{On: spec.OnMetric, When: `groups["a"].failed > 0`, Do: submit, Repetitions: 2, Backoff: 1},
			"f.yaml:6:92: rules[1].action.backoff: it counts that a job is submitted, starts or ends; there it counts every event of Flux"},
		{"terminate is an end with success", `{trigger: job-exception, action: {name: terminate}}`,
			spec.EnsembleRule{On: spec.OnFail, Do: spec.Action{Finish: spec.Success}},
			`f.yaml:6:4: rules[1].trigger: it becomes job-fail, of a job that ended and did not succeed; an exception there may be of one that goes on
f.yaml:6:37: rules[1].action.name: it becomes finish: success, which cancels what still runs; there it goes on in the queue`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, notes, err := convert.EnsemblePython("f.yaml", []byte(two+"- "+c.rule+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Name = "rule-2"
			if diff := cmp.Diff(c.want, e.Spec.Rules[1]); diff != "" {
				t.Errorf("the rule (-want +got):\n%s", diff)
			}
			var own []string // of this rule
			for _, n := range notes {
				if strings.Contains(n, "rules[1]") {
					own = append(own, n)
				}
			}
			if diff := cmp.Diff(c.notes, strings.Join(own, "\n")); diff != "" {
				t.Errorf("its notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, want, notes string }{
		{"a job has its command cut, its size and its time limit", `jobs:
- {name: a, command: 'mpi "x y"', count: 3, nodes: 2, tasks: 4, duration: 90}
- {name: b, command: b, nodes: 0, tasks: 1, duration: 0, workdir: null}
- {name: c, command: c, nodes: 4, tasks: 2}
rules: [{trigger: start, action: {name: submit}}]
`, `  groups:
  - name: a
    command:
    - mpi
    - x y
    count: 3
    nodes: 2
    tasks: 4
    run:
      timeout: 1m30s
  - name: b
    command:
    - b
  - name: c
    command:
    - c
    nodes: 4
  rules:
  - name: rule-1-a
    "on": start
    do:
      submit: a
  - name: rule-1-b
    "on": start
    do:
      submit: b
  - name: rule-1-c
    "on": start
    do:
      submit: c
`, `f.yaml:5:26: rules[0].action: without a label it submits every job, so it becomes 3 rules
`},
		{"a directory to work in", `jobs: [{name: a, command: ./solve 1, workdir: /data}]
rules: [{trigger: start, action: {name: submit, label: a}}]
`, `  groups:
  - name: a
    command:
    - ./solve
    - "1"
    workdir: /data
  rules:
  - name: rule-1
    "on": start
    do:
      submit: a
`, ""},
		{"jobs that nothing submits are left out with the rules that wait for them", `jobs:
- {name: a, command: a}
- {name: b, command: b}
- {name: c, command: c}
rules:
- {trigger: metric, name: count.b.success, when: 1, action: {name: submit, label: c}}
- {trigger: metric, name: count.c.success, when: "> 1", action: {name: submit, label: b}}
- {trigger: metric, name: count.a.failed, when: 0, action: {name: submit, label: b}}
- {trigger: start, action: {name: submit, label: a}}
`, `  groups:
  - name: a
    command:
    - a
  rules:
  - name: rule-4
    "on": start
    do:
      submit: a
`, `f.yaml:3:3: jobs[1]: it is left out: no rule submits it, and here such a group would begin at once
f.yaml:4:3: jobs[2]: it is left out: no rule submits it, and here such a group would begin at once
f.yaml:6:3: rules[0]: it is left out: nothing submits the jobs of b that it waits for
f.yaml:6:44: rules[0].when: 1 becomes >= 1, since a count that is only looked at where it is equal can be missed
f.yaml:7:3: rules[1]: it is left out: nothing submits the jobs of c that it waits for
f.yaml:8:3: rules[2]: it is left out: a count is looked at when it is 1 and more, so this never holds
`},
		{"a rule that grows brings its heartbeat along", two + `- {trigger: metric, name: mean.a-pending, when: "> 5", action: {name: grow, value: "2"}}
- {trigger: metric, name: count.a.finished, when: "> 1", action: {name: shrink}}
logging: {debug: true, heartbeat: 0}
`, `  groups:
  - name: a
    command:
    - sleep
    - "1"
    count: 2
  rules:
  - name: rule-1
    "on": start
    do:
      submit: a
  - name: rule-2
    "on": metric
    when: groups["a"].pendingTime.mean > 5
    do:
      grow: "2"
  - name: rule-3
    "on": metric
    when: groups["a"].finished > 1
    do:
      shrink: "1"
  heartbeat: 1m0s
`, `f.yaml:3:3: jobs[1]: it is left out: no rule submits it, and here such a group would begin at once
f.yaml:8:11: logging.debug: every event is in journal.jsonl of the run directory
f.yaml:8:24: logging.heartbeat: it is 60 s, as there where a rule grows or shrinks
f.yaml:8:24: logging.heartbeat: the pending time of a job counts once it starts; there a heartbeat adds what jobs have waited so far, which is waiting here
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, notes, err := convert.EnsemblePython("f.yaml", []byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := spec.Encode(&text, e); err != nil {
				t.Fatal(err)
			}
			const frame = "apiVersion: converged-computing.org/v1alpha1\nkind: Ensemble\nmetadata:\n  name: f\nspec:\n"
			const run = "  run:\n    shared: true\n    noise:\n      busy: 1\n"
			if diff := cmp.Diff(frame+c.want+run, text.String()); diff != "" {
				t.Errorf("the ensemble (-want +got):\n%s", diff)
			}
			var said strings.Builder
			for _, n := range notes {
				if !strings.Contains(n, "none terminates") {
					said.WriteString(n + "\n")
				}
			}
			if diff := cmp.Diff(c.notes, said.String()); diff != "" {
				t.Errorf("the notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeConvertedIsRefusedAtItsPlace(t *testing.T) {
	t.Parallel()
	jobs := "jobs: [{name: sleep, command: sleep 1}]\n"
	begins := jobs + "rules:\n- {trigger: start, action: {name: submit, label: sleep}}\n"
	for _, c := range []struct{ name, file, want string }{
		{"an empty file", "", `f.yaml: the file is empty; want apiVersion, kind, metadata and spec`},
		{"a list", "[a]", `f.yaml:1:1: got a list, want a mapping with "jobs", "rules", "logging" or "custom"`},
		{"a file without rules", jobs, `f.yaml:1:1: rules: missing; want a list of rules, each with a trigger and an action`},
		{"a file that submits nothing", jobs + "rules: []\n",
			`f.yaml:2:1: rules: nothing would ever run; want a rule that submits jobs, such as {trigger: start, action: {name: submit, label: JOB}}`},
		{"custom Python", begins + "- {trigger: job-finish, action: {name: custom, label: f}}\ncustom: |\n  def f(**kwargs):\n    return None\n",
			`f.yaml:4:34: rules[1].action.name: custom Python is not run here; want a rule that says it: convert the file without it, then write the condition as when, in CEL over counts, statistics and the job, and the action as do (docs/ensemble-python.md)
f.yaml:5:1: custom: custom Python is not run here; want a rule that says it: convert the file without it, then write the condition as when, in CEL over counts, statistics and the job, and the action as do (docs/ensemble-python.md)`},
		{"fields of jobs", `jobs:
- {name: a b, command: x}
- {name: c, command: 'echo "c', count: 0, nodes: -1, tasks: two, duration: -5, workdir: data}
- {name: c, command: '', taks: 1}
- {command: c\}
- 5
rules:
- {trigger: start, action: {name: submit}}
`, `f.yaml:3:13: jobs[1].command: a quote " has no end
f.yaml:3:33: jobs[1].count: got 0, want 1 at least
f.yaml:3:43: jobs[1].nodes: got -1, want 0 at least
f.yaml:3:54: jobs[1].tasks: got the string "two", want a whole number from 0 to 2147483647
f.yaml:3:66: jobs[1].duration: got the number -5, want seconds: 0, which is none, or from 0.001 to 31622400
f.yaml:3:80: jobs[1].workdir: got "data", want an absolute path: a relative one is there of where the file is run, and here of where it is
f.yaml:4:4: jobs[2].name: jobs[1] has the name "c" too, and there both are one group; want a name of its own, and rules that submit it
f.yaml:4:13: jobs[2].command: the command names no program
f.yaml:4:26: jobs[2].taks: unknown field "taks"; did you mean "tasks"?
f.yaml:5:3: jobs[3].name: missing; want a name
f.yaml:5:4: jobs[3].command: a backslash stands before nothing
f.yaml:6:3: jobs[4]: got the number 5, want a mapping with "name", "command", "workdir", "count", "nodes", "tasks" or "duration"`},
		{"what spec has against a group", `jobs:
- {name: a b, command: x}
- {name: c, command: x, nodes: 2, tasks: 3}
rules:
- {trigger: start, action: {name: submit}}
`, `f.yaml:2:4: jobs[0].name: got the string "a b", want a match of ^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$
f.yaml:3:35: jobs[1].tasks: got 3 tasks on 2 nodes, want as many on each node`},
		{"more jobs than anybody has", "jobs: [" + strings.Repeat("{name: a, command: a}, ", 1001) + "]\nrules: []\n",
			"f.yaml:1:1: jobs: got 1001 entries, want 1000 at most"},
		{"rules that become more than anybody has", manyJobs(1000) + "rules:\n" + strings.Repeat("- {trigger: start, action: {name: submit}}\n", 11),
			"f.yaml:1002:1: rules: they become 10001 rules and more, want 10000 at most"},
		{"fields of rules", begins + `- {action: {name: submit, label: slep}}
- {trigger: job-memo, action: {name: submt, repetitions: 0, backoff: 1.5}}
- {trigger: metric, action: {label: sleep}}
- {trigger: start, when: 3, action: {name: grow, value: many}}
- {trigger: start}
`, `f.yaml:4:3: rules[1].trigger: missing; want start, metric or an event of a job such as job-finish
f.yaml:4:27: rules[1].action.label: unknown job "slep"; did you mean "sleep"?
f.yaml:5:4: rules[2].trigger: got "job-memo", want "start", "metric", "job-submit", "job-depend", "job-alloc", "job-run", "job-start", "job-finish", "job-success", "job-fail", "job-exception", "job-cleanup", "job-release", "job-free" or "job-clean"
f.yaml:5:32: rules[2].action.name: unknown action "submt"; did you mean "submit"?; want "submit", "terminate", "grow" or "shrink"
f.yaml:5:45: rules[2].action.repetitions: got 0, want 1 at least
f.yaml:5:61: rules[2].action.backoff: got the number 1.5, want a whole number from 0 to 2147483647
f.yaml:6:3: rules[3].name: missing; want count.JOB.finished, .success or .failed, or mean, variance, iqr, max, min, mad or median .JOB-duration or .JOB-pending
f.yaml:6:21: rules[3].action.name: missing; want "submit", "terminate", "grow" or "shrink"
f.yaml:7:50: rules[4].action.value: got the string "many", want a whole number of nodes from 1 on
f.yaml:8:3: rules[5].action: missing; want an action, such as {name: submit, label: JOB}`},
		{"metrics", begins + `- {trigger: metric, name: count.slep.success, when: 1, action: {name: terminate}}
- {trigger: metric, name: count.sleep.succeeded, when: 1, action: {name: terminate}}
- {trigger: metric, name: count.sleep, when: 1, action: {name: terminate}}
- {trigger: metric, name: mean.sleep, when: 1, action: {name: terminate}}
- {trigger: metric, name: sleep, when: 1, action: {name: terminate}}
- {trigger: metric, name: max.sleep-pending, when: five, action: {name: terminate}}
- {trigger: metric, name: max.sleep-pending, when: -1, action: {name: terminate}}
`, `f.yaml:4:21: rules[1].name: unknown job "slep"; did you mean "sleep"?
f.yaml:5:21: rules[2].name: unknown count "succeeded"; known: "finished", "success" or "failed"
f.yaml:6:21: rules[3].name: got "count.sleep", want count.JOB.finished, .success or .failed, or mean, variance, iqr, max, min, mad or median .JOB-duration or .JOB-pending
f.yaml:7:21: rules[4].name: got "mean.sleep", want count.JOB.finished, .success or .failed, or mean, variance, iqr, max, min, mad or median .JOB-duration or .JOB-pending
f.yaml:8:21: rules[5].name: got "sleep", want count.JOB.finished, .success or .failed, or mean, variance, iqr, max, min, mad or median .JOB-duration or .JOB-pending
f.yaml:9:46: rules[6].when: got the string "five", want a number from 0, or a comparison with one such as "> 5"
f.yaml:10:46: rules[7].when: got the number -1, want a number from 0, or a comparison with one such as "> 5"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, _, err := convert.EnsemblePython("f.yaml", []byte(c.file))
			if err == nil {
				t.Fatalf("got %v", e.Spec)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func manyJobs(n int) string {
	var s strings.Builder
	s.WriteString("jobs:\n")
	for i := range n {
		fmt.Fprintf(&s, "- {name: a%d, command: a}\n", i)
	}
	return s.String()
}

func TestAFileIsToldFromOthersByItsFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		want       bool
	}{
		{"jobs and rules are ensemble-python's", two, true},
		{"what they hold does not matter", "jobs:\nrules: 5\n", true},
		{"jobs alone are not", "jobs: []\n", false},
		{"an apiVersion is of another", "apiVersion: v1\njobs: []\nrules: []\n", false},
		{"what is no YAML is not", "jobs: [\n", false},
	} {
		if got := convert.IsEnsemblePython([]byte(c.file)); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}

func TestTheEnsembleIsNamedAfterTheFile(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"dir/hello-world.yaml": "hello-world", "my file (1).yml": "my-file-1", "été.yaml": "t", "-": "ensemble", "...": "ensemble",
		strings.Repeat("a", 62) + "..b.yaml": strings.Repeat("a", 62),
	} {
		e, _, err := convert.EnsemblePython(file, []byte(two))
		if err != nil {
			t.Errorf("%q: %v", file, err)
		} else if got := e.Metadata.Name; got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}
