// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"iter"
	"slices"
)

// Phase is where a job stands.
type Phase int

// The phases of a job. A job that was never submitted has none.
const (
	Waiting Phase = iota // between attempts
	Queued
	Running
	Settled
	Omitted // not needed: not submitted, or not again
)

// JobState is what the events say of one job.
type JobState struct {
	Phase Phase
	// Attempt is the last attempt, from 1.
	Attempt int
	// Tries counts the attempts that settled something.
	Tries int
	// Status and Reason are those of the last attempt that finished; Reason is why
	// a job was omitted.
	Status Status
	Reason string
}

// State is what the events of a run say of its jobs. The zero value is a run in
// which nothing happened yet.
type State struct {
	jobs map[string]*JobState
}

// Apply takes in one event. One that cannot follow the ones before it is an
// *EventError and changes nothing.
func (s *State) Apply(e Event) error {
	switch e.Name {
	case RunStart, RunFinish, Heartbeat, Resize, Decide:
		return nil
	}
	bad := func(why string) error { return &EventError{e, why} }
	if err := CheckID(e.Job); err != nil {
		return bad(err.Error())
	}
	j := s.jobs[e.Job]
	switch e.Name {
	case Omit:
		if j == nil {
			j = &JobState{}
			s.set(e.Job, j)
		} else if j.Phase != Waiting {
			return bad("the job is not waiting")
		}
		j.Phase, j.Reason = Omitted, e.Reason
		return nil
	case Submit:
		if j == nil {
			j = &JobState{}
		}
		switch {
		case j.Phase != Waiting:
			return bad("the job is not waiting")
		case e.Attempt <= j.Attempt:
			return bad(fmt.Sprintf("attempt %d came before it", j.Attempt))
		}
		s.set(e.Job, j)
		j.Phase, j.Attempt = Queued, e.Attempt
		return nil
	}
	switch {
	case j == nil:
		return bad("the job was never submitted")
	case e.Attempt != j.Attempt:
		return bad(fmt.Sprintf("attempt %d is the current one", j.Attempt))
	}
	switch e.Name {
	case Wait, Start:
		if j.Phase != Queued {
			return bad("the job is not queued")
		}
		if e.Name == Start {
			j.Phase = Running
		}
	case Finish:
		if j.Phase != Queued && j.Phase != Running {
			return bad("the job is not running")
		}
		if !e.Status.known() {
			return bad(fmt.Sprintf("unknown status %q", e.Status))
		}
		j.Phase, j.Status, j.Reason = Waiting, e.Status, e.Reason
		if e.Status.Settles() {
			j.Tries++
		}
	default:
		return bad("an unknown event")
	}
	return nil
}

func (s *State) set(job string, j *JobState) {
	if s.jobs == nil {
		s.jobs = map[string]*JobState{}
	}
	s.jobs[job] = j
}

// Settle closes a job when its policy leaves nothing to do: it succeeded, or it
// failed and has no try left. It says whether the job is settled.
func (s *State) Settle(job string, p Policy) bool {
	j := s.jobs[job]
	if j == nil {
		return false
	}
	if j.Phase == Waiting && j.Status.Settles() && (j.Status == Succeeded || j.Tries > p.Retries) {
		j.Phase = Settled
	}
	return j.Phase == Settled
}

// Next gives the number of the next attempt at a job.
func (s *State) Next(job string) int {
	if j := s.jobs[job]; j != nil {
		return j.Attempt + 1
	}
	return 1
}

// Job gives the state of one job.
func (s *State) Job(id string) (JobState, bool) {
	if j := s.jobs[id]; j != nil {
		return *j, true
	}
	return JobState{}, false
}

// Open gives the jobs that are queued or running, in the order of their IDs.
func (s *State) Open() iter.Seq2[string, JobState] {
	var ids []string
	for id, j := range s.jobs {
		if j.Phase == Queued || j.Phase == Running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return func(yield func(string, JobState) bool) {
		for _, id := range ids {
			if !yield(id, *s.jobs[id]) {
				return
			}
		}
	}
}
