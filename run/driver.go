// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// lossLimit is how often one session tries a job whose attempts end without
// settling anything: a machine that kills every supervisor would otherwise keep
// it at the same job for ever. The next session tries again.
const lossLimit = 3

// stopLimit is the default of Driver.StopLimit. It is longer than an executor
// gives the commands that clean up.
const stopLimit = time.Minute

// Driver carries out the jobs of a run.
type Driver struct {
	Dir      Dir
	Executor Executor
	// Judge decides on success from the output; nil believes the executor.
	Judge Judge
	// Engine decides what else is submitted, and what is cancelled; nil is nobody.
	Engine *ensemble.Engine
	// Enough decides which repetitions are not needed; nil has all of them run.
	Enough Enough
	// Observer is told of events; nil is nobody.
	Observer Observer
	// Before and After are commands around the whole run. They run in every
	// session: Before when nothing of an earlier session runs any more, After
	// whatever happened, a failure of Before included.
	Before, After [][]string
	// Version is written into the journal.
	Version string
	// Environment is the machine as this session found it, which is kept once
	// the run directory is locked; nil keeps nothing.
	Environment *Environment
	// StopLimit is how long jobs have to end after the run was cancelled; 0 is a
	// minute. The journal keeps those that do not as running, and the next session
	// asks for them.
	StopLimit time.Duration
}

// Summary counts how jobs of a run stand, by the status of their last attempt.
type Summary struct {
	// Jobs is how many jobs the stream held, each counted once.
	Jobs int
	// Status counts settled jobs; a job that is not settled is in none.
	Status map[ensemble.Status]int
	// Omitted counts jobs that turned out not to be needed.
	Omitted int
	// Skipped is how many of the jobs an earlier session had settled.
	Skipped int
}

// Settled is how many jobs are settled; those that were omitted are.
func (s Summary) Settled() int {
	n := s.Omitted
	for _, k := range s.Status {
		n += k
	}
	return n
}

// Run takes jobs from the stream until it ends and every one is settled. When
// ctx is cancelled it ends what runs, saves what it left and returns the
// context's cause. A run that was cut off goes on from its journal. Where it
// cannot begin, because another driver has the directory or the journal is broken,
// nothing is changed and the summary's Status is nil.
func (d *Driver) Run(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) (Summary, error) {
	r := &session{Driver: d, open: map[string]*ensemble.Job{}, cells: map[string]*cell{}, cancelled: map[string]string{}, known: map[string]bool{}, seen: map[string]bool{}, losses: map[string]int{}}
	journal, err := OpenJournal(d.Dir.path(JournalFile), r.replay)
	if err != nil {
		return r.summary, err
	}
	if x, ok := d.Executor.(Opener); ok {
		if err := x.Open(ctx, d.Dir); err != nil {
			return r.summary, errors.Join(err, journal.Close())
		}
	}
	if c, ok := d.Executor.(Clock); ok {
		c.Resume(r.last)
	}
	r.journal, r.summary.Status = journal, map[ensemble.Status]int{}
	err = r.run(ctx, jobs)
	if err != nil {
		err = errors.Join(err, r.stop(ctx))
	}
	note := ""
	if err != nil {
		note = err.Error()
	}
	err = errors.Join(err, r.after(ctx), journal.Append(ensemble.Event{Time: r.now(), Name: ensemble.RunFinish, Note: note}))
	return r.summary, dedup(errors.Join(err, journal.Close()))
}

// session is one driver's time with a run.
type session struct {
	*Driver
	journal *Journal
	state   ensemble.State
	summary Summary
	open    map[string]*ensemble.Job // submitted or recovered, not finished
	retries []*ensemble.Job          // to be tried again, first come first served
	parked  *ensemble.Job            // whether it is needed is not known yet
	asked   []*ensemble.Job          // that the engine submits
	// cancelled says why jobs are not carried out any more.
	cancelled map[string]string
	decisions []ensemble.Action // of the journal's events, that it does not have as decided
	news      []ensemble.Event  // that the engine was not asked about yet
	cells     map[string]*cell
	// known are the jobs that were open when the session began and whose job.json
	// is there: the stream's copies of them are passed over.
	known   map[string]bool
	seen    map[string]bool // what the stream held so far
	losses  map[string]int  // attempts of this session that settled nothing
	started bool
	nodes   int       // of the member, as the journal has them
	last    time.Time // of the events of earlier sessions
	// stopping says that the session only waits for what still runs, and gaveUp that
	// it leaves a job to the next one.
	stopping, gaveUp bool
	// lost says that the executor failed: nothing more is heard from it.
	lost bool
}

func (r *session) run(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) error {
	begin := ensemble.Event{Time: r.now(), Name: ensemble.RunStart, Note: r.Version}
	if x, ok := r.Executor.(Sizer); ok && r.Engine != nil {
		begin.Nodes = x.Nodes()
	}
	if err := r.write(begin); err != nil {
		return err
	}
	if r.Environment != nil {
		if err := r.Dir.appendEnvironment(*r.Environment); err != nil {
			return err
		}
	}
	r.started = true
	if err := r.recover(); err != nil {
		return err
	}
	if err := r.before(ctx); err != nil {
		return err
	}
	if err := r.catchUp(); err != nil {
		return err
	}
	next, stop := iter.Pull2(jobs)
	defer stop()
	var held *ensemble.Job // waiting for room
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.steer(); err != nil {
			return err
		}
		if r.ended() {
			return r.conclude(ctx, held)
		}
		if held == nil {
			var err error
			if held, err = r.pick(ctx, next); err != nil {
				return err
			}
		}
		if held != nil {
			if dropped, err := r.drop(held); err != nil {
				return err
			} else if dropped {
				held = nil
				continue
			}
		}
		switch {
		case held != nil && r.Executor.Room(held):
			if err := r.submit(held); err != nil {
				return err
			}
			held = nil
		case len(r.open) > 0 || held == nil && r.waits():
			if err := r.wait(ctx); err != nil {
				return err
			}
		case held != nil:
			return fmt.Errorf("job %s asks for %d nodes and %d cores, which this member never has", held.ID, held.Shape.Nodes, held.Shape.Cores())
		default:
			return nil
		}
	}
}

// pick gives the next job to submit: one to be tried again, or the next of the
// stream that is needed. It is nil where the stream has ended, and where an open
// job decides whether the next one is needed.
func (r *session) pick(ctx context.Context, next func() (*ensemble.Job, error, bool)) (job *ensemble.Job, err error) {
	if len(r.retries) > 0 {
		job, r.retries = r.retries[0], r.retries[1:]
		return job, nil
	}
	for ctx.Err() == nil {
		if len(r.asked) == 0 { // which a parked one must not hold up
			job, r.parked = r.parked, nil
		} else {
			job = nil
		}
		if job == nil {
			if job, err = r.take(next); job == nil || err != nil {
				return nil, err
			}
			if fresh, err := r.fresh(job); err != nil {
				return nil, err
			} else if !fresh {
				continue
			}
		}
		switch need, err := r.need(ctx, job); {
		case err != nil:
			return nil, err
		case need == needed:
			return job, nil
		case need == unknown:
			r.parked = job
			return nil, nil
		}
	}
	return nil, context.Cause(ctx)
}

// wait takes in the next event.
func (r *session) wait(ctx context.Context) error {
	wake, stop := r.wake()
	defer stop()
	select {
	case e := <-r.Executor.Events():
		return r.event(ctx, e)
	case now := <-wake:
		return r.write(ensemble.Event{Time: now, Name: ensemble.Heartbeat})
	case err := <-r.failed():
		r.lost = true
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failed tells that the executor can do nothing more.
func (r *session) failed() <-chan error {
	if x, ok := r.Executor.(Failing); ok {
		return x.Failed()
	}
	return nil
}

// stop ends everything that runs and waits for it, though not for ever, and not
// beyond ctx where that was not what ended the run.
func (r *session) stop(ctx context.Context) error {
	if r.stopping || r.lost {
		return nil
	}
	r.stopping = true
	interrupt := ctx.Done()
	if ctx.Err() != nil {
		interrupt = nil
	}
	for id := range r.open {
		if j, ok := r.state.Job(id); ok {
			r.Executor.Cancel(id, j.Attempt)
		}
	}
	limit := r.StopLimit
	if limit <= 0 {
		limit = stopLimit
	}
	over := time.NewTimer(limit)
	defer over.Stop()
	var errs []error
	for len(r.open) > 0 {
		select {
		case <-over.C:
			return errors.Join(append(errs, r.left(fmt.Sprintf("within %v of being asked to", limit)))...)
		case <-interrupt:
			return errors.Join(append(errs, context.Cause(ctx), r.left("yet"))...)
		case err := <-r.failed():
			return errors.Join(append(errs, err)...)
		case e := <-r.Executor.Events():
			if r.open[e.Job] == nil {
				continue
			}
			if err := r.event(context.WithoutCancel(ctx), e); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// left is the error of jobs that do not end when the session does.
func (r *session) left(when string) error {
	ids := slices.Sorted(maps.Keys(r.open))
	text := fmt.Sprintf("jobs %s did not end %s; the next session (--resume) asks for them", strings.Join(ids, ", "), when)
	if r.ended() {
		outcome, why := r.Engine.Ended()
		return fmt.Errorf("the run ended with %s (%s), but its %s", outcome, why, text)
	}
	return errors.New(text)
}

// dedup keeps one of several equal errors, such as a full disk met twice.
func dedup(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	seen := map[string]bool{}
	for _, e := range joined.Unwrap() {
		if e = dedup(e); e != nil && !seen[e.Error()] {
			seen[e.Error()] = true
			errs = append(errs, e)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
