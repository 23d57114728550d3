// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strconv"

	"github.com/converged-computing/ensemble/measure/mpi"
)

// field is a column of a table about MPI, for the terminal and for the page.
type field struct {
	name, unit, help string
	text             bool // no number
	// key fields say what a row is; apart ones may stand in a table of their own.
	key, apart bool
	cells      []string
}

func (f *field) add(cell string) { f.cells = append(f.cells, cell) }

func (f *field) column() column {
	c := column{head: []string{f.name}, cells: f.cells, left: f.text}
	if f.unit != "" {
		c.head = append(c.head, unitText(f.unit))
	}
	return c
}

// used are the fields that have a cell with something in it.
func used(fields []*field) (kept []*field) {
	for _, f := range fields {
		if !f.column().empty() {
			kept = append(kept, f)
		}
	}
	return kept
}

// shareFields are a row for each point of a series where the time in MPI is
// known.
func shareFields(s *Series) []*field {
	nodes := &field{name: "nodes", key: true}
	ranks := &field{name: "ranks", key: true}
	grid := &field{name: "grid", key: true, text: true}
	n := &field{name: "n", help: "profiled trials"}
	share := &field{name: "in MPI", unit: "%", help: "of the time between MPI_Init and MPI_Finalize over all ranks, median over the profiled trials"}
	byRank := &field{name: "by rank", unit: "%", help: "the smallest and the largest share of one rank in any trial"}
	imbalance := &field{name: "uneven", unit: "%", help: "how much longer than the mean rank the busiest computes, median"}
	wait := &field{name: "wait", unit: "%", help: "of the time in collective calls on one node, until the last rank came, median"}
	cost := &field{name: "cost", unit: "%", help: "of the time, what counting the calls took, median"}
	added := &field{name: "slowdown", apart: true, help: "mean time of the profiled trials over that of the others, with its interval"}
	reported := &field{name: "reported", unit: "%", apart: true, help: "what the application or its profiler says itself, median"}
	manyNodes := false
	for i := range s.Points {
		p := &s.Points[i]
		if p.MPI == nil {
			continue
		}
		manyNodes = manyNodes || p.Nodes > 1
		nodes.add(count(p.Nodes))
		ranks.add(count(p.Ranks))
		grid.add(plain(p.Grid))
		cells := map[*field]string{}
		if m := p.MPI.Profile; m != nil {
			cells[n], cells[share], cells[cost] = strconv.Itoa(p.MPI.Percent.N), fixed(p.MPI.Percent.Median, 2), costText(m.Cost)
			if p.Ranks > 1 {
				cells[byRank], cells[imbalance] = fixed(m.Low, 2)+" … "+fixed(m.High, 2), fixed(m.Imbalance, 1)
			}
			if m.Waiting != nil {
				cells[wait] = fixed(*m.Waiting, 0)
			}
			if m.Added != nil {
				cells[added] = estimateText(m.Added, false)
			}
		}
		if r := p.MPI.Reported; r != nil {
			cells[reported] = fixed(r.Median, 2)
		}
		for _, f := range []*field{n, share, byRank, imbalance, wait, cost, added, reported} {
			f.add(cells[f])
		}
	}
	fields := used([]*field{ranks, grid, n, share, byRank, imbalance, wait, cost, added, reported})
	if manyNodes {
		fields = append([]*field{nodes}, fields...)
	}
	return fields
}

// shareNotes are what a reader of the shares has to know.
func shareNotes(s *Series) (notes []string) {
	manyNodes := false
	for i := range s.Points {
		p := &s.Points[i]
		if p.MPI == nil || p.MPI.Profile == nil {
			continue
		}
		manyNodes = manyNodes || p.Nodes > 1
		m := p.MPI.Profile
		if m.Noisy == 0 || p.Ranks == 1 { // a rank alone waits for none
			continue
		}
		note := fmt.Sprintf("%s: %d of %s noisy: where other work delays a rank, the others wait for it in MPI", p.place(), m.Noisy, plural(p.MPI.Percent.N, "profile"))
		if m.Quiet != nil {
			note += fmt.Sprintf("; %s %% in MPI without", fixed(*m.Quiet, 2))
		}
		notes = append(notes, note)
	}
	if manyNodes {
		notes = append(notes, "waiting is known of collective calls on one node only: those between nodes are left out of it")
	}
	if s.Profile == nil {
		return notes
	}
	if lost := s.Profile.Summary.Lost; lost > 0 {
		notes = append(notes, fmt.Sprintf("%d messages went to more ranks than the profile has room for, and are not in the matrix", lost))
	}
	return notes
}

// shownCalls is how many of a profile's calls are shown, leastShare the share in
// percent below which one is not worth a line.
const (
	shownCalls = 8
	leastShare = 0.01
)

// callFields are a row for each of the calls that took longest.
func callFields(s *mpi.Summary) []*field {
	name := &field{name: "call", text: true, key: true}
	calls := &field{name: "calls", help: "by all ranks"}
	share := &field{name: "in MPI", unit: "%", help: "of the time between MPI_Init and MPI_Finalize over all ranks"}
	wait := &field{name: "wait", unit: "%", help: "of the call's time, until the last rank came"}
	bytes := &field{name: "sent", help: "bytes handed over by all ranks"}
	mean := &field{name: "mean", unit: "us", help: "of one call"}
	longest := &field{name: "longest", unit: "us", help: "of one call"}
	for _, c := range topCalls(s) {
		name.add(plain(c.Name))
		calls.add(strconv.FormatUint(c.Count, 10))
		share.add(fixed(c.Percent, 2))
		wait.add(waitText(c))
		bytes.add(sizeText(c.Bytes))
		mean.add(sig(1e6*c.Seconds/float64(c.Count), 3))
		longest.add(sig(1e6*c.Longest, 3))
	}
	return used([]*field{name, calls, share, wait, bytes, mean, longest})
}

// topCalls are the calls that took longest, and the sum of the others where it
// is worth a line.
func topCalls(s *mpi.Summary) (top []mpi.CallSum) {
	others, n := mpi.CallSum{}, 0
	for _, c := range s.Calls {
		switch {
		case c.Count == 0:
		case len(top) < shownCalls && c.Percent >= leastShare:
			top = append(top, c)
		default:
			n++
			others.Count, others.Bytes = others.Count+c.Count, others.Bytes+c.Bytes
			others.Seconds, others.Percent = others.Seconds+c.Seconds, others.Percent+c.Percent
			others.Longest = max(others.Longest, c.Longest)
		}
	}
	if others.Percent >= leastShare {
		others.Name = plural(n, "other function")
		top = append(top, others)
	}
	return top
}

// shareText is the share of MPI at a point.
func (p *Point) shareText() string {
	if p.MPI == nil {
		return ""
	}
	return fixed(p.MPI.Percent.Median, 2)
}

// costText is a share in percent of which all that matters below a hundredth is
// that it is small.
func costText(percent float64) string {
	if 0 < percent && percent < 0.01 {
		return "<0.01"
	}
	return fixed(percent, 2)
}

// waitText is the part of a call's time in which it waited for the last rank, in
// percent, where it is known of all its calls.
func waitText(c mpi.CallSum) string {
	if c.Waits < c.Count || c.Seconds <= 0 {
		return ""
	}
	return fixed(100*c.WaitSeconds/c.Seconds, 0)
}

// sizeText is a number of bytes with a decimal unit; none is nothing to tell.
func sizeText(n uint64) string {
	if n == 0 {
		return ""
	}
	x, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for len(units) > 1 && x >= 1000 {
		x, units = x/1000, units[1:]
	}
	return short(x) + " " + units[0]
}
