// SPDX-License-Identifier: MIT

package sim

import "time"

// timer is what happens at a time: to the job next or, without one, a change of
// a node.
type timer struct {
	at    time.Duration
	order int64 // of what happens at the same time
	place int   // in the calendar; 0 is none, since the first is 1
	job   *Job
	node  int32
	up    bool
}

// before orders timers: by time, jobs ahead of nodes, so that a job that ends just
// when its node goes has ended, and in the order in which they were set.
func (t *timer) before(u *timer) bool {
	if t.at != u.at {
		return t.at < u.at
	}
	if (t.job == nil) != (u.job == nil) {
		return t.job != nil
	}
	return t.order < u.order
}

// calendar is a binary heap of timers that know their place, so that one can be
// taken out.
type calendar struct {
	heap   []*timer
	orders int64
}

func (c *calendar) first() *timer {
	if len(c.heap) == 0 {
		return nil
	}
	return c.heap[0]
}

func (c *calendar) add(t *timer) {
	c.orders++
	t.order = c.orders
	c.heap = append(c.heap, t)
	c.rise(len(c.heap) - 1)
}

func (c *calendar) remove(t *timer) {
	if t.place == 0 {
		return
	}
	i, end := t.place-1, len(c.heap)-1
	last := c.heap[end]
	c.heap[end] = nil
	c.heap = c.heap[:end]
	t.place = 0
	if i < end {
		c.put(i, last)
		c.rise(i)
		c.sink(last.place - 1)
	}
}

func (c *calendar) put(i int, t *timer) {
	c.heap[i], t.place = t, i+1
}

func (c *calendar) rise(i int) {
	t := c.heap[i]
	for i > 0 {
		up := (i - 1) / 2
		if !t.before(c.heap[up]) {
			break
		}
		c.put(i, c.heap[up])
		i = up
	}
	c.put(i, t)
}

func (c *calendar) sink(i int) {
	t := c.heap[i]
	for {
		down := 2*i + 1
		if down >= len(c.heap) {
			break
		}
		if right := down + 1; right < len(c.heap) && c.heap[right].before(c.heap[down]) {
			down = right
		}
		if !c.heap[down].before(t) {
			break
		}
		c.put(i, c.heap[down])
		i = down
	}
	c.put(i, t)
}
