// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"encoding/json"
	"fmt"
)

// lead is the rank of the broker that keeps an instance's resources and queues.
const lead = 0

// ResourceStatus is what resources an instance has and which of them are up.
type ResourceStatus struct {
	R       *R    `json:"R"`
	Online  IDSet `json:"online"` // ranks
	Offline IDSet `json:"offline"`
	Exclude IDSet `json:"exclude"` // never used
	Torpid  IDSet `json:"torpid"`  // not heard of for a while
	// Drained are ranks that get no new jobs.
	Drained []Drained `json:"-"`
}

// Drained says since when and why ranks are drained.
type Drained struct {
	Ranks     IDSet
	Timestamp float64 `json:"timestamp"`
	Reason    string  `json:"reason"`
}

// Resources asks what an instance has.
func (c *Client) Resources(ctx context.Context) (*ResourceStatus, error) {
	var raw struct {
		ResourceStatus
		R     json.RawMessage
		Drain map[string]Drained
	}
	err := c.CallNode(ctx, lead, "resource.status", nil, &raw)
	if err != nil {
		return nil, err
	}
	out := raw.ResourceStatus
	if out.R, err = ParseR(raw.R); err != nil {
		return nil, err
	}
	for ranks, d := range raw.Drain {
		if d.Ranks, err = ParseIDSet(ranks); err != nil {
			return nil, err
		}
		out.Drained = append(out.Drained, d)
	}
	return &out, nil
}

// SchedStatus is what the scheduler can use, and what of it is in use. Ranks that
// are excluded are left out.
type SchedStatus struct {
	All, Down, Allocated *R
}

// Free is how many cores are neither down nor in use.
func (s *SchedStatus) Free() int {
	free := 0
	down := s.Down.Ranks()
	for _, lite := range s.All.Execution.Lite {
		free += lite.Ranks.Without(down).Len() * lite.Children.Cores.Len()
	}
	for _, lite := range s.Allocated.Execution.Lite {
		free -= lite.Ranks.Without(down).Len() * lite.Children.Cores.Len()
	}
	return free
}

// SchedStatus asks what is in use.
func (c *Client) SchedStatus(ctx context.Context) (*SchedStatus, error) {
	var raw struct{ All, Down, Allocated json.RawMessage }
	if err := c.CallNode(ctx, lead, "resource.sched-status", nil, &raw); err != nil {
		return nil, err
	}
	var out SchedStatus
	for _, part := range []struct {
		raw  json.RawMessage
		into **R
	}{{raw.All, &out.All}, {raw.Down, &out.Down}, {raw.Allocated, &out.Allocated}} {
		r, err := ParseR(part.raw)
		if err != nil {
			return nil, err
		}
		*part.into = r
	}
	return &out, nil
}

// Drain keeps new jobs off ranks or hosts, such as "0-3" or "node[1-2]".
func (c *Client) Drain(ctx context.Context, targets, reason string) error {
	in := struct {
		Targets string `json:"targets"`
		Reason  string `json:"reason,omitempty"`
	}{targets, reason}
	return c.CallNode(ctx, lead, "resource.drain", in, nil)
}

// Undrain lets jobs onto ranks or hosts again.
func (c *Client) Undrain(ctx context.Context, targets string) error {
	return c.CallNode(ctx, lead, "resource.undrain", map[string]string{"targets": targets}, nil)
}

// QueueStatus says what a queue does.
type QueueStatus struct {
	Enabled        bool   `json:"enable"` // it takes jobs
	DisabledReason string `json:"disable_reason"`
	Started        bool   `json:"start"` // its jobs are scheduled
	StoppedReason  string `json:"stop_reason"`
}

// Queue asks for the state of a queue; "" is that of an instance without named ones.
func (c *Client) Queue(ctx context.Context, name string) (*QueueStatus, error) {
	var out QueueStatus
	if err := c.Call(ctx, "job-manager.queue-status", queueName(name), &out); err != nil {
		return nil, fmt.Errorf("queue %q: %w", name, err)
	}
	return &out, nil
}

func queueName(name string) map[string]any {
	if name == "" {
		return map[string]any{}
	}
	return map[string]any{"name": name}
}

// StopQueue stops or starts the scheduling of a queue; running jobs go on. ""
// stands for all queues.
func (c *Client) StopQueue(ctx context.Context, name string, stop bool, reason string) error {
	in := queueName(name)
	in["start"], in["all"] = !stop, name == ""
	if stop && reason != "" {
		in["reason"] = reason
	}
	if err := c.Call(ctx, "job-manager.queue-start", in, nil); err != nil {
		return fmt.Errorf("queue %q: %w", name, err)
	}
	return nil
}

// SchedQueue is how many jobs wait for resources and hold some.
type SchedQueue struct {
	Queued  int `json:"queue_length"`  // not yet shown to the scheduler
	Pending int `json:"alloc_pending"` // before the scheduler
	Running int `json:"running"`
}

// SchedQueue asks how long the line is.
func (c *Client) SchedQueue(ctx context.Context) (*SchedQueue, error) {
	var out SchedQueue
	if err := c.Call(ctx, "job-manager.alloc-query", nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// JobCounts is how many jobs are in each state, and how those that are over ended.
type JobCounts struct {
	States struct {
		Depend, Priority, Sched, Run, Cleanup, Inactive, Total int
	} `json:"job_states"`
	Successful int `json:"successful"`
	Failed     int `json:"failed"` // in all, those cancelled and timed out left out
	Canceled   int `json:"canceled"`
	Timeout    int `json:"timeout"`
	Purged     int `json:"inactive_purged"`
}

// JobCounts asks for the numbers of jobs. They lag behind the journal.
func (c *Client) JobCounts(ctx context.Context) (*JobCounts, error) {
	var out JobCounts
	if err := c.Call(ctx, "job-list.job-stats", map[string]any{}, &out); err != nil {
		return nil, err
	}
	return &out, nil
}
