// SPDX-License-Identifier: MIT

package sim

import (
	"cmp"
	"slices"
	"time"
)

// meet finds cores for a demand; nil is that it has to wait.
func (p *pool) meet(s Scheduler, d *demand) []Share {
	switch {
	case s == Simple && d.nodes > 0 && !d.whole:
		return p.spread(d)
	case !p.fits(d):
		return nil
	case s == Fluxion || s == Easy:
		return p.first(d, nil)
	}
	return p.emptiest(d)
}

// schedule starts what can start.
func (c *Cluster) schedule() {
	c.dirty = false
	for j := c.queue.first(); j != nil; j = c.queue.first() {
		shares := c.pool.meet(c.scheduler, &j.demand)
		if shares == nil {
			switch c.scheduler {
			case Easy:
				c.backfill(j)
			case Backfill:
				c.fill(j)
			}
			return
		}
		c.launch(j, shares)
	}
}

// backfill starts jobs from behind the first, which waits, that do not delay it:
// those that end before it is planned to start, and those that use what it leaves
// over when it does.
func (c *Cluster) backfill(first *Job) {
	s := (*shadow)(nil)
	next := c.queue.after(first)
	for waiting := 1; next != nil && waiting < c.depth; {
		j := next
		next = c.queue.after(j)
		var shares []Share
		if c.pool.fits(&j.demand) {
			if s == nil {
				s = c.foresee(&first.demand)
			}
			shares = c.beside(s, &first.demand, j)
		}
		if shares == nil {
			waiting++
			continue
		}
		c.launch(j, shares)
	}
}

// fill is the backfilling of sched-backfill: it starts jobs from behind the first,
// which waits, that have to end before it is planned to start.
func (c *Cluster) fill(first *Job) {
	if c.pool.below(c.pool.top()) < 1 {
		return // nothing is free
	}
	s := c.foresee(&first.demand)
	if s.at == never || s.at <= c.now {
		return
	}
	next := c.queue.after(first)
	for waiting := 1; next != nil && waiting < c.depth; {
		j := next
		next = c.queue.after(j)
		if j.Limit == 0 || later(c.now, j.Limit) > s.at || !c.pool.fits(&j.demand) {
			waiting++
			continue
		}
		c.launch(j, c.pool.emptiest(&j.demand))
		if c.pool.below(c.pool.top()) < 1 {
			return
		}
	}
}

// beside finds cores for a job that do not delay the start that is foreseen for
// the first; nil is that there are none.
func (c *Cluster) beside(s *shadow, first *demand, j *Job) []Share {
	if s.at == never || j.Limit > 0 && later(c.now, j.Limit) <= s.at {
		return c.pool.first(&j.demand, nil)
	}
	shares := c.pool.first(&j.demand, s.reserve(c.pool, first))
	for _, h := range shares {
		s.spare[h.Node] -= h.Cores
	}
	return shares
}

// shadow is what the first job of the queue casts: the time at which it is planned
// to start, and what is left for others that run then.
type shadow struct {
	at time.Duration
	// spare are the free cores of nodes at that time, without those that are
	// reserved for the job.
	spare    []int32
	reserved bool
}

// foresee plans the start of what has to wait.
func (c *Cluster) foresee(d *demand) *shadow {
	s := &c.ahead
	s.at, s.reserved, s.spare = never, false, append(s.spare[:0], c.pool.free...)
	have := c.pool.have(d)
	for _, e := range c.plan.ends {
		if e.at == never || e.at > s.at {
			break
		}
		for _, h := range e.job.shares {
			free, cores := s.spare[h.Node], c.pool.cores[h.Node]
			if c.pool.shown[h.Node] {
				have += d.weight(free+h.Cores, cores) - d.weight(free, cores)
			}
			s.spare[h.Node] = free + h.Cores
		}
		if have >= d.want() {
			s.at = e.at // what is still there then, to be cleaned up, goes any moment
		}
	}
	return s
}

// reserve takes what has to wait from what is free at the time of the shadow, and
// gives what is left.
func (s *shadow) reserve(p *pool, d *demand) []int32 {
	if s.reserved {
		return s.spare
	}
	s.reserved = true
	for n, want := int32(0), d.want(); want > 0; n++ {
		if !p.shown[n] {
			continue
		}
		if w := min(d.weight(s.spare[n], p.cores[n]), want); w > 0 {
			s.spare[n] -= d.part(n, w, p.cores[n]).Cores
			want -= w
		}
	}
	return s.spare
}

// plan is what runs, by when it is planned to end.
type plan struct{ ends []planned }

type planned struct {
	at  time.Duration
	job *Job
}

func (p *plan) find(end planned) (int, bool) {
	return slices.BinarySearchFunc(p.ends, end, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.job.serial, b.job.serial))
	})
}

// expected is when the scheduler expects the nodes of a job back.
func (j *Job) expected() planned {
	if j.Limit == 0 {
		return planned{never, j}
	}
	return planned{later(j.began, j.Limit), j}
}

// expect adds a job to the plan.
func (p *plan) expect(j *Job) {
	end := j.expected()
	i, _ := p.find(end)
	p.ends = slices.Insert(p.ends, i, end)
}

// forget takes a job out of the plan.
func (p *plan) forget(j *Job) {
	i, _ := p.find(j.expected())
	if i == 0 { // as most often
		p.ends[0] = planned{}
		p.ends = p.ends[1:]
		return
	}
	p.ends = slices.Delete(p.ends, i, i+1)
}
