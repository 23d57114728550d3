// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
)

var errNone = fs.ErrNotExist

// newKey draws the key of a run.
func newKey() string { return rand.Text() }

// tag names an attempt among all jobs of an instance: the user attribute "ensemble".
type tag struct {
	Run     string `json:"run"`
	Job     string `json:"job,omitempty"`
	Attempt int    `json:"attempt"`
	// Partition is the group whose instance the job is, in place of a job of the run.
	Partition string `json:"partition,omitempty"`
}

// attempt is one that Flux has, or is about to have.
type attempt struct {
	tag tag
	job *ensemble.Job // nil until the driver asks for what an earlier one left
	dir string

	id        flux.JobID // 0 until Flux told it
	told      run.FluxJob
	ranks     flux.IDSet // that it got
	status    flux.WaitStatus
	exception *flux.Exception // the first that ended it
	cancel    bool            // as soon as the ID is known
	urgency   *int            // the same
	over      bool            // it is clean, or there never was a job
}

// follow takes in one event of Flux's journal.
func (x *Executor) follow(e flux.JobEvent) {
	x.mu.Lock()
	a := x.jobs[e.ID]
	if e.Name == "submit" {
		a = x.adopt(e)
	}
	if a == nil {
		x.mu.Unlock()
		return // somebody else's
	}
	a.take(e)
	start := e.Name == "start" && a.job != nil
	over := e.Name == "clean" && a.job != nil
	x.mu.Unlock()
	switch {
	case start:
		x.start(a, e.Time())
	case over:
		x.read(a)
	}
}

// adopt finds out whose a job is that Flux tells of first. x.mu is held.
func (x *Executor) adopt(e flux.JobEvent) *attempt {
	var spec struct {
		Attributes struct {
			User struct{ Ensemble tag }
		}
	}
	if json.Unmarshal(e.Jobspec, &spec) != nil || spec.Attributes.User.Ensemble.Run != x.key {
		return nil
	}
	t := spec.Attributes.User.Ensemble
	if x.unwanted[t] {
		x.raise(e.ID)
		return nil
	}
	a := x.attempts[t]
	if a == nil { // an earlier driver's, who may ask for it
		a = &attempt{tag: t}
		x.attempts[t] = a
	}
	a.id, a.told.ID = e.ID, e.ID.Plain()
	x.jobs[e.ID] = a
	if a.cancel {
		x.raise(a.id)
	}
	if a.urgency != nil {
		x.urge(a.id, *a.urgency)
	}
	return a
}

// take keeps what an event says.
func (a *attempt) take(e flux.JobEvent) {
	at := e.Time().UTC()
	switch e.Name {
	case "submit":
		a.told.Submit = at
	case "alloc":
		a.told.Alloc = at
		if r, err := flux.ParseR(e.R); err == nil {
			a.told.Cores, a.ranks = r.Cores(), r.Ranks()
			if hosts, err := r.Hosts(); err == nil {
				a.told.Hosts = hosts.String()
			}
		}
	case "start":
		a.told.Start = at
	case "finish":
		a.told.Finish = at
		a.status, _ = e.Finish()
	case "clean":
		a.told.Clean, a.over = at, true
	case "exception":
		if x, ok := e.Exception(); ok && x.Severity == 0 && a.exception == nil {
			a.exception = x
		}
	}
}

// verdict is how Flux says that an attempt ended.
func (a *attempt) verdict() (ensemble.Status, string) {
	switch x := a.exception; {
	case x == nil && a.told.Finish.IsZero():
		return ensemble.Lost, "Flux ended the job without saying how"
	case !a.told.Finish.IsZero() && a.status == 0: // whatever came behind the end, as for Flux
		return ensemble.Succeeded, ""
	case x == nil:
		return ensemble.Failed, fmt.Sprintf("exit code %d", a.status.ExitCode())
	case x.Type == "cancel":
		return ensemble.Cancelled, strings.TrimSuffix("cancelled: "+x.Note, ": ")
	case x.Type == "timeout":
		return ensemble.Timeout, fmt.Sprintf("the job took longer than %v", a.job.Policy.Timeout)
	case nodeFailed(x):
		return ensemble.Lost, x.Note
	case !a.told.Finish.IsZero() && a.status != 0:
		return ensemble.Failed, fmt.Sprintf("exit code %d: %v", a.status.ExitCode(), x)
	default:
		return ensemble.Failed, x.String()
	}
}

// nodeFailed says whether an exception is about a broker or a job shell that went, and not
// about the job: of the types and texts of Flux's job-exec (src/modules/job-exec).
func nodeFailed(x *flux.Exception) bool {
	return x.Type == "node-failure" || x.Type == "exec" && strings.HasPrefix(x.Note, "node failure on ")
}

// noticeLimit is how long Flux may take to notice that a broker is gone whose jobs it has
// lost; it is a second or so.
const noticeLimit = 20 * time.Second

// noticed waits until Flux knows that a node is gone which lost an attempt: another attempt
// would be sent there before, and be lost too.
func (x *Executor) noticed(ctx context.Context, a *attempt) error {
	ctx, cancel := context.WithTimeout(ctx, noticeLimit)
	defer cancel()
	for {
		status, err := x.client.Resources(ctx)
		if err == nil && a.ranks.Without(status.Online).Len() > 0 {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return lost(x.client, err)
		}
		select {
		case <-ctx.Done():
			return nil // it is back, or only its job shell went
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Recover finds the job that an earlier driver submitted, follows it, or reports what
// it left.
func (x *Executor) Recover(job *ensemble.Job, number int, phase ensemble.Phase, dir string) error {
	if job.Partition > 0 && !x.nested && !exists(exitPath(dir)) {
		x.in(job).recover(job, number, phase, dir)
		return nil
	}
	t := tag{Run: x.key, Job: job.ID, Attempt: number}
	x.mu.Lock()
	a := x.attempts[t]
	if a == nil {
		a = &attempt{tag: t}
		x.attempts[t] = a
	}
	a.dir = dir
	x.open++
	x.mu.Unlock()
	x.work.Go(func() {
		var exit run.Exit
		switch err := run.ReadJSON(exitPath(dir), &exit); {
		case err == nil: // all was saved, and then the driver died
			if phase == ensemble.Queued && !exit.Start.IsZero() {
				x.start(a, exit.Start)
			}
			x.end(a, &exit)
			return
		case !errors.Is(err, errNone):
			x.fail(err)
			return
		}
		switch over, known := x.take(a, job, phase); {
		case over:
			x.read(a)
		case !known && x.again:
			x.await(a)
		case !known:
			x.settle(a, "")
		}
	})
	return nil
}

// take has follow tell of an attempt from now on, behind what it missed: the start of
// one that the driver has as queued.
func (x *Executor) take(a *attempt, job *ensemble.Job, phase ensemble.Phase) (over, known bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for phase == ensemble.Queued && !a.told.Start.IsZero() {
		phase = ensemble.Running
		at := a.told.Start
		x.mu.Unlock()
		x.start(a, at)
		x.mu.Lock()
	}
	a.job = job
	return a.over, a.id != 0
}

// start tells the start of an attempt.
func (x *Executor) start(a *attempt, at time.Time) {
	x.send(ensemble.Event{Time: at, Name: ensemble.Start, Job: a.tag.Job, Attempt: a.tag.Attempt})
}

// await gives a submission that was under way some time to show.
func (x *Executor) await(a *attempt) {
	select {
	case <-time.After(underway):
	case <-x.ctx.Done():
		return
	}
	x.mu.Lock()
	known := a.id != 0
	if !known {
		x.unwanted[a.tag] = true
	}
	x.mu.Unlock()
	if !known {
		x.settle(a, "")
	}
}

// settle ends an attempt that Flux has no job of: it refused it, or never got it.
func (x *Executor) settle(a *attempt, refused string) {
	e := ensemble.Event{Time: time.Now(), Name: ensemble.Finish, Job: a.tag.Job, Attempt: a.tag.Attempt,
		Status: ensemble.Lost, Reason: "the Flux instance that had the job is gone, with its history"}
	if x.again {
		e.Reason = "Flux never got the job"
	}
	if refused != "" {
		e.Status, e.Reason = ensemble.Failed, refused
		exit := run.Exit{Status: e.Status, Reason: refused, Command: a.job.Launch.Command, Begin: e.Time, End: e.Time}
		if err := run.WriteJSON(exitPath(a.dir), &exit); err != nil {
			x.fail(err)
			return
		}
	}
	x.forget(a)
	x.send(e)
}

// end tells the end of an attempt whose exit is written.
func (x *Executor) end(a *attempt, exit *run.Exit) {
	x.forget(a)
	x.send(ensemble.Event{Time: exit.End, Name: ensemble.Finish, Job: a.tag.Job, Attempt: a.tag.Attempt, Status: exit.Status, Reason: exit.Reason})
}

// forget makes room.
func (x *Executor) forget(a *attempt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.attempts, a.tag)
	delete(x.jobs, a.id)
	x.open--
}
