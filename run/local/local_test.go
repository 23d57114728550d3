// SPDX-License-Identifier: MIT

package local_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// The test binary is its own supervisor and its own driver.
func TestMain(m *testing.M) {
	// As in the environment of a user who has it set: jobs have their own.
	if err := os.Setenv("OMP_NUM_THREADS", "7"); err != nil {
		panic(err)
	}
	roles := map[string]func(string) error{"supervise": local.Supervise, "drive": drive}
	if len(os.Args) == 3 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func emptyEnsemble() *spec.Ensemble {
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "test"}}
	return &spec.Ensemble{Header: h, Spec: spec.EnsembleSpec{Applications: []spec.Application{},
		Study: spec.StudySpec{Sweeps: []spec.Sweep{{Apps: spec.Axis{Values: []spec.Value{spec.Of("none")}}}}}}}
}

var job = runtest.Job

func TestTheExecutorConforms(t *testing.T) {
	t.Parallel()
	runtest.Conform(t, func(t *testing.T) run.Executor {
		x, err := local.New(os.Args[0], "supervise")
		if err != nil {
			t.Fatal(err)
		}
		return x
	})
}

func stream(jobs ...*ensemble.Job) iter.Seq2[*ensemble.Job, error] {
	return func(yield func(*ensemble.Job, error) bool) {
		for _, j := range jobs {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// carryOut runs jobs in a new run directory.
func carryOut(t *testing.T, ctx context.Context, jobs ...*ensemble.Job) (run.Dir, run.Summary, error) {
	t.Helper()
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), emptyEnsemble())
	if err != nil {
		t.Fatal(err)
	}
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		t.Fatal(err)
	}
	driver := &run.Driver{Dir: d, Executor: x}
	s, err := driver.Run(ctx, stream(jobs...))
	return d, s, err
}

func exitOf(t *testing.T, d run.Dir, job string, attempt int) run.Exit {
	t.Helper()
	var e run.Exit
	if err := run.ReadJSON(filepath.Join(d.Attempt(job, attempt), run.ExitFile), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAttemptsEndAsTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*ensemble.Job)
		argv   []string
		status ensemble.Status
		reason string
		code   int
	}{
		{"a command that succeeds", nil, []string{"true"}, ensemble.Succeeded, "", 0},
		{"a command that fails", nil, []string{"sh", "-c", "exit 3"}, ensemble.Failed, "exit code 3", 3},
		{"a command that kills itself", nil, []string{"sh", "-c", "kill -SEGV $$"}, ensemble.Failed, "signal SIGSEGV", -1},
		{"a command that is not found", nil, []string{"no-such-program-here"}, ensemble.Failed, `the command "no-such-program-here" is not found`, 127},
		{"a command that takes too long", func(j *ensemble.Job) { j.Policy.Timeout = 200 * time.Millisecond }, []string{"sleep", "60"}, ensemble.Timeout, "the application took longer than 200ms", -1},
		{"a preparation that fails", func(j *ensemble.Job) { j.Launch.Prepare = [][]string{{"sh", "-c", "exit 4"}} }, []string{"true"}, ensemble.Failed, `the prepare command "sh" failed: exit code 4`, -1},
		{"a clean-up that fails", func(j *ensemble.Job) { j.Launch.After = [][]string{{"false"}} }, []string{"true"}, ensemble.Failed, `the after command "false" failed: exit code 1`, 0},
		{"a service that never gets ready", func(j *ensemble.Job) {
			j.Launch.Services = []spec.Service{{Command: []string{"true"}, Ready: "never"}}
		}, []string{"true"}, ensemble.Failed, `the service "true" ended before it was ready: exit code 0`, -1},
		{"a service that gets ready", func(j *ensemble.Job) {
			j.Launch.Services = []spec.Service{{Command: []string{"sh", "-c", "echo listening; sleep 60"}, Ready: "^listening$"}}
		}, []string{"true"}, ensemble.Succeeded, "", 0},
		{"a program that a preparation made", func(j *ensemble.Job) {
			j.Launch.Prepare = [][]string{{"sh", "-c", "printf '#!/bin/sh\nexit 5\n' > app; chmod +x app"}}
		}, []string{"./app"}, ensemble.Failed, "exit code 5", 5},
		{"a program in the job's own PATH", func(j *ensemble.Job) {
			j.Launch.Files = map[string]string{"bin/of-the-job": "#!/bin/sh\nexit 6\n"}
			j.Launch.Prepare = [][]string{{"chmod", "+x", "bin/of-the-job"}}
			j.Launch.Env = []string{"PATH=bin:" + os.Getenv("PATH")}
		}, []string{"sh", "-c", "of-the-job"}, ensemble.Failed, "exit code 6", 6},
		{"a deck that leaves the directory", func(j *ensemble.Job) { j.Launch.Files = map[string]string{"../x": "y"} }, []string{"true"}, ensemble.Failed, "", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := job("j", c.argv...)
			if c.change != nil {
				c.change(j)
			}
			d, s, err := carryOut(t, t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			if s.Status[c.status] != 1 {
				t.Errorf("got %v, want one job %s", s.Status, c.status)
			}
			e := exitOf(t, d, "j", 1)
			if e.Status != c.status || c.reason != "" && e.Reason != c.reason {
				t.Errorf("got %s because %q, want %s because %q", e.Status, e.Reason, c.status, c.reason)
			}
			switch {
			case c.code < 0 && e.ExitCode != nil:
				t.Errorf("got exit code %d, want none", *e.ExitCode)
			case c.code >= 0 && (e.ExitCode == nil || *e.ExitCode != c.code):
				t.Errorf("got exit code %v, want %d", e.ExitCode, c.code)
			}
		})
	}
}

func TestFailedJobsAreTriedAgain(t *testing.T) {
	t.Parallel()
	flag := filepath.Join(t.TempDir(), "flag")
	j := job("j", "sh", "-c", "test -e "+flag+" || { touch "+flag+"; exit 1; }")
	j.Policy.Retries = 2
	d, s, err := carryOut(t, t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status[ensemble.Succeeded] != 1 {
		t.Errorf("got %v, want one success", s.Status)
	}
	if e := exitOf(t, d, "j", 1); e.Status != ensemble.Failed {
		t.Errorf("the first attempt %s, want a failure", e.Status)
	}
	if e := exitOf(t, d, "j", 2); e.Status != ensemble.Succeeded {
		t.Errorf("the second attempt %s, want a success", e.Status)
	}
}

func TestCancelLeavesNoProcess(t *testing.T) {
	t.Parallel()
	mark := fmt.Sprintf("mark-%d", time.Now().UnixNano())
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	// A child in the background, one that left the session, and one that
	// ignores the request to end.
	j := job("j", "sh", "-c", "sleep 61 & setsid -f sleep 62; trap '' TERM; sleep 63; sleep 64; # "+mark)
	time.AfterFunc(500*time.Millisecond, func() { cancel(stop) })
	d, _, err := carryOut(t, ctx, j)
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
	if e := exitOf(t, d, "j", 1); e.Status != ensemble.Cancelled {
		t.Errorf("got %s, want cancelled", e.Status)
	}
	procs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), d.Attempt("j", 1)) {
			t.Errorf("%s is left", p)
		}
	}
}

func TestABusyMachineIsWaitedForAndFlagged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		busy  float64
		wait  time.Duration
		share bool
		flags []string
		load  bool
		waits int
	}{
		// No machine is idler than -1, and none busier than a thousand times itself.
		{"a busy machine is flagged after the wait", -1, 250 * time.Millisecond, false, []string{"noisy"}, true, 1},
		{"an idle machine is not waited for", 1000, time.Hour, false, nil, true, 0},
		{"no guard does neither", -1, -1, false, nil, false, 0},
		{"jobs side by side cannot tell one another from others", -1, time.Hour, true, []string{"shared"}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := job("j", "sleep", "0.3")
			j.Policy.Busy, j.Policy.IdleWait, j.Policy.Shared = c.busy, c.wait, c.share
			d, _, err := carryOut(t, t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			waits := 0
			if err := d.Events(func(e ensemble.Event) error {
				if e.Name == ensemble.Wait && strings.Contains(e.Note, "others use ") {
					waits++
				}
				return nil
			}); err != nil || waits != c.waits {
				t.Errorf("the journal says %d times that it waits, want %d (%v)", waits, c.waits, err)
			}
			e := exitOf(t, d, "j", 1)
			if e.Load != nil && (e.Load.Before > 1 || e.Load.During > 1) {
				t.Errorf("got %+v, want shares of 1 at most", *e.Load)
			}
			if !slices.Equal(e.Flags, c.flags) || (e.Load != nil) != c.load {
				t.Errorf("got flags %v and load %v, want flags %v and a load: %v", e.Flags, e.Load, c.flags, c.load)
			}
			if e.Load != nil && c.busy < 0 && e.Load.WaitedSeconds < c.wait.Seconds() {
				t.Errorf("waited %v s, want %v at least", e.Load.WaitedSeconds, c.wait)
			}
		})
	}
}

func TestWhatAnApplicationLeavesBehindIsEndedAndFlagged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*ensemble.Job)
		script string
		left   int
	}{
		{"an application that ends with all that it started", nil, "sleep 0.01 & wait", 0},
		{"two processes in the background", nil, "sleep 600 & setsid -f sleep 600", 2},
		{"a service and its child", func(j *ensemble.Job) {
			j.Launch.Services = []spec.Service{{Command: []string{"sh", "-c", "sleep 600 & echo up; wait"}, Ready: "up"}}
		}, "true", 0},
		{"a process of a command before the application", func(j *ensemble.Job) {
			j.Launch.Before = [][]string{{"sh", "-c", "sleep 600 &"}}
		}, "true", 0},
		{"a process beside a service", func(j *ensemble.Job) {
			j.Launch.Services = []spec.Service{{Command: []string{"sleep", "600"}}}
		}, "sleep 600 &", 1},
		{"an application that takes too long is ended with all that it has", func(j *ensemble.Job) {
			j.Policy.Timeout = 100 * time.Millisecond
		}, "sleep 600 & sleep 600", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := job("j", "sh", "-c", c.script)
			if c.change != nil {
				c.change(j)
			}
			d, _, err := carryOut(t, t.Context(), j)
			if err != nil {
				t.Fatal(err)
			}
			var flags []string
			if c.left > 0 {
				flags = []string{"left-processes"}
			}
			e := exitOf(t, d, "j", 1)
			if diff := cmp.Diff(flags, e.Flags); diff != "" || e.LeftProcesses != c.left {
				t.Errorf("got %d processes, want %d; flags (-want +got):\n%s", e.LeftProcesses, c.left, diff)
			}
			if pids := processesOf(d.Attempt("j", 1)); len(pids) > 0 {
				t.Errorf("processes %v live", pids)
			}
		})
	}
}

func TestFilesAskedForAreSaved(t *testing.T) {
	t.Parallel()
	j := job("j", "sh", "-c", "cat in > out.txt; mkdir sub; echo deep > sub/a.dat; ln -s /etc/passwd leak.txt; echo no > other")
	j.Launch.Files = map[string]string{"in": "text\n"}
	j.Launch.Collect = []string{"*.txt", "sub/*.dat"}
	d, _, err := carryOut(t, t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(d.Attempt("j", 1), run.FilesDir)
	for name, want := range map[string]string{"out.txt": "text\n", "sub/a.dat": "deep\n"} {
		if b, err := os.ReadFile(filepath.Join(files, name)); err != nil || string(b) != want {
			t.Errorf("%s: got %q, %v, want %q", name, b, err, want)
		}
	}
	for _, name := range []string{"leak.txt", "other"} {
		if _, err := os.Lstat(filepath.Join(files, name)); err == nil {
			t.Errorf("%s was saved", name)
		}
	}
}

func TestResourcesAreThoseOfTheTree(t *testing.T) {
	t.Parallel()
	// A grandchild does the work.
	j := job("j", "sh", "-c", "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'")
	j.Policy.Sample = 20 * time.Millisecond
	d, _, err := carryOut(t, t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	e := exitOf(t, d, "j", 1)
	if e.Resources == nil || e.Resources.UserSeconds <= 0 || e.Resources.MaxRSSBytes < 100<<10 {
		t.Errorf("got %+v, want some time and memory", e.Resources)
	}
	if e.Start.Before(e.Begin) || e.Finish.Before(e.Start) || e.End.Before(e.Finish) {
		t.Errorf("times out of order: %+v", e)
	}
	if b, err := os.ReadFile(filepath.Join(d.Attempt("j", 1), run.SamplesFile)); err != nil || strings.Count(string(b), "\n") < 2 {
		t.Errorf("samples: %q, %v", b, err)
	}
}
