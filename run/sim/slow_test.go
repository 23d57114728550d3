// SPDX-License-Identifier: MIT

package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// slow is a simulation to compare with: it goes through all nodes and all jobs
// every time and keeps nothing that can be found anew.
type slow struct {
	scheduler Scheduler
	depth     int
	now       time.Duration
	nodes     []slowNode
	jobs      []*slowJob // in the order of submission
	lines     []string   // as play gives them
	// foreseen is when the first of the queue was planned to start, at the first
	// time that it had to wait.
	foreseen map[*slowJob]time.Duration
}

type slowNode struct {
	Node
	free int
	up   bool
}

type slowJob struct {
	*Job
	dependencies []*slowJob
	state        string // "", queued, running, cleaning, ended
	shares       []Share
	alloc, start time.Duration
	finish, free time.Duration
	result       ensemble.Status
}

func newSlow(c Config, jobs []*Job) *slow {
	s := &slow{scheduler: c.Scheduler, depth: cmp.Or(c.Depth, 32), foreseen: map[*slowJob]time.Duration{}}
	for _, n := range c.Nodes {
		s.nodes = append(s.nodes, slowNode{n, n.Cores, !n.Absent})
	}
	by := map[*Job]*slowJob{}
	for _, j := range jobs {
		by[j] = &slowJob{Job: j, start: -1}
		for _, d := range j.Dependencies {
			by[j].dependencies = append(by[j].dependencies, by[d])
		}
		s.jobs = append(s.jobs, by[j])
	}
	return s
}

// run goes from one time at which anything is said to happen to the next.
func (s *slow) run() []string {
	for {
		for s.due() {
			s.schedule()
		}
		next := never
		soon := func(at time.Duration) {
			if at > s.now {
				next = min(next, at)
			}
		}
		for _, j := range s.jobs {
			switch j.state {
			case "":
				soon(j.At)
			case "running":
				soon(j.finish)
			case "cleaning":
				soon(j.free)
			}
		}
		for _, n := range s.nodes {
			for _, at := range n.Changes {
				soon(at)
			}
		}
		if next == never {
			return s.lines
		}
		s.now = next
	}
}

// due does what is due and says whether there is a reason to try to start jobs.
func (s *slow) due() (done bool) {
	for _, j := range s.jobs {
		if j.state == "running" && j.finish <= s.now {
			s.end(j, j.result)
		}
		if j.state == "cleaning" && j.free <= s.now {
			s.release(j)
			done = true
		}
	}
	for i := range s.nodes {
		for n := &s.nodes[i]; len(n.Changes) > 0 && n.Changes[0] <= s.now; n.Changes = n.Changes[1:] {
			n.up, done = !n.up, true
			for _, j := range s.jobs {
				on := slices.ContainsFunc(j.shares, func(h Share) bool { return int(h.Node) == i })
				if !n.up && on && (j.state == "running" || j.state == "cleaning") {
					if j.state == "running" {
						s.end(j, ensemble.Lost)
					}
					s.release(j)
				}
			}
		}
	}
	for _, j := range s.jobs {
		if j.state == "" && j.At <= s.now {
			ready := true
			for _, d := range j.dependencies {
				if j.state == "" && d.state == "ended" && d.result != ensemble.Succeeded {
					s.end(j, ensemble.Cancelled)
					j.state = "ended"
				}
				ready = ready && d.state == "ended"
			}
			if ready && j.state == "" {
				j.state = "queued"
			}
			done = done || j.state != ""
		}
	}
	return done
}

func (s *slow) end(j *slowJob, result ensemble.Status) {
	began := "-"
	if j.start >= 0 && j.start <= s.now {
		began = fmt.Sprint(j.start.Seconds())
	}
	s.lines = append(s.lines, ending(j.ID, began, s.now, result, j.shares))
	j.state, j.result, j.free = "cleaning", result, s.now+j.After
}

func (s *slow) release(j *slowJob) {
	j.state = "ended"
	for _, h := range j.shares {
		s.nodes[h.Node].free += int(h.Cores)
	}
}

// schedule starts what can start.
func (s *slow) schedule() {
	var queue []*slowJob
	for _, j := range s.jobs {
		if j.state == "queued" && j.Urgency > Held {
			queue = append(queue, j)
		}
	}
	slices.SortStableFunc(queue, func(a, b *slowJob) int { return b.Urgency - a.Urgency })
	for i, j := range queue {
		if shares := s.place(j, s.nodes); shares != nil {
			s.launch(j, shares)
			continue
		}
		switch s.scheduler {
		case Easy:
			s.backfill(j, queue[i+1:])
		case Backfill:
			s.fill(j, queue[i+1:])
		}
		return
	}
}

func (s *slow) launch(j *slowJob, shares []Share) {
	j.state, j.shares, j.alloc, j.start = "running", shares, s.now, s.now+j.Before
	for _, h := range shares {
		s.nodes[h.Node].free -= int(h.Cores)
	}
	j.finish, j.result = j.start+j.Run, cmp.Or(j.Status, ensemble.Succeeded)
	if j.Limit > 0 && j.finish > s.now+j.Limit {
		j.finish, j.result = s.now+j.Limit, ensemble.Timeout
		if j.start > j.finish {
			j.start = -1
		}
	}
}

// place finds nodes for a job, each by its own share, or as sched-simple deals
// tasks.
func (s *slow) place(j *slowJob, nodes []slowNode) (shares []Share) {
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	if s.scheduler != Fluxion && s.scheduler != Easy {
		slices.SortStableFunc(order, func(a, b int) int { return nodes[b].free - nodes[a].free })
	}
	order = slices.DeleteFunc(order, func(i int) bool { return !nodes[i].up })
	size, left := max(j.Cores, 1), max(j.Tasks, 1)
	if j.Nodes > 0 {
		each := (left + j.Nodes - 1) / j.Nodes
		if s.scheduler == Simple && !j.Exclusive {
			return deal(nodes, order, j.Nodes, each*j.Nodes, size)
		}
		left, size = j.Nodes, each*size
	}
	for _, i := range order {
		n := nodes[i]
		switch {
		case left == 0 || n.free < size || j.Exclusive && n.free < n.Cores:
		case j.Exclusive:
			shares = append(shares, Share{int32(i), int32(n.Cores)})
			left--
		case j.Nodes > 0:
			shares = append(shares, Share{int32(i), int32(size)})
			left--
		default:
			k := min(left, n.free/size)
			shares = append(shares, Share{int32(i), int32(k * size)})
			left -= k
		}
	}
	if left > 0 {
		return nil
	}
	return shares
}

// deal gives slots to the first nodes in turn, one at a time.
func deal(nodes []slowNode, order []int, want, slots, size int) []Share {
	if len(order) < want {
		return nil
	}
	var shares []Share
	for _, i := range order[:want] {
		shares = append(shares, Share{Node: int32(i)})
	}
	for turn := 0; slots > 0; turn++ {
		h := &shares[turn%want]
		switch left := nodes[h.Node].free - int(h.Cores); {
		case left == 0 && h.Cores > 0:
			if !slices.ContainsFunc(shares, func(h Share) bool { return nodes[h.Node].free > int(h.Cores) }) {
				return nil
			}
		case left < size:
			return nil
		default:
			h.Cores += int32(size)
			slots--
		}
	}
	return shares
}
