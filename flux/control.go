// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"fmt"
	"syscall"
)

// Raise raises an exception on a job. Severity 0 ends it, up to 7 is a remark. A
// job that is over, or that never was, is an *Error with ENOENT.
func (c *Client) Raise(ctx context.Context, id JobID, kind string, severity int, note string) error {
	in := struct {
		ID       JobID  `json:"id"`
		Type     string `json:"type"`
		Severity int    `json:"severity"`
		Note     string `json:"note,omitempty"`
	}{id, kind, severity, note}
	return c.tell(ctx, id, "job-manager.raise", in)
}

// Cancel ends a job, wherever it is. Its tasks get SIGTERM first.
func (c *Client) Cancel(ctx context.Context, id JobID, note string) error {
	return c.Raise(ctx, id, "cancel", 0, note)
}

// Kill sends a signal to all tasks of a running job. One that does not run is an
// *Error with EINVAL.
func (c *Client) Kill(ctx context.Context, id JobID, signal syscall.Signal) error {
	in := struct {
		ID     JobID `json:"id"`
		Signal int   `json:"signum"`
	}{id, int(signal)}
	return c.tell(ctx, id, "job-manager.kill", in)
}

// SetUrgency changes how soon a waiting job is tried: 0 holds it, 31 is first.
func (c *Client) SetUrgency(ctx context.Context, id JobID, urgency int) error {
	in := struct {
		ID      JobID `json:"id"`
		Urgency int   `json:"urgency"`
	}{id, urgency}
	return c.tell(ctx, id, "job-manager.urgency", in)
}

// Memo attaches values to a job, which all who list it see.
func (c *Client) Memo(ctx context.Context, id JobID, memo map[string]any) error {
	in := struct {
		ID   JobID          `json:"id"`
		Memo map[string]any `json:"memo"`
	}{id, memo}
	return c.tell(ctx, id, "job-manager.memo", in)
}

func (c *Client) tell(ctx context.Context, id JobID, topic string, in any) error {
	if err := c.Call(ctx, topic, in, nil); err != nil {
		return fmt.Errorf("job %s: %w", id, err)
	}
	return nil
}

// Result is how a job ended.
type Result struct {
	ID        JobID
	Ran       bool       // there were tasks to end; without, Status says nothing
	Status    WaitStatus // the highest of all tasks
	Exception *Exception // the first one that ended it
	Events    []Event    // the whole log
}

// Success says whether the job ran and all tasks ended with 0.
func (r *Result) Success() bool { return r.Ran && r.Status == 0 && r.Exception == nil }

// Wait waits until a job is over, and says how. Jobs of long ago answer at once.
func (c *Client) Wait(ctx context.Context, id JobID) (*Result, error) {
	r := &Result{ID: id}
	events, err := c.WatchEvents(ctx, id, "eventlog")
	if err != nil {
		return nil, err
	}
	defer events.Close()
	for e, err := range events.All() {
		if err != nil {
			return nil, err
		}
		r.add(e)
	}
	return r, nil
}

func (r *Result) add(e Event) {
	r.Events = append(r.Events, e)
	if status, ok := e.Finish(); ok {
		r.Ran, r.Status = true, status
	}
	if x, ok := e.Exception(); ok && x.Severity == 0 && r.Exception == nil {
		r.Exception = x
	}
}

// WaitEvent waits for an event of a job. Where the job ends without it, the
// error is io.EOF.
func (c *Client) WaitEvent(ctx context.Context, id JobID, name string) (Event, error) {
	events, err := c.WatchEvents(ctx, id, "eventlog")
	if err != nil {
		return Event{}, err
	}
	defer events.Close()
	for {
		e, err := events.Next()
		if isEnd(err) {
			return e, fmt.Errorf("waiting for event %q of job %s: %w", name, id, err)
		}
		if err != nil || e.Name == name {
			return e, err
		}
	}
}

// WaitAny waits for the end of some job that was submitted with FlagWaitable and
// that nobody waited for yet. Where there is none it is an *Error with ECHILD.
// The broker remembers who asked until the client is closed: a context that ends
// may lose one job's end.
func (c *Client) WaitAny(ctx context.Context) (id JobID, success bool, text string, err error) {
	var out struct {
		ID      JobID
		Success bool
		Errstr  string
	}
	err = c.Call(ctx, "job-manager.wait", map[string]JobID{"id": AnyJob}, &out)
	return out.ID, out.Success, out.Errstr, err
}
