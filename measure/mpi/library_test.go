// SPDX-License-Identifier: MIT

package mpi_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/converged-computing/ensemble/measure/mpi"
	library "github.com/converged-computing/ensemble/mpi"
	"github.com/google/go-cmp/cmp"
)

// machine is an MPI that is here, with the profiling library for it.
type machine struct {
	library.Implementation
	preload string
	launch  []string
}

// each runs a test under every MPI that is here.
func each(t *testing.T, test func(t *testing.T, m *machine)) {
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) { test(t, find(t, name)) })
	}
}

// find gives an MPI that is here.
func find(t testing.TB, name string) *machine {
	i, err := library.Find(t.Context(), name)
	if err != nil {
		t.Skip(err)
	}
	cache, err := library.Cache()
	if err != nil {
		cache = t.TempDir()
	}
	m := &machine{Implementation: i}
	if m.preload, err = library.Build(t.Context(), i, cache); err != nil {
		t.Fatal(err)
	}
	m.launch = []string{"mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"}
	if name == "mpich" {
		m.launch = []string{"mpirun.mpich"}
	}
	if !found(m.launch[0]) {
		t.Skipf("there is no %s", m.launch[0])
	}
	return m
}

// compile makes a program of testdata.
func (m *machine) compile(t testing.TB, source string) string {
	t.Helper()
	program, err := m.try(t, source)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// try makes a program of testdata that may ask for more than this MPI has.
func (m *machine) try(t testing.TB, source string) (program string, err error) {
	t.Helper()
	compiler := m.Compiler
	args := []string{"-O2", "-pthread"}
	if strings.HasSuffix(source, ".f90") {
		if compiler = strings.Replace(compiler, "mpicc", "mpif90", 1); !found(compiler) || !found("gfortran") && !found("gfortran-12") {
			t.Skip("there is no Fortran compiler")
		}
		args = []string{"-w", "-fallow-argument-mismatch"}
	}
	program = filepath.Join(t.TempDir(), "program")
	out, err := exec.Command(compiler, append(args, "-Itestdata", "-o", program, filepath.Join("testdata", source))...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compiling %s: %w\n%s", source, err, out)
	}
	return program, nil
}

func found(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// command is a program on some ranks. The profile goes to dir; with an empty dir
// the library is left out.
func (m *machine) command(t testing.TB, dir string, ranks int, args ...string) *exec.Cmd {
	line := append(append([]string{}, m.launch...), "-n", fmt.Sprint(ranks))
	if dir != "" {
		line = append(line, "env", "LD_PRELOAD="+m.preload, "ENSEMBLE_MPI_PROFILE="+dir)
	}
	line = append(line, args...)
	c := exec.CommandContext(t.Context(), line[0], line[1:]...)
	// What Open MPI keeps on disk and in shared memory goes with the test, though
	// its processes be killed.
	keep := t.TempDir()
	c.Env = append(os.Environ(), "OMPI_MCA_orte_tmpdir_base="+keep, "OMPI_MCA_btl_vader_backing_directory="+keep, "OMPI_MCA_btl_sm_backing_directory="+keep)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// run gives the profile of a program that ends well.
func (m *machine) run(t *testing.T, ranks int, args ...string) *mpi.Profile {
	t.Helper()
	dir := t.TempDir()
	if out, err := m.command(t, dir, ranks, args...).CombinedOutput(); err != nil {
		t.Fatalf("running %q: %v\n%s", args, err, out)
	}
	return profile(t, dir)
}

func profile(t *testing.T, dir string) *mpi.Profile {
	t.Helper()
	p, err := mpi.ReadDir(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// counted is what does not depend on time.
func counted(r *mpi.Rank) map[string][4]uint64 {
	all := map[string][4]uint64{}
	for _, c := range r.Calls {
		all[c.Name] = [4]uint64{c.Count, c.Messages, c.Bytes, c.Largest}
	}
	return all
}

// TestEveryInterfaceIsCounted compares the calls of one program in C and in
// Fortran's three interfaces with what the program does.
func TestEveryInterfaceIsCounted(t *testing.T) {
	want := []map[string][4]uint64{{ // calls, messages, bytes, the largest
		"MPI_Comm_rank": {1}, "MPI_Comm_dup": {1}, "MPI_Comm_set_name": {1}, "MPI_Comm_free": {1},
		"MPI_Barrier": {5}, "MPI_Bcast": {5, 5, 400, 80}, "MPI_Reduce": {5, 5, 400, 80}, "MPI_Allreduce": {10, 10, 800, 80},
		"MPI_Gather": {5}, "MPI_Scatter": {5, 5, 40, 8}, "MPI_Allgather": {5, 5, 20, 4}, "MPI_Allgatherv": {5, 5, 20, 4},
		"MPI_Alltoall": {5, 5, 80, 16}, "MPI_Alltoallv": {5, 5, 40, 8},
		"MPI_Send": {5, 5, 400, 80}, "MPI_Isend": {5, 5, 400, 80}, "MPI_Sendrecv": {5, 5, 200, 40},
		"MPI_Send_init": {1, 3, 240, 80}, "MPI_Start": {3}, "MPI_Wait": {8}, "MPI_Request_free": {1},
	}, {
		"MPI_Comm_rank": {1}, "MPI_Comm_dup": {1}, "MPI_Comm_set_name": {1}, "MPI_Comm_free": {1},
		"MPI_Barrier": {5}, "MPI_Bcast": {5}, "MPI_Reduce": {5, 5, 400, 80}, "MPI_Allreduce": {10, 10, 800, 80},
		"MPI_Gather": {5, 5, 20, 4}, "MPI_Scatter": {5}, "MPI_Allgather": {5, 5, 20, 4}, "MPI_Allgatherv": {5, 5, 20, 4},
		"MPI_Alltoall": {5, 5, 80, 16}, "MPI_Alltoallv": {5, 5, 40, 8},
		"MPI_Recv": {13}, "MPI_Sendrecv": {5, 5, 200, 40},
	}}
	sent := [][]mpi.Peer{
		{{Rank: 1, Way: mpi.Blocking, Messages: 10, Bytes: 600}, {Rank: 1, Way: mpi.Immediate, Messages: 5, Bytes: 400}, {Rank: 1, Way: mpi.Persistent, Messages: 3, Bytes: 240}},
		{{Rank: 0, Way: mpi.Blocking, Messages: 5, Bytes: 200}},
	}
	each(t, func(t *testing.T, m *machine) {
		for _, source := range []string{"calls.c", "calls_mpif.f90", "calls_usempi.f90", "calls_f08.f90"} {
			t.Run(source, func(t *testing.T) {
				p := m.run(t, 2, m.compile(t, source))
				if len(p.Ranks) != 2 {
					t.Fatalf("got %d ranks, want 2", len(p.Ranks))
				}
				for i := range p.Ranks {
					r := &p.Ranks[i]
					if r.Rank != i || r.Size != 2 || r.State != mpi.Complete || r.Lost != 0 {
						t.Errorf("got rank %d of %d, %s, %d lost", r.Rank, r.Size, r.State, r.Lost)
					}
					if d := cmp.Diff(want[i], counted(r)); d != "" {
						t.Errorf("rank %d: -want +got:\n%s", i, d)
					}
					if d := cmp.Diff(sent[i], r.Peers); d != "" {
						t.Errorf("rank %d: -want +got:\n%s", i, d)
					}
				}
			})
		}
	})
}

// TestCallsThatNotEveryMPIHas counts those of MPI 4, where they compile.
func TestCallsThatNotEveryMPIHas(t *testing.T) {
	for _, c := range []struct {
		source string
		want   map[string][4]uint64 // of rank 0
		sent   []mpi.Peer
	}{
		{"mpi4.c", map[string][4]uint64{
			"MPI_Comm_rank": {1}, "MPI_Isendrecv": {1, 1, 40, 40}, "MPI_Isendrecv_replace": {1, 1, 40, 40},
			"MPI_Psend_init": {1, 3, 240, 80}, "MPI_Allreduce_init": {1, 4, 320, 80}, "MPI_Start": {7}, "MPI_Pready": {6}, "MPI_Wait": {9},
			"MPI_Request_free": {2}, "MPI_Session_init": {1}, "MPI_Session_finalize": {1},
		}, []mpi.Peer{{Rank: 1, Way: mpi.Immediate, Messages: 2, Bytes: 80}, {Rank: 1, Way: mpi.Persistent, Messages: 3, Bytes: 240}}},
		{"large_f08.f90", map[string][4]uint64{
			"MPI_Comm_rank": {1}, "MPI_Allreduce_c": {1, 1, 80, 80}, "MPI_Send_c": {1, 1, 80, 80},
		}, []mpi.Peer{{Rank: 1, Way: mpi.Blocking, Messages: 1, Bytes: 80}}},
	} {
		t.Run(c.source, func(t *testing.T) {
			each(t, func(t *testing.T, m *machine) {
				program, err := m.try(t, c.source)
				if err != nil {
					t.Skipf("%s %s has not all of them: %v", m.Name, m.Version, err)
				}
				r := &m.run(t, 2, program).Ranks[0]
				if d := cmp.Diff(c.want, counted(r)); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
				if d := cmp.Diff(c.sent, r.Peers); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			})
		})
	}
}

// TestKnownShare runs a program whose second rank spends 80 % in MPI, nearly all
// of it waiting, if the machine is idle. What it says of itself by its own clock
// is what the profile has to say, on a busy machine too.
func TestKnownShare(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		program := m.compile(t, "share.c")
		for _, args := range [][]string{{program}, {program, "split"}} {
			dir := t.TempDir()
			out, err := m.command(t, dir, 2, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			p := profile(t, dir)
			for line := range strings.Lines(string(out)) {
				var rank int
				var inMPI, waiting, total float64
				if n, _ := fmt.Sscanf(line, "own %d %f %f %f", &rank, &inMPI, &waiting, &total); n != 4 {
					continue
				}
				r := &p.Ranks[rank]
				barrier := r.Calls[slices.IndexFunc(r.Calls, func(c mpi.Call) bool { return c.Name == "MPI_Barrier" })]
				for _, c := range []struct {
					what      string
					got, want float64
				}{
					{"in barriers", barrier.Time.Seconds() / total, inMPI / total},
					{"waiting for the last to come", barrier.Wait.Seconds() / total, waiting / total},
				} {
					t.Logf("rank %d %s: %.2f %% of its time, by its own clock %.2f %%", rank, c.what, 100*c.got, 100*c.want)
					if math.Abs(c.got-c.want) > 0.02 {
						t.Errorf("rank %d %s: got %.2f %%, want %.2f %% within 2", rank, c.what, 100*c.got, 100*c.want)
					}
				}
			}
		}
	})
}

// TestThreads counts calls of several threads at once.
func TestThreads(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		p := m.run(t, 1, m.compile(t, "threads.c"))
		r := &p.Ranks[0]
		if r.ThreadLevel != 3 {
			t.Skip("this MPI does not provide MPI_THREAD_MULTIPLE")
		}
		got := counted(r)
		for _, name := range []string{"MPI_Sendrecv", "MPI_Allreduce"} {
			if want := [4]uint64{8000, 8000, 64000, 8}; got[name] != want {
				t.Errorf("%s: got %v, want %v", name, got[name], want)
			}
		}
		if want := []mpi.Peer{{Rank: 0, Way: mpi.Blocking, Messages: 8000, Bytes: 64000}}; !cmp.Equal(want, r.Peers) {
			t.Errorf("got %v, want %v", r.Peers, want)
		}
	})
}

// TestPause switches counting off and on: what lies between counts for nothing.
func TestPause(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		dir := t.TempDir()
		out, err := m.command(t, dir, 1, m.compile(t, "pause.c")).Output()
		var off float64
		if n, _ := fmt.Sscan(string(out), &off); err != nil || n != 1 {
			t.Fatalf("%v\n%s", err, out)
		}
		r := &profile(t, dir).Ranks[0]
		// A time that held the pause would be longer than it.
		if n := counted(r)["MPI_Barrier"][0]; n != 2 || r.App <= 0 || r.App.Seconds() >= off {
			t.Errorf("got %d barriers in %v, want 2 in a time without the %g s of the pause", n, r.App, off)
		}
	})
}
