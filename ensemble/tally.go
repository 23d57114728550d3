// SPDX-License-Identifier: MIT

package ensemble

import (
	"time"

	"github.com/converged-computing/ensemble/stats"
)

// A tally is what is known of the jobs of one group.
type tally struct {
	// submitted counts jobs that were asked for; of them, pending ones have not
	// started and running ones have not ended. A job that is tried again is pending.
	submitted, pending, running int
	// finished counts jobs that are done with: succeeded and failed ones. Those
	// that were cancelled are counted apart.
	finished, succeeded, failed, cancelled int

	runTime, pendingTime stats.Stream // in seconds, of attempts that ended and that started
	metrics              map[string]*stats.Stream
}

// open is how many jobs are not done with.
func (t *tally) open() int { return t.pending + t.running }

func (t *tally) metric(name string) *stats.Stream {
	if t.metrics == nil {
		t.metrics = map[string]*stats.Stream{}
	}
	s := t.metrics[name]
	if s == nil {
		s = new(stats.Stream)
		t.metrics[name] = s
	}
	return s
}

// A follow is one job that the engine follows until it is done with.
type follow struct {
	group          string
	nodes          int
	asked, started time.Time
	running        bool
	gaps           time.Duration // between sessions since it started
	tries          int
}
