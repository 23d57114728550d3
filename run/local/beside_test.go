// SPDX-License-Identifier: MIT

package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

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
