// SPDX-License-Identifier: MIT

package local_test

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/google/go-cmp/cmp"
)

// LAMMPS tells how many steps it made and how often it built its neighbour lists.
// With the domain cut in two, that decides every message: in each step each rank
// exchanges the forces of ghost atoms with both neighbours, once more at the
// start; their positions in each step without a new list; and at each new list,
// the first included, it sends to one neighbour those that left and to both the
// new ghosts, after their number (comm_brick.cpp).
func TestProfileOfLAMMPS(t *testing.T) {
	const sweep = "apps: lammps, tasks: %d, parameters: {x: 4, y: 4, z: 4, steps: 50, thermo: 10}"
	p := profile(t, "lmp", fmt.Sprintf(sweep, 2))
	steps := uint64(p.says(t, run.StdoutFile, `(?m)^Loop time of \S+ on 2 procs for (\d+) steps`))
	builds := uint64(p.says(t, run.StdoutFile, `(?m)^Neighbor list builds = (\d+)`))
	for i := range p.ranks {
		r := &p.ranks[i]
		got := []uint64{count(r, "MPI_Send"), count(r, "MPI_Irecv"), count(r, "MPI_Sendrecv")}
		sent := 2*(steps+1) + 2*(steps-builds) + 3*(builds+1)
		if d := cmp.Diff([]uint64{sent, sent, 3 * (builds + 1)}, got); d != "" {
			t.Errorf("rank %d, %d steps with %d new lists: sends, receives and exchanges (-want +got):\n%s", i, steps, builds, d)
		}
	}
	one := profile(t, "lmp", fmt.Sprintf(sweep, 1))
	for _, name := range []string{"MPI_Allreduce", "MPI_Bcast", "MPI_Reduce", "MPI_Scan", "MPI_Barrier"} {
		p.alike(t, name)
		if alone, n := count(&one.ranks[0], name), count(&p.ranks[0], name); alone != n {
			t.Errorf("%s: %d calls on one rank, %d on each of two", name, alone, n)
		}
	}
	if len(one.ranks[0].Peers) > 0 || count(&one.ranks[0], "MPI_Send") > 0 {
		t.Errorf("the only rank sent %v", one.ranks[0].Peers)
	}
}

// Quantum ESPRESSO, which is Fortran, counts what it does by its own clocks: each
// exchange of a Fourier transform between the slabs of ranks is one MPI_Alltoall
// and lies between the start and the stop of a clock, which is printed to the
// hundredth of a second.
func TestProfileOfQuantumESPRESSO(t *testing.T) {
	const sweep = "apps: quantum-espresso, tasks: %d, parameters: {cutoff: 8.0, kpoints: 1, convergence: 1.0e-3}"
	p := profile(t, "pw.x", fmt.Sprintf(sweep, 2))
	const clock = `(?m)^\s+fft_scatt_yz\s+:\s+\S+s CPU\s+`
	calls, seconds := p.says(t, run.StdoutFile, clock+`\S+s WALL \(\s*(\d+) calls`), p.says(t, run.StdoutFile, clock+`(\S+)s WALL`)
	p.alike(t, "MPI_Alltoall", "MPI_Allreduce", "MPI_Bcast", "MPI_Barrier", "MPI_Gatherv")
	c := call(&p.ranks[0], "MPI_Alltoall")
	if c.Count != uint64(calls) || c.Time.Seconds() > seconds+0.01 {
		t.Errorf("got %d exchanges in %v, by its own clock %g in %g s", c.Count, c.Time, calls, seconds)
	}
	one := profile(t, "pw.x", fmt.Sprintf(sweep, 1))
	if n := count(&one.ranks[0], "MPI_Alltoall"); n > 0 || len(one.ranks[0].Peers) > 0 {
		t.Errorf("the only rank exchanged %d times and sent %v", n, one.ranks[0].Peers)
	}
	if n := count(&one.ranks[0], "MPI_Bcast"); n == 0 {
		t.Error("the only rank called no MPI_Bcast")
	}
}

// NWChem prints for rank 0 what its global arrays moved: what was got is
// MPI_Get_accumulate to MPI, what was put or added is MPI_Accumulate, and each
// taking of a ticket is MPI_Fetch_and_op of eight bytes. Bytes are printed with
// three digits.
func TestProfileOfNWChem(t *testing.T) {
	for _, c := range []struct {
		variant, program string
		tasks            int
	}{
		{"debian-openmpi", "nwchem.openmpi", 1},
		{"debian-openmpi", "nwchem.openmpi", 2},
		{"debian-mpich", "nwchem.mpich", 1}, // on two it aborts now and then
	} {
		t.Run(fmt.Sprintf("%s on %d", c.variant, c.tasks), func(t *testing.T) {
			p := profile(t, c.program, fmt.Sprintf("apps: nwchem, variants: %s, tasks: %d, parameters: {waters: 1, basis: sto-3g}", c.variant, c.tasks))
			p.alike(t, "MPI_Allreduce", "MPI_Barrier", "MPI_Allgather", "MPI_Win_free") // and others within groups of ranks
			if !strings.Contains(p.read(t, run.StdoutFile), "GA Statistics") {
				t.Skip("this NWChem keeps no account of its global arrays; the profile alone is right in itself")
			}
			const statistics = `(?m)^bytes total:\s+`
			got := p.says(t, run.StdoutFile, statistics+`(\S+)`)
			put := p.says(t, run.StdoutFile, statistics+`\S+\s+(\S+)`)
			added := p.says(t, run.StdoutFile, statistics+`\S+\s+\S+\s+(\S+)`)
			tickets := p.says(t, run.StdoutFile, `(?m)^calls:(?:\s+\d+){7}\s+(\d+)`)
			r := &p.ranks[0]
			for _, b := range []struct {
				name string
				want float64
			}{{"MPI_Get_accumulate", got}, {"MPI_Accumulate", put + added}} {
				if bytes := float64(call(r, b.name).Bytes); math.Abs(bytes-b.want) > 0.005*b.want {
					t.Errorf("%s moved %g bytes, by its own account %g", b.name, bytes, b.want)
				}
			}
			if c := call(r, "MPI_Fetch_and_op"); c.Count != uint64(tickets) || c.Bytes != 8*c.Count {
				t.Errorf("got %d tickets of %d bytes in all, by its own account %g", c.Count, c.Bytes, tickets)
			}
		})
	}
}

// HPCC uses most kinds of calls; its random access polls with MPI_Testany and
// takes back receives that it does not need in the end.
func TestProfileOfHPCC(t *testing.T) {
	p := profile(t, "hpcc", "apps: hpcc, tasks: 2, parameters: {n: 100, nb: 16, q: 2}")
	p.alike(t, "MPI_Alltoall", "MPI_Bcast", "MPI_Reduce") // and barriers of one rank
	for i := range p.ranks {
		for _, name := range []string{"MPI_Sendrecv", "MPI_Isend", "MPI_Irecv", "MPI_Waitall", "MPI_Testany", "MPI_Cancel"} {
			if count(&p.ranks[i], name) == 0 {
				t.Errorf("rank %d never called %s", i, name)
			}
		}
	}
	// Rings of two ranks with the messages of 2,000,000 bytes that it reports.
	if c := call(&p.ranks[0], "MPI_Sendrecv"); c.Largest != 2000000 {
		t.Errorf("the largest exchange had %d bytes, want 2000000", c.Largest)
	}
}

// NetPIPE prints each size and how often it was sent. It does that three times,
// after 100 round trips of one byte; and for each size the first rank tells the
// other in four bytes how often.
func TestProfileOfNetPIPE(t *testing.T) {
	for variant, program := range map[string]string{"debian-openmpi": "NPopenmpi", "debian-mpich": "NPmpich2"} {
		t.Run(variant, func(t *testing.T) {
			p := profile(t, program, fmt.Sprintf("apps: netpipe, variants: %s, tasks: 2, parameters: {upper: 4096, repeats: 50}", variant))
			var sizes uint64
			want := mpi.Peer{Way: mpi.Blocking, Messages: 100, Bytes: 100}
			for _, m := range regexp.MustCompile(`(?m)^\s*\d+:\s+(\d+) bytes\s+(\d+) times`).FindAllStringSubmatch(p.read(t, run.StderrFile), -1) {
				size, _ := strconv.ParseUint(m[1], 10, 64) // digits
				times, _ := strconv.ParseUint(m[2], 10, 64)
				sizes, want.Messages, want.Bytes = sizes+1, want.Messages+3*times, want.Bytes+3*times*size
			}
			told := want
			told.Rank, told.Messages, told.Bytes = 1, want.Messages+sizes, want.Bytes+4*sizes
			for i, want := range []mpi.Peer{told, want} {
				if d := cmp.Diff([]mpi.Peer{want}, p.ranks[i].Peers); d != "" || sizes == 0 {
					t.Errorf("rank %d, %d sizes: -want +got:\n%s", i, sizes, d)
				}
				if n := count(&p.ranks[i], "MPI_Send"); n != want.Messages {
					t.Errorf("rank %d: %d sends, want %d", i, n, want.Messages)
				}
			}
			p.alike(t, "MPI_Barrier")
		})
	}
}
