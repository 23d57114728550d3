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

// MPIShare is what the profiled trials of a point spent in MPI.
type MPIShare struct {
	// Percent is of the time between MPI_Init and MPI_Finalize, over the trials.
	Percent stats.Summary `json:"percent"`
	// Low and High are the smallest and the largest share of one rank in any
	// trial, in percent.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Imbalance is how much longer than the mean rank the busiest computes, in
	// percent; Cost what counting took by the library's own measure, in percent of
	// the time; both are medians over the trials.
	Imbalance float64 `json:"imbalance"`
	Cost      float64 `json:"cost"`
	// Added is the mean time of the profiled trials over that of the others, of
	// quiet ones, where there are enough of both kinds for an interval.
	Added *stats.Estimate `json:"added,omitempty"`
}

// MPIProfile is what one trial did in MPI: of those on the most ranks of a series
// the one whose share is nearest to the median.
type MPIProfile struct {
	Ranks   int    `json:"ranks"`
	Nodes   int    `json:"nodes,omitempty"`
	Trial   string `json:"trial,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Summary has its calls, message sizes and communication matrix.
	Summary *mpi.Summary `json:"summary"`
}

// profile fills in what the profiles of a point's trials tell.
func (b *builder) profile(p *Point, records []*measure.Record) {
	share := MPIShare{Low: math.Inf(1)}
	var percents, imbalances, costs, profiled, others []float64
	for i, rec := range records {
		t := &p.Trials[i]
		quiet := t.Time != nil && !slices.Contains(t.Flags, flagNoisy)
		if !rec.MPI.Profiled() {
			if quiet {
				others = append(others, *t.Time)
			}
			continue
		}
		if quiet {
			profiled = append(profiled, *t.Time)
		}
		t.MPI = &rec.MPI.Percent
		percents = append(percents, rec.MPI.Percent)
		imbalances, costs = append(imbalances, rec.MPI.Imbalance), append(costs, rec.MPI.CostPercent)
		share.Low, share.High = min(share.Low, rec.MPI.MinPercent), max(share.High, rec.MPI.MaxPercent)
	}
	if len(percents) == 0 {
		return
	}
	share.Percent = stats.Summarize(percents, b.level)
	share.Imbalance, share.Cost = stats.Median(imbalances), stats.Median(costs)
	ratio, ok := stats.RatioOfMeans(stats.Summarize(profiled, b.level), stats.Summarize(others, b.level), b.level)
	if ok && ratio.Interval != nil {
		share.Added = &ratio
	}
	p.MPI = &share
}

// typicalProfile picks the trial that stands for a series.
func typicalProfile(records []*measure.Record) *MPIProfile {
	most := 0
	for _, rec := range records {
		if rec.MPI.Profiled() {
			most = max(most, rec.Tasks)
		}
	}
	var with []*measure.Record
	var percents []float64
	for _, rec := range records {
		if rec.MPI.Profiled() && rec.Tasks == most {
			with, percents = append(with, rec), append(percents, rec.MPI.Percent)
		}
	}
	if len(with) == 0 {
		return nil
	}
	median := stats.Median(percents)
	rec := slices.MinFunc(with, func(a, b *measure.Record) int {
		return cmp.Compare(math.Abs(a.MPI.Percent-median), math.Abs(b.MPI.Percent-median))
	})
	return &MPIProfile{Ranks: rec.Tasks, Nodes: rec.Nodes, Trial: trialID(rec), Attempt: rec.Attempt, Summary: rec.MPI}
}

// hasProfile says whether any trial was profiled.
func (a *Application) hasProfile() bool {
	return slices.ContainsFunc(a.Series, func(s Series) bool { return s.Profile != nil })
}

// matrix is the bytes that ranks, or blocks of as many ranks each, sent to each
// other point to point: size by size cells, row by row.
type matrix struct {
	size, block int
	bytes       []float64
	most        float64
}

// maxCells is the number of ranks, or of blocks of ranks, along one side.
const maxCells = 64

func newMatrix(s *mpi.Summary) *matrix {
	if len(s.Sent) == 0 || s.Size < 2 {
		return nil
	}
	m := &matrix{block: (s.Size + maxCells - 1) / maxCells}
	m.size = (s.Size + m.block - 1) / m.block
	m.bytes = make([]float64, m.size*m.size)
	for _, p := range s.Sent {
		from, to := p.From/m.block, p.To/m.block
		if from < 0 || to < 0 || from >= m.size || to >= m.size {
			continue
		}
		at := &m.bytes[from*m.size+to]
		*at += float64(p.Bytes)
		m.most = max(m.most, *at)
	}
	return m
}
