// SPDX-License-Identifier: MIT

package sim

import "math/bits"

// queue holds pending jobs: the highest urgency first and, of the same, in the
// order of submission. Every urgency is a list of its own.
type queue struct {
	head, tail [MaxUrgency - Held + 1]*Job
	some       uint32 // urgencies that have jobs, as bits
	jobs       int
}

func (q *queue) add(j *Job) {
	l := j.Urgency - Held
	after := q.tail[l]
	for after != nil && after.serial > j.serial { // its urgency has changed
		after = after.prev
	}
	j.prev = after
	if after == nil {
		j.next, q.head[l] = q.head[l], j
	} else {
		j.next, after.next = after.next, j
	}
	if j.next == nil {
		q.tail[l] = j
	} else {
		j.next.prev = j
	}
	q.some |= 1 << l
	q.jobs++
}

func (q *queue) remove(j *Job) {
	l := j.Urgency - Held
	if j.prev == nil {
		q.head[l] = j.next
	} else {
		j.prev.next = j.next
	}
	if j.next == nil {
		q.tail[l] = j.prev
	} else {
		j.next.prev = j.prev
	}
	if q.head[l] == nil {
		q.some &^= 1 << l
	}
	j.prev, j.next = nil, nil
	q.jobs--
}

// first is the job that goes first; nil where all are held.
func (q *queue) first() *Job { return q.below(MaxUrgency + 1) }

// after is the job that goes after another.
func (q *queue) after(j *Job) *Job {
	if j.next != nil {
		return j.next
	}
	return q.below(j.Urgency)
}

// below is the first job of less urgency that is not held.
func (q *queue) below(urgency int) *Job {
	some := q.some & (1<<(urgency-Held) - 1) &^ 1
	if some == 0 {
		return nil
	}
	return q.head[bits.Len32(some)-1]
}
