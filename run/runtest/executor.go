// SPDX-License-Identifier: MIT

// Package runtest provides a working executor for tests, and the suite of tests
// that every executor passes.
//
// The model: the fake does nothing on the machine. How an attempt goes is said
// by a function or, without one, by the command: "false" fails, "sleep" lasts
// until it is cancelled, everything else succeeds at once. It keeps the promises
// of run.Executor, exit.json included; each slot for an error makes it break
// one.
package runtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
)

// Attempt is how an attempt goes.
type Attempt struct {
	// Status is how it ends; empty is succeeded. A lost one leaves no exit.json.
	Status ensemble.Status
	Reason string
	// Stdout is what it prints.
	Stdout string
	// Until is closed when it may end; nil is at once.
	Until <-chan struct{}
	// NeverStarts leaves the start out.
	NeverStarts bool
	// Deaf has it go on when it is cancelled.
	Deaf bool
}

// Executor is a fake member. The zero value runs one attempt at a time.
type Executor struct {
	// Slots is how many attempts run at a time; 0 is 1.
	Slots int
	// Do says how an attempt goes; nil goes by the command.
	Do func(job *ensemble.Job, attempt int) Attempt
	// CheckError, SubmitError and RecoverError are what the methods fail with;
	// nil, or a nil error, is success.
	CheckError                func(job *ensemble.Job) error
	SubmitError, RecoverError func(job *ensemble.Job, attempt int) error

	mu      sync.Mutex
	running map[string]chan struct{} // by job, closed to cancel
	calls   []string
	events  chan ensemble.Event
}

var _ run.Executor = (*Executor)(nil)

// Calls lists the calls so far, such as "submit j 1", "recover j 1" and
// "cancel j 1".
func (x *Executor) Calls() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.calls)
}

// Say sends an event of the caller's, as an executor does that breaks its
// promises. It returns when the event was taken.
func (x *Executor) Say(e ensemble.Event) { x.channel() <- e }

// Check fails with CheckError.
func (x *Executor) Check(job *ensemble.Job) error {
	if x.CheckError == nil {
		return nil
	}
	return x.CheckError(job)
}

// Room says whether a slot is free; a job that is not shared wants them all.
func (x *Executor) Room(job *ensemble.Job) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !job.Policy.Shared {
		return len(x.running) == 0
	}
	return len(x.running) < max(1, x.Slots)
}

// Submit begins an attempt.
func (x *Executor) Submit(job *ensemble.Job, attempt int, dir string) error {
	cancel := x.call("submit", job.ID, attempt)
	if x.SubmitError != nil {
		if err := x.SubmitError(job, attempt); err != nil {
			x.end(job.ID)
			return err
		}
	}
	a := byCommand(job)
	if x.Do != nil {
		a = x.Do(job, attempt)
	}
	go x.run(job.ID, attempt, dir, a, cancel)
	return nil
}

func byCommand(job *ensemble.Job) Attempt {
	switch job.Launch.Command[0] {
	case "false":
		return Attempt{Status: ensemble.Failed, Reason: "exit code 1"}
	case "sleep":
		return Attempt{Until: make(chan struct{})}
	default:
		return Attempt{}
	}
}

func (x *Executor) run(job string, attempt int, dir string, a Attempt, cancel <-chan struct{}) {
	exit := run.Exit{Status: a.Status, Reason: a.Reason, Command: []string{"fake"}, Begin: time.Now()}
	if exit.Status == "" {
		exit.Status = ensemble.Succeeded
	}
	if !a.NeverStarts {
		exit.Start = time.Now()
		x.Say(ensemble.Event{Time: exit.Start, Name: ensemble.Start, Job: job, Attempt: attempt})
	}
	if a.Deaf {
		cancel = nil
	}
	if a.Until != nil {
		select {
		case <-a.Until:
		case <-cancel:
			exit.Status, exit.Reason = ensemble.Cancelled, "cancelled"
		}
	}
	if exit.End = time.Now(); !exit.Start.IsZero() {
		exit.Finish = exit.End
	}
	if exit.Status != ensemble.Lost {
		err := os.WriteFile(filepath.Join(dir, run.StdoutFile), []byte(a.Stdout), 0o644)
		if err == nil {
			err = run.WriteJSON(filepath.Join(dir, run.ExitFile), exit)
		}
		if err != nil {
			exit.Status, exit.Reason = ensemble.Lost, err.Error()
		}
	}
	x.end(job)
	x.Say(finish(job, attempt, exit))
}

func finish(job string, attempt int, exit run.Exit) ensemble.Event {
	return ensemble.Event{Time: exit.End, Name: ensemble.Finish, Job: job, Attempt: attempt, Status: exit.Status, Reason: exit.Reason}
}

// Recover reports what exit.json says, and where there is none that the attempt
// is lost.
func (x *Executor) Recover(job *ensemble.Job, attempt int, phase ensemble.Phase, dir string) error {
	x.call("recover", job.ID, attempt)
	if x.RecoverError != nil {
		if err := x.RecoverError(job, attempt); err != nil {
			x.end(job.ID)
			return err
		}
	}
	var exit run.Exit
	err := run.ReadJSON(filepath.Join(dir, run.ExitFile), &exit)
	if errors.Is(err, fs.ErrNotExist) {
		exit = run.Exit{Status: ensemble.Lost, Reason: "no exit", End: time.Now()}
	} else if err != nil {
		x.end(job.ID)
		return err
	}
	go func() {
		if phase == ensemble.Queued && !exit.Start.IsZero() {
			x.Say(ensemble.Event{Time: exit.Start, Name: ensemble.Start, Job: job.ID, Attempt: attempt})
		}
		x.end(job.ID)
		x.Say(finish(job.ID, attempt, exit))
	}()
	return nil
}

// Cancel ends an attempt that is not deaf.
func (x *Executor) Cancel(job string, attempt int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls = append(x.calls, fmt.Sprint("cancel ", job, " ", attempt))
	if c := x.running[job]; c != nil {
		close(c)
		x.running[job] = make(chan struct{}) // a second one does no harm
	}
}

// Events is where events come from.
func (x *Executor) Events() <-chan ensemble.Event { return x.channel() }

func (x *Executor) channel() chan ensemble.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.events == nil {
		x.events = make(chan ensemble.Event)
	}
	return x.events
}

func (x *Executor) call(what, job string, attempt int) (cancel <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls = append(x.calls, fmt.Sprint(what, " ", job, " ", attempt))
	if x.running == nil {
		x.running = map[string]chan struct{}{}
	}
	c := make(chan struct{})
	x.running[job] = c
	return c
}

func (x *Executor) end(job string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.running, job)
}
