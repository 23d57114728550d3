// SPDX-License-Identifier: MIT

package fluxtest

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/flux"
)

// enqueue puts a job into the queue behind those of its urgency.
func (b *Broker) enqueue(j *job) {
	i, _ := slices.BinarySearchFunc(b.queue, j, func(a, b *job) int {
		if a.urgency != b.urgency {
			return b.urgency - a.urgency
		}
		return int(int64(a.id) - int64(b.id))
	})
	b.queue = slices.Insert(b.queue, i, j)
}

// schedule gives resources to the first in the queue as long as there are enough.
func (b *Broker) schedule() {
	for len(b.queue) > 0 && !b.stopped {
		j := b.queue[0]
		if j.urgency == 0 {
			return // held, and so are those behind it
		}
		if why := b.never(j); why != "" {
			b.queue = b.queue[1:]
			b.raise(j, "alloc", 0, why)
			continue
		}
		got := b.fit(j, func(rank int) flux.IDSet {
			if _, drained := b.drained[rank]; drained || rank >= b.online {
				return flux.IDSet{}
			}
			return b.free[rank]
		})
		if got == nil {
			return
		}
		b.queue = b.queue[1:]
		b.alloc(j, got)
	}
}

// never says why a job can never get what it asks for.
func (b *Broker) never(j *job) string {
	s := j.spec.Shape()
	all := b.fit(j, func(int) flux.IDSet { return b.cores() })
	switch {
	case all != nil:
		return ""
	case s.Nodes > 0:
		return fmt.Sprintf("unsatisfiable request: need %d exclusive node(s), only %d eligible", s.Nodes, b.opts.Nodes)
	}
	return fmt.Sprintf("unsatisfiable request: need %d slot(s) of %d core(s), only %d such slot(s) available (total cores: %d)",
		s.Slots, s.CoresPerSlot, b.opts.Nodes*(b.opts.Cores/s.CoresPerSlot), b.opts.Nodes*b.opts.Cores)
}

// fit finds the first ranks on which a job has room, nil where there is none.
func (b *Broker) fit(j *job, free func(rank int) flux.IDSet) (got []slice) {
	s := j.spec.Shape()
	left, perNode := s.Slots, s.Slots
	if s.Nodes > 0 {
		perNode = s.Slots / s.Nodes
	}
	for rank := range b.opts.Nodes {
		cores := free(rank)
		take := min(cores.Len()/s.CoresPerSlot, left, perNode)
		if take == 0 || s.Nodes > 0 && take < perNode || s.Exclusive && cores.Len() < b.opts.Cores {
			continue
		}
		if left -= take; !s.Exclusive {
			cores = first(cores, take*s.CoresPerSlot)
		}
		if got = append(got, slice{rank, cores}); left == 0 {
			return got
		}
	}
	return nil
}

// first are the n lowest ids of a set.
func first(s flux.IDSet, n int) flux.IDSet {
	ids := make([]int, 0, n)
	for id := range s.All() {
		if len(ids) == n {
			break
		}
		ids = append(ids, id)
	}
	return flux.IDs(ids...)
}

// alloc gives a job what was found for it, and starts it.
func (b *Broker) alloc(j *job, got []slice) {
	j.got = got
	for _, s := range got {
		b.free[s.rank] = b.free[s.rank].Without(s.cores)
	}
	r := b.resources(got)
	r.Execution.Start = b.lastTime
	r.Execution.Slots = j.spec.Shape().Slots
	if limit := j.spec.Attributes.System.Duration; limit > 0 {
		r.Execution.Expiration = r.Execution.Start + limit
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	j.r = text
	annotations := pairs("annotations", pairs("sched", pairs("resource_summary", r.String())))
	if b.opts.Annotations {
		b.post(j, "annotations", annotations)
	}
	b.post(j, "alloc", annotations)
	b.run(j)
	if b.dying > 0 {
		b.fail(b.online - 1)
	}
}

// resources makes R of slices, ranks with the same cores in one entry.
func (b *Broker) resources(slices []slice) *flux.R {
	r := &flux.R{Version: 1}
	r.Execution.Lite = []flux.RLite{}
	var hosts []string
	for _, s := range slices {
		hosts = append(hosts, b.host(s.rank))
		lite := r.Execution.Lite
		if n := len(lite); n > 0 && lite[n-1].Children.Cores.Equal(s.cores) {
			lite[n-1].Ranks = lite[n-1].Ranks.Union(flux.IDs(s.rank))
			continue
		}
		r.Execution.Lite = append(lite, flux.RLite{Ranks: flux.IDs(s.rank), Children: flux.RChildren{Cores: s.cores}})
	}
	r.Execution.Nodelist = []string{flux.Hosts(hosts...).String()}
	return r
}
