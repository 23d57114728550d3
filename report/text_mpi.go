// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strconv"

	"github.com/converged-computing/ensemble/measure/mpi"
)

// shownCalls is how many of a profile's calls are shown, leastShare the share in
// percent below which one is not worth a line.
const (
	shownCalls = 8
	leastShare = 0.01
)

// profile shows what the ranks of a series did in MPI.
func (p *printer) profile(s *Series) {
	if s.Profile == nil {
		return
	}
	p.WriteByte('\n')
	p.note(4, 2, s.mpiText())
	name, calls, share := column{head: []string{"call"}, left: true}, column{head: []string{"calls"}}, column{head: []string{"share", "[%]"}}
	wait, bytes := column{head: []string{"waiting", "[%]"}}, column{head: []string{"bytes"}}
	mean, longest := column{head: []string{"mean", "[us]"}}, column{head: []string{"longest", "[us]"}}
	for _, c := range topCalls(s.Profile.Summary) {
		name.add(plain(c.Name))
		calls.add(strconv.FormatUint(c.Count, 10))
		share.add(fixed(c.Percent, 2))
		wait.add(waitText(c))
		bytes.add(sizeText(c.Bytes))
		mean.add(sig(1e6*c.Seconds/float64(c.Count), 3))
		longest.add(sig(1e6*c.Longest, 3))
	}
	columns := []column{name, calls, share}
	for _, c := range []column{wait, bytes, mean, longest} {
		if !c.empty() {
			columns = append(columns, c)
		}
	}
	if !name.empty() {
		p.table(columns, 1, 6)
	}
}

// topCalls are the calls that took longest.
func topCalls(s *mpi.Summary) (top []mpi.CallSum) {
	for _, c := range s.Calls {
		if len(top) < shownCalls && c.Percent >= leastShare && c.Count > 0 {
			top = append(top, c)
		}
	}
	return top
}

// mpiText says in a sentence what a series spent in MPI on its most ranks.
func (s *Series) mpiText() string {
	text := ""
	for i := range s.Points {
		p := &s.Points[i]
		if m := p.MPI; m != nil && p.Ranks == s.Profile.Ranks && p.Nodes == s.Profile.Nodes {
			text = fmt.Sprintf("MPI on %s: %s %% of the time", p.place(), fixed(m.Percent.Median, 2))
			if p.Ranks > 1 {
				text += fmt.Sprintf(", %s to %s %% by rank; the busiest rank computes %s %% longer than the mean", fixed(m.Low, 2), fixed(m.High, 2), sig(m.Imbalance, 2))
			}
			text += fmt.Sprintf("; counting it took %s %%", sig(m.Cost, 2))
			if m.Added != nil {
				text += fmt.Sprintf(", and profiled trials %s times as long as the others", estimateText(m.Added, false))
			}
		}
	}
	if wait := s.Profile.Summary.WaitPercent; wait != nil {
		text += fmt.Sprintf("; where ranks met, %s %% of the time was waiting for the last", sig(*wait, 2))
	}
	return text + "."
}

// shareText is the share of MPI at a point.
func (p *Point) shareText() string {
	if p.MPI == nil {
		return ""
	}
	return fixed(p.MPI.Percent.Median, 2)
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
