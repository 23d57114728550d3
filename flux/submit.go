// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/converged-computing/ensemble/flux/wire"
)

// SubmitFlags are how a job is to be treated.
type SubmitFlags int

// The flags of a submission.
const (
	FlagDebug      SubmitFlags = 2 // more events in its log
	FlagWaitable   SubmitFlags = 4 // its end is kept until somebody asks for it, see WaitAny
	FlagNoValidate SubmitFlags = 8 // the jobspec is known to be good
)

// The range of urgencies. A job in need is tried first.
const (
	UrgencyDefault  = 16
	UrgencyExpedite = 31
)

// Submission is a job to be submitted.
type Submission struct {
	Jobspec *Jobspec
	JSON    []byte // the jobspec as text, in place of Jobspec
	Urgency int    // 1 to 31; 0 stands for UrgencyDefault
	Hold    bool   // urgency 0: it waits until SetUrgency
	Flags   SubmitFlags
}

// submitRequest is what job-ingest.submit takes.
type submitRequest struct {
	J       string      `json:"J"`
	Urgency int         `json:"urgency"`
	Flags   SubmitFlags `json:"flags"`
}

func (c *Client) submitRequest(s Submission) (submitRequest, error) {
	if s.Urgency < 0 || s.Urgency > UrgencyExpedite {
		return submitRequest{}, fmt.Errorf("submitting a job: urgency %d is not from 0 to %d", s.Urgency, UrgencyExpedite)
	}
	if err := c.owns(); err != nil {
		return submitRequest{}, fmt.Errorf("submitting a job: %w", err)
	}
	text := s.JSON
	if text == nil {
		if s.Jobspec == nil {
			return submitRequest{}, fmt.Errorf("submitting a job: there is no jobspec")
		}
		if err := s.Jobspec.Check(); err != nil {
			return submitRequest{}, fmt.Errorf("submitting a job: %w", err)
		}
		var err error
		if text, err = marshal(s.Jobspec); err != nil {
			return submitRequest{}, fmt.Errorf("submitting a job: %w", err)
		}
	}
	r := submitRequest{J: Unsigned(c.info.Owner, text), Urgency: s.Urgency, Flags: s.Flags}
	if r.Urgency == 0 {
		r.Urgency = UrgencyDefault
	}
	if s.Hold {
		r.Urgency = 0
	}
	return r, nil
}

// Unsigned wraps a jobspec for submission (RFC 15) with the mechanism "none",
// which Flux takes from the owner of an instance and from nobody else.
func Unsigned(uid int, jobspec []byte) string {
	header := "version\x00i1\x00userid\x00i" + strconv.Itoa(uid) + "\x00mechanism\x00snone\x00"
	e := base64.StdEncoding
	b := make([]byte, 0, e.EncodedLen(len(header))+1+e.EncodedLen(len(jobspec))+len(".none"))
	b = append(e.AppendEncode(b, []byte(header)), '.')
	return string(append(e.AppendEncode(b, jobspec), ".none"...))
}

// Pending is a submission under way.
type Pending struct{ call *Call }

// Done is closed when there is an answer.
func (p *Pending) Done() <-chan struct{} { return p.call.Done() }

// Wait waits for the ID of the job. A job that Flux refuses is an *Error with its
// words: EPERM when the jobspec is none, EINVAL when a dependency cannot be.
func (p *Pending) Wait(ctx context.Context) (JobID, error) {
	var out struct{ ID JobID }
	err := p.call.Wait(ctx, &out)
	return out.ID, err
}

// SubmitStart sends a submission and does not wait for its answer.
func (c *Client) SubmitStart(ctx context.Context, s Submission) (*Pending, error) {
	r, err := c.submitRequest(s)
	if err != nil {
		return nil, err
	}
	call, err := c.Start(ctx, wire.NodeAny, "job-ingest.submit", r)
	if err != nil {
		return nil, err
	}
	return &Pending{call}, nil
}

// Submit submits a job and waits until Flux has taken it. The first one in an
// instance takes about a second, in which Flux starts its validator.
func (c *Client) Submit(ctx context.Context, s Submission) (JobID, error) {
	p, err := c.SubmitStart(ctx, s)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// maxSubmitting is how many submissions SubmitMany has under way.
const maxSubmitting = 512

// SubmitMany submits jobs and gives their IDs, in their order. It sends ahead of
// the answers. A job that is refused has an error in place of its ID and holds
// up no other. Where the sequence is left, the jobs that were sent are submitted
// all the same.
func (c *Client) SubmitMany(ctx context.Context, jobs iter.Seq[Submission]) iter.Seq2[JobID, error] {
	type sent struct {
		p   *Pending
		err error
	}
	return func(yield func(JobID, error) bool) {
		var queue []sent
		answer := func() bool {
			first := queue[0]
			queue = slices.Delete(queue, 0, 1)
			if first.err != nil {
				return yield(0, first.err)
			}
			return yield(first.p.Wait(ctx))
		}
		for s := range jobs {
			p, err := c.SubmitStart(ctx, s)
			if queue = append(queue, sent{p, err}); len(queue) < maxSubmitting {
				continue
			}
			// Half of them at once: the other half keeps the broker busy.
			for len(queue) > maxSubmitting/2 {
				if !answer() {
					return
				}
			}
		}
		for len(queue) > 0 {
			if !answer() {
				return
			}
		}
	}
}

// Lookup reads what Flux keeps of a job, such as R, J, eventlog, jobspec, or
// guest.output. A key or a job that is not there is an *Error with ENOENT.
func (c *Client) Lookup(ctx context.Context, id JobID, keys ...string) (map[string]string, error) {
	in := struct {
		ID    JobID    `json:"id"`
		Keys  []string `json:"keys"`
		Flags int      `json:"flags"`
	}{id, keys, 0}
	var out map[string]json.RawMessage
	if err := c.Call(ctx, "job-info.lookup", in, &out); err != nil {
		return nil, fmt.Errorf("looking up job %s: %w", id, err)
	}
	values := make(map[string]string, len(keys))
	for _, key := range keys {
		var value string
		if err := json.Unmarshal(out[key], &value); err != nil {
			return nil, fmt.Errorf("looking up job %s: reading %q: %w", id, key, err)
		}
		values[key] = value
	}
	return values, nil
}

// LookupR reads what a job got.
func (c *Client) LookupR(ctx context.Context, id JobID) (*R, error) {
	values, err := c.Lookup(ctx, id, "R")
	if err != nil {
		return nil, err
	}
	return ParseR([]byte(values["R"]))
}

// LookupJobspec reads what a job asked for. Flux keeps it without the environment.
func (c *Client) LookupJobspec(ctx context.Context, id JobID) (*Jobspec, error) {
	values, err := c.Lookup(ctx, id, "jobspec")
	if err != nil {
		return nil, err
	}
	return ParseJobspec([]byte(values["jobspec"]))
}

// LookupEventlog reads what happened to a job up to now.
func (c *Client) LookupEventlog(ctx context.Context, id JobID) ([]Event, error) {
	values, err := c.Lookup(ctx, id, "eventlog")
	if err != nil {
		return nil, err
	}
	return ParseEventlog(values["eventlog"])
}
