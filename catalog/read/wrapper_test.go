// SPDX-License-Identifier: MIT

package read_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

// toy is an application that prints "toy begins", "speed: N" and "toy ends".
var toy = spec.Output{
	Begin: []string{`^toy begins`},
	Facts: []spec.Fact{{Name: spec.FactTasks, Match: `^toy on (\d+) ranks`}},
	Metrics: []spec.Metric{
		{Name: "speed", Match: `^speed: (\S+)`, Unit: "m/s"},
		{Name: "weight", Match: `^weight: (\S+)`, Unit: "kg", From: "toy.txt"},
		{Name: "around", Formula: "duration_wrapper - speed", Unit: "s"},
		{Name: "pace", Formula: "1 / speed", Unit: "s/m"},
	},
	Success: []spec.Rule{{Match: `^toy ends`, Reason: "the toy did not end"}},
	Failure: []spec.Rule{{Match: `^toy broke: (.*)`, Reason: "broken: ${1}"}},
}

func parse(t testing.TB, out spec.Output, log string) []read.Run {
	t.Helper()
	r, err := read.New("toy", out)
	if err != nil {
		t.Fatal(err)
	}
	var all []read.Run
	for run, err := range r.Read(context.Background(), "some.log", strings.NewReader(log)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, run)
	}
	return all
}

// brief is a run in one line: what tests of shapes look at.
func brief(r read.Run) string {
	s := string(r.Status)
	add := func(name string, v any) {
		if text := fmt.Sprint(v); text != "" && text != "0" && text != "[]" && text != "<nil>" {
			s += fmt.Sprintf(" %s=%v", name, v)
		}
	}
	add("id", r.RunID)
	if r.Iteration != nil {
		add("iter", *r.Iteration)
	}
	add("nodes", r.Nodes)
	add("tasks", r.Tasks)
	add("command", r.Command)
	if r.ExitCode != nil {
		add("exit", fmt.Sprint("#", *r.ExitCode))
	}
	add("flags", r.Flags)
	for _, name := range []string{"speed", "duration_wrapper", "around", "weight"} {
		if v, ok := r.Metrics[name]; ok {
			s += fmt.Sprintf(" %s=%g", name, v.Value)
		}
	}
	add("because", r.Reason)
	return s
}

const good = "toy begins\nspeed: 3\ntoy ends\n"

func jobspec(id, command string, nodes, slots int) string {
	return fmt.Sprintf(`{"resources": [{"type": "node", "count": %d, "with": [{"type": "slot", "count": %d, "with": [{"type": "core", "count": 1}], "label": "task"}]}], "tasks": [{"command": [%s], "slot": "task", "count": {"per_slot": 1}}], "attributes": {"system": {"duration": 0}, "user": {"study_id": %q}}, "version": 1}`+"\n", nodes, slots, command, id)
}

func eventlog(start float64, seconds float64, status int) string {
	return fmt.Sprintf(`{"timestamp":%.1f,"name":"init"}
{"timestamp":%.1f,"name":"shell.start","context":{"taskmap":{"version":1,"map":[[0,2,4,1]]}}}
{"timestamp":%.1f,"name":"complete","context":{"status":%d}}
{"timestamp":%.1f,"name":"done"}

`, start-1, start, start+seconds, status, start+seconds)
}

func attached(output, id string, start, seconds float64, status int) string {
	return output + "START OF JOBSPEC\n" + jobspec(id, `"toy", "-n", "3"`, 2, 4) + "START OF EVENTLOG\n" + eventlog(start, seconds, status)
}

func podJob(number int, id string, start, seconds float64, status int) string {
	return fmt.Sprintf("\nFLUX-JOB START %d %s\nFLUX-JOB-JOBSPEC START\n%sFLUX-JOB-JOBSPEC END\nFLUX-JOB-RESOURCES START\n", number, id, jobspec(id, `"toy"`, 2, 4)) +
		`{"version": 1, "execution": {"R_lite": [{"rank": "0-1", "children": {"core": "0-3"}}], "nodelist": ["toy-[0-1]"]}}` + "\nFLUX-JOB-RESOURCES END\nFLUX-JOB-EVENTLOG START\n" +
		eventlog(start, seconds, status) + fmt.Sprintf("FLUX-JOB-EVENTLOG END\nFLUX-JOB END %d %s\n", number, id)
}

func marked(id, output string) string {
	return "FLUX-RUN START " + id + "\n" + output + "FLUX-RUN END " + id + "\n"
}

const script = `#!/bin/bash
for i in {1..2}
do
  echo "FLUX-RUN START toy-iter-$i"
  flux run --setattr=user.study_id=toy-iter-$i -N2 -n 8 toy
  echo "FLUX-RUN END toy-iter-$i"
done
    echo "FLUX-JOB START ${jobid} ${study_id}"
echo FLUX-JOB-JOBSPEC START
echo "START OF JOBSPEC"
echo START OF EVENTLOG
echo "Start time: 1700000000"
`

func TestShapesOfLog(t *testing.T) {
	for _, c := range []struct {
		name, log string
		want      []string
	}{
		{"output alone is one run", good, []string{"succeeded speed=3"}},
		{"output alone that stops is incomplete", "toy begins\nspeed: 3\n", []string{"incomplete speed=3 because=the toy did not end; the log ends with: speed: 3"}},
		{"an empty log is an incomplete run", "", []string{"incomplete because=the toy did not end; nothing was printed"}},
		{"a log of another application is no success", "hello\nworld\n", []string{"incomplete because=the toy did not end; the log ends with: world"}},
		{"a launcher's line on top is the command", "\nsrun -N 2 -n 8 toy -x\n" + good, []string{"succeeded nodes=2 tasks=8 command=srun -N 2 -n 8 toy -x speed=3"}},
		{
			"an attached job has the facts of its jobspec and eventlog",
			attached(good, "toy-iter-4", 1700000000, 12.5, 0),
			[]string{"succeeded id=toy-iter-4 iter=4 nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=3 duration_wrapper=12.5 around=9.5"},
		},
		{
			"two attached jobs in one file are two runs",
			attached(good, "a", 1700000000, 5, 0) + attached("toy begins\nspeed: 4\ntoy ends\n", "b", 1700000100, 6, 0),
			[]string{
				"succeeded id=a nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=3 duration_wrapper=5 around=2",
				"succeeded id=b nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=4 duration_wrapper=6 around=2",
			},
		},
		{
			"a job without an eventlog's end is incomplete",
			good + "START OF JOBSPEC\n" + jobspec("a", `"toy"`, 2, 4) + "START OF EVENTLOG\n" + `{"timestamp":1700000000.5,"name":"shell.start"}`,
			[]string{"incomplete id=a nodes=2 tasks=8 command=toy speed=3 because=the launcher's start is in the log but not its end; the log ends with: toy ends"},
		},
		{
			"a job's request counts where no task map does",
			good + "START OF JOBSPEC\n" + jobspec("a", `"toy"`, 3, 5) + "START OF EVENTLOG\n" + `{"timestamp":1700000000.5,"name":"done"}`,
			[]string{"succeeded id=a nodes=3 tasks=15 command=toy speed=3"},
		},
		{
			"a batch script has start and end",
			"Start time: 1700000000\n" + good + "End time: 1700000042\n",
			[]string{"succeeded speed=3 duration_wrapper=42 around=39"},
		},
		{
			"a batch script's times can be written by date",
			"Start time: Tue Nov 14 22:13:20 UTC 2023\n" + good + "End time: 2023-11-14T22:14:20Z\n",
			[]string{"succeeded speed=3 duration_wrapper=60 around=57"},
		},
		{
			"a batch script without an end is incomplete",
			"Start time: 1700000000\n" + good,
			[]string{"incomplete speed=3 because=the launcher's start is in the log but not its end; the log ends with: toy ends"},
		},
		{
			"a batch script that ends without the result has failed",
			"Start time: 1700000000\nWARN no network\nlooking\nEnd time: 1700000042\n",
			[]string{"failed duration_wrapper=42 because=the toy did not end; the log says: WARN no network"},
		},
		{
			"two batch scripts in one file are two runs",
			"Start time: 1700000000\n" + good + "End time: 1700000042\nStart time: 1700000100\n" + good + "End time: 1700000110\n",
			[]string{"succeeded speed=3 duration_wrapper=42 around=39", "succeeded speed=3 duration_wrapper=10 around=7"},
		},
		{
			"a pod's runs find their jobs by name, whatever the order",
			"noise\n" + marked("toy-iter-1", good) + marked("toy-iter-2", good) + "more noise\n" +
				podJob(20, "toy-iter-2", 1700000100, 20, 0) + podJob(10, "toy-iter-1", 1700000000, 10, 0) + "FLUX JOB STATS\n{\"total\":2}\n",
			[]string{
				"succeeded id=toy-iter-1 iter=1 nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7",
				"succeeded id=toy-iter-2 iter=2 nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=20 around=17",
			},
		},
		{
			"a pod's run that stops the script is incomplete and has no job",
			marked("toy-iter-1", good) + "FLUX-RUN START toy-iter-2\ntoy begins\n",
			[]string{"succeeded id=toy-iter-1 iter=1 speed=3", "incomplete id=toy-iter-2 iter=2 because=the toy did not end; the log ends with: toy begins"},
		},
		{
			"two pods' logs in one file do not share their jobs",
			marked("a", good) + podJob(1, "a", 1700000000, 10, 0) + marked("a", good) + podJob(1, "a", 1700000500, 30, 0),
			[]string{
				"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7",
				"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=30 around=27",
			},
		},
		{
			"runs of one name go with the jobs in the order of their start",
			marked("a", good) + marked("a", good) + podJob(2, "a", 1700000500, 30, 0) + podJob(1, "a", 1700000000, 10, 0),
			[]string{
				"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7",
				"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=30 around=27",
			},
		},
		{
			"without marks the only job has the whole output",
			good + podJob(1, "a", 1700000000, 10, 0),
			[]string{"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7"},
		},
		{
			"without marks as many runs as jobs go together",
			good + good + podJob(2, "b", 1700000500, 30, 0) + podJob(1, "a", 1700000000, 10, 0),
			[]string{
				"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7",
				"succeeded id=b nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=30 around=27",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) { compareRuns(t, parse(t, toy, c.log), c.want) })
	}
}

func compareRuns(t *testing.T, got []read.Run, want []string) {
	t.Helper()
	var have []string
	for _, r := range got {
		have = append(have, brief(r))
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name, log string
		want      []string
	}{
		{"a script that is printed before it runs has no marks", script + marked("a", good), []string{"succeeded id=a speed=3"}},
		{"a printed script alone is no run of many", script + good, []string{"succeeded speed=3"}},
		{"output outside the marks belongs to no run", "toy begins\nspeed: 9\n" + marked("a", good) + "toy begins\nspeed: 8\ntoy ends\n", []string{"succeeded id=a speed=3"}},
		{"a last line without an end stands in front of the mark", "FLUX-RUN START a\ntoy begins\nspeed: 3\ntoy endsFLUX-RUN END a\n", []string{"succeeded id=a speed=3"}},
		{
			"so it does in front of a jobspec",
			attached("toy begins\nspeed: 3\ntoy ends ", "a", 1700000000, 5, 0),
			[]string{"succeeded id=a nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=3 duration_wrapper=5 around=2"},
		},
		{"and of an end time", "Start time: 1700000000\ntoy begins\nspeed: 3\ntoy endsEnd time: 1700000005\n", []string{"succeeded speed=3 duration_wrapper=5 around=2"}},
		{"an application's own start time is no wrapper's", "Start time: 0.25 s\n" + good, []string{"succeeded speed=3"}},
		{"a run's end of another name is no end", "FLUX-RUN START a\ntoy begins\nFLUX-RUN END b\nspeed: 3\ntoy ends\nFLUX-RUN END a\n", []string{"succeeded id=a speed=3"}},
		{"two runs without marks are cut where the application begins again", good + "toy begins\nspeed: 4\ntoy ends\n", []string{"succeeded speed=3", "succeeded speed=4"}},
		{
			"two runs in one batch script share its time",
			"Start time: 1700000000\n" + good + good + "End time: 1700000042\n",
			[]string{"succeeded flags=[shared-wrapper] speed=3 duration_wrapper=42 around=39", "succeeded flags=[shared-wrapper] speed=3 duration_wrapper=42 around=39"},
		},
		{
			"the first of two runs that broke off has failed",
			"toy begins\nspeed: 1\n" + good,
			[]string{"failed speed=1 because=the toy did not end; the log ends with: speed: 1", "succeeded speed=3"},
		},
		{"between marks the application may begin again", marked("a", good+"toy begins\nspeed: 4\n"), []string{"succeeded id=a flags=[restarted] speed=4"}},
		{
			"a collected file that the script prints below a run is the run's",
			marked("a", good) + "weight: 5\n" + marked("b", good) + podJob(1, "a", 1700000000, 10, 0) + "weight: 6\n",
			[]string{"succeeded id=a nodes=2 tasks=8 command=toy exit=#0 speed=3 duration_wrapper=10 around=7 weight=5", "succeeded id=b speed=3"},
		},
		{"a banner of every rank is one run", "toy begins\ntoy begins\nspeed: 3\ntoy ends\n", []string{"succeeded flags=[restarted] speed=3"}},
		{"values printed before a failure are kept", "toy begins\nspeed: 3\ntoy ends\ntoy broke: the wheel\n", []string{"failed speed=3 because=broken: the wheel"}},
		{
			"a job that exits badly has failed although its output is whole",
			attached(good, "a", 1700000000, 5, 256),
			[]string{"failed id=a nodes=2 tasks=8 command=toy -n 3 exit=#1 speed=3 duration_wrapper=5 around=2 because=exit code 1"},
		},
		{
			"a job that a signal ends says which",
			attached("toy begins\n", "a", 1700000000, 5, 139<<8),
			[]string{"failed id=a nodes=2 tasks=8 command=toy -n 3 exit=#139 duration_wrapper=5 because=exit code 139 (segmentation fault)"},
		},
		{
			"an interrupted job is cancelled, not failed",
			attached("2.637s: job.exception type=cancel severity=0 interrupted by ctrl-C\nflux-job: task(s) exited with exit code 143\n"+good, "a", 1700000000, 5, 143<<8),
			[]string{"cancelled id=a nodes=2 tasks=8 command=toy -n 3 exit=#143 speed=3 duration_wrapper=5 around=2 because=cancel: interrupted by ctrl-C"},
		},
		{
			"a job's exception in its eventlog counts too",
			good + "START OF EVENTLOG\n" + `{"timestamp":1700000000.0,"name":"exception","context":{"type":"timeout","severity":0,"note":"resource allocation expired"}}` + "\n",
			[]string{"timeout speed=3 because=timeout: resource allocation expired"},
		},
		{
			"a batch job over its time limit is a timeout",
			"Start time: 1700000000\ntoy begins\nslurmstepd: error: *** JOB 85 ON node-1 CANCELLED AT 2024-08-31T02:57:46 DUE TO TIME LIMIT ***\n",
			[]string{"timeout because=JOB 85 ON node-1 CANCELLED AT 2024-08-31T02:57:46 DUE TO TIME LIMIT"},
		},
		{
			"a cancelled batch job is cancelled",
			"Start time: 1700000000\nslurmstepd: error: *** STEP 85.0 ON node-1 CANCELLED AT 2024-08-31T02:57:46 ***\nsrun: error: node-1: task 0: Terminated\n",
			[]string{"cancelled because=STEP 85.0 ON node-1 CANCELLED AT 2024-08-31T02:57:46"},
		},
		{
			"a task that srun reports has failed",
			"Start time: 1700000000\n" + good + "srun: error: node-1: tasks 0-3: Exited with exit code 2\nEnd time: 1700000009\n",
			[]string{"failed speed=3 duration_wrapper=9 around=6 because=node-1: tasks 0-3: Exited with exit code 2"},
		},
		{"mpirun's word counts", good + "mpirun noticed that process rank 3 with PID 0 on node n1 exited on signal 9 (Killed).\n", []string{"failed speed=3 because=process rank 3 with PID 0 on node n1 exited on signal 9 (Killed)."}},
		{"MPICH's word counts", good + "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n", []string{"failed speed=3 because=BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES"}},
		{"the application's reason outranks MPI's", "MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD\ntoy broke: the wheel\n", []string{"failed because=broken: the wheel"}},
		{"and MPICH's", "toy broke: the wheel\nAbort(1) on node 0 (rank 0 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 1) - process 0\n", []string{"failed because=broken: the wheel"}},
		{"and an exit code", attached("toy broke: the wheel\nflux-job: task(s) exited with exit code 1\n", "a", 1700000000, 5, 256), []string{"failed id=a nodes=2 tasks=8 command=toy -n 3 exit=#1 duration_wrapper=5 because=broken: the wheel"}},
		{"but not a signal", "toy broke: the wheel\nsrun: error: node-1: task 3: Segmentation fault\n", []string{"failed because=node-1: task 3: Segmentation fault"}},
		{
			"whoever says it",
			attached("toy broke: the wheel\n", "a", 1700000000, 5, 139<<8),
			[]string{"failed id=a nodes=2 tasks=8 command=toy -n 3 exit=#139 duration_wrapper=5 because=exit code 139 (segmentation fault); broken: the wheel"},
		},
		{"nor a cancellation", "MPI_ABORT was invoked on rank 0\ntoy broke: the wheel\nslurmstepd: error: *** STEP 85.0 ON node-1 CANCELLED AT 2024-08-31T02:57:46 ***\n", []string{"cancelled because=STEP 85.0 ON node-1 CANCELLED AT 2024-08-31T02:57:46"}},
		{"a launcher's cause outranks its exit codes", "srun: error: node-1: task 0: Exited with exit code 2\nsrun: error: node-1: task 3: Segmentation fault\n", []string{"failed because=node-1: task 3: Segmentation fault"}},
		{"a command that is not found is the reason", "bash: line 1: toy: command not found\n", []string{"failed because=bash: line 1: toy: command not found"}},
		{"errors while the libraries shut down are no failure", good + "[1.5] [host:1:0] mm_posix.c:291  UCX  ERROR shm_unlink(/x) failed\n", []string{"succeeded speed=3"}},
		{"carriage returns end what a terminal overwrites", "toy begins\r\n 10 %\r 50 %\rspeed: 3\r\ntoy ends\r\n", []string{"succeeded speed=3"}},
		{"a value that is no number is left out with a flag", "toy begins\nspeed: nan\ntoy ends\n", []string{"succeeded flags=[not-finite]"}},
		{"a formula that divides by zero gives a flag and no value", "toy begins\nspeed: 0\ntoy ends\n", []string{"succeeded flags=[not-finite] speed=0"}},
		{
			"tasks that the application and the launcher count differently are flagged",
			attached("toy on 7 ranks\n"+good, "a", 1700000000, 5, 0),
			[]string{"succeeded id=a nodes=2 tasks=8 command=toy -n 3 exit=#0 flags=[tasks-differ] speed=3 duration_wrapper=5 around=2"},
		},
		{"a name's number is its iteration only at the end", attached(good, "iter-2-toy", 1700000000, 5, 0), []string{"succeeded id=iter-2-toy nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=3 duration_wrapper=5 around=2"}},
		{"text below an eventlog that is nothing is no run", attached(good, "a", 1700000000, 5, 0) + "bye\n", []string{"succeeded id=a nodes=2 tasks=8 command=toy -n 3 exit=#0 speed=3 duration_wrapper=5 around=2"}},
		{"invalid bytes do not hide what follows", "\xff\xfe\x00 noise\n" + strings.Repeat("text\n", 9) + good, []string{"succeeded speed=3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := c.log
			if strings.HasPrefix(log, "\xff\xfe") {
				log = "toy\n" + log
			}
			compareRuns(t, parse(t, toy, log), c.want)
		})
	}
}

func TestTimesAreTheLaunchers(t *testing.T) {
	got := parse(t, toy, attached(good, "a", 1700000000, 12.5, 0))[0].Times
	want := read.Times{Start: time.Unix(1700000000, 0).UTC(), Finish: time.Unix(1700000012, 5e8).UTC()}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestBlocksDoNotMatter reads a log in pieces of every small size.
func TestBlocksDoNotMatter(t *testing.T) {
	log := script + marked("toy-iter-1", good) + marked("toy-iter-2", good) + podJob(20, "toy-iter-2", 1700000100, 20, 0) + podJob(10, "toy-iter-1", 1700000000, 10, 0)
	want := parse(t, toy, log)
	r, err := read.New("toy", toy)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1; size < 200; size++ {
		var got []read.Run
		for run, err := range r.Read(context.Background(), "some.log", &pieces{strings.NewReader(log), size}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, run)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("pieces of %d bytes: -want +got:\n%s", size, d)
		}
	}
}

type pieces struct {
	r    *strings.Reader
	size int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.size, len(b))]) }
