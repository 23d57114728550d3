// SPDX-License-Identifier: MIT

package local_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	library "github.com/converged-computing/ensemble/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
)

// profiled is one run of an application of the catalog under a profile.
type profiled struct {
	record measure.Record
	ranks  []mpi.Rank
	dir    string // of the attempt
}

// profile runs an application as a study with profile: mpi does, and checks what
// has to hold of every profile, however long anything took.
func profile(t *testing.T, program, sweep string) profiled {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("the application is not installed: %v", err)
	}
	doc, err := spec.Decode("study.yaml", fmt.Appendf(nil, `apiVersion: converged-computing.org/v1alpha1
kind: Study
metadata: {name: profiled}
spec:
  run: {profile: mpi, timeout: 2m, noise: {wait: 0s}}
  sweeps: [{%s}]
`, sweep))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	e, err := study.Resolve(t.Context(), doc, cat)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := study.New(t.Context(), &e.Spec, "")
	if err != nil {
		t.Fatal(err)
	}
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		t.Fatal(err)
	}
	var job *ensemble.Job
	for j, err := range plan.Jobs(e) {
		if err != nil {
			t.Fatal(err)
		}
		job = j
	}
	need(t, job.Launch.MPI, job.Shape.Tasks)
	found, err := library.Find(t.Context(), string(job.Launch.MPI))
	if errors.Is(err, library.ErrMissing) {
		t.Skip(err)
	}
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), e)
	if err != nil {
		t.Fatal(err)
	}
	judge, err := run.NewJudge(e.Spec.Applications)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&run.Driver{Dir: d, Executor: x, Judge: judge}).Run(t.Context(), stream(job)); err != nil {
		t.Fatal(err)
	}
	p := profiled{dir: d.Attempt(job.ID, 1)}
	for r, err := range measure.Records(t.Context(), d, e) {
		if err != nil {
			t.Fatal(err)
		}
		p.record = r
	}
	p.check(t, found)
	return p
}

// check checks a record and the files that it was made of.
func (p *profiled) check(t *testing.T, found library.Implementation) {
	t.Helper()
	r, s := &p.record, p.record.MPI
	if r.Status != ensemble.Succeeded || s == nil || slices.ContainsFunc(r.Flags, func(f string) bool { return strings.Contains(f, "profile") }) {
		t.Fatalf("the job %s %s, with a profile: %t, with the flags %q\n%s", r.Status, r.Reason, s != nil, r.Flags, p.read(t, run.StderrFile))
	}
	if s.Ranks != r.Tasks || s.Size != r.Tasks || s.Incomplete != 0 || s.Lost != 0 {
		t.Errorf("got %d ranks of %d, %d incomplete, %d messages lost; want %d", s.Ranks, s.Size, s.Incomplete, s.Lost, r.Tasks)
	}
	if !(0 < s.MinPercent && s.MinPercent <= s.Percent && s.Percent <= s.MaxPercent && s.MaxPercent < 100) {
		t.Errorf("got %g %% in MPI, of one rank from %g to %g", s.Percent, s.MinPercent, s.MaxPercent)
	}
	name := map[string]string{"openmpi": "Open MPI v", "mpich": "MPICH Version: "}[found.Name]
	if !strings.HasPrefix(strings.Join(strings.Fields(s.Library), " "), name+found.Version) {
		t.Errorf("got the library %q, want %s %s", s.Library, found.Name, found.Version)
	}
	dir, err := mpi.ReadDir(os.DirFS(filepath.Join(p.dir, run.ProfileDir)))
	if err != nil {
		t.Fatal(err)
	}
	p.ranks = dir.Ranks
	wall := r.Times.Finish.Sub(r.Times.Start)
	for i := range p.ranks {
		r := &p.ranks[i]
		if r.Rank != i || r.State != mpi.Complete || r.App <= 0 || r.App > wall || r.MPI() > r.App {
			t.Errorf("rank %d as the number %d: %s after %v in MPI, %v in all, %v by the launcher", r.Rank, i, r.State, r.MPI(), r.App, wall)
		}
		var addressed uint64
		for j := range p.ranks {
			for _, to := range p.ranks[j].Peers {
				if to.Rank == i {
					addressed += to.Messages
				}
			}
		}
		if got := count(r, "MPI_Recv", "MPI_Irecv", "MPI_Sendrecv", "MPI_Sendrecv_replace") - count(r, "MPI_Cancel"); got != addressed {
			t.Errorf("rank %d received %d messages, %d were sent to it", i, got, addressed)
		}
	}
}

// count sums the calls of some functions.
func count(r *mpi.Rank, names ...string) (n uint64) {
	for _, name := range names {
		n += call(r, name).Count
	}
	return n
}

// call gives what one function did, and nothing of one that was not called.
func call(r *mpi.Rank, name string) mpi.Call {
	for _, c := range r.Calls {
		if c.Name == name {
			return c
		}
	}
	return mpi.Call{}
}

// alike wants functions to be called by all ranks, and as often by each.
func (p *profiled) alike(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		first := count(&p.ranks[0], name)
		for i := range p.ranks {
			if n := count(&p.ranks[i], name); n == 0 || n != first {
				t.Errorf("rank %d called %s %d times, rank 0 %d times", i, name, n, first)
			}
		}
	}
}

// says gives the number that the application prints where the pattern matches.
func (p *profiled) says(t *testing.T, file, pattern string) float64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.read(t, file))
	if m == nil {
		t.Fatalf("%s has nothing like %q", file, pattern)
	}
	x, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (p *profiled) read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
