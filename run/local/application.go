// SPDX-License-Identifier: MIT

package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

// application launches the application and waits for it.
func (s *supervisor) application() error {
	file := filepath.Join(s.dir, rankFile)
	argv, ranks, err := launchLine(&s.job, s.plan, file)
	if err != nil {
		return err
	}
	if ranks != "" {
		if err := run.WriteFile(file, []byte(ranks)); err != nil {
			return err
		}
	}
	s.exit.Command = argv
	if _, err := exec.LookPath(s.job.Launch.Command[0]); err != nil {
		code := notFound
		s.exit.ExitCode = &code
		return failf(ensemble.Failed, "the command %q is not found", s.job.Launch.Command[0])
	}
	stdout, err := create(filepath.Join(s.dir, run.StdoutFile), os.O_WRONLY)
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := create(filepath.Join(s.dir, run.StderrFile), os.O_WRONLY)
	if err != nil {
		return err
	}
	defer stderr.Close()

	guard := s.plan.Whole && s.job.Policy.IdleWait >= 0
	if guard {
		before, waited := waitIdle(s.job.Policy.Busy, s.job.Policy.IdleWait, s.stop, s.reportWait)
		s.exit.Load = &run.Load{Before: before, WaitedSeconds: waited.Seconds()}
	}
	select {
	case <-s.stop:
		return failf(ensemble.Cancelled, "cancelled before the application started")
	default:
	}

	around := s.tree.living() // services, and what the commands before left
	s.tree.resetPeak()
	used := s.tree.cpu()
	busy, processors, busyErr := busyTime()
	s.exit.Start = time.Now()
	_, done, err := s.tree.start(argv, s.work, s.env, stdout, stderr)
	if err != nil {
		s.exit.Start = time.Time{}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			code := notFound
			s.exit.ExitCode = &code
		}
		return failf(ensemble.Failed, "%q cannot be started: %v", argv[0], err)
	}
	s.reportStart()
	samples := s.sample()

	var e end
	var failed error
	over, release := limit(s.job.Policy.Timeout)
	select {
	case e = <-done:
	case <-over:
		failed = failf(ensemble.Timeout, "the application took longer than %v", s.job.Policy.Timeout)
	case <-s.stop:
		failed = failf(ensemble.Cancelled, "cancelled")
	}
	release()
	if failed != nil {
		s.tree.clear(endGrace)
		e = <-done
	}
	s.exit.Finish = e.at
	s.fail(durable(stdout, stderr))
	busyAfter, _, busyErr2 := busyTime()
	now := s.tree.cpu()
	s.fail(samples())
	own := now.total() - used.total()
	s.exit.Resources = &run.Resources{
		UserSeconds:   (now.user - used.user).Seconds(),
		SystemSeconds: (now.system - used.system).Seconds(),
		MaxRSSBytes:   now.maxRSS,
	}
	if guard && busyErr == nil && busyErr2 == nil {
		others := busyAfter - busy - own
		span := e.at.Sub(s.exit.Start)
		s.exit.Load.During = share(others, span, processors)
		if s.exit.Load.Before > s.job.Policy.Busy || others > noiseFloor && s.exit.Load.During > s.job.Policy.Busy {
			s.exit.Flags = append(s.exit.Flags, "noisy")
		}
	}
	if e.status.Signaled() {
		s.exit.Signal = unix.SignalName(e.status.Signal())
	} else {
		code := e.status.ExitStatus()
		s.exit.ExitCode = &code
	}
	if failed == nil { // or else it was ended, with all that it had
		if s.exit.LeftProcesses = s.tree.leftBeside(around, leaveGrace); s.exit.LeftProcesses > 0 {
			s.exit.Flags = append(s.exit.Flags, "left-processes")
		}
	}
	if failed == nil && (e.status.Signaled() || e.status.ExitStatus() != 0) {
		failed = failf(ensemble.Failed, "%s", describeEnd(e.status))
		s.fail(full(s.dir))
	}
	return failed
}

// full is an error where a file system has no space: an application that fails
// there says nothing about itself.
func full(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Blocks == 0 || fs.Bavail > 0 {
		return nil
	}
	return &run.StorageError{Path: dir, Err: unix.ENOSPC}
}

// reportWait tells the driver that the attempt waits because others use a share
// of the machine.
func (s *supervisor) reportWait(share float64) {
	report(ensemble.Event{Time: time.Now(), Name: ensemble.Wait, Note: fmt.Sprintf(
		"others use %.0f %% of the machine, more than %.0f %%; the wait is %v at most",
		100*share, 100*s.job.Policy.Busy, s.job.Policy.IdleWait)})
}

// reportStart tells the driver of the start, after which there is nothing more to
// tell.
func (s *supervisor) reportStart() {
	report(ensemble.Event{Time: s.exit.Start, Name: ensemble.Start})
	_ = unix.Close(reportFD)
}

// report tells the driver of an event, if it still lives.
func report(e ensemble.Event) {
	if line, err := json.Marshal(e); err == nil {
		_, _ = unix.Write(reportFD, append(line, '\n'))
	}
}

// durable has what was printed on disk before an exit says that it is saved.
func durable(files ...*os.File) error {
	for _, f := range files {
		if err := f.Sync(); err != nil {
			return &run.StorageError{Path: f.Name(), Err: err}
		}
	}
	return nil
}
