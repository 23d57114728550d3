// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"fmt"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// replay takes in an event of an earlier session. What the engine decided then is
// decided again; what is not in the journal as decided is left for [catchUp].
func (r *session) replay(e ensemble.Event) error {
	if e.Time.After(r.last) {
		r.last = e.Time
	}
	if err := r.state.Apply(e); err != nil {
		return err
	}
	if r.Engine == nil {
		return nil
	}
	if e.Name == ensemble.Decide {
		if len(r.decisions) == 0 || r.decisions[0].Rule != e.Rule || r.decisions[0].Note != e.Note {
			return fmt.Errorf("%w: they do not decide %q here; go on with the version of ensemble that began it, or begin a new run in another --dir", ErrOtherRules, e.Note)
		}
		// Growing and shrinking were asked for; jobs are asked for again, and those
		// that are known are passed over.
		r.ask(r.decisions[0])
		r.decisions = r.decisions[1:]
		return nil
	}
	r.decisions = append(r.decisions, r.Engine.Apply(e)...)
	return nil
}

// catchUp carries out what a session decided that was cut off.
func (r *session) catchUp() error {
	decisions := r.decisions
	r.decisions = nil
	if err := r.decide(decisions); err != nil {
		return err
	}
	for id := range r.cancelled {
		if r.open[id] != nil {
			r.cancel(id)
		}
	}
	return nil
}

// steer has the engine decide on what was written down since it last did, in the
// order of the journal.
func (r *session) steer() error {
	for len(r.news) > 0 {
		e := r.news[0]
		r.news = r.news[1:]
		if err := r.decide(r.Engine.Apply(e)); err != nil {
			return err
		}
	}
	return nil
}

// decide writes decisions down and carries them out.
func (r *session) decide(actions []ensemble.Action) error {
	for _, a := range actions {
		e := ensemble.Event{Time: r.now(), Name: ensemble.Decide, Rule: a.Rule, Note: a.Note, Nodes: a.Grow}
		if err := r.write(e); err != nil {
			return err
		}
		r.ask(a)
		if err := r.demand(a); err != nil {
			return err
		}
		for _, id := range a.Cancel {
			if r.open[id] != nil {
				r.cancel(id)
			}
		}
		r.tell(nil, e, Standing{})
	}
	return nil
}

// ask notes the jobs that an action submits and cancels.
func (r *session) ask(a ensemble.Action) {
	r.asked = append(r.asked, a.Submit...)
	for _, id := range a.Cancel {
		r.cancelled[id] = a.Note
	}
}

func (r *session) cancel(id string) {
	if j, ok := r.state.Job(id); ok {
		r.Executor.Cancel(id, j.Attempt)
	}
}

// demand asks the executor for what not every one can. That it can was found out
// before the run.
func (r *session) demand(a ensemble.Action) error {
	if x, ok := r.Executor.(Resizer); ok && a.Grow != 0 {
		if err := x.Resize(a.Grow); err != nil {
			return fmt.Errorf("carrying out %q of rule %s: %w", a.Note, a.Rule, err)
		}
		if err := r.resized(r.now(), x.Nodes()); err != nil {
			return err
		}
	}
	x, ok := r.Executor.(Prioritizer)
	if a.Urgency == nil || !ok {
		return nil
	}
	for id, job := range r.open {
		j, _ := r.state.Job(id)
		if job.Group != a.Urgency.Group || j.Phase != ensemble.Queued {
			continue
		}
		if err := x.Urge(id, j.Attempt, a.Urgency.Value); err != nil {
			return fmt.Errorf("carrying out %q of rule %s: %w", a.Note, a.Rule, err)
		}
	}
	return nil
}

// resized writes down that the member has more nodes or fewer, for rules to see.
func (r *session) resized(at time.Time, nodes int) error {
	if r.Engine == nil || nodes == r.nodes {
		return nil
	}
	e := ensemble.Event{Time: at, Name: ensemble.Resize, Nodes: nodes}
	if err := r.write(e); err != nil {
		return err
	}
	r.tell(nil, e, Standing{})
	return nil
}

// take gives the next job that is asked for; nil is none. What the engine asks for
// goes first.
func (r *session) take(next func() (*ensemble.Job, error, bool)) (*ensemble.Job, error) {
	if len(r.asked) > 0 {
		job := r.asked[0]
		r.asked = r.asked[1:]
		return job, nil
	}
	job, err, ok := next()
	if !ok {
		return nil, nil
	}
	return job, err
}

func (r *session) ended() bool {
	if r.Engine == nil {
		return false
	}
	outcome, _ := r.Engine.Ended()
	return outcome != ""
}

// waits says whether more can happen when nothing runs. Not where a job was given
// up: rules that wait for its end would wait for the next session.
func (r *session) waits() bool { return r.Engine != nil && !r.gaveUp && r.Engine.Waits() }

// drop writes down that a job is not submitted, or not again: it was cancelled, or
// it is of a study and its sweep was stopped.
func (r *session) drop(job *ensemble.Job) (bool, error) {
	why, ok := r.cancelled[job.ID]
	if _, begun := r.state.Job(job.ID); !ok && !begun && r.Engine != nil && r.Engine.Stopped(job.Group) {
		why, ok = "the group was stopped", true
	}
	if !ok {
		return false, nil
	}
	if err := r.write(ensemble.Event{Time: r.now(), Name: ensemble.Omit, Job: job.ID, Reason: why}); err != nil {
		return false, err
	}
	r.summary.Omitted++
	return true, nil
}

// read keeps the metrics that rules read.
func (r *session) read(all map[string]float64) map[string]float64 {
	if r.Engine == nil {
		return nil
	}
	return r.Engine.Reads(all)
}

// CanSteer lists the rules that want what an executor cannot do.
func CanSteer(x Executor, g *ensemble.Engine) (faults []spec.Fault) {
	_, resizes := x.(Resizer)
	_, urges := x.(Prioritizer)
	for _, want := range g.Wants() {
		if can := resizes; want.What == "urgency" && !urges || want.What != "urgency" && !can {
			faults = append(faults, spec.Faultf(want.At, "rule %s wants %s, which this executor cannot do", want.Rule, want.What))
		}
	}
	return faults
}

// conclude ends a run that a rule or a limit has ended: nothing more is submitted,
// and what runs is cancelled.
func (r *session) conclude(ctx context.Context, held *ensemble.Job) error {
	left := r.retries
	if held != nil {
		left = append(left, held)
	}
	for _, job := range r.asked {
		fresh, err := r.fresh(job)
		if err != nil {
			return err
		}
		if fresh {
			left = append(left, job)
		}
	}
	r.retries, r.asked, r.parked = nil, nil, nil
	for _, job := range left {
		if _, err := r.drop(job); err != nil {
			return err
		}
	}
	return r.stop(ctx)
}
