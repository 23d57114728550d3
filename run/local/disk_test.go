// SPDX-License-Identifier: MIT

package local_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"golang.org/x/sys/unix"
)

func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, size); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	// Lazily: a child that another test is about to start holds our files until it
	// executes its own program.
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestAFullDiskEndsInAClearErrorWithAReadableJournal(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=400k")
	dir := filepath.Join(disk, "run")
	d, err := run.Create(dir, emptyEnsemble())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(os.Args[0], "drive", dir).CombinedOutput()
	if err == nil {
		t.Fatalf("the driver got through; the disk was not small enough\n%s", out)
	}
	if !strings.Contains(string(out), "no space left on device; free some space and go on with --resume") {
		t.Errorf("got %q, want an error that names the full disk", out)
	}
	state, err := d.State()
	if err != nil {
		t.Errorf("the journal does not replay: %v", err)
	}
	settled := len(finished(t, d))
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(os.Args[0], "drive", dir).CombinedOutput(); err != nil {
		t.Fatalf("with space again the driver failed: %v\n%s", err, out)
	}
	t.Logf("%d of %d jobs were done when the disk was full", settled, shortJobs)
	if state, err = d.State(); err != nil {
		t.Fatal(err)
	}
	for i := range shortJobs {
		if j, _ := state.Job(fmt.Sprintf("job-%02d", i)); j.Status != ensemble.Succeeded {
			t.Errorf("job-%02d: %+v, want a success", i, j)
		}
	}
}

// A job is not to blame for a disk that is full of what it was asked for.
func TestAJobThatFillsTheDiskRunsAgain(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"with the file to save", "head -c 2500000 /dev/zero > big"},
		{"with a copy of it", "head -c 2500000 /dev/zero > big && cp big copy"},
		{"with what it prints", "head -c 5000000 /dev/zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t, "size=4m")
			d, err := run.Create(filepath.Join(disk, "run"), emptyEnsemble())
			if err != nil {
				t.Fatal(err)
			}
			j := job("j", "sh", "-c", c.script)
			j.Launch.Collect = []string{"big"}
			drive := func() (run.Summary, error) {
				x, err := local.New(os.Args[0], "supervise")
				if err != nil {
					t.Fatal(err)
				}
				return (&run.Driver{Dir: d, Executor: x}).Run(t.Context(), stream(j))
			}
			_, err = drive()
			if err == nil || !strings.Contains(err.Error(), "no space left on device; free some space and go on with --resume") {
				t.Errorf("got %v, want an error that names the full disk", err)
			}
			if s, err := d.State(); err != nil {
				t.Errorf("the journal does not replay: %v", err)
			} else if j, _ := s.Job("j"); j.Tries != 0 {
				t.Errorf("got %+v, want no try that counts", j)
			}
			if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			if s, err := drive(); err != nil || s.Status[ensemble.Succeeded] != 1 {
				t.Errorf("with space again got %v, %v, want one success", s.Status, err)
			}
		})
	}
}
