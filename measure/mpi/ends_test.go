// SPDX-License-Identifier: MIT

package mpi_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/measure/mpi"
	library "github.com/converged-computing/ensemble/mpi"
)

// TestKilled ends a program at random moments: each rank leaves a profile that
// can be read, or none had begun.
func TestKilled(t *testing.T) {
	times := 30
	if testing.Short() {
		times = 3
	}
	each(t, func(t *testing.T, m *machine) {
		program := m.compile(t, "forever.c")
		read := 0
		for i := range times {
			dir := t.TempDir()
			c := m.command(t, dir, 2, program)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// Once both have begun, or they could be killed in MPI_Init.
			for begun := false; !begun; time.Sleep(10 * time.Millisecond) {
				p, err := mpi.ReadDir(os.DirFS(dir))
				if err != nil && !errors.Is(err, mpi.ErrNone) {
					t.Fatal(err)
				}
				begun = err == nil && len(p.Ranks) == 2
			}
			time.Sleep(rand.N(100 * time.Millisecond))
			for _, pid := range ranks(t, program) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			_ = c.Wait()
			p := profile(t, dir)
			for _, r := range p.Ranks {
				if r.State != mpi.Incomplete || r.MPI() > r.App || len(r.Calls) == 0 {
					t.Errorf("kill %d: got %s, %v of %v in %d functions", i, r.State, r.MPI(), r.App, len(r.Calls))
				}
			}
			if len(p.Ranks) == 2 && mpi.Summarize(p).Incomplete == 2 {
				read++
			}
		}
		t.Logf("%d kills, %d profiles of both ranks", times, read)
		if read != times {
			t.Errorf("got %d profiles, want %d", read, times)
		}
	})
}

// ranks are the processes that run a program.
func ranks(t *testing.T, program string) (pids []int) {
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, exe := range all {
		if to, err := os.Readlink(exe); err == nil && to == program {
			var pid int
			if _, err := fmt.Sscanf(exe, "/proc/%d/exe", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// TestBadEnds has a rank end in other ways than by MPI_Finalize.
func TestBadEnds(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		program := m.compile(t, "forever.c")
		for _, c := range []struct {
			name, how string
			want      mpi.State
		}{
			{"by MPI_Abort", "1", mpi.Aborted},
			{"by a signal", "2", mpi.Incomplete},
			{"by exit", "3", mpi.Incomplete},
		} {
			t.Run(c.name, func(t *testing.T) {
				dir := t.TempDir()
				// The launcher's exit code is its own matter: Hydra 4.2 gives 0.
				out, err := m.command(t, dir, 2, program, c.how).CombinedOutput()
				t.Logf("the launcher: %v\n%s", err, out)
				if r := profile(t, dir).Ranks[0]; r.State != c.want || r.App <= 0 {
					t.Errorf("got %s after %v, want %s", r.State, r.App, c.want)
				}
			})
		}
	})
}

// TestAnotherMPI loads the library for one MPI into a program of another: the
// program runs as if it were not there, and the directory tells why there is no
// profile.
func TestAnotherMPI(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		names := library.Names()
		other := find(t, names[1-slices.Index(names, m.Name)])
		wrong := *m
		wrong.preload = other.preload
		dir := t.TempDir()
		out, err := wrong.command(t, dir, 2, m.compile(t, "calls.c")).CombinedOutput()
		if err != nil || bytes.Count(out, []byte("no MPI profile: the program uses /")) != 2 {
			t.Errorf("got %v and\n%s", err, out)
		}
		if p, err := mpi.ReadDir(os.DirFS(dir)); !errors.Is(err, mpi.ErrNone) || !mpi.OtherMPI(os.DirFS(dir)) {
			t.Errorf("got %v, %v and no word of another MPI", p, err)
		}
		// The libraries that others want before the program's stay.
		wrong.preload = other.preload + ":" + filepath.Join(t.TempDir(), "theirs.so")
		if out, err := wrong.command(t, dir, 1, m.compile(t, "preload.c")).CombinedOutput(); err != nil || !bytes.HasSuffix(bytes.TrimSpace(out), []byte("theirs.so")) {
			t.Errorf("got %v and\n%s", err, out)
		}
	})
}

// TestWithoutADirectory names a place for profiles that is not there: the program
// goes on.
func TestWithoutADirectory(t *testing.T) {
	each(t, func(t *testing.T, m *machine) {
		out, err := m.command(t, "/nonexistent", 2, m.compile(t, "calls.c")).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("no MPI profile of rank 1 in /nonexistent: No such file")) {
			t.Errorf("got %v and %q", err, out)
		}
	})
}

// TestAFullDisk gives no profile, and no signal for a page that finds no room.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 2 /* MNT_DETACH */) })
	each(t, func(t *testing.T, m *machine) {
		out, err := m.command(t, dir, 2, m.compile(t, "calls.c")).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("No space left on device")) {
			t.Errorf("got %v and %q", err, out)
		}
		if p, err := mpi.ReadDir(os.DirFS(dir)); !errors.Is(err, mpi.ErrNone) {
			t.Errorf("got %v, %v", p, err)
		}
	})
}
