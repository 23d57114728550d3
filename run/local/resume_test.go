// SPDX-License-Identifier: MIT

package local_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

const shortJobs = 40

// Every second job of drive is in this image, where there is one.
const (
	imageStoreEnv = "ENSEMBLE_TEST_STORE"
	imageEnv      = "ENSEMBLE_TEST_IMAGE"
)

// drive is the driver of the tests below, a process of its own so that it can
// be killed: forty jobs that each print one line.
func drive(dir string) error {
	d, _, err := run.Open(dir)
	if err != nil {
		return err
	}
	x, err := local.New(os.Args[0], "supervise")
	if err != nil {
		return err
	}
	ref := os.Getenv(imageEnv)
	x.UseImages(context.Background(), func() (*image.Store, error) { return image.Open(os.Getenv(imageStoreEnv)) }, os.Args[0], "enter")
	s, err := (&run.Driver{Dir: d, Executor: x}).Run(context.Background(), func(yield func(*ensemble.Job, error) bool) {
		for i := range shortJobs {
			id := fmt.Sprintf("job-%02d", i)
			// The line is written at the end: it stands for the finished work.
			j := job(id, "sh", "-c", "sleep 0.02 & wait; echo "+id)
			j.Policy.Shared = i%3 == 0
			if i%2 == 0 {
				j.Launch.Image = ref
			}
			if !yield(j, nil) {
				return
			}
		}
	})
	if err == nil && s.Status[ensemble.Succeeded] != shortJobs {
		err = fmt.Errorf("got %v, want %d successes", s.Status, shortJobs)
	}
	return err
}

// processesOf lists the living processes that name a directory in their
// command line or environment.
func processesOf(dir string) (pids []int) {
	procs, _ := procfs.AllProcs()
	for _, p := range procs {
		cmd, _ := p.CmdLine()
		env, _ := p.Environ()
		if p.PID != os.Getpid() && strings.Contains(strings.Join(cmd, " ")+strings.Join(env, " "), dir) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// finished gives the jobs that have an exit, with how often each ended well.
func finished(t *testing.T, d run.Dir) map[string]int {
	t.Helper()
	exits, err := filepath.Glob(d.Path("jobs/*/*/exit.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, path := range exits {
		var e run.Exit
		if err := run.ReadJSON(path, &e); err != nil {
			t.Fatal(err)
		}
		if e.Status == ensemble.Succeeded {
			n[filepath.Base(filepath.Dir(filepath.Dir(path)))]++
		}
	}
	return n
}

// killed runs the driver and has it killed at random moments until it gets
// through, and then checks what it promised. kill gets the driver's process ID.
func killed(t *testing.T, kills int, kill func(dir string, driver int)) (dir string) {
	dir = filepath.Join(t.TempDir(), "run")
	d, err := run.Create(dir, emptyEnsemble())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(kills)))
	done := 0
	for done < kills {
		cmd := exec.Command(os.Args[0], "drive", dir)
		out := new(strings.Builder)
		cmd.Stderr = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		select {
		case err := <-exited:
			if err != nil {
				t.Fatalf("the driver failed: %v\n%s", err, out)
			}
			// All jobs are done before all kills are: begin again.
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if d, err = run.Create(dir, emptyEnsemble()); err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
			before := finished(t, d)
			kill(dir, cmd.Process.Pid)
			<-exited
			done++
			for id, n := range finished(t, d) {
				if n > 1 || before[id] > 1 {
					t.Fatalf("%s finished %d times", id, n)
				}
			}
		}
	}
	cmd := exec.Command(os.Args[0], "drive", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the last driver failed: %v\n%s", err, out)
	}
	for i := range shortJobs {
		id := fmt.Sprintf("job-%02d", i)
		if n := finished(t, d)[id]; n != 1 {
			t.Errorf("%s finished %d times, want once", id, n)
		}
	}
	state, err := d.State()
	if err != nil {
		t.Fatalf("the journal does not replay: %v", err)
	}
	for i := range shortJobs {
		id := fmt.Sprintf("job-%02d", i)
		if j, ok := state.Job(id); !ok || j.Status != ensemble.Succeeded || j.Tries != 1 {
			t.Errorf("the journal has %+v for %s, want one success", j, id)
		}
	}
	if left := processesOf(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	return dir
}

func TestADriverKilledAtRandomMomentsLosesAndRepeatsNothing(t *testing.T) {
	checkWorkOnce(t, killed(t, 50, killDriver))
}

func TestDriverAndSupervisorKilledTogetherRepeatOnlyWhatWasNotFinished(t *testing.T) {
	killed(t, 50, killBoth)
}

func TestJobsInImagesOutliveTheirDriverLikeOthers(t *testing.T) {
	store, img := busyboxImage(t)
	t.Setenv(imageStoreEnv, store.Dir())
	t.Setenv(imageEnv, img.Name+"@"+img.Digest)
	t.Run("the driver is killed", func(t *testing.T) { checkWorkOnce(t, killed(t, 20, killDriver)) })
	t.Run("the supervisor too", func(t *testing.T) { killed(t, 20, killBoth) })
}

func killDriver(_ string, driver int) { _ = unix.Kill(driver, unix.SIGKILL) }

// killBoth kills the driver, first, so that it cannot report its supervisor's end.
func killBoth(dir string, driver int) {
	killDriver(dir, driver)
	locks, _ := filepath.Glob(filepath.Join(dir, "jobs/*/*/lock"))
	for _, lock := range locks {
		f, err := os.Open(lock)
		if err != nil {
			continue
		}
		if errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
			b, _ := os.ReadFile(lock)
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		f.Close()
	}
}

// checkWorkOnce checks that, since the supervisors lived on, not even work was done twice.
func checkWorkOnce(t *testing.T, dir string) {
	t.Helper()
	outputs, err := filepath.Glob(filepath.Join(dir, "jobs/*/*", run.StdoutFile))
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, path := range outputs {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 {
			times[string(b)]++
		}
	}
	for i := range shortJobs {
		if id := fmt.Sprintf("job-%02d", i); times[id+"\n"] != 1 {
			t.Errorf("%s did its work %d times, want once", id, times[id+"\n"])
		}
	}
}

func TestWhatASupervisorLeavesIsKilledWhenItDies(t *testing.T) {
	t.Parallel()
	flag := filepath.Join(t.TempDir(), "flag")
	// The command's parent is the supervisor. One child leaves the session.
	j := job("j", "sh", "-c", "test -e "+flag+" && exit; touch "+flag+"; sleep 600 & setsid -f sleep 600; kill -KILL $PPID; sleep 600")
	d, s, err := carryOut(t, t.Context(), j)
	if err != nil || s.Status[ensemble.Succeeded] != 1 {
		t.Fatalf("got %v, %v, want one success", s.Status, err)
	}
	if _, err := os.Stat(filepath.Join(d.Attempt("j", 1), run.ExitFile)); err == nil {
		t.Error("the attempt whose supervisor was killed has an exit")
	}
	if e := exitOf(t, d, "j", 2); e.Status != ensemble.Succeeded {
		t.Errorf("the second attempt %s, want a success", e.Status)
	}
	if left := processesOf(string(d)); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestOneDriverAtATimeWorksInADirectory(t *testing.T) {
	t.Parallel()
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), emptyEnsemble())
	if err != nil {
		t.Fatal(err)
	}
	j, err := run.OpenJournal(d.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := drive(string(d)); !errors.Is(err, run.ErrLocked) {
		t.Errorf("got %v, want %v", err, run.ErrLocked)
	}
}
