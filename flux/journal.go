// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// JobEvent is one event of one job, as the journal tells it.
type JobEvent struct {
	ID JobID
	// Seq counts the events of a job from 0, as its event log has them, or of
	// those that are not filtered out. It is -1 for annotations, invalidate and
	// memo, which may not be in the log.
	Seq int
	Event
	Backlog bool            // it was there before the stream
	Jobspec json.RawMessage // with submit, without its environment
	R       json.RawMessage // with alloc
}

// CaughtUp says that this is no event but the end of the backlog: all that
// follows happens from now on.
func (e JobEvent) CaughtUp() bool { return e.ID == AnyJob }

// JournalOptions select what the journal tells.
type JournalOptions struct {
	Full  bool     // also tell of jobs that were over before
	Allow []string // only events of these names
	Deny  []string // no events of these names

	// Redial is asked for another client when the broker is lost. The journal
	// then goes on where it was, told all that happened meanwhile. Without, and
	// with the error that Redial returns, the journal ends.
	Redial func(ctx context.Context, cause error) (*Client, error)
}

// Journal is the stream of the events of all jobs. It is read by one goroutine
// at a time.
//
// Each event comes once, those of a job in their order, also over a change of
// connection: the broker then tells all from the beginning, and what was told
// before is left out, by job and sequence. That takes some 100 bytes for each
// job that there ever was. Two things may be missed while the broker is away:
// annotations, which are kept nowhere, and jobs that are purged meanwhile.
type Journal struct {
	ctx    context.Context // of the stream: it ends when this does
	opts   JournalOptions
	mu     sync.Mutex // of what Close and Client look at while another goroutine reads
	client *Client
	stream *Stream
	closed bool
	seen   map[JobID]*progress
	queue  []JobEvent
	next   int

	backlog bool
	resumed bool
	began   float64 // when it was first asked for
	err     error
}

// progress is how much of a job was told.
type progress struct {
	first, last float64 // timestamps; with another first one it is another job
	n           int     // events that have a Seq
}

// Journal asks for the journal. It ends when the context does.
func (c *Client) Journal(ctx context.Context, opts JournalOptions) (*Journal, error) {
	j := &Journal{ctx: ctx, opts: opts, seen: map[JobID]*progress{}, began: timestamp(time.Now())}
	if err := j.open(c); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *Journal) open(c *Client) error {
	in := struct {
		Full  bool           `json:"full"`
		Allow map[string]int `json:"allow,omitempty"`
		Deny  map[string]int `json:"deny,omitempty"`
	}{j.opts.Full || j.resumed, names(j.opts.Allow), names(j.opts.Deny)}
	s, err := c.Stream(j.ctx, "job-manager.events-journal", in)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	j.mu.Lock()
	closed := j.closed
	if !closed {
		j.client, j.stream = c, s
	}
	j.mu.Unlock()
	if closed { // while another client was looked for
		s.Close()
		return fmt.Errorf("reading the journal: %w", ErrClosed)
	}
	j.backlog, j.err = true, nil
	return nil
}

func names(list []string) map[string]int {
	if list == nil {
		return nil
	}
	set := map[string]int{}
	for _, name := range list {
		set[name] = 1
	}
	return set
}

// Resume goes on with another client after ErrLost. What was told is not told
// again.
func (j *Journal) Resume(c *Client) error {
	j.stream.Close()
	j.resumed = true
	return j.open(c)
}

// redial goes on with another client, or with yet another one where that is lost
// before it answers. Only Redial ends this, whatever its error is.
func (j *Journal) redial(cause error) error {
	for {
		c, err := j.opts.Redial(j.ctx, cause)
		if err != nil {
			return err
		}
		if cause = j.Resume(c); !errors.Is(cause, ErrLost) {
			return cause
		}
	}
}

// Client is the one that the journal is read with, which Redial may have changed.
func (j *Journal) Client() *Client {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.client
}

// Next waits for the next event, or for the end of the backlog, which comes once
// for each connection.
func (j *Journal) Next() (JobEvent, error) {
	for j.next == len(j.queue) {
		j.queue, j.next = j.queue[:0], 0
		if j.err != nil {
			return JobEvent{}, j.err
		}
		b, err := j.stream.Next()
		switch {
		case err == nil:
			err = j.take(b)
		case errors.Is(err, ErrLost) && j.opts.Redial != nil:
			err = j.redial(err)
		}
		if err != nil {
			j.err = fmt.Errorf("reading the journal: %w", err)
		}
	}
	e := j.queue[j.next]
	j.queue[j.next] = JobEvent{}
	j.next++
	return e, nil
}

// All gives the events until an error, and then closes the journal. The journal
// has no other end.
func (j *Journal) All() iter.Seq2[JobEvent, error] {
	return func(yield func(JobEvent, error) bool) {
		defer j.Close()
		for {
			e, err := j.Next()
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the journal. It may be called from any goroutine.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.closed = true
	s := j.stream
	j.mu.Unlock()
	return s.Close()
}

// take puts what is new in a message into the queue.
func (j *Journal) take(b []byte) error {
	var in struct {
		ID         JobID
		Events     []Event
		Jobspec, R json.RawMessage
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("%s: %w", shorten(string(b)), err)
	}
	if in.ID == AnyJob {
		j.backlog = false
		j.queue = append(j.queue, JobEvent{ID: AnyJob, Seq: -1, Backlog: true})
		return nil
	}
	if len(in.Events) == 0 {
		return nil
	}
	for i := range in.Events {
		e := &in.Events[i]
		if string(e.Context) == "null" {
			e.Context = nil
		}
		if err := e.check(); err != nil {
			return fmt.Errorf("job %s: %w", in.ID, err)
		}
	}
	p := j.seen[in.ID]
	first, last := in.Events[0].Timestamp, in.Events[len(in.Events)-1]
	if p == nil || j.backlog && p.first != first {
		if j.backlog && j.resumed && !j.opts.Full && last.Name == "clean" && last.Timestamp < j.began {
			return nil // it was over before the journal began, and so not asked for
		}
		p = &progress{first: first}
		j.seen[in.ID] = p
	}
	told := p.n
	if !j.backlog {
		told = 0
	}
	for _, e := range in.Events {
		out := JobEvent{ID: in.ID, Seq: -1, Event: e, Backlog: j.backlog}
		switch e.Name {
		case "annotations", "invalidate", "memo":
			if j.backlog && e.Timestamp <= p.last {
				continue
			}
		default:
			if told > 0 {
				told--
				continue
			}
			out.Seq = p.n
			p.n++
		}
		p.last = max(p.last, e.Timestamp)
		if e.Name == "submit" {
			out.Jobspec = in.Jobspec
		}
		if e.Name == "alloc" {
			out.R = in.R
		}
		j.queue = append(j.queue, out)
	}
	return nil
}
