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
	// Skipped is how many of the jobs an earlier session had settled.
	Skipped int
}

// Settled is how many jobs are settled.
func (s Summary) Settled() (n int) {
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
	r := &session{Driver: d, open: map[string]*ensemble.Job{}, known: map[string]bool{}, seen: map[string]bool{}, losses: map[string]int{}}
	journal, err := OpenJournal(d.Dir.path(JournalFile), r.state.Apply)
	if err != nil {
		return r.summary, err
	}
	r.journal, r.summary.Status = journal, map[ensemble.Status]int{}
	err = r.run(ctx, jobs)
	if err != nil {
		err = errors.Join(err, r.stop())
	}
	note := ""
	if err != nil {
		note = err.Error()
	}
	err = errors.Join(err, r.after(ctx), journal.Append(ensemble.Event{Time: time.Now(), Name: ensemble.RunFinish, Note: note}))
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
	// known are the jobs that were open when the session began and whose job.json
	// is there: the stream's copies of them are passed over.
	known   map[string]bool
	seen    map[string]bool // what the stream held so far
	losses  map[string]int  // attempts of this session that settled nothing
	started bool
	// stopping says that the session only waits for what still runs.
	stopping bool
}

func (r *session) run(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) error {
	if err := r.journal.Append(ensemble.Event{Time: time.Now(), Name: ensemble.RunStart, Note: r.Version}); err != nil {
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
	next, stop := iter.Pull2(jobs)
	defer stop()
	more := true
	var held *ensemble.Job // taken from the stream, waiting for room
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if held == nil && len(r.retries) > 0 {
			held, r.retries = r.retries[0], r.retries[1:]
		}
		if held == nil && more {
			job, err, ok := next()
			if !ok {
				more = false
				continue
			}
			if err != nil {
				return err
			}
			fresh, err := r.fresh(job)
			if err != nil {
				return err
			}
			if fresh {
				held = job
			}
			continue
		}
		if held != nil && r.Executor.Room(held) {
			if err := r.submit(held); err != nil {
				return err
			}
			held = nil
			continue
		}
		if held == nil && len(r.open) == 0 {
			return nil
		}
		if held != nil && len(r.open) == 0 {
			return fmt.Errorf("job %s asks for %d nodes and %d cores, which this member never has", held.ID, held.Shape.Nodes, held.Shape.Cores())
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// wait takes in the next event.
func (r *session) wait(ctx context.Context) error {
	select {
	case e := <-r.Executor.Events():
		return r.event(ctx, e)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends everything that runs and waits for it, though not for ever.
func (r *session) stop() error {
	r.stopping = true
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
			ids := slices.Sorted(maps.Keys(r.open))
			return errors.Join(append(errs, fmt.Errorf("jobs %s did not end within %v of being asked to; the next session (--resume) asks for them",
				strings.Join(ids, ", "), limit))...)
		case e := <-r.Executor.Events():
			if r.open[e.Job] == nil {
				continue
			}
			if err := r.event(context.Background(), e); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
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
