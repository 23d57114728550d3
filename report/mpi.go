// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/stats"
)

// MPIShare is what the trials of a point spent in MPI, in percent.
type MPIShare struct {
	// Percent is over the profiled trials, of the time between MPI_Init and
	// MPI_Finalize; it is Reported where no trial was profiled. The two are never
	// mixed, since what a program reports may be a share of something else.
	Percent stats.Summary `json:"percent"`
	// Reported is what trials say of themselves, as [measure.MPIPercent].
	Reported *stats.Summary `json:"reported,omitempty"`
	// Profile is what else the profiled trials tell.
	Profile *ProfileShare `json:"profile,omitempty"`
}

// ProfileShare is what the profiles of a point tell beside the share of MPI, in
// percent and as medians over the trials where nothing else is said.
type ProfileShare struct {
	// Low and High are the smallest and the largest share of one rank in any
	// trial, Mean that of the mean over the ranks.
	Low  float64 `json:"low"`
	Mean float64 `json:"mean"`
	High float64 `json:"high"`
	// Imbalance is how much longer than the mean rank the busiest computes.
	Imbalance float64 `json:"imbalance"`
	// Waiting is the part of the time in collective calls in which ranks waited
	// for the last one to come, of the calls for which that is known: those on
	// communicators within one node.
	Waiting *float64 `json:"waiting,omitempty"`
	// Cost is what counting took by the library's own measure, of the time.
	Cost float64 `json:"cost"`
	// Noisy counts the profiled trials flagged noisy: other work on the machine
	// makes ranks wait, which is time in MPI. Quiet is the share without them,
	// where there are others.
	Noisy int      `json:"noisy,omitempty"`
	Quiet *float64 `json:"quiet,omitempty"`
	// Added is the mean time of the profiled trials over that of the others, of
	// quiet ones, where there are enough of both kinds for an interval. It is a
	// ratio.
	Added *stats.Estimate `json:"added,omitempty"`
}

// MPIProfile is what one trial did in MPI: of those on the most ranks of a series,
// quiet ones where there are some, the one whose share is nearest to the median.
type MPIProfile struct {
	Ranks   int    `json:"ranks"`
	Nodes   int    `json:"nodes,omitempty"`
	Trial   string `json:"trial,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Summary has its calls, message sizes and communication matrix.
	Summary *mpi.Summary `json:"summary"`
}

// mpi fills in what a point's trials spent in MPI.
func (b *builder) mpi(p *Point, records []*measure.Record) {
	var reported, percents []float64
	for _, rec := range records {
		if v, ok := rec.Metrics[measure.MPIPercent]; ok && v.Unit == "%" && stats.Usable(v.Value) {
			reported = append(reported, v.Value)
		}
		if rec.MPI.Profiled() {
			percents = append(percents, rec.MPI.Percent)
		}
	}
	if len(reported)+len(percents) == 0 {
		return
	}
	p.MPI = &MPIShare{}
	if len(reported) > 0 {
		s := stats.Summarize(reported, b.level)
		p.MPI.Reported, p.MPI.Percent = &s, s
	}
	if len(percents) > 0 {
		p.MPI.Percent, p.MPI.Profile = stats.Summarize(percents, b.level), b.profiles(p, records)
	}
	for i, rec := range records {
		if rec.MPI != nil && rec.MPI.Profiled() == (p.MPI.Profile != nil) {
			p.Trials[i].MPI = &rec.MPI.Percent
		}
	}
}

// profiles sums up the profiles of a point, of which there is one at least.
func (b *builder) profiles(p *Point, records []*measure.Record) *ProfileShare {
	share := &ProfileShare{Low: math.Inf(1)}
	var means, imbalances, waits, costs, quietPercents, times, others []float64
	for i, rec := range records {
		t := &p.Trials[i]
		quiet := t.Time != nil && !t.noisy()
		switch {
		case !rec.MPI.Profiled() && quiet:
			others = append(others, *t.Time)
		case quiet:
			times = append(times, *t.Time)
		}
		if !rec.MPI.Profiled() {
			continue
		}
		s := rec.MPI
		if t.noisy() {
			share.Noisy++
		} else {
			quietPercents = append(quietPercents, s.Percent)
		}
		share.Low, share.High = min(share.Low, s.MinPercent), max(share.High, s.MaxPercent)
		means, imbalances, costs = append(means, s.MeanPercent), append(imbalances, s.Imbalance), append(costs, s.CostPercent)
		if s.WaitPercent != nil {
			waits = append(waits, *s.WaitPercent)
		}
	}
	share.Mean, share.Imbalance, share.Cost = stats.Median(means), stats.Median(imbalances), stats.Median(costs)
	if len(waits) > 0 {
		wait := stats.Median(waits)
		share.Waiting = &wait
	}
	if share.Noisy > 0 && len(quietPercents) > 0 {
		quiet := stats.Median(quietPercents)
		share.Quiet = &quiet
	}
	ratio, ok := stats.RatioOfMeans(stats.Summarize(times, b.level), stats.Summarize(others, b.level), b.level)
	if ok && ratio.Interval != nil {
		share.Added = &ratio
	}
	if share.Cost >= costlyPercent {
		p.warn("counting the calls of MPI took %s %% of the time, which is in the times and in the share of MPI of %s",
			sig(share.Cost, 2), plural(len(costs), "profiled trial"))
	}
	return share
}

// costlyPercent is the cost of counting, in percent of the time, from which on a
// reader should know that the numbers hold it.
const costlyPercent = 2

// typicalProfile picks the trial that stands for a series.
func typicalProfile(records []*measure.Record) *MPIProfile {
	most := 0
	for _, rec := range records {
		if rec.MPI.Profiled() {
			most = max(most, rec.Tasks)
		}
	}
	var with, quiet []*measure.Record
	for _, rec := range records {
		if !rec.MPI.Profiled() || rec.Tasks != most {
			continue
		}
		with = append(with, rec)
		if !slices.Contains(rec.Flags, flagNoisy) {
			quiet = append(quiet, rec)
		}
	}
	if len(with) == 0 {
		return nil
	}
	if len(quiet) > 0 {
		with = quiet
	}
	var percents []float64
	for _, rec := range with {
		percents = append(percents, rec.MPI.Percent)
	}
	median := stats.Median(percents)
	rec := slices.MinFunc(with, func(a, b *measure.Record) int {
		return cmp.Compare(math.Abs(a.MPI.Percent-median), math.Abs(b.MPI.Percent-median))
	})
	return &MPIProfile{Ranks: rec.Tasks, Nodes: rec.Nodes, Trial: trialID(rec), Attempt: rec.Attempt, Summary: rec.MPI}
}

// place names where the profile was taken.
func (p *MPIProfile) place() string {
	at := Point{Ranks: p.Ranks, Nodes: p.Nodes}
	return at.place()
}

// hasMPI says whether the time in MPI of any point is known, hasProfile whether
// any trial was profiled.
func (a *Application) hasMPI() bool {
	return slices.ContainsFunc(a.Series, func(s Series) bool {
		return slices.ContainsFunc(s.Points, func(p Point) bool { return p.MPI != nil })
	})
}

func (a *Application) hasProfile() bool {
	return slices.ContainsFunc(a.Series, func(s Series) bool { return s.Profile != nil })
}

// matrix is the bytes that ranks, or blocks of as many ranks each, sent to each
// other point to point: size by size cells, row by row.
type matrix struct {
	ranks, size, block int
	bytes              []float64
	most               float64
}

// maxCells is the number of ranks, or of blocks of ranks, along one side.
const maxCells = 64

// newMatrix sums up who sent to whom; it is nil where no rank sent to another.
func newMatrix(s *mpi.Summary) *matrix {
	if len(s.Sent) == 0 || s.Size < 2 {
		return nil
	}
	m := &matrix{ranks: s.Size, block: (s.Size + maxCells - 1) / maxCells}
	m.size = (s.Size + m.block - 1) / m.block
	m.bytes = make([]float64, m.size*m.size)
	for _, p := range s.Sent {
		if p.From < 0 || p.To < 0 || p.From >= s.Size || p.To >= s.Size {
			continue
		}
		at := &m.bytes[p.From/m.block*m.size+p.To/m.block]
		*at += float64(p.Bytes)
		m.most = max(m.most, *at)
	}
	return m
}
