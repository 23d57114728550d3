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
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

// application launches the application and waits for it.
func (s *supervisor) application() error {
	work := s.work
	if w := s.job.Launch.Workdir; w != "" && s.plan.Root != "" {
		work = w // in the image
	} else if w != "" {
		if err := os.Chdir(w); err != nil {
			return failf(ensemble.Failed, "the command cannot work in %s: %v", w, errors.Unwrap(err))
		}
		defer os.Chdir(s.work) // for the commands after it
		work = w
	}
	argv, err := s.line()
	if err != nil {
		return err
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
	if err := s.idle(); err != nil {
		return err
	}

	around := s.tree.living() // services, and what the commands before left
	s.tree.resetPeak()
	used, before := s.tree.cpu(), look() // in this order: to add up takes time of its own
	s.exit.Start = time.Now()
	env, enter, sys := s.env, []string(nil), &syscall.SysProcAttr{}
	if s.plan.Root != "" {
		env = s.inside
		enter, sys = s.entering(work)
		work = s.work
	}
	_, done, err := s.tree.start(append(enter, argv...), work, env, stdout, stderr, sys)
	if err != nil {
		s.exit.Start = time.Time{}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			s.exit.ExitCode = new(notFound)
		}
		return failf(ensemble.Failed, "%q cannot be started: %v", argv[0], err)
	}
	s.reportStart()
	samples := s.sample()
	e, failed := s.await(done)
	s.exit.Finish = e.at
	s.fail(durable(stdout, stderr))
	after := look()
	s.measure(used, s.tree.cpu(), before, after)
	s.fail(samples())
	if s.describe(e.status); failed != nil {
		return failed
	}
	if s.exit.LeftProcesses = s.tree.leftBeside(around, leaveGrace); s.exit.LeftProcesses > 0 {
		s.exit.Flags = append(s.exit.Flags, "left-processes")
	}
	if e.status.Signaled() || e.status.ExitStatus() != 0 {
		failed = failf(ensemble.Failed, "%s", describeEnd(e.status))
		s.fail(full(s.dir))
	}
	return failed
}

// line gives what is executed, once it is clear that it can be.
func (s *supervisor) line() ([]string, error) {
	argv, ranks, err := launchLine(&s.job, s.plan, s.dir)
	if err != nil {
		return nil, err
	}
	if ranks != "" {
		if err := run.WriteFile(filepath.Join(s.dir, rankFile), []byte(ranks)); err != nil {
			return nil, err
		}
	}
	if s.plan.Preload != "" {
		if err := os.Mkdir(filepath.Join(s.dir, run.ProfileDir), 0o755); err != nil {
			return nil, &run.StorageError{Path: s.dir, Err: err}
		}
	}
	s.exit.Command = argv
	if s.plan.Root != "" {
		return argv, nil // the image has the command, or nothing has
	}
	if _, err := exec.LookPath(s.job.Launch.Command[0]); err != nil {
		s.exit.ExitCode = new(notFound)
		return nil, failf(ensemble.Failed, "the command %q is not found", s.job.Launch.Command[0])
	}
	return argv, nil
}

// guarded says whether work of others matters: beside other jobs it cannot be
// told from theirs.
func (s *supervisor) guarded() bool { return s.plan.Whole && s.job.Policy.IdleWait >= 0 }

// idle waits for an idle machine, where that matters.
func (s *supervisor) idle() error {
	if s.guarded() {
		before, waited := waitIdle(s.job.Policy.Busy, s.job.Policy.IdleWait, s.stop, s.reportWait)
		s.exit.Load = &run.Load{Before: before, WaitedSeconds: waited.Seconds()}
	}
	select {
	case <-s.stop:
		return failf(ensemble.Cancelled, "cancelled before the application started")
	default:
		return nil
	}
}

// await waits for the end of the application, or ends it.
func (s *supervisor) await(done <-chan end) (e end, failed error) {
	over, release := limit(s.job.Policy.Timeout)
	defer release()
	select {
	case e = <-done:
		return e, nil
	case <-over:
		failed = failf(ensemble.Timeout, "the application took longer than %v", s.job.Policy.Timeout)
	case <-s.stop:
		failed = failf(ensemble.Cancelled, "cancelled")
	}
	s.tree.clear(endGrace)
	return <-done, failed
}

// measure says what the application used, and what others did meanwhile.
func (s *supervisor) measure(from, to usage, before, after machine) {
	s.exit.Resources = &run.Resources{
		UserSeconds:   (to.user - from.user).Seconds(),
		SystemSeconds: (to.system - from.system).Seconds(),
		MaxRSSBytes:   to.maxRSS,
	}
	if !s.guarded() || before.err != nil || after.err != nil {
		return
	}
	others := after.busy - before.busy - (to.total() - from.total())
	s.exit.Load.During = share(others, s.exit.Finish.Sub(s.exit.Start), before.processors)
	if s.exit.Load.Before > s.job.Policy.Busy || others > noiseFloor && s.exit.Load.During > s.job.Policy.Busy {
		s.exit.Flags = append(s.exit.Flags, "noisy")
	}
}

// describe puts how the launcher ended into the exit.
func (s *supervisor) describe(status unix.WaitStatus) {
	if status.Signaled() {
		s.exit.Signal = unix.SignalName(status.Signal())
		return
	}
	s.exit.ExitCode = new(status.ExitStatus())
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
