// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// series summarises the records of one group.
func (b *builder) series(s Setting, g group) Series {
	byPlace := map[[2]int]map[string][]*measure.Record{} // by ranks and nodes, then by grid
	for _, rec := range g.records {
		at, grid := [2]int{rec.Tasks, rec.Nodes}, b.gridText(rec)
		if byPlace[at] == nil {
			byPlace[at] = map[string][]*measure.Record{}
		}
		byPlace[at][grid] = append(byPlace[at][grid], rec)
	}
	out := Series{Setting: s, Images: images(g.records), Profile: typicalProfile(g.records), Warnings: g.warnings}
	if len(out.Images) > 1 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the trials ran in %d images: what differs can be of the images", len(out.Images)))
	}
	for at, byGrid := range byPlace {
		for grid, records := range byGrid {
			p := b.point(records)
			p.Ranks, p.Nodes = at[0], at[1]
			if len(byGrid) > 1 {
				p.Grid = grid
			}
			out.Points = append(out.Points, p)
		}
	}
	slices.SortFunc(out.Points, func(x, y Point) int {
		return cmp.Or(cmp.Compare(x.Ranks, y.Ranks), cmp.Compare(x.Nodes, y.Nodes), compareNames(x.Grid, y.Grid))
	})
	if i := slices.IndexFunc(out.Points, func(p Point) bool { return p.Ranks == 0 }); i >= 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the number of ranks of %s is unknown", plural(len(out.Points[i].Trials), "trial")))
	}
	b.compare(out.Points)
	return out
}

// images are those of the records, in their order.
func images(records []*measure.Record) (all []string) {
	for _, rec := range records {
		if rec.Image != "" {
			all = append(all, rec.Image)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// point summarises repetitions of the same thing.
func (b *builder) point(records []*measure.Record) Point {
	p := Point{Flags: map[string]int{}, Merits: map[string]stats.Summary{}}
	var times, quiet, overheads []float64
	var timed []int // indices in Trials of times
	for _, rec := range records {
		t := Trial{ID: trialID(rec), Attempt: rec.Attempt, Repetition: repetition(rec)}
		t.Flags = flags(rec)
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
			if wall, ok := rec.WallTime(); ok && b.app.Time.Name != WallTime && b.app.Time.Unit == "s" {
				over := wall - x
				t.Overhead = &over
				overheads = append(overheads, over)
			}
		}
		for _, m := range b.app.Merits {
			if v, ok := rec.Metrics[m.Name]; ok && v.Unit == m.Unit && stats.Usable(v.Value) {
				if t.Merits == nil {
					t.Merits = map[string]float64{}
				}
				t.Merits[m.Name] = v.Value
			}
		}
		p.Trials = append(p.Trials, t)
	}
	b.warnOfUnits(&p, records)
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
	b.mpi(&p, records)
	b.repetitions(&p, records)
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
	i := slices.IndexFunc(points, func(p Point) bool { return p.Ranks > 0 && p.Time.Mean > 0 })
	if i < 0 {
		return
	}
	base := &points[i]
	base.Base = true
	for ; i < len(points); i++ {
		p := &points[i]
		speedup, ok := stats.RatioOfMeans(base.Time, p.Time, b.level)
		if !ok || speedup.Value <= 0 { // a time below zero is none
			continue
		}
		if p.Base { // by definition, and therefore without an interval
			speedup = stats.Estimate{Value: 1}
		}
		if b.app.Scaling != spec.ScalingWeak {
			p.Speedup = &speedup
		}
		p.Efficiency = b.efficiency(speedup, base, p)
		over, under := base.quiet(), p.quiet()
		if p.Base || base.Noisy+p.Noisy == 0 || over == nil || under == nil {
			continue
		}
		if quiet, ok := stats.RatioOfMeans(*over, *under, b.level); ok {
			p.QuietEfficiency = b.efficiency(quiet, base, p)
		}
	}
}

// efficiency is the speed-up by how many times as many ranks there are, which
// weak scaling gives as much more to do.
func (b *builder) efficiency(speedup stats.Estimate, base, p *Point) *stats.Estimate {
	if b.app.Scaling != spec.ScalingWeak {
		speedup = speedup.Scale(float64(base.Ranks) / float64(p.Ranks))
	}
	return &speedup
}

// quiet is the time without the noisy trials, or nil where none is quiet.
func (p *Point) quiet() *stats.Summary {
	if p.Noisy > 0 {
		return p.Quiet
	}
	return &p.Time
}

// warnOfBases tells where speed-ups do not compare, since some series begin at
// more ranks than others, as they do where the trials on few ranks failed.
func (b *builder) warnOfBases() {
	base := func(s *Series) *Point {
		if i := slices.IndexFunc(s.Points, func(p Point) bool { return p.Base }); i >= 0 {
			return &s.Points[i]
		}
		return nil
	}
	least := 0
	for i := range b.app.Series {
		if p := base(&b.app.Series[i]); p != nil && (least == 0 || p.Ranks < least) {
			least = p.Ranks
		}
	}
	for i := range b.app.Series {
		s := &b.app.Series[i]
		if p := base(s); p != nil && p.Ranks > least && len(s.Points) > 1 {
			s.Warnings = append(s.Warnings, fmt.Sprintf(
				"speed-up and efficiency refer to %s here and to %s in another series: they do not compare", p.place(), plural(least, "rank")))
		}
	}
}

// gridText is the record's process grid: p=2 q=4.
func (b *builder) gridText(rec *measure.Record) string {
	grid := map[string]spec.Value{}
	for name, v := range rec.Parameters {
		if b.spec.Parameters[name].Role == spec.RoleProcessGrid {
			grid[name] = v
		}
	}
	return parameterText(grid)
}

// warnOfUnits tells of metrics in a unit that does not convert into the one that
// is shown.
func (b *builder) warnOfUnits(p *Point, records []*measure.Record) {
	other := func(q Quantity, known func(read.Value) bool) {
		n, unit := 0, ""
		for _, rec := range records {
			if v, ok := rec.Metrics[q.Name]; ok && stats.Usable(v.Value) && !known(v) {
				n, unit = n+1, v.Unit
			}
		}
		if n > 0 {
			p.warn("%s of %s in [%s], not in [%s], and left out", q.Name, plural(n, "trial"), unit, q.Unit)
		}
	}
	other(b.app.Time, func(v read.Value) bool {
		_, inSeconds := measure.Seconds(v)
		return v.Unit == b.app.Time.Unit || b.app.Time.Unit == "s" && inSeconds
	})
	for _, m := range b.app.Merits {
		other(m, func(v read.Value) bool { return v.Unit == m.Unit })
	}
}

func (p *Point) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}
