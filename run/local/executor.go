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
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"golang.org/x/sys/unix"
)

// Executor runs attempts in core slots of this machine. Its methods are called
// from one goroutine.
type Executor struct {
	cores      []core
	online     int      // processors of the machine
	supervisor []string // argv of a supervisor, without the directory
	events     chan ensemble.Event
	launchers  map[spec.MPI]string // paths found so far
	preloads   map[spec.MPI]string // of profiling libraries built so far
	images     images

	mu   sync.Mutex
	used map[string][]core // by attempt directory
	dirs map[string]string // attempt directory by job
}

var _ run.Executor = (*Executor)(nil)

// New makes an executor for the processors that this process may use.
// supervisor is the command line, without the attempt's directory at its end,
// of a process that calls Supervise.
func New(supervisor ...string) (*Executor, error) {
	all, err := cores()
	if err != nil {
		return nil, err
	}
	return &Executor{
		cores: all, online: online(), supervisor: supervisor, events: make(chan ensemble.Event),
		launchers: map[spec.MPI]string{}, preloads: map[spec.MPI]string{}, used: map[string][]core{}, dirs: map[string]string{},
	}, nil
}

// Cores is the number of cores that jobs may use.
func (x *Executor) Cores() int { return len(x.cores) }

// Events is where events come from.
func (x *Executor) Events() <-chan ensemble.Event { return x.events }

// Check says what the machine lacks for the job: nodes, cores, the launcher, or
// programs of the commands around it. Those of the application are looked for
// when the job starts, since commands may make them.
func (x *Executor) Check(job *ensemble.Job) error {
	err := x.fits(job)
	if err == nil {
		_, err = x.plan(job, x.cores)
	}
	path := run.Path(job.Launch.Env)
	return errors.Join(err,
		run.CheckCommands("beforeJob", job.Launch.Before, path, true),
		run.CheckCommands("afterJob", job.Launch.After, path, false))
}

// fits says what the job asks for and this machine does not have.
func (x *Executor) fits(job *ensemble.Job) error {
	name := "job " + job.ID
	if job.App != "" { // of many jobs that do not fit, each kind says so once
		name = strings.TrimSpace(job.App + " " + job.Variant)
	} else if job.Group != "" {
		name = "group " + job.Group
	}
	if job.Shape.Nodes > 1 {
		return fmt.Errorf("%s asks for %d nodes; this machine is one: run it in a Flux instance", name, job.Shape.Nodes)
	}
	if job.App == "" && job.Launch.MPI == spec.NoMPI && job.Shape.Tasks > 1 {
		return fmt.Errorf("group %s asks for %d tasks of a plain command; on this machine the launcher of an MPI starts them: name it (mpi: openmpi), or take one task",
			job.Group, job.Shape.Tasks)
	}
	if job.Partition > 0 {
		return fmt.Errorf("%s asks for a Flux instance of its own: run it with --on flux, or leave partition out", name)
	}
	if n := job.Shape.Cores(); n > len(x.cores) && !job.Policy.Oversubscribe {
		tasks := "tasks"
		if job.Shape.Tasks == 1 {
			tasks = "task"
		}
		return fmt.Errorf("%s asks for %d cores (%d %s of %d); this machine has %d: take fewer, or allow it with oversubscribe: true",
			name, n, job.Shape.Tasks, tasks, job.Shape.CoresPerTask, len(x.cores))
	}
	return nil
}

// plan decides how the job is run on some cores.
func (x *Executor) plan(job *ensemble.Job, cores []core) (p plan, err error) {
	p = plan{Cores: cores, Whole: !job.Policy.Shared, Machine: len(processors(cores)) == x.online}
	var none error
	if job.Launch.Image != "" {
		err = x.inImage(job, &p)
	} else {
		p.Launcher, err = x.launcher(job.Launch.MPI)
		p.Preload, none = x.preload(job)
	}
	if err = errors.Join(err, none); err == nil { // all that is missing is told at once
		_, _, err = launchLine(job, p, "")
	}
	return p, err
}

// launcher finds the launcher of an MPI once.
func (x *Executor) launcher(mpi spec.MPI) (path string, err error) {
	if mpi == spec.NoMPI {
		return "", nil
	}
	if path = x.launchers[mpi]; path == "" {
		if path, err = FindLauncher(mpi); err == nil {
			x.launchers[mpi] = path
		}
	}
	return path, err
}

// Room says whether enough cores are free: all of them for a job that is not
// shared.
func (x *Executor) Room(job *ensemble.Job) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !job.Policy.Shared {
		return len(x.used) == 0
	}
	return len(x.free()) >= min(job.Shape.Cores(), len(x.cores))
}

// free lists the cores that no attempt has.
func (x *Executor) free() []core {
	var free []core
	for _, c := range x.cores {
		if !slices.ContainsFunc(x.taken(), func(t core) bool { return t.CPUs[0] == c.CPUs[0] }) {
			free = append(free, c)
		}
	}
	return free
}

func (x *Executor) taken() []core {
	var all []core
	for _, cores := range x.used {
		all = append(all, cores...)
	}
	return all
}

// Submit starts a supervisor for the attempt.
func (x *Executor) Submit(job *ensemble.Job, attempt int, dir string) error {
	if err := x.fits(job); err != nil {
		return err
	}
	cores := x.cores
	if job.Policy.Shared {
		x.mu.Lock()
		cores = x.free()
		x.mu.Unlock()
		cores = cores[:min(job.Shape.Cores(), len(cores))]
	}
	p, err := x.plan(job, cores)
	if err != nil {
		return err
	}
	if err := run.WriteJSON(filepath.Join(dir, planFile), p); err != nil {
		return err
	}
	lock, err := create(filepath.Join(dir, run.LockFile), os.O_RDWR)
	if err != nil {
		return err
	}
	defer lock.Close() // the supervisor keeps its own
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("locking the attempt: %w", err)
	}
	report, reportEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reportEnd.Close()
	log, err := create(filepath.Join(dir, logFile), os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		report.Close()
		return err
	}
	defer log.Close()
	cmd := exec.Command(x.supervisor[0], append(slices.Clone(x.supervisor[1:]), dir)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.ExtraFiles = []*os.File{lock, reportEnd}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal
	if err := cmd.Start(); err != nil {
		report.Close()
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	x.take(job.ID, dir, p.Cores)
	go func() {
		defer report.Close()
		var e ensemble.Event
		for dec := json.NewDecoder(report); dec.Decode(&e) == nil; {
			e.Job, e.Attempt = job.ID, attempt
			x.events <- e
		}
		_ = cmd.Wait() // how it ended is in exit.json
		x.finish(job.ID, attempt, dir)
	}()
	return nil
}

func (x *Executor) take(job, dir string, cores []core) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used[dir], x.dirs[job] = cores, dir
}

// finish is called when the supervisor of an attempt is gone.
func (x *Executor) finish(job string, attempt int, dir string) {
	e := ensemble.Event{Name: ensemble.Finish, Job: job, Attempt: attempt}
	var exit run.Exit
	switch err := run.ReadJSON(filepath.Join(dir, run.ExitFile), &exit); {
	case err == nil:
		e.Time, e.Status, e.Reason = exit.End, exit.Status, exit.Reason
	case errors.Is(err, fs.ErrNotExist):
		run.KillMarked(attemptVariable, dir)
		e.Time, e.Status, e.Reason = time.Now(), ensemble.Lost, "the supervisor ended without an exit"
		if log, err := os.ReadFile(filepath.Join(dir, logFile)); err == nil && len(log) > 0 {
			e.Reason += ": " + strings.TrimSpace(string(log[max(0, len(log)-500):]))
		}
	default:
		run.KillMarked(attemptVariable, dir)
		e.Time, e.Status, e.Reason = time.Now(), ensemble.Lost, err.Error()
	}
	x.mu.Lock()
	delete(x.used, dir)
	delete(x.dirs, job)
	x.mu.Unlock()
	x.events <- e
}

// create opens a file for writing, making it where there is none.
func create(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|flag, 0o644)
	if err != nil {
		return nil, &run.StorageError{Path: path, Err: err}
	}
	return f, nil
}
