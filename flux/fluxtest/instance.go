// SPDX-License-Identifier: MIT

package fluxtest

import (
	"strconv"
	"syscall"

	"github.com/converged-computing/ensemble/flux"
)

// serveInstance answers what is asked of resources, queue and numbers of jobs.
func (b *Broker) serveInstance(r *request, targets, reason string, start bool) error {
	switch topic := r.m.Topic; topic {
	case "resource.status":
		if b.dying > 0 {
			if b.dying--; b.dying == 0 {
				b.online--
			}
		}
		drained := map[string]any{}
		for rank, d := range b.drained {
			drained[strconv.Itoa(rank)] = map[string]any{"timestamp": d.since, "reason": d.reason}
		}
		r.answer(map[string]any{"R": b.resources(b.all()), "online": flux.IDRange(0, b.online-1), "offline": b.ranks().Without(flux.IDRange(0, b.online-1)), "exclude": "", "torpid": "", "drain": drained})
	case "resource.sched-status":
		var down, used []slice
		for _, s := range b.all() {
			if _, drained := b.drained[s.rank]; drained || s.rank >= b.online {
				down = append(down, s)
			}
			if cores := s.cores.Without(b.free[s.rank]); cores.Len() > 0 {
				used = append(used, slice{s.rank, cores})
			}
		}
		r.answer(map[string]any{"all": b.resources(b.all()), "down": b.resources(down), "allocated": b.resources(used)})
	case "resource.drain", "resource.undrain":
		ranks, err := b.targets(targets)
		if err != nil {
			return err
		}
		for rank := range ranks.All() {
			if topic == "resource.drain" {
				b.drained[rank] = drain{float64(b.now().UnixMicro()) / 1e6, reason}
			} else {
				delete(b.drained, rank)
			}
		}
		r.answer(nil)
		b.schedule()
	case "job-manager.queue-status":
		r.answer(map[string]any{"enable": true, "start": !b.stopped})
	case "job-manager.queue-start":
		b.stopped = !start
		r.answer(nil)
		b.schedule()
	case "job-manager.alloc-query":
		running := 0
		for _, j := range b.order {
			if j.state == flux.Run || j.state == flux.Cleanup {
				running++
			}
		}
		waiting := len(b.queue)
		if b.stopped {
			r.answer(map[string]int{"queue_length": 0, "alloc_pending": 0, "running": running})
			break
		}
		r.answer(map[string]int{"queue_length": 0, "alloc_pending": waiting, "running": running})
	case "job-list.job-stats":
		r.answer(b.counts())
	case "state-machine.wait": // it runs
		r.answer(nil)
	case "shutdown.start":
		for _, j := range b.order {
			if j.state != flux.Inactive {
				b.raise(j, "cancel", 0, "the instance is shut down")
			}
		}
		r.end()
		b.once.Do(func() { close(b.down) })
	default:
		return refuse(syscall.ENOSYS, "No service matching "+topic+" is registered")
	}
	return nil
}

func (b *Broker) ranks() flux.IDSet { return flux.IDRange(0, b.opts.Nodes-1) }

func (b *Broker) all() (all []slice) {
	for rank := range b.opts.Nodes {
		all = append(all, slice{rank, b.cores()})
	}
	return all
}

// targets are ranks, by number or by host.
func (b *Broker) targets(text string) (flux.IDSet, error) {
	ranks, err := flux.ParseIDSet(text)
	if err != nil {
		hosts, err := flux.ParseHostlist(text)
		if err != nil {
			return ranks, refuse(syscall.EINVAL, err.Error())
		}
		for host := range hosts.All() {
			found := false
			for rank := range b.opts.Nodes {
				if b.host(rank) == host {
					ranks, found = ranks.Union(flux.IDs(rank)), true
				}
			}
			if !found {
				return ranks, refuse(syscall.ENOENT, host+": host not found")
			}
		}
	}
	if ranks.Len() == 0 || ranks.Without(b.ranks()).Len() > 0 {
		return ranks, refuse(syscall.EINVAL, "idset is out of range")
	}
	return ranks, nil
}

func (b *Broker) counts() map[string]any {
	states := map[string]int{"depend": 0, "priority": 0, "sched": 0, "run": 0, "cleanup": 0, "inactive": 0, "total": len(b.order)}
	names := map[flux.State]string{flux.Depend: "depend", flux.Priority: "priority", flux.Sched: "sched", flux.Run: "run",
		flux.Cleanup: "cleanup", flux.Inactive: "inactive"}
	out := map[string]any{"job_states": states, "inactive_purged": 0, "queues": []int{}}
	ends := map[string]int{"successful": 0, "failed": 0, "canceled": 0, "timeout": 0}
	for _, j := range b.order {
		states[names[j.state]]++
		x := j.result.Exception
		switch {
		case j.state != flux.Inactive:
		case x != nil && x.Type == "cancel":
			ends["canceled"]++
		case x != nil && x.Type == "timeout":
			ends["timeout"]++
		case j.result.Success():
			ends["successful"]++
		default:
			ends["failed"]++
		}
	}
	for name, n := range ends {
		out[name] = n
	}
	return out
}
