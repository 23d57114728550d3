// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// series summarises the records of one group.
func (b *builder) series(s Setting, g group) Series {
	byPlace := map[[2]int][]*measure.Record{}
	for _, rec := range g.records {
		at := [2]int{rec.Tasks, rec.Nodes}
		byPlace[at] = append(byPlace[at], rec)
	}
	out := Series{Setting: s, Warnings: g.warnings}
	for at, records := range byPlace {
		p := b.point(records)
		p.Ranks, p.Nodes = at[0], at[1]
		out.Points = append(out.Points, p)
	}
	slices.SortFunc(out.Points, func(x, y Point) int {
		return cmp.Or(cmp.Compare(x.Ranks, y.Ranks), cmp.Compare(x.Nodes, y.Nodes))
	})
	if i := slices.IndexFunc(out.Points, func(p Point) bool { return p.Ranks == 0 }); i >= 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the number of ranks of %s is unknown", plural(len(out.Points[i].Trials), "trial")))
	}
	b.compare(out.Points)
	return out
}

// point summarises repetitions of the same thing.
func (b *builder) point(records []*measure.Record) Point {
	p := Point{Flags: map[string]int{}, Merits: map[string]stats.Summary{}}
	var times, quiet, overheads []float64
	var timed []int // indices in Trials of times
	for _, rec := range records {
		t := Trial{ID: trialID(rec), Attempt: rec.Attempt, Repetition: repetition(rec)}
		t.Flags = slices.Compact(slices.Sorted(slices.Values(rec.Flags)))
		for _, f := range t.Flags {
			p.Flags[f]++
		}
		noisy := slices.Contains(t.Flags, flagNoisy)
		if x, ok := b.time(rec); ok {
			t.Time = &x
			times, timed = append(times, x), append(timed, len(p.Trials))
			if !noisy {
				quiet = append(quiet, x)
			}
			if wall, ok := wallTime(rec); ok && b.app.Time.Name != WallTime && b.app.Time.Unit == "s" {
				over := wall - x
				t.Overhead = &over
				overheads = append(overheads, over)
			}
		}
		for _, m := range b.app.Merits {
			if v, ok := rec.Metrics[m.Name]; ok && v.Unit == m.Unit && finite(v.Value) {
				if t.Merits == nil {
					t.Merits = map[string]float64{}
				}
				t.Merits[m.Name] = v.Value
			}
		}
		p.Trials = append(p.Trials, t)
	}
	p.Noisy = p.Flags[flagNoisy]
	p.Time = stats.Summarize(times, b.level)
	if k := len(records) - len(times); k > 0 {
		p.warn("%s without %s", plural(k, "trial"), b.app.Time.Name)
	}
	if n := len(quiet); 0 < n && n < len(times) {
		q := stats.Summarize(quiet, b.level)
		p.Quiet = &q
	}
	// Too few values to tell an outlier is the usual case and not worth a word.
	if outliers, warnings := stats.Outliers(times); len(outliers) > 0 {
		for _, o := range outliers {
			p.Trials[timed[o.Index]].Outlier = o.Score
		}
		p.Outliers = len(outliers)
		p.Warnings = append(p.Warnings, warnings...)
	}
	b.merits(&p)
	b.overhead(&p, overheads)
	return p
}

func (b *builder) merits(p *Point) {
	for _, m := range b.app.Merits {
		var xs []float64
		for _, t := range p.Trials {
			if x, ok := t.Merits[m.Name]; ok {
				xs = append(xs, x)
			}
		}
		if len(xs) > 0 {
			p.Merits[m.Name] = stats.Summarize(xs, b.level)
		}
	}
}

func (b *builder) overhead(p *Point, overheads []float64) {
	if len(overheads) == 0 {
		return
	}
	s := stats.Summarize(overheads, b.level)
	p.Overhead = &s
	if s.Min < 0 {
		p.warn("%s is longer than the launcher's wall time in some trial", b.app.Time.Name)
	}
}

// compare fills in base, speed-up and efficiency. Points have to be sorted.
func (b *builder) compare(points []Point) {
	base := slices.IndexFunc(points, func(p Point) bool { return p.Ranks > 0 && p.Time.N > 0 && p.Time.Mean > 0 })
	if base < 0 {
		return
	}
	points[base].Base = true
	for i := base; i < len(points); i++ {
		p := &points[i]
		speedup, ok := stats.RatioOfMeans(points[base].Time, p.Time, b.level)
		if !ok {
			continue
		}
		if i == base { // by definition, and therefore without an interval
			speedup = stats.Estimate{Value: 1}
		}
		efficiency := speedup
		if b.app.Scaling != spec.ScalingWeak {
			p.Speedup = &speedup
			efficiency = speedup.Scale(float64(points[base].Ranks) / float64(p.Ranks))
		}
		p.Efficiency = &efficiency
	}
}

func (p *Point) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}
