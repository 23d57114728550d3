// SPDX-License-Identifier: MIT

package local_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
)

// The test binary is its own supervisor and its own driver.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "enter" {
		if err := local.Enter(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(127)
		}
		os.Exit(0)
	}
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
		{"a directory to work in that is not there", func(j *ensemble.Job) { j.Launch.Workdir = "/no/such/directory" }, []string{"true"},
			ensemble.Failed, "the command cannot work in /no/such/directory: no such file or directory", -1},
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
