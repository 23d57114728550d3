// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"iter"
	"time"
)

// Play submits jobs at their times, which must not fall, and gives all events until
// nothing happens any more. A job is taken from the sequence only when its time has
// come. It ends with an error where a job is wrong, and where jobs wait that
// nothing will start.
func (c *Cluster) Play(jobs iter.Seq[*Job]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		next, stop := iter.Pull(jobs)
		defer stop()
		job, more := next()
		for {
			if more && c.due(job.At) {
				if err := c.enter(job); err != nil {
					yield(Event{}, err)
					return
				}
				job, more = next()
			}
			e, ok := c.Step()
			if ok && !yield(e, nil) {
				return
			}
			if !ok && !more {
				break
			}
		}
		if n := c.queue.jobs; n > 0 {
			yield(Event{}, fmt.Errorf("%d jobs wait for nodes that never come, or are held", n))
		}
	}
}

// due says whether a job of this time is submitted ahead of all that happens next.
func (c *Cluster) due(at time.Duration) bool {
	if at > c.now {
		c.settle()
	}
	t := c.calendar.first()
	return c.told == len(c.news) && (at <= c.now || t == nil || at <= t.at)
}

// enter submits a job at its time.
func (c *Cluster) enter(j *Job) error {
	if j.At < c.now {
		return fmt.Errorf("job %q is submitted at %v and follows one of %v, want rising times", j.ID, j.At, c.now)
	}
	c.now = j.At
	return c.Submit(j)
}
