// SPDX-License-Identifier: MIT

package flux_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/google/go-cmp/cmp"
)

// deadline is how long a test waits for what should come.
const deadline = 60 * time.Second

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, uri string) *flux.Client {
	t.Helper()
	c, err := flux.Dial(timeout(t), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// real is where a real broker listens: the one that FLUX_URI names, or one that
// is started for the test where there is a flux command.
func real(t testing.TB) string {
	if uri := os.Getenv(flux.URIEnv); uri != "" {
		return uri
	}
	command, err := exec.LookPath("flux")
	if err != nil {
		t.Skip("no real broker: there is neither FLUX_URI nor a flux command")
	}
	cmd := exec.Command(command, "start", "--test-size=2", "sh", "-c", "echo $FLUX_URI; cat")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		hung := time.AfterFunc(deadline, func() { _ = cmd.Process.Kill() })
		defer hung.Stop()
		if err := cmd.Wait(); err != nil {
			t.Logf("flux start: %v", err)
		}
	})
	uri, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("flux start says nothing: %v", err)
	}
	return strings.TrimSpace(uri)
}

func TestTheFakeBrokerIsOne(t *testing.T) {
	t.Parallel()
	conform(t, fluxtest.Start(t, fluxtest.Options{Nodes: 2, Cores: 2}).URI())
}

func TestARealBrokerIsOne(t *testing.T) { conform(t, real(t)) }

// conform says what a client finds at any broker of two nodes or more.
func conform(t *testing.T, uri string) {
	for name, test := range map[string]func(*testing.T, *flux.Client){
		"it says who it is":                     conformInfo,
		"it refuses with an errno and words":    conformRefusal,
		"a job runs and leaves what it did":     conformJob,
		"jobs end in many ways":                 conformEnds,
		"a cancelled job says so":               conformCancel,
		"a killed job says so":                  conformKill,
		"jobs wait for one another":             conformDependencies,
		"bytes and files come through":          conformBytes,
		"a held job waits until it is let go":   conformHold,
		"ends are told to who waits for any":    conformWaitAny,
		"the journal tells each event once":     conformJournal,
		"the journal filters":                   conformFilter,
		"resources are told, drained and freed": conformResources,
		"a stopped queue holds jobs":            conformQueue,
		"a stream ends when its context does":   conformStreamEnds,
		"what is not there is not waited for":   conformNothing,
	} {
		t.Run(name, func(t *testing.T) { test(t, dial(t, uri)) })
	}
}

// submit makes and submits a job.
func submit(t testing.TB, c *flux.Client, job flux.Job) flux.JobID {
	t.Helper()
	if job.Env == nil {
		job.Env = map[string]string{"PATH": "/usr/bin:/bin"}
	}
	if job.Dir == "" {
		job.Dir = "/"
	}
	js, err := job.Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Submit(timeout(t), flux.Submission{Jobspec: js})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wait(t testing.TB, c *flux.Client, id flux.JobID) *flux.Result {
	t.Helper()
	r, err := c.Wait(timeout(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func eventNames(events []flux.Event) (names []string) {
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}

func output(t testing.TB, c *flux.Client, id flux.JobID) map[string]string {
	t.Helper()
	o, err := c.Output(timeout(t), id)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for chunk, err := range o.All() {
		if err != nil {
			t.Fatal(err)
		}
		if len(chunk.Data) > 0 {
			got[chunk.Stream+" "+chunk.Ranks.String()] += string(chunk.Data)
		}
	}
	return got
}

func conformJob(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	id := submit(t, c, flux.Job{Command: []string{"echo", "hello", "{{taskid}}"}, Nodes: 2, Tasks: 4, User: map[string]any{"ensemble": map[string]any{"trial": "t1"}}})
	r := wait(t, c, id)
	want := []string{"submit", "validate", "depend", "priority", "alloc", "start", "finish", "release", "free", "clean"}
	if diff := cmp.Diff(want, eventNames(r.Events)); diff != "" || !r.Success() {
		t.Errorf("it ended %+v (-want +got):\n%s", r, diff)
	}
	out := map[string]string{}
	for i := range 4 {
		out[fmt.Sprint("stdout ", i)] = fmt.Sprintf("hello %d\n", i)
	}
	if diff := cmp.Diff(out, output(t, c, id)); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	chunks, err := c.LookupOutput(ctx, id)
	if err != nil || chunks[0].Event.Name != "header" || !slices.ContainsFunc(chunks, func(k flux.Chunk) bool { return string(k.Data) == "hello 3\n" }) {
		t.Errorf("looked up, the output is %+v, %v", chunks, err)
	}
	res, err := c.LookupR(ctx, id)
	if err != nil || res.Nodes() != 2 || res.Cores() != 4 {
		t.Errorf("it got %v, %v", res, err)
	}
	js, err := c.LookupJobspec(ctx, id)
	if err != nil || js.Attributes.User["ensemble"].(map[string]any)["trial"] != "t1" || js.Shape().Tasks != 4 {
		t.Errorf("it asked for %+v, %v", js, err)
	}
	events, err := c.LookupEventlog(ctx, id)
	if diff := cmp.Diff(r.Events, events); err != nil || diff != "" {
		t.Errorf("looked up, the log is another: %v\n%s", err, diff)
	}
}

func conformEnds(t *testing.T, c *flux.Client) {
	cases := []struct {
		name      string
		job       flux.Job
		ran       bool
		code      int
		exception string
	}{
		{"with success", flux.Job{Command: []string{"true"}}, true, 0, ""},
		{"with an exit code", flux.Job{Command: []string{"sh", "-c", "exit 3"}}, true, 3, ""},
		{"without a program", flux.Job{Command: []string{"no-such-program"}}, true, 127, "exec"},
		{"too late", flux.Job{Command: []string{"sleep", "60"}, TimeLimit: 300 * time.Millisecond}, true, 142, "timeout"},
		{"too big", flux.Job{Command: []string{"true"}, Nodes: 1000}, false, 0, "alloc"},
		{"in appearance", flux.Job{Command: []string{"nothing"}, Mock: &flux.Mock{Duration: 50 * time.Millisecond}}, true, 0, ""},
		{"in appearance, at once", flux.Job{Command: []string{"nothing"}, Mock: &flux.Mock{}}, true, 0, ""},
		{"in appearance, with a status", flux.Job{Command: []string{"nothing"}, Mock: &flux.Mock{Duration: time.Millisecond, Status: flux.ExitStatus(7)}}, true, 7, ""},
	}
	ids := make([]flux.JobID, len(cases))
	for i, k := range cases {
		ids[i] = submit(t, c, k.job)
	}
	for i, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			r := wait(t, c, ids[i])
			x := ""
			if r.Exception != nil {
				x = r.Exception.Type
			}
			if r.Ran != k.ran || r.Status.ExitCode() != k.code || x != k.exception || r.Success() != (k.ran && k.code == 0) {
				t.Errorf("ran %v with %v and exception %v: %v", r.Ran, r.Status, r.Exception, r.Events)
			}
		})
	}
}

func conformCancel(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	id := submit(t, c, flux.Job{Command: []string{"sleep", "60"}})
	if _, err := c.WaitEvent(ctx, id, "start"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the shell has started its tasks, as far as one can tell
	if err := c.Cancel(ctx, id, "enough"); err != nil {
		t.Fatal(err)
	}
	r := wait(t, c, id)
	if r.Exception == nil || r.Exception.Type != "cancel" || r.Exception.Note != "enough" || r.Status.ExitCode() != 143 || r.Status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, %v", r.Status, r.Exception)
	}
	if err := c.Cancel(ctx, id, ""); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "inactive") {
		t.Errorf("cancelling it again: %v", err)
	}
	first := submit(t, c, flux.Job{Command: []string{"sleep", "60"}, Nodes: 1, Exclusive: true})
	waiting := submit(t, c, flux.Job{Command: []string{"true"}, Dependencies: []flux.Dependency{flux.AfterAny(first)}})
	for _, id := range []flux.JobID{waiting, first} {
		if err := c.Cancel(ctx, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	if r := wait(t, c, waiting); r.Ran || r.Exception == nil || r.Exception.Type != "cancel" {
		t.Errorf("cancelled before it ran it ended with %v, %v", r.Ran, r.Exception)
	}
	wait(t, c, first)
	mock := submit(t, c, flux.Job{Command: []string{"x"}, Mock: &flux.Mock{Duration: time.Minute}})
	if _, err := c.WaitEvent(ctx, mock, "start"); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(ctx, mock, syscall.SIGKILL); err != nil {
		t.Errorf("killing what only seems to run: %v", err)
	}
	if err := c.Cancel(ctx, mock, ""); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, c, mock); r.Status != flux.WaitStatus(syscall.SIGTERM) || r.Status.ExitCode() != 143 || r.Exception == nil {
		t.Errorf("what only seemed to run ended with %d, %v", r.Status, r.Exception)
	}
}

func conformKill(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	id := submit(t, c, flux.Job{Command: []string{"sleep", "60"}})
	if _, err := c.WaitEvent(ctx, id, "start"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := c.Kill(ctx, id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, c, id); r.Status != 35072 || r.Exception != nil || r.Status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %d, %v", r.Status, r.Exception)
	}
	if err := c.Kill(ctx, id, syscall.SIGKILL); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "inactive") {
		t.Errorf("killing it again: %v", err)
	}
}

func conformDependencies(t *testing.T, c *flux.Client) {
	bad := submit(t, c, flux.Job{Command: []string{"sh", "-c", "sleep 0.5; exit 1"}})
	on := func(d flux.Dependency) flux.JobID {
		return submit(t, c, flux.Job{Command: []string{"true"}, Dependencies: []flux.Dependency{d}})
	}
	begin := time.Now().Add(700 * time.Millisecond)
	ok, notOK, anyway, after, later := on(flux.AfterOK(bad)), on(flux.AfterNotOK(bad)), on(flux.AfterAny(bad)), on(flux.After(bad)), on(flux.Begin(begin))
	end := wait(t, c, bad).Events
	over := end[len(end)-1].Time()
	for name, id := range map[string]flux.JobID{"afternotok": notOK, "afterany": anyway} {
		r := wait(t, c, id)
		if !r.Success() || r.Events[len(r.Events)-1].Time().Before(over) {
			t.Errorf("%s ended %+v", name, r)
		}
	}
	if r := wait(t, c, after); !r.Success() {
		t.Errorf("after ended %+v", r)
	}
	if r := wait(t, c, later); !r.Success() || r.Events[len(r.Events)-1].Time().Before(begin) {
		t.Errorf("begin-time ended %+v", r)
	}
	r := wait(t, c, ok)
	want := []string{"submit", "dependency-add", "validate", "exception", "clean"}
	if diff := cmp.Diff(want, eventNames(r.Events)); diff != "" || r.Ran || r.Exception == nil || r.Exception.Type != "dependency" {
		t.Errorf("afterok of a failed job ended %+v (-want +got):\n%s", r, diff)
	}
}

func conformBytes(t *testing.T, c *flux.Client) {
	id := submit(t, c, flux.Job{Command: []string{"printf", `\377\000\n`}})
	wait(t, c, id)
	if got := output(t, c, id)["stdout 0"]; got != "\xff\x00\n" {
		t.Errorf("bytes come out as %q", got)
	}
	files := map[string]flux.File{"in.txt": {Data: []byte("text\n")}, "bytes": {Mode: 0o644, Data: []byte{1, 0xfe, '\n'}}}
	for name, f := range files {
		id := submit(t, c, flux.Job{Command: []string{"cat", "{{tmpdir}}/" + name}, Files: files})
		if got := output(t, c, id)["stdout 0"]; got != string(f.Data) {
			t.Errorf("file %s comes out as %q", name, got)
		}
	}
	id = submit(t, c, flux.Job{Command: []string{"true"}, Stdout: "/dev/null"})
	chunks := []flux.Chunk{}
	o, err := c.Output(timeout(t), id)
	if err != nil {
		t.Fatal(err)
	}
	for chunk, err := range o.All() {
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, chunk)
	}
	if !slices.ContainsFunc(chunks, func(k flux.Chunk) bool { return k.Path == "/dev/null" && k.Stream == "stdout" }) {
		t.Errorf("output that goes elsewhere is told as %+v", chunks)
	}
}

func conformHold(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	js, err := (&flux.Job{Command: []string{"true"}}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Submit(ctx, flux.Submission{Jobspec: js, Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WaitEvent(ctx, id, "priority"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetUrgency(ctx, id, flux.UrgencyExpedite); err != nil {
		t.Fatal(err)
	}
	r := wait(t, c, id)
	if names := eventNames(r.Events); !r.Success() || !slices.Contains(names, "urgency") {
		t.Errorf("it went through %v", names)
	}
}

func conformWaitAny(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	want := map[flux.JobID]bool{}
	for _, command := range []string{"true", "false"} {
		js, err := (&flux.Job{Command: []string{command}, Env: map[string]string{"PATH": "/bin"}, Dir: "/"}).Jobspec()
		if err != nil {
			t.Fatal(err)
		}
		id, err := c.Submit(ctx, flux.Submission{Jobspec: js, Flags: flux.FlagWaitable})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = command == "true"
	}
	got := map[flux.JobID]bool{}
	for range want {
		id, success, text, err := c.WaitAny(ctx)
		if err != nil || !success && text == "" {
			t.Fatalf("%s: %q, %v", id, text, err)
		}
		got[id] = success
	}
	if !maps.Equal(want, got) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, _, _, err := c.WaitAny(ctx); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("when all are told: %v", err)
	}
}
