// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"golang.org/x/sys/unix"
)

const (
	lockFD   = 3 // of a supervisor: the lock, held as long as it lives
	reportFD = 4 // of a supervisor: where it reports the start

	lockFile = "lock"
	planFile = "launch.json"
	workDir  = "work"

	// endGrace is how long processes have between the request to end and the
	// kill.
	endGrace = 3 * time.Second
	// readyLimit is how long a service may take to become ready.
	readyLimit = 30 * time.Second
)

// plan is what the executor decided for an attempt: launch.json.
type plan struct {
	// Cores are those that the attempt has; Whole says that it has all of the
	// machine's.
	Cores []core `json:"cores"`
	Whole bool   `json:"whole"`
	// Launcher is the path of the MPI's launcher; empty without MPI.
	Launcher string `json:"launcher,omitempty"`
}

// Supervise runs one attempt: it is the body of the supervisor process that the
// executor starts with its lock. It returns when exit.json is written.
func Supervise(dir string) error {
	runtime.LockOSThread() // for the death signal and the affinity of children
	unix.CloseOnExec(lockFD)
	if _, err := unix.Pwrite(lockFD, fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return fmt.Errorf("writing the process ID into the lock: %w", err)
	}
	unix.CloseOnExec(reportFD)
	// Caught and dropped rather than ignored: children inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	cancel := make(chan os.Signal, 1)
	signal.Notify(cancel, unix.SIGTERM)

	s := &supervisor{dir: dir, work: filepath.Join(dir, workDir), stop: make(chan struct{})}
	go func() {
		<-cancel
		close(s.stop)
	}()
	if err := run.ReadJSON(filepath.Join(dir, run.JobFile), &s.job); err != nil {
		return err
	}
	if err := run.ReadJSON(filepath.Join(dir, planFile), &s.plan); err != nil {
		return err
	}
	var err error
	if s.tree, err = newTree(); err != nil {
		return err
	}
	s.exit = run.Exit{Status: ensemble.Succeeded, Begin: time.Now()}
	s.attempt()
	s.exit.End = time.Now()
	return run.WriteJSON(filepath.Join(dir, run.ExitFile), &s.exit)
}

// supervisor is one attempt while it runs.
type supervisor struct {
	dir, work string
	job       ensemble.Job
	plan      plan
	tree      *tree
	env       []string
	stop      chan struct{} // closed when the attempt is cancelled
	exit      run.Exit
}

// attempt goes through the steps of an attempt. Each decides on the status; the
// ones behind a failure are left out, but for what cleans up.
func (s *supervisor) attempt() {
	err := s.prepare()
	if err == nil {
		err = s.steps("before", s.job.Launch.Before)
	}
	if err == nil {
		err = s.steps("prepare", s.job.Launch.Prepare)
	}
	if err == nil {
		err = s.services()
	}
	if err == nil {
		err = s.application()
	}
	s.tree.clear(endGrace)
	if s.exit.Start.IsZero() {
		s.exit.Resources = nil
	}
	s.fail(err)
	s.fail(s.steps("after", s.job.Launch.After))
	s.tree.clear(endGrace)
	saved := s.collect()
	s.fail(saved)
	if saved == nil && s.exit.Status == ensemble.Succeeded {
		_ = os.RemoveAll(s.work) // scratch; what was asked for is saved
	}
}

// failure is an error with the status that it gives the attempt.
type failure struct {
	status ensemble.Status
	reason string
}

func (f *failure) Error() string { return f.reason }

func failf(status ensemble.Status, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// fail lets the first failure decide.
func (s *supervisor) fail(err error) {
	if err == nil || s.exit.Status != ensemble.Succeeded {
		return
	}
	s.exit.Status, s.exit.Reason = ensemble.Failed, err.Error()
	var f *failure
	if errors.As(err, &f) {
		s.exit.Status = f.status
	}
}

// prepare makes the job's directory with its files and pins this thread, and
// with it all children, to the attempt's cores.
func (s *supervisor) prepare() error {
	if err := os.MkdirAll(s.work, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.work)
	if err != nil {
		return err
	}
	defer root.Close()
	for path, content := range s.job.Launch.Files {
		if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing the deck %q: %w", path, err)
		}
		if err := root.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("writing the deck %q: %w", path, err)
		}
	}
	var set unix.CPUSet
	for _, c := range s.plan.Cores {
		for _, cpu := range c {
			set.Set(cpu)
			s.exit.Cores = append(s.exit.Cores, cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pinning the job to its cores: %w", err)
	}
	if !s.plan.Whole {
		s.exit.Flags = append(s.exit.Flags, "shared")
	}
	if n := s.job.Shape.Cores(); n > len(s.plan.Cores) {
		s.exit.Flags = append(s.exit.Flags, "oversubscribed")
	}
	s.env = append(os.Environ(), "OMP_NUM_THREADS="+strconv.Itoa(s.job.Shape.Threads))
	s.env = append(s.env, s.job.Launch.Env...)
	s.env = append(s.env, attemptVariable+"="+s.dir)
	return nil
}

// limit is a channel that fires when a time limit is over; without one it never
// does.
func limit(d time.Duration) (<-chan time.Time, func()) {
	if d <= 0 {
		return nil, func() {}
	}
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// steps runs commands one by one, with their output in the file of steps. Those
// after the application run even if the attempt was cancelled.
func (s *supervisor) steps(name string, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(s.dir, run.StepsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	stop := s.stop
	if name == "after" {
		stop = nil
	}
	var first error
	for _, argv := range commands {
		begin := time.Now()
		_, done, err := s.tree.start(argv, s.work, s.env, log, log)
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
		log, err := os.Create(path)
		if err != nil {
			return err
		}
		_, done, err := s.tree.start(service.Command, s.work, s.env, log, log)
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

// application launches the application and waits for it.
func (s *supervisor) application() error {
	argv, err := launchLine(&s.job, s.plan.Launcher, s.plan.Cores)
	if err != nil {
		return err
	}
	s.exit.Command = argv
	if _, err := exec.LookPath(s.job.Launch.Command[0]); err != nil {
		code := notFound
		s.exit.ExitCode = &code
		return failf(ensemble.Failed, "the command %q is not found", s.job.Launch.Command[0])
	}
	stdout, err := os.Create(filepath.Join(s.dir, run.StdoutFile))
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(s.dir, run.StderrFile))
	if err != nil {
		return err
	}
	defer stderr.Close()

	guard := s.plan.Whole && s.job.Policy.IdleWait >= 0
	if guard {
		before, waited := waitIdle(s.job.Policy.Busy, s.job.Policy.IdleWait, s.stop)
		s.exit.Load = &run.Load{Before: before, WaitedSeconds: waited.Seconds()}
	}
	select {
	case <-s.stop:
		return failf(ensemble.Cancelled, "cancelled before the application started")
	default:
	}

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
	if failed == nil && (e.status.Signaled() || e.status.ExitStatus() != 0) {
		failed = failf(ensemble.Failed, "%s", describeEnd(e.status))
	}
	return failed
}

// reportStart tells the driver, if it still lives.
func (s *supervisor) reportStart() {
	_, _ = unix.Write(reportFD, fmt.Appendf(nil, "%d\n", s.exit.Start.UnixNano()))
	_ = unix.Close(reportFD)
}
