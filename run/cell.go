// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"fmt"

	"github.com/converged-computing/ensemble/ensemble"
)

// Enough says, before another repetition of a configuration is submitted, why
// those that are done are enough; nothing where they are not. done are the last
// attempts of the settled repetitions, and no other of the configuration runs.
// What it says may depend on nothing else: a run that was cut off asks again.
type Enough func(ctx context.Context, job *ensemble.Job, done []Done) (why string, err error)

// Done is an attempt that settled its job.
type Done struct {
	Job     string
	Attempt int
	Status  ensemble.Status
}

// cell is a configuration that is repeated until its repetitions are enough.
type cell struct {
	done []Done
	why  string // they are enough; empty while they are not
}

// cell gives the cell of a job, or nil for one that runs in any case.
func (r *session) cell(job *ensemble.Job) *cell {
	if job.Until == nil || r.Enough == nil {
		return nil
	}
	c := r.cells[job.Cell]
	if c == nil {
		c = &cell{}
		r.cells[job.Cell] = c
	}
	return c
}

// settled tells the cell of a job, if it has one, that the job is settled.
func (r *session) settled(job *ensemble.Job) {
	if c := r.cell(job); c != nil && c.why == "" {
		j, _ := r.state.Job(job.ID)
		c.done = append(c.done, Done{job.ID, j.Attempt, j.Status})
	}
}

// need says what becomes of a job that was not settled before.
type need int

const (
	needed   need = iota
	unneeded      // it is written down as omitted
	unknown       // an earlier repetition has to end first
)

// need asks whether the repetitions of a job's cell so far are enough. A job that
// was begun is carried out.
func (r *session) need(ctx context.Context, job *ensemble.Job) (need, error) {
	c := r.cell(job)
	if _, begun := r.state.Job(job.ID); c == nil || begun {
		return needed, nil
	}
	if c.why == "" {
		for _, other := range r.open {
			if other.Cell == job.Cell {
				return unknown, nil
			}
		}
		why, err := r.Enough(ctx, job, c.done)
		if err != nil {
			return unknown, fmt.Errorf("deciding whether job %s is needed: %w", job.ID, err)
		}
		if why == "" {
			return needed, nil
		}
		c.why, c.done = why, nil
	}
	omit := ensemble.Event{Time: r.now(), Name: ensemble.Omit, Job: job.ID, Reason: c.why}
	if err := r.write(omit); err != nil {
		return unneeded, err
	}
	r.summary.Omitted++
	r.tell(job, omit, Standing{})
	return unneeded, nil
}
