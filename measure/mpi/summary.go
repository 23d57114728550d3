// SPDX-License-Identifier: MIT

package mpi

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
)

// Summary is what a record holds of the time in MPI: the sums of a profile, or
// nothing but Percent where that is all that somebody else told. Times are in
// seconds, shares in percent, sizes in bytes.
type Summary struct {
	// Percent is the time in MPI, summed over the ranks, of the time between
	// MPI_Init and MPI_Finalize, summed over the ranks. MPI_Init and MPI_Finalize
	// themselves count for neither. It is the definition of mpiP's "Aggregate"
	// line (mpiP 3.5, "MPI Time (seconds)"). Threads that are in MPI at once count
	// each for itself, so that under MPI_THREAD_MULTIPLE it may be more than 100.
	Percent float64 `json:"percent"`
	// MinPercent, MeanPercent and MaxPercent are over the ranks' own shares.
	MinPercent  float64 `json:"min_percent"`
	MeanPercent float64 `json:"mean_percent"`
	MaxPercent  float64 `json:"max_percent"`
	// Imbalance says how much longer than the mean rank the busiest one computes,
	// that is spends outside MPI: 0 where all compute alike, 100 where it takes
	// twice the mean. (DeRose, Homer, Johnson: Detecting application load
	// imbalance on high end massively parallel systems, Euro-Par 2007.)
	Imbalance float64 `json:"imbalance"`
	// WaitPercent is the part of the time in collective calls in which ranks of
	// one node waited for the last to come, of the calls for which it is known.
	WaitPercent *float64 `json:"wait_percent,omitempty"`
	// Seconds is the time between MPI_Init and MPI_Finalize, the mean over ranks.
	Seconds float64 `json:"seconds"`
	// Ranks left a profile, none where only Percent is known; Size is how many
	// there were.
	Ranks int `json:"ranks"`
	Size  int `json:"size"`
	// Incomplete ranks did not reach MPI_Finalize.
	Incomplete int `json:"incomplete,omitempty"`
	// CostPercent is what counting cost, of Seconds: the measured cost of one
	// call times the calls.
	CostPercent float64 `json:"cost_percent"`
	// PeakBytes is the largest resident memory of a rank.
	PeakBytes uint64 `json:"peak_bytes,omitempty"`
	// Library is MPI's own description, Levels of threads are those of
	// MPI_Init_thread.
	Library     string `json:"library,omitempty"`
	ThreadLevel int    `json:"thread_level"`
	// Calls are the functions by the time that they took, longest first.
	Calls []CallSum `json:"calls"`
	// Sizes count the messages by size, smallest first.
	Sizes []SizeSum `json:"sizes,omitempty"`
	// Sent is the communication matrix, sparse: who sent to whom, point to point.
	Sent []PeerSum `json:"sent,omitempty"`
	// Lost messages went to ranks for which there was no room.
	Lost uint64 `json:"lost,omitempty"`
}

// Profiled says whether the sums are of a profile. Without one, all but Percent
// is unknown.
func (s *Summary) Profiled() bool { return s != nil && s.Ranks > 0 }

// MarshalJSON leaves out what is unknown without a profile, since a zero would
// say that it was measured.
func (s Summary) MarshalJSON() ([]byte, error) {
	if !s.Profiled() {
		return json.Marshal(struct {
			Percent float64 `json:"percent"`
		}{s.Percent})
	}
	type fields Summary // without this method
	return json.Marshal(fields(s))
}

// CallSum is one function of MPI over all ranks.
type CallSum struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
	// Seconds are summed over ranks, Percent is of the time between MPI_Init and
	// MPI_Finalize, summed over ranks; Longest is one call's.
	Seconds float64 `json:"seconds"`
	Percent float64 `json:"percent"`
	Longest float64 `json:"longest"`
	// WaitSeconds are of Waits calls.
	Waits       uint64  `json:"waits,omitempty"`
	WaitSeconds float64 `json:"wait_seconds,omitempty"`
	Messages    uint64  `json:"messages,omitempty"`
	Bytes       uint64  `json:"bytes,omitempty"`
	Largest     uint64  `json:"largest,omitempty"`
}

// SizeSum counts messages of a range of sizes: from the bound below it, 0 for the
// first, up to but without Below. The first range holds the empty messages.
type SizeSum struct {
	Below    uint64 `json:"below"`
	Messages uint64 `json:"messages"`
}

// PeerSum is one cell of the communication matrix, by the way of sending.
type PeerSum struct {
	From     int    `json:"from"`
	To       int    `json:"to"`
	Way      Way    `json:"way"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// Summarize sums a profile of one rank at least.
func Summarize(p *Profile) Summary {
	first := &p.Ranks[0]
	t := totals{calls: map[string]*CallSum{}, sizes: map[int]uint64{}}
	t.Summary = Summary{Size: first.Size, Library: first.Library, ThreadLevel: first.ThreadLevel, MinPercent: math.Inf(1)}
	for i := range p.Ranks {
		t.add(&p.Ranks[i])
	}
	return t.sum()
}

// totals are a summary that grows by ranks, with sums in seconds that become
// shares in the end.
type totals struct {
	Summary
	app, inMPI, computing, busiest, cost, waited, met float64

	calls map[string]*CallSum
	sizes map[int]uint64 // by bin
}

// add takes one rank into the sums.
func (t *totals) add(r *Rank) {
	own, mpi := r.App.Seconds(), r.MPI().Seconds()
	t.app, t.inMPI = t.app+own, t.inMPI+mpi
	t.computing, t.busiest = t.computing+own-mpi, max(t.busiest, own-mpi)
	percent := share(mpi, own)
	t.MinPercent, t.MaxPercent, t.MeanPercent = min(t.MinPercent, percent), max(t.MaxPercent, percent), t.MeanPercent+percent
	t.PeakBytes, t.Lost = max(t.PeakBytes, r.Peak), t.Lost+r.Lost
	t.Ranks++
	if r.State != Complete {
		t.Incomplete++
	}
	for _, c := range r.Calls {
		sum := t.calls[c.Name]
		if sum == nil {
			sum = &CallSum{Name: c.Name}
			t.calls[c.Name] = sum
		}
		sum.add(c)
		t.cost += float64(c.Count) * r.Cost.Seconds()
		t.waited, t.met = t.waited+c.Wait.Seconds(), t.met+c.Met.Seconds()
		for bin, n := range c.Bins {
			t.sizes[bin] += n
		}
	}
	for _, to := range r.Peers {
		t.Sent = append(t.Sent, PeerSum{r.Rank, to.Rank, to.Way, to.Messages, to.Bytes})
	}
}

// sum makes shares of the sums and puts lists in order.
func (t *totals) sum() Summary {
	s, ranks := t.Summary, float64(t.Ranks)
	s.Percent, s.MeanPercent, s.CostPercent = share(t.inMPI, t.app), t.MeanPercent/ranks, share(t.cost, t.app)
	s.Seconds = t.app / ranks
	if t.computing > 0 {
		s.Imbalance = 100 * (t.busiest*ranks/t.computing - 1)
	}
	if t.met > 0 {
		wait := share(t.waited, t.met)
		s.WaitPercent = &wait
	}
	for _, c := range t.calls {
		c.Percent = share(c.Seconds, t.app)
		s.Calls = append(s.Calls, *c)
	}
	slices.SortFunc(s.Calls, func(a, b CallSum) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Name, b.Name))
	})
	for _, bin := range slices.Sorted(maps.Keys(t.sizes)) {
		if n := t.sizes[bin]; n > 0 {
			s.Sizes = append(s.Sizes, SizeSum{1 << bin, n})
		}
	}
	slices.SortFunc(s.Sent, func(a, b PeerSum) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Way, b.Way))
	})
	return s
}

func (s *CallSum) add(c Call) {
	s.Count += c.Count
	s.Seconds += c.Time.Seconds()
	s.Longest = max(s.Longest, c.Longest.Seconds())
	s.Waits += c.Waits
	s.WaitSeconds += c.Wait.Seconds()
	s.Messages += c.Messages
	s.Bytes += c.Bytes
	s.Largest = max(s.Largest, c.Largest)
}

// share is in percent, and 0 of nothing.
func share(part, of float64) float64 {
	if of <= 0 {
		return 0
	}
	return 100 * part / of
}
