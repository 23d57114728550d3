// SPDX-License-Identifier: MIT

package flux_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/google/go-cmp/cmp"
)

// dryRuns are recorded jobspecs by the options of flux submit that made them.
func dryRuns(t testing.TB) map[string]string {
	b, err := os.ReadFile(filepath.Join("testdata", "dryrun.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out, options := map[string]string{}, ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "$ "); ok {
			options = rest
		} else if strings.HasPrefix(line, "{") {
			out[options] = line
		}
	}
	return out
}

func TestJobspecsAreThoseOfFluxSubmit(t *testing.T) {
	t.Parallel()
	cmd := []string{"true"}
	jobs := map[string]flux.Job{
		"true":                                  {Command: cmd},
		"-n4 echo hi":                           {Command: []string{"echo", "hi"}, Tasks: 4},
		"-n4 -c2 -t 90s true":                   {Command: cmd, Tasks: 4, CoresPerTask: 2, TimeLimit: 90 * time.Second},
		"-N2 -n4 hostname":                      {Command: []string{"hostname"}, Nodes: 2, Tasks: 4},
		"-N2 -n5 hostname":                      {Command: []string{"hostname"}, Nodes: 2, Tasks: 5},
		"-N2 --exclusive true":                  {Command: cmd, Nodes: 2, Exclusive: true},
		"-N3 -n6 -c2 -g1 -x true":               {Command: cmd, Nodes: 3, Tasks: 6, CoresPerTask: 2, GPUsPerTask: 1, Exclusive: true},
		"-N2 --tasks-per-node=3 -x true":        {Command: cmd, Nodes: 2, TasksPerNode: 3, Exclusive: true},
		"--cores=6 --tasks-per-core=2 true":     {Command: cmd, Cores: 6, TasksPerCore: 2},
		"-N2 --cores=8 --tasks-per-node=3 true": {Command: cmd, Nodes: 2, Cores: 8, TasksPerNode: 3},
		"--job-name=x --setattr=user.a.b=3 --queue=q --bank=b true": {Command: cmd, Name: "x", Queue: "q", Bank: "b",
			User: map[string]any{"a": map[string]any{"b": 3}}},
		"--dependency=afterok:f123 --dependency=after:f2 --dependency=singleton --job-name=s true": {Command: cmd, Name: "s",
			Dependencies: []flux.Dependency{{Scheme: "afterok", Value: "f123"}, flux.After(id(t, "f2")), flux.Singleton()}},
		"-o cpu-affinity=per-task -o gpu-affinity=off -o mpi=none -o pmi=pmix --taskmap=cyclic:2 true": {Command: cmd,
			CPUAffinity: "per-task", GPUAffinity: "off", MPI: "none", PMI: "pmix", TaskMap: "cyclic:2"},
		"--taskmap=block true":   {Command: cmd, TaskMap: "block"},
		"--add-file=in.txt true": {Command: cmd, Files: map[string]flux.File{"in.txt": {Mode: 0o644, Data: []byte("hi\n")}}},
		"--requires=a,b true":    {Command: cmd, Requires: map[string]any{"properties": []string{"a", "b"}}},
		"-S system.exec.test.run_duration=1s -S exec.test.wait_status=256 true": {Command: cmd,
			Mock: &flux.Mock{Duration: time.Second, Status: flux.ExitStatus(1)}},
		"--flags=waitable,debug --urgency=3 true": {Command: cmd},
		"--signal=USR1@60s true":                  {Command: cmd, Shell: map[string]any{"signal": map[string]any{"signum": 10, "timeleft": 60}}},
	}
	for options, want := range dryRuns(t) {
		job, ok := jobs[options]
		if !ok {
			continue // read and written by TestDryRunsAreWrittenAsTheyWereRead
		}
		delete(jobs, options)
		job.Env, job.Dir = map[string]string{"A": "b"}, "/data"
		js, err := job.Jobspec()
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		got, err := json.Marshal(js)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameJSON(t, []byte(want), got); diff != "" {
			t.Errorf("%s (-flux +ours):\n%s", options, diff)
		}
	}
	for options := range jobs {
		t.Errorf("there is no recording of %s", options)
	}
}

func id(t testing.TB, s string) flux.JobID {
	id, err := flux.ParseJobID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDryRunsAreWrittenAsTheyWereRead(t *testing.T) {
	t.Parallel()
	for options, want := range dryRuns(t) {
		js, err := flux.ParseJobspec([]byte(want))
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		got, err := json.Marshal(js)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameJSON(t, []byte(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", options, diff)
		}
	}
}

func TestTheDryRunOfTheNotesIsWhatAJobMakes(t *testing.T) {
	t.Parallel()
	text := recorded(t)["cli.txtar dry-run/stdout"]
	if text == "" {
		t.Skip("the recordings of the notes are not here")
	}
	want, err := flux.ParseJobspec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	job := flux.Job{Command: []string{"hostname"}, Nodes: 2, Tasks: 4, TimeLimit: 5 * time.Minute, Name: "x", User: map[string]any{"a": "b"},
		Dir: "/data", Env: want.Attributes.System.Environment, Shell: want.Attributes.System.Shell.Options}
	js, err := job.Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(js)
	if err != nil {
		t.Fatal(err)
	}
	if diff := sameJSON(t, []byte(text), got); diff != "" {
		t.Errorf("(-flux +ours):\n%s", diff)
	}
}

func TestJobsThatCannotBe(t *testing.T) {
	t.Parallel()
	cmd := []string{"x"}
	cases := []struct {
		name string
		job  flux.Job
		want []string
	}{
		{"no command", flux.Job{}, []string{"Command: there is none"}},
		{"several faults at once", flux.Job{Tasks: -1, TimeLimit: -1}, []string{"Command", "Tasks: -1 is below zero", "TimeLimit"}},
		{"exclusive nothing", flux.Job{Command: cmd, Exclusive: true}, []string{"Exclusive: needs Nodes"}},
		{"more nodes than tasks", flux.Job{Command: cmd, Nodes: 3, Tasks: 2}, []string{"3 nodes are more than 2 tasks"}},
		{"cores that do not divide", flux.Job{Command: cmd, Nodes: 3, Cores: 4}, []string{"spread evenly"}},
		{"cores and tasks", flux.Job{Command: cmd, Cores: 4, Tasks: 2}, []string{"cannot be given with"}},
		{"two ways to count tasks", flux.Job{Command: cmd, Nodes: 1, TasksPerNode: 2, TasksPerCore: 2}, []string{"only one of both"}},
		{"tasks on nodes nobody asked for", flux.Job{Command: cmd, TasksPerNode: 2}, []string{"needs Nodes"}},
		{"tasks that contradict", flux.Job{Command: cmd, Nodes: 2, TasksPerNode: 2, Tasks: 3}, []string{"2 nodes with 2 tasks each"}},
		{"a file outside", flux.Job{Command: cmd, Files: map[string]flux.File{"../x": {}}}, []string{`"../x"`, "{{tmpdir}}"}},
		{"an absolute file", flux.Job{Command: cmd, Files: map[string]flux.File{"/x": {}}}, []string{`"/x"`}},
		{"an option twice", flux.Job{Command: cmd, MPI: "none", Shell: map[string]any{"mpi": "x"}}, []string{`option "mpi" has a field`}},
		{"a dependency without a scheme", flux.Job{Command: cmd, Dependencies: []flux.Dependency{{}}}, []string{"no scheme"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			js, err := c.job.Jobspec()
			if err == nil {
				t.Fatalf("it is %+v", js)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want a word about %q", err, want)
				}
			}
		})
	}
}

func TestJobspecsThatCannotBe(t *testing.T) {
	t.Parallel()
	good := func() *flux.Jobspec {
		js, err := (&flux.Job{Command: []string{"x"}, Nodes: 1}).Jobspec()
		if err != nil {
			t.Fatal(err)
		}
		return js
	}
	for name, spoil := range map[string]func(*flux.Jobspec){
		"another version":        func(js *flux.Jobspec) { js.Version = 2 },
		"no resources":           func(js *flux.Jobspec) { js.Resources = nil },
		"no tasks":               func(js *flux.Jobspec) { js.Tasks = nil },
		"no command":             func(js *flux.Jobspec) { js.Tasks[0].Command = nil },
		"another slot":           func(js *flux.Jobspec) { js.Tasks[0].Slot = "y" },
		"no slot":                func(js *flux.Jobspec) { js.Resources[0].With = nil },
		"no core":                func(js *flux.Jobspec) { js.Resources[0].With[0].With = nil },
		"a strange resource":     func(js *flux.Jobspec) { js.Resources[0].With[0].With[0].Type = "rack" },
		"no count":               func(js *flux.Jobspec) { js.Tasks[0].Count = flux.TaskCount{} },
		"a time before it began": func(js *flux.Jobspec) { js.Attributes.System.Duration = -1 },
	} {
		js := good()
		spoil(js)
		b, err := json.Marshal(js)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := flux.ParseJobspec(b); err == nil {
			t.Errorf("%s: %s is taken", name, b)
		}
	}
}

func TestFilesTravelUnchanged(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]flux.File{
		"text":   {Mode: 0o755, Data: []byte("a\n<é>\n")},
		"bytes":  {Mode: 0o600, Data: []byte{0xff, 0, 1}},
		"zero":   {Mode: 0o600, Data: []byte("a\x00b")},
		"empty":  {Mode: 0o600},
		"a link": {Mode: fs.ModeSymlink | 0o777, Data: []byte("there")},
	} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var again flux.File
		if err := json.Unmarshal(b, &again); err != nil {
			t.Errorf("%s: %s: %v", name, b, err)
		}
		if diff := cmp.Diff(f, again); diff != "" {
			t.Errorf("%s changes as %s:\n%s", name, b, diff)
		}
	}
	for _, bad := range []string{`{"mode":33188,"encoding":"blobvec","data":"x"}`, `{"mode":33188,"encoding":"base64","data":"*"}`,
		`{"mode":16877}`, `{"mode":33188,"encoding":"utf-8","data":3}`} {
		var f flux.File
		if err := json.Unmarshal([]byte(bad), &f); err == nil {
			t.Errorf("%s is taken for a file", bad)
		}
	}
}

func FuzzJobspec(f *testing.F) {
	for _, text := range dryRuns(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		js, err := flux.ParseJobspec(b)
		if err != nil {
			return
		}
		shape := js.Shape()
		text, err := json.Marshal(js)
		if err != nil {
			t.Fatal(err)
		}
		again, err := flux.ParseJobspec(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(shape, again.Shape()); diff != "" {
			t.Error(diff)
		}
	})
}
