// SPDX-License-Identifier: MIT

package run_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/prometheus/procfs"
)

func sh(script string) []string { return []string{"sh", "-c", script} }

// order is what the commands and the executor have written into the file of
// this name in the run directory.
func (b *bench) order() string {
	b.Helper()
	data, err := os.ReadFile(b.dir.Path("order"))
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(strings.Fields(string(data)), " ")
}

func TestCommandsAroundARun(t *testing.T) {
	before, after := sh("echo before >> order"), sh("echo after >> order")
	for _, c := range []struct {
		name          string
		before, after [][]string
		order, err    string
		jobs          int
	}{
		{"they run before and after the jobs", [][]string{before, sh("echo second >> order")}, [][]string{after}, "before second job after", "", 1},
		{"after a failure before the run no job runs, and the rest is cleaned up", [][]string{before, sh("exit 3"), before}, [][]string{after}, "before after", "the command before the run", 0},
		{"all that follow a run are run", nil, [][]string{sh("exit 3"), after}, "job after", "exit status 3", 1},
		{"one that is not found is named", [][]string{{"no-such-program-here"}}, [][]string{after}, "after", `"no-such-program-here" is not found`, 0},
		{"where the output is, is said", nil, [][]string{after, sh("echo why; exit 1")}, "job after", "after-2.log", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			x := &runtest.Executor{Do: func(*ensemble.Job, int) runtest.Attempt {
				f, err := os.OpenFile(b.dir.Path("order"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
				if err == nil {
					_, err = f.WriteString("job\n")
				}
				if err := errors.Join(err, f.Close()); err != nil {
					t.Error(err)
				}
				return runtest.Attempt{}
			}}
			d := &run.Driver{Dir: b.dir, Executor: x, Before: c.before, After: c.after}
			_, err := d.Run(t.Context(), stream(runtest.Job("j", "app")))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
			b.same("order", c.order, b.order())
			b.same("jobs", c.jobs, len(x.Calls()))
			b.journal()
		})
	}
}

func TestACommandBeforeTheRunIsCancelled(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	ready := b.dir.Path("ready")
	go func() {
		for {
			if _, err := os.Stat(ready); err == nil {
				cancel(enough)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	d := &run.Driver{Dir: b.dir, Executor: new(runtest.Executor),
		Before: [][]string{sh("sleep 600 & touch ready; sleep 600")}, After: [][]string{sh("echo after >> order")}}
	if _, err := d.Run(ctx, stream(runtest.Job("j", "app"))); !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	b.same("order", "after", b.order())
	b.same("processes that are left", 0, len(marked(b.dir)))
}

// marked lists the processes of the commands around a run.
func marked(dir run.Dir) (pids []int) {
	procs, _ := procfs.AllProcs()
	for _, p := range procs {
		env, _ := p.Environ()
		if s, err := p.Stat(); err == nil && s.State != "Z" && strings.Contains(strings.Join(env, "\n"), "ENSEMBLE_RUN="+string(dir)) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// A session that goes on waits for what still uses what the last session set
// up, takes that away, and sets it up anew.
func TestCommandsBeforeARunWaitForJobsOfTheLastSession(t *testing.T) {
	b := newBench(t)
	// A service that left its session, and a driver that died then.
	d := &run.Driver{Dir: b.dir, Executor: new(runtest.Executor), Before: [][]string{sh(
		"rm -f up; setsid sh -c 'touch up; exec sleep 600' > service 2>&1 & until test -e up; do sleep 0.01; done")}}
	if _, err := d.Run(t.Context(), stream()); err != nil {
		t.Fatal(err)
	}
	first := marked(b.dir)
	if len(first) != 1 {
		t.Fatalf("got processes %v, want the service", first)
	}
	b.wrote(submitted, started)
	b.file("j", 1, run.JobFile, runtest.Job("j", "app"))
	b.file("j", 1, run.ExitFile, exited)
	d.Observer = observer(func(e ensemble.Event, _ run.Standing) {
		if e.Name == ensemble.Finish && !slices.Equal(marked(b.dir), first) {
			t.Error("the service was gone before the job finished")
		}
	})
	d.After = [][]string{sh("true")}
	if _, err := d.Run(t.Context(), stream(runtest.Job("j", "app"))); err != nil {
		t.Fatal(err)
	}
	second := marked(b.dir)
	if len(second) != 1 || second[0] == first[0] {
		t.Errorf("got processes %v after %v, want another service", second, first)
	}
	run.KillMarked("ENSEMBLE_RUN", string(b.dir))
	b.same("processes that are left", 0, len(marked(b.dir)))
}
