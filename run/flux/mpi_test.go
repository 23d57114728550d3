// SPDX-License-Identifier: MIT

package flux_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/measure/mpi"
	library "github.com/converged-computing/ensemble/mpi"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// program makes calls of MPI whose numbers are known. With an argument rank 1 gives up
// in the middle.
const program = `
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
	int rank, size;
	double in = 1, out = 0;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int i = 0; i < 7; i++)
		MPI_Barrier(MPI_COMM_WORLD);
	if (argc > 1 && rank == 1)
		MPI_Abort(MPI_COMM_WORLD, 42);
	for (int i = 0; i < 5; i++)
		MPI_Allreduce(&in, &out, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	printf("rank %d of %d: %g\n", rank, size, out);
	MPI_Finalize();
	return 0;
}
`

// carryOut runs jobs in an instance.
func carryOut(t *testing.T, uri string, jobs ...*ensemble.Job) (run.Dir, run.Summary) {
	t.Helper()
	dir := create(t)
	x := executor(t, uri, "", fluxrun.Options{})
	s, err := (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
		for _, j := range jobs {
			if err := x.Check(j); err != nil {
				t.Errorf("%s: %v", j.ID, err)
			}
			if !yield(j, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func exitOf(t *testing.T, dir run.Dir, job string) (exit run.Exit) {
	t.Helper()
	if err := run.ReadJSON(filepath.Join(dir.Attempt(job, 1), run.ExitFile), &exit); err != nil {
		t.Fatal(err)
	}
	return exit
}

func text(t *testing.T, dir run.Dir, job, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir.Attempt(job, 1), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMPIProgramsRunInFluxAndTheirProfilesComeBack(t *testing.T) {
	t.Parallel()
	uri := real(t, "2")
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			i, err := library.Find(t.Context(), name)
			if errors.Is(err, library.ErrMissing) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(t.TempDir(), "program")
			cmd := exec.Command(i.Compiler, "-x", "c", "-o", binary, "-")
			cmd.Stdin = strings.NewReader(program)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var jobs []*ensemble.Job
			for id, args := range map[string][]string{"whole": {binary}, "broken": {binary, "abort"}} {
				j := runtest.Job(id, args...)
				j.Shape.Nodes, j.Shape.Tasks = 2, 2
				j.Launch.MPI, j.Launch.Profile = spec.MPI(name), spec.ProfileMPI
				jobs = append(jobs, j)
			}
			dir, s := carryOut(t, uri, jobs...)
			if s.Status[ensemble.Succeeded] != 1 || s.Status[ensemble.Failed] != 1 {
				t.Fatalf("got %v: %s", s.Status, text(t, dir, "whole", run.StderrFile))
			}
			out := text(t, dir, "whole", run.StdoutFile)
			if !strings.Contains(out, "rank 0 of 2: 2\n") || !strings.Contains(out, "rank 1 of 2: 2\n") || strings.Count(out, "\n") != 2 {
				t.Errorf("got %q", out)
			}
			for id, sums := range map[string]uint64{"whole": 5, "broken": 0} {
				p, err := mpi.ReadDir(os.DirFS(filepath.Join(dir.Attempt(id, 1), run.ProfileDir)))
				if err != nil {
					t.Errorf("%s: %v", id, err)
					continue
				}
				if len(p.Ranks) != 2 {
					t.Errorf("%s: there are profiles of %d ranks, want 2", id, len(p.Ranks))
				}
				for _, r := range p.Ranks {
					got := map[string]uint64{}
					for _, c := range r.Calls {
						got[c.Name] = c.Count
					}
					if got["MPI_Barrier"] != 7 || got["MPI_Allreduce"] != sums && r.Rank == 0 && id == "whole" || r.Size != 2 {
						t.Errorf("%s: rank %d of %d counted %v", id, r.Rank, r.Size, got)
					}
				}
			}
			exit := exitOf(t, dir, "whole")
			f := exit.Flux
			if f == nil || f.Alloc.Before(f.Submit) || exit.Start.Before(f.Start) || exit.Finish.After(f.Finish) || f.Clean.Before(f.Finish) || f.Cores < 2 || f.Hosts == "" {
				t.Errorf("Flux says %+v of a run from %v to %v", f, exit.Start, exit.Finish)
			}
			if exit.Resources == nil || exit.Resources.UserSeconds <= 0 {
				t.Errorf("got resources %+v", exit.Resources)
			}
		})
	}
}

// brokers are a fake one and, where there is a flux command, a real one.
func brokers(t *testing.T, test func(t *testing.T, uri string)) {
	t.Parallel()
	t.Run("fake", func(t *testing.T) { t.Parallel(); test(t, fake(t, 2, 4)) })
	t.Run("real", func(t *testing.T) { t.Parallel(); test(t, real(t, "2")) })
}

func TestWhatAJobLeavesComesBack(t *testing.T) {
	brokers(t, func(t *testing.T, uri string) {
		j := runtest.Job("j", "sh", "-c", `
			cat deck/in.txt made; head -c 100000 /dev/zero >"out/big $FLUX_TASK_RANK"; printf 'a\n\377' >"out/it's"
			ln -sf /etc/passwd out/link; echo err >&2; printf "$FLUX_TASK_RANK"`)
		j.Shape.Nodes, j.Shape.Tasks = 2, 4
		j.Launch.Files = map[string]string{"deck/in.txt": "deck '$HOME' `id`\n"}
		j.Launch.Before = [][]string{{"mkdir", "out"}, {"sh", "-c", "echo step; echo $0 > made", "it's $(id) \"quoted\"\n"}}
		j.Launch.After = [][]string{{"touch", "out/after"}}
		j.Launch.Collect = []string{"out/*", "none/*"}
		dir, s := carryOut(t, uri, j)
		exit := exitOf(t, dir, "j")
		if s.Status[ensemble.Succeeded] != 1 {
			t.Fatalf("got %v because %q: %s", exit.Status, exit.Reason, text(t, dir, "j", run.StderrFile))
		}
		var lines []string
		for line := range strings.Lines(text(t, dir, "j", run.StdoutFile)) {
			lines = append(lines, line)
		}
		counts := map[string]int{}
		for _, l := range lines {
			counts[l]++
		}
		if counts["deck '$HOME' `id`\n"] != 4 || counts["it's $(id) \"quoted\"\n"] != 4 || counts["0\n"] != 1 || counts["3\n"] != 1 || len(lines) != 12 {
			t.Errorf("stdout is %q", lines)
		}
		if got := text(t, dir, "j", run.StderrFile); got != strings.Repeat("err\n", 4) {
			t.Errorf("stderr is %q", got)
		}
		var files []string
		root := filepath.Join(dir.Attempt("j", 1), run.FilesDir)
		if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(root, path); err == nil && !d.IsDir() {
				files = append(files, rel)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{"out/after", "out/big 0", "out/big 1", "out/it's", "rank-2/out/after", "rank-2/out/big 2", "rank-2/out/big 3", "rank-2/out/it's"}
		if diff := cmp.Diff(want, files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if got := text(t, dir, "j", "files/out/it's"); got != "a\n\377" {
			t.Errorf("a file is %q", got)
		}
		if got := text(t, dir, "j", "files/rank-2/out/big 3"); got != strings.Repeat("\x00", 100000) {
			t.Errorf("a file has %d bytes", len(got))
		}
		if len(exit.Steps) != 3 || exit.Steps[2].Name != "after" || exit.Steps[0].ExitCode != 0 {
			t.Errorf("got steps %+v", exit.Steps)
		}
		if got := text(t, dir, "j", run.StepsFile); got != "step\nstep\n" {
			t.Errorf("the steps wrote %q", got)
		}
	})
}

func TestJobsEndInFluxInManyWays(t *testing.T) {
	brokers(t, func(t *testing.T, uri string) {
		cases := []struct {
			id     string
			argv   []string
			change func(*ensemble.Job)
			status ensemble.Status
			reason string
		}{
			{"fails", []string{"sh", "-c", "exit 3"}, nil, ensemble.Failed, "exit code 3"},
			{"fails-with-files", []string{"sh", "-c", "exit 3"}, func(j *ensemble.Job) { j.Launch.Files = map[string]string{"a": ""} }, ensemble.Failed, "exit code 3"},
			{"is-not-there", []string{"no-such-command"}, nil, ensemble.Failed, "exit code 127"},
			{"is-too-slow", []string{"sleep", "600"}, func(j *ensemble.Job) { j.Policy.Timeout = 300e6 }, ensemble.Timeout, "longer than 300ms"},
			{"cannot-prepare", []string{"true"}, func(j *ensemble.Job) { j.Launch.Before = [][]string{{"sh", "-c", "exit 4"}, {"true"}} }, ensemble.Failed, `the before command "sh" failed: exit code 4`},
			{"cannot-clean-up", []string{"true"}, func(j *ensemble.Job) { j.Launch.After = [][]string{{"false"}} }, ensemble.Failed, `the after command "false" failed`},
			{"writes-much", []string{"sh", "-c", "seq 20000"}, nil, ensemble.Succeeded, ""},
			{"has-no-end", []string{"printf", "abc"}, func(j *ensemble.Job) { j.Launch.Collect = []string{"*"} }, ensemble.Succeeded, ""},
		}
		var jobs []*ensemble.Job
		for _, c := range cases {
			j := runtest.Job(c.id, c.argv...)
			if c.change != nil {
				c.change(j)
			}
			jobs = append(jobs, j)
		}
		dir, _ := carryOut(t, uri, jobs...)
		for _, c := range cases {
			exit := exitOf(t, dir, c.id)
			if exit.Status != c.status || !strings.Contains(exit.Reason, c.reason) {
				t.Errorf("%s: got %s because %q, want %s because of %q", c.id, exit.Status, exit.Reason, c.status, c.reason)
			}
		}
		if got := text(t, dir, "has-no-end", run.StdoutFile); got != "abc" {
			t.Errorf("stdout is %q, want abc", got)
		}
		if got := text(t, dir, "writes-much", run.StdoutFile); len(got) != 108894 {
			t.Errorf("stdout has %d bytes, want those of seq 20000", len(got))
		}
	})
}

func TestTasksAreBoundAsAsked(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() < 2 {
		t.Skip("a machine of one core binds nothing apart")
	}
	uri := real(t, "1")
	var jobs []*ensemble.Job
	for _, bind := range []string{"core", "none"} {
		j := runtest.Job(bind, "grep", "Cpus_allowed_list", "/proc/self/status")
		j.Shape.Tasks, j.Shape.BindTo = 2, bind
		j.Policy.Sample = time.Second
		jobs = append(jobs, j)
	}
	dir, _ := carryOut(t, uri, jobs...)
	got := map[string][]string{}
	for _, bind := range []string{"core", "none"} {
		got[bind] = slices.Sorted(strings.Lines(text(t, dir, bind, run.StdoutFile)))
	}
	if flags := exitOf(t, dir, "none").Flags; len(flags) != 1 || flags[0] != "not-sampled" {
		t.Errorf("got flags %q", flags)
	}
	if c, n := got["core"], got["none"]; len(c) != 2 || c[0] == c[1] || len(n) != 2 || n[0] != n[1] || n[0] == c[0] {
		t.Errorf("tasks may use %q", got)
	}
}

func TestANodeWithoutToolsSaysSo(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for _, tool := range []string{"mkdir", "uname", "cat", "sleep", "date", "gzip"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(found, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	j := runtest.Job("j", "true")
	j.Launch.Files, j.Launch.Env = map[string]string{"deck": ""}, []string{"PATH=" + path}
	dir, s := carryOut(t, fake(t, 1, 2), j)
	if got := text(t, dir, "j", run.StderrFile); s.Status[ensemble.Failed] != 1 || !strings.Contains(got, "has no base64, which jobs need") {
		t.Errorf("got %v, and the job says %q", s.Status, got)
	}
}

func TestWhatFluxCannotDoIsSaidBefore(t *testing.T) {
	t.Parallel()
	x := executor(t, fluxtest.Start(t, fluxtest.Options{Nodes: 2, Cores: 4}).URI(), "", fluxrun.Options{})
	for name, c := range map[string]struct {
		change func(*ensemble.Job)
		want   string
	}{
		"too many nodes":       {func(j *ensemble.Job) { j.Shape.Nodes, j.Shape.Tasks = 3, 3 }, "asks for 3 nodes; the Flux instance has 2"},
		"too many cores":       {func(j *ensemble.Job) { j.Shape.Tasks = 5 }, "asks for 5 cores on a node; the nodes of the Flux instance have 4"},
		"uneven tasks":         {func(j *ensemble.Job) { j.Shape.Nodes, j.Shape.Tasks = 2, 3 }, "want as many on each"},
		"ranks by socket":      {func(j *ensemble.Job) { j.Shape.MapBy = "socket" }, "which Flux cannot"},
		"services":             {func(j *ensemble.Job) { j.Launch.Services = []spec.Service{{Command: []string{"true"}}} }, "services"},
		"what an instance has": {func(*ensemble.Job) {}, ""},
	} {
		j := runtest.Job("j", "true")
		c.change(j)
		err := x.Check(j)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
