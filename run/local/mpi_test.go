// SPDX-License-Identifier: MIT

package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

var bothMPIs = []spec.MPI{spec.OpenMPI, spec.MPICH}

// need skips a test where the launcher of an MPI or the cores are missing.
func need(t *testing.T, mpi spec.MPI, cores int) {
	t.Helper()
	if _, err := local.FindLauncher(mpi); err != nil {
		t.Skip(err)
	}
	x, err := local.New(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if x.Cores() < cores {
		t.Skipf("%d cores, want %d", x.Cores(), cores)
	}
}

// show prints a line for each rank: its processors, its threads and a variable
// of the job. Where a variable stands twice, printenv takes the first as C does,
// and a shell the last.
const show = `echo "$(grep Cpus_allowed_list /proc/self/status | cut -f 2) $(printenv OMP_NUM_THREADS) $(printenv OF_THE_JOB)"`

func rankJob(id string, mpi spec.MPI, tasks int, bindTo, script string) *ensemble.Job {
	j := job(id, "sh", "-c", script)
	j.Launch.MPI, j.Shape.Tasks, j.Shape.BindTo = mpi, tasks, bindTo
	j.Shape.Threads = 3
	j.Launch.Env = []string{"OF_THE_JOB=yes"}
	return j
}

// ranks gives the processors of each rank of a job that ran show.
func ranks(t *testing.T, d run.Dir, id string) (all [][]int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Attempt(id, 1), run.StdoutFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var list, rest string
		if list, rest, _ = strings.Cut(strings.TrimSpace(line), " "); rest != "3 yes" {
			t.Errorf("the environment of a rank has %q, want %q", rest, "3 yes")
		}
		var cpus []int
		for part := range strings.SplitSeq(list, ",") {
			lo, hi, dash := strings.Cut(part, "-")
			from, err := strconv.Atoi(lo)
			to := from
			if err == nil && dash {
				to, err = strconv.Atoi(hi)
			}
			if err != nil {
				t.Fatalf("got %q, want a list of processors", list)
			}
			for cpu := from; cpu <= to; cpu++ {
				cpus = append(cpus, cpu)
			}
		}
		all = append(all, cpus)
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

// succeed carries out jobs of which each has to succeed.
func succeed(t *testing.T, jobs ...*ensemble.Job) run.Dir {
	t.Helper()
	d, s, err := carryOut(t, t.Context(), jobs...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status[ensemble.Succeeded] != len(jobs) {
		for _, j := range jobs {
			b, _ := os.ReadFile(filepath.Join(d.Attempt(j.ID, 1), run.StderrFile))
			t.Errorf("%q\n%s", exitOf(t, d, j.ID, 1).Command, b)
		}
		t.Fatalf("got %v, want %d successes", s.Status, len(jobs))
	}
	return d
}

// Cores of one processor each are assumed below; the placement itself is tested
// on other machines in place_test.go.
func TestRanksAreBoundAsAsked(t *testing.T) {
	one := [][]int{{0}, {1}}
	both := [][]int{{0, 1}, {0, 1}}
	for _, c := range []struct {
		name   string
		tasks  int
		bindTo string
		change func(*ensemble.Job)
		want   [][]int
	}{
		{"ranks that are not bound have the cores of the job", 2, "", nil, both},
		{"ranks that shall not be bound have the cores of the job", 2, "none", nil, both},
		{"ranks that are mapped and not bound have the cores of the job", 2, "none", mapBy("core"), both},
		{"ranks bound to cores have one each", 2, "core", nil, one},
		{"a rank bound to cores has as many as it asks for", 1, "core", coresPerTask(2), [][]int{{0, 1}}},
		{"a rank of two cores mapped by core has both", 1, "core", both2(mapBy("core"), coresPerTask(2)), [][]int{{0, 1}}},
		{"a rank of two cores mapped by socket has both", 1, "core", both2(mapBy("socket"), coresPerTask(2)), [][]int{{0, 1}}},
		{"mapped by core", 2, "core", mapBy("core"), one},
		{"mapped by slot", 2, "core", mapBy("slot"), one},
		{"mapped by socket", 2, "core", mapBy("socket"), one},
		{"mapped by numa", 2, "core", mapBy("numa"), one},
		{"mapped by node", 2, "core", mapBy("node"), one},
		{"ranks bound to the socket", 2, "socket", mapBy("core"), both},
		{"ranks bound to the NUMA node", 2, "numa", mapBy("numa"), both},
		{"four ranks on two cores, not bound", 4, "none", oversubscribe, slices.Concat(both, both)},
		{"four ranks on two cores, bound", 4, "core", oversubscribe, [][]int{{0}, {0}, {1}, {1}}},
		{"two ranks of two cores on two cores", 2, "core", both2(oversubscribe, coresPerTask(2)), both},
		{"in a slot of both cores", 2, "core", shared, one},
	} {
		for _, mpi := range bothMPIs {
			t.Run(string(mpi)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				need(t, mpi, 2)
				j := rankJob("j", mpi, c.tasks, c.bindTo, show)
				if c.change != nil {
					c.change(j)
				}
				d := succeed(t, j)
				cores := exitOf(t, d, "j", 1).Cores
				if len(cores) != 2 {
					t.Skipf("the job has the processors %v, want two", cores)
				}
				var want [][]int
				for _, rank := range c.want {
					var cpus []int
					for _, i := range rank {
						cpus = append(cpus, cores[i])
					}
					want = append(want, cpus)
				}
				if diff := cmp.Diff(want, ranks(t, d, "j")); diff != "" {
					t.Errorf("processors of the ranks (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func mapBy(by string) func(*ensemble.Job) { return func(j *ensemble.Job) { j.Shape.MapBy = by } }
func coresPerTask(n int) func(*ensemble.Job) {
	return func(j *ensemble.Job) { j.Shape.CoresPerTask = n }
}
func oversubscribe(j *ensemble.Job) { j.Policy.Oversubscribe = true }
func shared(j *ensemble.Job)        { j.Policy.Shared = true }
func both2(f, g func(*ensemble.Job)) func(*ensemble.Job) {
	return func(j *ensemble.Job) { f(j); g(j) }
}

func TestJobsSideBySideStayInTheirCores(t *testing.T) {
	for _, bindTo := range []string{"none", "core", "socket"} {
		for _, mpi := range bothMPIs {
			t.Run(string(mpi)+"/bound to "+bindTo, func(t *testing.T) {
				t.Parallel()
				need(t, mpi, 2)
				// Each waits for the other, so that they do run side by side.
				met := t.TempDir()
				var jobs []*ensemble.Job
				for i := range 2 {
					j := rankJob(fmt.Sprintf("j%d", i), mpi, 1, bindTo, fmt.Sprintf(
						"%s; touch %s/%d; until test -e %s/%d; do sleep 0.01; done", show, met, i, met, 1-i))
					j.Policy.Shared = true
					j.Policy.Timeout = 2 * time.Minute // where the other fails, it would wait for ever
					jobs = append(jobs, j)
				}
				d := succeed(t, jobs...)
				a, b := exitOf(t, d, "j0", 1).Cores, exitOf(t, d, "j1", 1).Cores
				for _, cpu := range a {
					if slices.Contains(b, cpu) {
						t.Errorf("both jobs had processor %d", cpu)
					}
				}
				for i, cores := range [][]int{a, b} {
					if diff := cmp.Diff([][]int{cores}, ranks(t, d, fmt.Sprintf("j%d", i))); diff != "" {
						t.Errorf("processors of the rank of job %d (-want +got):\n%s", i, diff)
					}
				}
			})
		}
	}
}

func TestMoreRanksThanCoresNeedPermission(t *testing.T) {
	t.Parallel()
	need(t, spec.OpenMPI, 1)
	j := rankJob("j", spec.OpenMPI, 1<<12, "none", show)
	_, _, err := carryOut(t, t.Context(), j)
	if err == nil || !strings.Contains(err.Error(), "allow it with oversubscribe: true") {
		t.Errorf("got %v, want an error that says how to allow it", err)
	}
}

func TestRanksThatTakeTooLongLeaveNoProcess(t *testing.T) {
	for _, mpi := range bothMPIs {
		t.Run(string(mpi), func(t *testing.T) {
			t.Parallel()
			need(t, mpi, 2)
			j := rankJob("j", mpi, 2, "core", "sleep 600")
			j.Policy.Timeout = 500 * time.Millisecond
			d, s, err := carryOut(t, context.Background(), j)
			if err != nil || s.Status[ensemble.Timeout] != 1 {
				t.Errorf("got %v, %v, want one that took too long", s.Status, err)
			}
			if left := processesOf(string(d)); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
		})
	}
}

func TestTheRunDirectoryMayHaveAnyName(t *testing.T) {
	for _, mpi := range bothMPIs {
		t.Run(string(mpi), func(t *testing.T) {
			t.Parallel()
			need(t, mpi, 2)
			// Longer than the name of a socket may be.
			path := filepath.Join(t.TempDir(), "a b\n$(c)", strings.Repeat("d", 150), "e")
			d, err := run.Create(path, emptyEnsemble())
			if err != nil {
				t.Fatal(err)
			}
			x, err := local.New(os.Args[0], "supervise")
			if err != nil {
				t.Fatal(err)
			}
			j := rankJob("j", mpi, 1, "core", show)
			j.Policy.Shared = true // with a file of ranks
			s, err := (&run.Driver{Dir: d, Executor: x}).Run(t.Context(), stream(j))
			if err != nil || s.Status[ensemble.Succeeded] != 1 {
				t.Fatalf("got %v, %v, want one success", s.Status, err)
			}
			if diff := cmp.Diff([][]int{exitOf(t, d, "j", 1).Cores}, ranks(t, d, "j")); diff != "" {
				t.Errorf("processors of the rank (-want +got):\n%s", diff)
			}
		})
	}
}
