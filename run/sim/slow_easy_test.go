// SPDX-License-Identifier: MIT

package sim

import (
	"slices"
	"time"
)

// ends are the times at which running jobs are planned to end.
func (s *slow) ends() (ends []time.Duration) {
	for _, j := range s.jobs {
		if (j.state == "running" || j.state == "cleaning") && j.Limit > 0 {
			ends = append(ends, max(s.now, j.alloc+j.Limit))
		}
	}
	slices.Sort(ends)
	return ends
}

// at gives the nodes as they are planned at a time.
func (s *slow) at(t time.Duration) []slowNode {
	nodes := slices.Clone(s.nodes)
	for _, j := range s.jobs {
		if (j.state == "running" || j.state == "cleaning") && j.Limit > 0 && max(s.now, j.alloc+j.Limit) <= t {
			for _, h := range j.shares {
				nodes[h.Node].free += int(h.Cores)
			}
		}
	}
	return nodes
}

// foresee plans when the first job starts, and what of the nodes is left then.
func (s *slow) foresee(first *slowJob) (start time.Duration, then []slowNode) {
	start = never
	for _, end := range s.ends() {
		nodes := s.at(end)
		if shares := s.place(first, nodes); shares != nil {
			for _, h := range shares {
				nodes[h.Node].free -= int(h.Cores)
			}
			start, then = end, nodes
			break
		}
	}
	if _, ok := s.foreseen[first]; !ok {
		s.foreseen[first] = start
	}
	return start, then
}

// fill backfills as sched-backfill does.
func (s *slow) fill(first *slowJob, others []*slowJob) {
	start, _ := s.foresee(first)
	waiting := 1
	for _, j := range others {
		if waiting == s.depth {
			return
		}
		ends := j.Limit > 0 && start < never && s.now+j.Limit <= start
		if shares := s.place(j, s.nodes); shares != nil && ends {
			s.launch(j, shares)
		} else {
			waiting++
		}
	}
}

func (s *slow) backfill(first *slowJob, others []*slowJob) {
	start, then := s.foresee(first)
	waiting := 1
	for _, j := range others {
		if waiting == s.depth {
			return
		}
		if shares := s.place(j, s.nodes); shares != nil && (start == never || j.Limit > 0 && s.now+j.Limit <= start) {
			s.launch(j, shares)
			continue
		} else if shares == nil {
			waiting++
			continue
		}
		both := slices.Clone(s.nodes)
		for i := range both {
			both[i].free = min(both[i].free, then[i].free)
		}
		if shares := s.place(j, both); shares != nil {
			s.launch(j, shares)
			for _, h := range shares {
				then[h.Node].free -= int(h.Cores)
			}
			continue
		}
		waiting++
	}
}
