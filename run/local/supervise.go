// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

const (
	lockFD   = 3 // of a supervisor: the lock, held as long as it lives
	reportFD = 4 // of a supervisor: where it reports the start

	planFile = "launch.json"
	rankFile = "ranks"
	logFile  = "supervisor.log"

	// endGrace is how long processes have between the request to end and the
	// kill.
	endGrace = 3 * time.Second
	// leaveGrace is how long what the application started has to end by itself
	// behind it, as the daemons of a launcher do, before it counts as left.
	leaveGrace = 100 * time.Millisecond
	// readyLimit is how long a service may take to become ready.
	readyLimit = 30 * time.Second
	// cleanUpLimit is how long the commands that clean up have once the attempt is
	// cancelled.
	cleanUpLimit = 30 * time.Second
)

// plan is what the executor decided for an attempt: launch.json.
type plan struct {
	// Cores are those that the attempt has; Whole says that it has all of the
	// that jobs may use; Machine says that these are all of the machine.
	Cores   []core `json:"cores"`
	Whole   bool   `json:"whole"`
	Machine bool   `json:"machine"`
	// Launcher is the path of the MPI's launcher; empty without MPI.
	Launcher string `json:"launcher,omitempty"`
	// Preload is the path of the MPI profiling library; empty without a profile.
	Preload string `json:"preload,omitempty"`
	// Root is the folder of the job's image, Env the environment that the image sets, and
	// Enter the command line that stands before commands in it; empty without an image.
	Root  string   `json:"root,omitempty"`
	Env   []string `json:"env,omitempty"`
	Enter []string `json:"enter,omitempty"`
}

// Supervise runs one attempt: it is the body of the supervisor process that the
// executor starts with its lock. It returns when exit.json is written.
func Supervise(dir string) error {
	runtime.LockOSThread() // for the death signal and the affinity of children
	unix.CloseOnExec(lockFD)
	unix.CloseOnExec(reportFD)
	// Caught and dropped rather than ignored: children inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	cancel := make(chan os.Signal, 1)
	signal.Notify(cancel, unix.SIGTERM)
	// Who knows the process ID may cancel: not before the signal is caught.
	if _, err := unix.Pwrite(lockFD, fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return &run.StorageError{Path: filepath.Join(dir, run.LockFile), Err: err}
	}

	s := &supervisor{dir: dir, work: filepath.Join(dir, run.WorkDir), stop: make(chan struct{})}
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
	if s.storage != nil {
		return s.storage // an exit would say that what the attempt leaves is saved
	}
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
	inside    []string      // the environment in the job's image
	stop      chan struct{} // closed when the attempt is cancelled
	exit      run.Exit
	storage   error // what could not be written
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
		_ = os.Chdir("/")
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

// fail lets the first failure decide. A full disk is not the job's failure.
func (s *supervisor) fail(err error) {
	var storage *run.StorageError
	if s.storage == nil && (errors.As(err, &storage) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)) {
		s.storage = err
	}
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
		return &run.StorageError{Path: s.work, Err: err}
	}
	if err := os.Chdir(s.work); err != nil { // commands are looked up from there
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
	s.exit.Cores = processors(s.plan.Cores)
	for _, cpu := range s.exit.Cores {
		set.Set(cpu)
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
	return s.environ()
}

// environ makes the environment of all that the attempt starts, each variable
// once: programs differ in which of two they take. It is this process's own as
// well, so that programs are looked up in the job's PATH.
func (s *supervisor) environ() error {
	add := append([]string{"OMP_NUM_THREADS=" + strconv.Itoa(s.job.Shape.Threads)}, s.job.Launch.Env...)
	for _, v := range append(add, attemptVariable+"="+s.dir) {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting the variable %q: %w", name, err)
		}
	}
	s.env = os.Environ()
	s.inside = once(slices.Concat([]string{imagePath}, s.plan.Env, add, []string{attemptVariable + "=" + s.dir}))
	return nil
}

// once keeps the last of several values of a variable.
func once(env []string) (kept []string) {
	for i, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(env[i+1:], func(later string) bool { return strings.HasPrefix(later, name+"=") }) {
			kept = append(kept, v)
		}
	}
	return kept
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
