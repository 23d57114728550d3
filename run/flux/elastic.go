// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
)

// Sizing says how an instance is grown and shrunk by who made it. Of its ranks the lowest
// are there, and the others come when they are asked for.
type Sizing struct {
	// Size is how many nodes it begins with, Min and Max how many it may have.
	Size, Min, Max int
	// Ask tells how many it is to have. It returns at once.
	Ask func(nodes int)
	// Look is how often its nodes are counted; 0 is a second.
	Look time.Duration
}

// Elastic is an executor in an instance that rules grow and shrink. A rank that is to go
// is drained first, and asked away when nothing runs there.
type Elastic struct {
	*Executor
	sizing Sizing

	mu    sync.Mutex
	want  int
	up    int           // nodes that are there and stay, when last counted
	asked int           // 0 is nothing yet
	hurry chan struct{} // has room for one
}

var (
	_ run.Resizer = (*Elastic)(nil)
	_ run.Opener  = (*Elastic)(nil)
)

// NewElastic makes an executor for an instance that can be resized.
func NewElastic(ctx context.Context, client *flux.Client, o Options, s Sizing) (*Elastic, error) {
	x, err := New(ctx, client, o)
	if err != nil {
		return nil, err
	}
	if s.Look <= 0 {
		s.Look = time.Second
	}
	e := &Elastic{Executor: x, sizing: s, want: s.Size, hurry: make(chan struct{}, 1)}
	status, err := client.Resources(ctx)
	if err != nil {
		return nil, lost(client, err)
	}
	e.up = len(staying(status, e.want))
	return e, nil
}

// Nodes is how many nodes are there now.
func (e *Elastic) Nodes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.up
}

// Resize asks for nodes more, or gives nodes back, within the limits of the instance.
func (e *Elastic) Resize(nodes int) error {
	e.mu.Lock()
	e.resize(nodes)
	e.mu.Unlock()
	select {
	case e.hurry <- struct{}{}:
	default: // it is on its way
	}
	return nil
}

func (e *Elastic) resize(nodes int) {
	e.want = min(max(e.want+nodes, e.sizing.Min), e.sizing.Max)
}

// Open readies the executor for a run. What earlier sessions were asked for stays asked
// for.
func (e *Elastic) Open(ctx context.Context, dir run.Dir) error {
	if err := dir.Events(func(ev ensemble.Event) error {
		if ev.Name == ensemble.Decide {
			e.resize(ev.Nodes)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := e.Executor.Open(ctx, dir); err != nil {
		return err
	}
	e.work.Go(e.adjust)
	return nil
}

// adjust keeps the instance at the wanted size.
func (e *Elastic) adjust() {
	for e.ctx.Err() == nil {
		if err := e.look(); err != nil {
			e.fail(lost(e.client, err))
			return
		}
		select {
		case <-e.ctx.Done():
		case <-e.hurry:
		case <-time.After(e.sizing.Look):
		}
	}
}

// leaving is the reason of ranks that are drained because they are to go.
const leaving = "ensemble: to be given back"

// look counts the nodes, and does what is to be done next.
func (e *Elastic) look() error {
	e.mu.Lock()
	want, asked, before := e.want, e.asked, e.up
	e.mu.Unlock()
	status, err := e.client.Resources(e.ctx)
	if err != nil {
		return err
	}
	sched, err := e.client.SchedStatus(e.ctx)
	if err != nil {
		return err
	}
	var back, away flux.IDSet
	drained := drainedFor(status, leaving)
	for rank := range drained.All() {
		if rank < want {
			back = back.Union(flux.IDs(rank))
		}
	}
	keep := want
	busy := sched.Allocated.Ranks()
	for rank := range status.Online.All() {
		if rank < want {
			continue
		}
		if !drained.Contains(rank) {
			away = away.Union(flux.IDs(rank))
		}
		// One that was not drained yet may just be getting a job.
		if !drained.Contains(rank) || busy.Contains(rank) {
			keep = max(keep, rank+1)
		}
	}
	if back.Len() > 0 {
		if err := e.client.Undrain(e.ctx, back.String()); err != nil {
			return fmt.Errorf("undraining %s: %w", back, err)
		}
	}
	if away.Len() > 0 {
		if err := e.client.Drain(e.ctx, away.String(), leaving); err != nil {
			return fmt.Errorf("draining %s: %w", away, err)
		}
	}
	if keep != asked {
		e.sizing.Ask(keep)
	}
	up := len(staying(status, want))
	e.mu.Lock()
	e.asked, e.up = keep, up
	e.mu.Unlock()
	if up != before {
		e.send(ensemble.Event{Time: time.Now(), Name: ensemble.Resize, Nodes: up})
	}
	return nil
}

// staying are the ranks that are there and are not to go.
func staying(s *flux.ResourceStatus, want int) (ranks []int) {
	for rank := range s.Online.All() {
		if rank < want {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}

// drainedFor are the ranks that are drained for a reason.
func drainedFor(s *flux.ResourceStatus, reason string) (ranks flux.IDSet) {
	for _, d := range s.Drained {
		if d.Reason == reason {
			ranks = ranks.Union(d.Ranks)
		}
	}
	return ranks
}
