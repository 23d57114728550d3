// SPDX-License-Identifier: MIT

package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"golang.org/x/sys/unix"
)

// steps runs commands one by one, with their output in the file of steps. Those
// after the application run even if the attempt was cancelled.
func (s *supervisor) steps(name string, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	stop := (<-chan struct{})(s.stop)
	if name == "after" {
		stop = s.late()
	}
	log, err := create(filepath.Join(s.dir, run.StepsFile), os.O_WRONLY|os.O_APPEND)
	if err != nil && name == "after" { // the clean-up is done, if without a log
		s.fail(err)
		log, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err != nil {
		return err
	}
	defer log.Close()
	var first error
	for _, argv := range commands {
		begin := time.Now()
		_, done, err := s.start(argv, s.work, log, name == "prepare")
		step := run.Step{Name: name, Command: argv}
		if err != nil {
			step.ExitCode = notFound
			err = failf(ensemble.Failed, "the %s command %q cannot be started: %v", name, argv[0], err)
		} else {
			var e end
			over, done2 := limit(s.job.Policy.Timeout)
			select {
			case e = <-done:
				if step.ExitCode = exitCode(e.status); step.ExitCode != 0 {
					err = failf(ensemble.Failed, "the %s command %q failed: %s", name, argv[0], describeEnd(e.status))
				}
			case <-over:
				err = failf(ensemble.Timeout, "the %s command %q took longer than %v", name, argv[0], s.job.Policy.Timeout)
			case <-stop:
				err = failf(ensemble.Cancelled, "cancelled during the %s command %q", name, argv[0])
			}
			done2()
			if e.at.IsZero() {
				s.tree.clear(endGrace)
				step.ExitCode = exitCode((<-done).status)
			}
		}
		step.Seconds = time.Since(begin).Seconds()
		s.exit.Steps = append(s.exit.Steps, step)
		if err != nil && first == nil {
			first = err
		}
		if err != nil && name != "after" {
			break
		}
	}
	return first
}

// start starts one of the commands around the application; inside says that it is in
// the job's image, if that has one.
func (s *supervisor) start(argv []string, dir string, log *os.File, inside bool) (int, <-chan end, error) {
	if !inside || s.plan.Root == "" {
		return s.tree.start(argv, dir, s.env, log, log, &syscall.SysProcAttr{})
	}
	before, sys := s.entering(dir)
	return s.tree.start(append(before, argv...), dir, s.inside, log, log, sys)
}

// late gives a channel that is closed some time after the attempt is cancelled.
func (s *supervisor) late() <-chan struct{} {
	late := make(chan struct{})
	go func() {
		<-s.stop
		time.Sleep(cleanUpLimit)
		close(late)
	}()
	return late
}

// notFound is the exit code that shells give to a command that is not found.
const notFound = 127

func exitCode(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

func describeEnd(s unix.WaitStatus) string {
	if s.Signaled() {
		return "signal " + unix.SignalName(s.Signal())
	}
	return "exit code " + strconv.Itoa(s.ExitStatus())
}

// services starts what runs beside the application and waits until each is
// ready.
func (s *supervisor) services() error {
	for i, service := range s.job.Launch.Services {
		path := filepath.Join(s.dir, fmt.Sprintf("service-%d", i+1))
		log, err := create(path, os.O_WRONLY)
		if err != nil {
			return err
		}
		_, done, err := s.start(service.Command, s.work, log, true)
		log.Close()
		if err != nil {
			return failf(ensemble.Failed, "the service %q cannot be started: %v", service.Command[0], err)
		}
		if err := s.ready(service, path, done); err != nil {
			return err
		}
	}
	return nil
}

func (s *supervisor) ready(service spec.Service, path string, done <-chan end) error {
	if service.Ready == "" {
		return nil
	}
	watch, err := newLineWatch(path, service.Ready)
	if err != nil {
		return err
	}
	defer watch.Close()
	deadline := time.Now().Add(readyLimit)
	for {
		switch ok, err := watch.seen(); {
		case err != nil:
			return err
		case ok:
			return nil
		case time.Now().After(deadline):
			return failf(ensemble.Failed, "the service %q was not ready after %v: no line matches %s", service.Command[0], readyLimit, service.Ready)
		}
		select {
		case e := <-done:
			return failf(ensemble.Failed, "the service %q ended before it was ready: %s", service.Command[0], describeEnd(e.status))
		case <-s.stop:
			return failf(ensemble.Cancelled, "cancelled while the service %q started", service.Command[0])
		case <-time.After(5 * time.Millisecond):
		}
	}
}
