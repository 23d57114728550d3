// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/converged-computing/ensemble/ensemble"
)

// recover asks the executor for the attempts that were open when an earlier
// session was cut off. Where a crash of the machine took the description of a
// job along, the stream's copy is waited for.
func (r *session) recover() error {
	for id, j := range r.state.Open() {
		job := new(ensemble.Job)
		err := ReadJSON(filepath.Join(r.Dir.Attempt(id, j.Attempt), JobFile), job)
		switch {
		case err == nil && job.ID == id:
		case err == nil, errors.Is(err, fs.ErrNotExist), broken(err):
			continue
		default:
			return fmt.Errorf("finding what became of job %s: %w", id, err)
		}
		r.known[id] = true
		if err := r.adopt(job, j.Attempt, j.Phase); err != nil {
			return err
		}
	}
	return nil
}

// broken says whether a file could be read and did not make sense.
func broken(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// adopt has the executor find out what became of an attempt. Its events follow.
func (r *session) adopt(job *ensemble.Job, attempt int, phase ensemble.Phase) error {
	if err := r.Executor.Recover(job, attempt, phase, r.Dir.Attempt(job.ID, attempt)); err != nil {
		return fmt.Errorf("finding what became of job %s: %w", job.ID, err)
	}
	r.open[job.ID] = job
	return nil
}

// fresh says whether a job from the stream has to be submitted: one that is
// settled, that an earlier session left running, or that came before has not.
func (r *session) fresh(job *ensemble.Job) (bool, error) {
	if err := job.Check(); err != nil {
		return false, err
	}
	if r.seen[job.ID] {
		return false, nil
	}
	r.seen[job.ID] = true
	r.summary.Jobs++
	if r.known[job.ID] {
		return false, nil
	}
	if r.state.Settle(job.ID, job.Policy) {
		j, _ := r.state.Job(job.ID)
		r.summary.Status[j.Status]++
		r.summary.Skipped++
		r.settled(job)
		return false, nil
	}
	j, _ := r.state.Job(job.ID)
	if j.Phase == ensemble.Omitted {
		r.summary.Omitted++
		if c := r.cell(job); c != nil {
			c.why, c.done = j.Reason, nil
		}
		return false, nil
	}
	if j.Phase == ensemble.Queued || j.Phase == ensemble.Running {
		if err := r.describe(job, j.Attempt); err != nil {
			return false, err
		}
		return false, r.adopt(job, j.Attempt, j.Phase)
	}
	return true, nil
}

// submit writes the submission down and then makes it.
func (r *session) submit(job *ensemble.Job) error {
	attempt := r.state.Next(job.ID)
	dir := r.Dir.Attempt(job.ID, attempt)
	// A directory that is there already belongs to a submission that the journal
	// does not hold. The executor never heard of it, or the machine crashed before
	// the journal was on disk: then an exit that is on disk still counts.
	_, err := os.Stat(filepath.Join(dir, ExitFile))
	left := err == nil
	if !left {
		if err := os.RemoveAll(dir); err != nil {
			return &StorageError{Path: dir, Err: err}
		}
	}
	if err := r.describe(job, attempt); err != nil {
		return err
	}
	submit := ensemble.Event{Time: r.now(), Name: ensemble.Submit, Job: job.ID, Attempt: attempt}
	if r.Engine != nil {
		submit.Group, submit.Nodes = job.Group, job.Shape.Nodes
	}
	if err := r.write(submit); err != nil {
		return err
	}
	r.tell(job, submit, Standing{})
	if left {
		return r.adopt(job, attempt, ensemble.Queued)
	}
	if err := r.Executor.Submit(job, attempt, dir); err != nil {
		e := ensemble.Event{Time: r.now(), Name: ensemble.Finish, Job: job.ID, Attempt: attempt,
			Status: ensemble.Lost, Reason: err.Error()}
		err = errors.Join(fmt.Errorf("submitting job %s: %w", job.ID, err), r.write(e))
		r.tell(job, e, Standing{})
		return err
	}
	r.open[job.ID] = job
	return nil
}

// describe makes the directory of an attempt, with job.json.
func (r *session) describe(job *ensemble.Job, attempt int) error {
	dir := r.Dir.Attempt(job.ID, attempt)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &StorageError{Path: dir, Err: err}
	}
	if err := WriteJSON(filepath.Join(dir, JobFile), job); err != nil {
		return err
	}
	// What is durable inside the directory is lost with the directory.
	for range 2 {
		if dir = filepath.Dir(dir); dir == r.Dir.path(JobsDir) && attempt > 1 {
			break
		}
		if err := syncDir(dir); err != nil {
			return &StorageError{Path: dir, Err: err}
		}
	}
	return nil
}

// event takes in what the executor says.
func (r *session) event(ctx context.Context, e ensemble.Event) error {
	if e.Name == ensemble.Resize {
		return r.resized(e.Time, e.Nodes)
	}
	job := r.open[e.Job]
	if job == nil {
		return fmt.Errorf("the executor reports %s of job %s, which was not submitted", e.Name, e.Job)
	}
	if e.Name == ensemble.Finish && r.Judge != nil && job.App != "" {
		// Without cancellation: an attempt that ended well is not failed by a Ctrl-C
		// that comes while its output is read.
		j := r.Judge(context.WithoutCancel(ctx), job, r.Dir.Attempt(e.Job, e.Attempt), e)
		e.Status, e.Reason, e.Metrics = j.Status, j.Reason, r.read(j.Metrics)
	}
	if err := r.write(e); err != nil {
		return err
	}
	again, dropped := false, false
	if e.Name == ensemble.Finish && !r.settle(job, e.Status) {
		var err error
		if dropped, err = r.drop(job); err != nil {
			return err
		}
		again = !dropped && r.retry(job, e.Status)
	}
	r.tell(job, e, Standing{Again: again, Dropped: dropped})
	return nil
}

// settle counts an attempt that settled its job, and says whether it did.
func (r *session) settle(job *ensemble.Job, status ensemble.Status) bool {
	if !r.state.Settle(job.ID, job.Policy) {
		return false
	}
	r.summary.Status[status]++
	r.settled(job)
	return true
}

// retry says whether the session tries a job again whose attempt settled nothing.
func (r *session) retry(job *ensemble.Job, status ensemble.Status) (again bool) {
	if !status.Settles() {
		r.losses[job.ID]++
	}
	if r.stopping || r.losses[job.ID] >= lossLimit {
		r.gaveUp = true
		return false
	}
	r.retries = append(r.retries, job)
	return true
}

// write writes an event down. The state is asked first: an event that cannot be
// would make the journal unreadable.
func (r *session) write(e ensemble.Event) error {
	// As the journal has it: what is decided now is decided again from there.
	e.Time = ensemble.FromSeconds(ensemble.Seconds(e.Time))
	if err := r.state.Apply(e); err != nil {
		return err
	}
	if e.Name == ensemble.Finish {
		delete(r.open, e.Job) // nothing follows, even where this cannot be kept
	}
	if e.Name == ensemble.RunStart || e.Name == ensemble.Resize {
		r.nodes = e.Nodes
	}
	if r.Engine != nil && e.Name != ensemble.Decide {
		r.news = append(r.news, e)
	}
	return r.journal.Append(e) // where it fails, so will every later one
}

// tell tells the observer of an event; what is said with it is filled in.
func (r *session) tell(job *ensemble.Job, e ensemble.Event, s Standing) {
	if r.Observer == nil {
		return
	}
	s.Settled, s.Skipped, s.Omitted = r.summary.Settled(), r.summary.Skipped, r.summary.Omitted
	s.Jobs = r.summary.Jobs + len(r.asked)
	r.Observer.Event(job, e, s)
}
