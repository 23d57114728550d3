// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

// Recover waits for the supervisor of an earlier driver to end, if it still
// lives, and reports what it left.
func (x *Executor) Recover(job *ensemble.Job, attempt int, phase ensemble.Phase, dir string) error {
	var p plan
	switch err := run.ReadJSON(filepath.Join(dir, planFile), &p); {
	case errors.Is(err, fs.ErrNotExist):
		p.Cores = nil // it never began
	case err != nil:
		p.Cores = x.cores // whatever it has, nothing else gets it
	}
	lock, err := create(filepath.Join(dir, run.LockFile), os.O_RDWR)
	if err != nil {
		return err
	}
	x.take(job.ID, dir, p.Cores)
	go func() {
		// Blocks until the supervisor is gone. An error says nothing about it.
		for unix.Flock(int(lock.Fd()), unix.LOCK_EX) != nil {
			time.Sleep(10 * time.Millisecond)
		}
		lock.Close() // at once: Cancel takes a lock that is held for a living supervisor
		var exit run.Exit
		if phase == ensemble.Queued && run.ReadJSON(filepath.Join(dir, run.ExitFile), &exit) == nil && !exit.Start.IsZero() {
			x.events <- ensemble.Event{Time: exit.Start, Name: ensemble.Start, Job: job.ID, Attempt: attempt}
		}
		x.finish(job.ID, attempt, dir)
	}()
	return nil
}

// Cancel asks the supervisor to end the attempt.
func (x *Executor) Cancel(job string, _ int) {
	x.mu.Lock()
	dir, ok := x.dirs[job]
	x.mu.Unlock()
	if !ok {
		return // it ended by itself
	}
	go func() {
		for !cancel(dir) {
			time.Sleep(5 * time.Millisecond)
		}
	}()
}

// cancel signals the supervisor of an attempt. It says whether nothing is left
// to do: the supervisor has the signal or is gone, and not only yet to write
// its process ID.
func cancel(dir string) (done bool) {
	pid, alive := supervisorOf(dir)
	if !alive || pid <= 1 {
		return !alive
	}
	// The process ID may be another's by now. What os.FindProcess finds stays one
	// process, and if the lock is held still, it is the supervisor.
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	if again, alive := supervisorOf(dir); !alive || again != pid {
		return !alive
	}
	return p.Signal(unix.SIGTERM) == nil
}

// supervisorOf gives the process ID of the supervisor of an attempt, which is
// in its lock file and holds as long as the lock is taken.
func supervisorOf(dir string) (pid int, alive bool) {
	lock, err := os.Open(filepath.Join(dir, run.LockFile))
	if err != nil {
		return 0, false
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0, false
	}
	var b [32]byte
	n, _ := lock.Read(b[:])
	pid, _ = strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid, true
}
