// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// Driver carries out the jobs of a run.
type Driver struct {
	Dir      Dir
	Executor Executor
	// Judge decides on success from the output.
	Judge Judge
	// Observer is told of events; nil is nobody.
	Observer Observer
	// Before and After are commands around the whole run.
	Before, After [][]string
	// Version is written into the journal.
	Version string
}

// Summary counts how jobs of a run stand, by the status of their last attempt.
type Summary struct {
	// Jobs is how many jobs the stream held.
	Jobs int
	// Status counts settled jobs; a job that is not settled is in none.
	Status map[ensemble.Status]int
	// Skipped is how many of the jobs an earlier session had settled.
	Skipped int
}

// Run takes jobs from the stream until it ends and every one is settled. When
// ctx is cancelled it ends what runs, saves what it left and returns the
// context's cause. A run that was cut off goes on from its journal.
func (d *Driver) Run(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) (Summary, error) {
	r := &session{Driver: d, open: map[string]*ensemble.Job{}, recovered: map[string]bool{}}
	r.summary.Status = map[ensemble.Status]int{}
	journal, err := OpenJournal(d.Dir.path(JournalFile), r.state.Apply)
	if err != nil {
		return r.summary, err
	}
	r.journal = journal
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
	// recovered are the jobs that were open when the session began: they come
	// from their own job.json, and the stream's copy of them is passed over.
	recovered map[string]bool
	started   bool
}

func (r *session) run(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) error {
	if err := r.journal.Append(ensemble.Event{Time: time.Now(), Name: ensemble.RunStart, Note: r.Version}); err != nil {
		return err
	}
	r.started = true
	for i, argv := range r.Before {
		if err := r.hook(ctx, "before", i, argv); err != nil {
			return err
		}
	}
	if err := r.recover(); err != nil {
		return err
	}
	next, stop := iter.Pull2(jobs)
	defer stop()
	more := true
	var held *ensemble.Job // taken from the stream, waiting for room
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if held == nil && len(r.retries) > 0 {
			held, r.retries = r.retries[0], r.retries[1:]
		}
		if held == nil && more {
			job, err, ok := next()
			switch {
			case !ok:
				more = false
			case err != nil:
				return err
			default:
				r.summary.Jobs++
				if r.fresh(job) {
					held = job
				}
				continue
			}
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
		select {
		case e := <-r.Executor.Events():
			if err := r.event(ctx, e); err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
}

// recover asks the executor for the attempts that were open when an earlier
// session was cut off.
func (r *session) recover() error {
	for id, j := range r.state.Open() {
		dir := r.Dir.Attempt(id, j.Attempt)
		job := new(ensemble.Job)
		if err := ReadJSON(filepath.Join(dir, JobFile), job); err != nil {
			return fmt.Errorf("finding what became of job %s: %w", id, err)
		}
		r.open[id], r.recovered[id] = job, true
		if err := r.Executor.Recover(job, j.Attempt, j.Phase, dir); err != nil {
			return fmt.Errorf("finding what became of job %s: %w", id, err)
		}
	}
	return nil
}

// fresh says whether a job from the stream has to be submitted: one that is
// settled, or that this session recovered, has not.
func (r *session) fresh(job *ensemble.Job) bool {
	if r.recovered[job.ID] {
		return false
	}
	if r.state.Settle(job.ID, job.Policy) {
		j, _ := r.state.Job(job.ID)
		r.summary.Status[j.Status]++
		r.summary.Skipped++
		return false
	}
	return true
}

// submit writes the submission down and then makes it.
func (r *session) submit(job *ensemble.Job) error {
	attempt := r.state.Next(job.ID)
	dir := r.Dir.Attempt(job.ID, attempt)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &StorageError{Path: dir, Err: err}
	}
	if err := WriteJSON(filepath.Join(dir, JobFile), job); err != nil {
		return err
	}
	if err := r.append(job, ensemble.Event{Time: time.Now(), Name: ensemble.Submit, Job: job.ID, Attempt: attempt}); err != nil {
		return err
	}
	r.open[job.ID] = job
	if err := r.Executor.Submit(job, attempt, dir); err != nil {
		delete(r.open, job.ID)
		e := ensemble.Event{Time: time.Now(), Name: ensemble.Finish, Job: job.ID, Attempt: attempt,
			Status: ensemble.Lost, Reason: err.Error()}
		return errors.Join(fmt.Errorf("submitting job %s: %w", job.ID, err), r.append(job, e))
	}
	return nil
}

// event takes in what the executor says.
func (r *session) event(ctx context.Context, e ensemble.Event) error {
	job := r.open[e.Job]
	if job == nil {
		return fmt.Errorf("the executor reports %s of job %s, which was not submitted", e.Name, e.Job)
	}
	if e.Name == ensemble.Finish && r.Judge != nil && job.App != "" {
		e.Status, e.Reason = r.Judge(ctx, job, r.Dir.Attempt(e.Job, e.Attempt), e)
	}
	if err := r.append(job, e); err != nil {
		return err
	}
	if e.Name != ensemble.Finish {
		return nil
	}
	delete(r.open, job.ID)
	if r.state.Settle(job.ID, job.Policy) {
		r.summary.Status[e.Status]++
		return nil
	}
	r.retries = append(r.retries, job)
	return nil
}

// append writes an event down and then lets it count.
func (r *session) append(job *ensemble.Job, e ensemble.Event) error {
	if err := r.journal.Append(e); err != nil {
		return err
	}
	if err := r.state.Apply(e); err != nil {
		return err
	}
	if r.Observer != nil {
		r.Observer.Event(job, e)
	}
	return nil
}

// stop ends everything that runs and waits for it.
func (r *session) stop() error {
	for id := range r.open {
		if j, ok := r.state.Job(id); ok {
			r.Executor.Cancel(id, j.Attempt)
		}
	}
	var errs []error
	for len(r.open) > 0 {
		e := <-r.Executor.Events()
		if r.open[e.Job] == nil {
			continue
		}
		if err := r.event(context.Background(), e); err != nil {
			errs = append(errs, err)
		}
		if e.Name == ensemble.Finish {
			delete(r.open, e.Job)
		}
	}
	return errors.Join(errs...)
}

// after runs the commands that follow the run, whatever happened in it.
func (r *session) after(ctx context.Context) error {
	if !r.started {
		return nil
	}
	var errs []error
	for i, argv := range r.After {
		errs = append(errs, r.hook(context.WithoutCancel(ctx), "after", i, argv))
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
