// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// value is one number of a point as a figure over ranks shows it.
type value struct {
	ranks  int
	center float64
	in     *stats.Interval
	trials []Trial
	single func(Trial) (float64, bool) // nil where trials have no such number
	title  string
}

// plot says how to draw one number over the ranks.
type plot struct {
	title, unit string
	note        string
	log         bool // y, where all values are above zero
	values      func(*Series) []value
	// ideal gives the number of a perfect series at so many ranks; nil for none.
	ideal func(s *Series, ranks int) (float64, bool)
	// one draws a line at 1 instead, and top limits how far intervals, but not
	// what they are of, extend the range.
	one bool
	top float64
}

// scalingFigures are the figures of an application over the ranks, for at most
// as many series as can be told apart.
func scalingFigures(r *Report, a *Application, series []*Series) []*chart {
	plots := slices.Concat([]plot{timePlot(r, a), efficiencyPlot()}, meritPlots(a), []plot{mpiPlot(a), overheadPlot()})
	var figures []*chart
	for _, pl := range plots {
		if c := pl.draw(series); c != nil {
			figures = append(figures, c)
		}
	}
	return figures
}

func timePlot(r *Report, a *Application) plot {
	unit := a.Time.Unit
	return plot{
		title: "Time", unit: unit, log: a.Scaling != spec.ScalingWeak,
		values: func(s *Series) (out []value) {
			for i := range s.Points {
				p := &s.Points[i]
				if p.Ranks == 0 || p.Time.N == 0 {
					continue
				}
				out = append(out, value{
					ranks: p.Ranks, center: p.Time.Mean, in: p.Time.MeanInterval, trials: p.Trials,
					single: func(t Trial) (float64, bool) {
						if t.Time == nil {
							return 0, false
						}
						return *t.Time, true
					},
					title: fmt.Sprintf("%s: mean %s, n = %d", p.place(), meanText(p.Time, unit), p.Time.N),
				})
			}
			return out
		},
		ideal: func(s *Series, ranks int) (float64, bool) {
			for _, p := range s.Points {
				if p.Base && a.Scaling == spec.ScalingWeak {
					return p.Time.Mean, true
				}
				if p.Base {
					return p.Time.Mean * float64(p.Ranks) / float64(ranks), true
				}
			}
			return 0, false
		},
	}
}

func efficiencyPlot() plot {
	return plot{
		title: "Efficiency", one: true, top: 1.6,
		values: func(s *Series) (out []value) {
			for i := range s.Points {
				p := &s.Points[i]
				if p.Ranks == 0 || p.Efficiency == nil {
					continue
				}
				out = append(out, value{
					ranks: p.Ranks, center: p.Efficiency.Value, in: p.Efficiency.Interval,
					title: p.place() + ": efficiency " + percentText(p.Efficiency, p.Base),
				})
			}
			return out
		},
	}
}

func meritPlot(m Quantity) plot {
	note := ""
	if m.Better != "" {
		note = string(m.Better) + " is better"
	}
	return plot{
		title: plain(m.Name), unit: plain(m.Unit), note: note, log: true,
		values: func(s *Series) (out []value) {
			for i := range s.Points {
				p := &s.Points[i]
				v, ok := p.Merits[m.Name]
				if p.Ranks == 0 || !ok {
					continue
				}
				out = append(out, value{
					ranks: p.Ranks, center: v.Median, trials: p.Trials,
					single: func(t Trial) (float64, bool) { x, ok := t.Merits[m.Name]; return x, ok },
					title:  fmt.Sprintf("%s: median %s, n = %d", p.place(), withUnit(sig(v.Median, digits), m.Unit), v.N),
				})
			}
			return out
		},
	}
}

func mpiPlot(a *Application) plot {
	note := "of the time between MPI_Init and MPI_Finalize"
	if !a.hasProfile() {
		note = "as it is reported"
	}
	return plot{
		title: "Time in MPI", unit: "%", note: note,
		values: func(s *Series) (out []value) {
			for i := range s.Points {
				p := &s.Points[i]
				if p.Ranks == 0 || p.MPI == nil {
					continue
				}
				share := p.MPI.Percent
				out = append(out, value{
					ranks: p.Ranks, center: share.Mean, in: share.MeanInterval, trials: p.Trials,
					single: func(t Trial) (float64, bool) {
						if t.MPI == nil {
							return 0, false
						}
						return *t.MPI, true
					},
					title: fmt.Sprintf("%s: mean %s, n = %d", p.place(), meanText(share, "%"), share.N),
				})
			}
			return out
		},
	}
}

func overheadPlot() plot {
	return plot{
		title: "Overhead", unit: "s", note: "wall time less the application's own",
		values: func(s *Series) (out []value) {
			for i := range s.Points {
				p := &s.Points[i]
				if p.Ranks == 0 || p.Overhead == nil {
					continue
				}
				out = append(out, value{
					ranks: p.Ranks, center: p.Overhead.Median, trials: p.Trials,
					single: func(t Trial) (float64, bool) {
						if t.Overhead == nil {
							return 0, false
						}
						return *t.Overhead, true
					},
					title: fmt.Sprintf("%s: median %s, n = %d", p.place(), withUnit(sig(p.Overhead.Median, 3), "s"), p.Overhead.N),
				})
			}
			return out
		},
	}
}

// draw makes the figure, or nil where no series has the number.
func (pl plot) draw(series []*Series) *chart {
	all := make([][]value, len(series))
	var xs, ys span
	var ranks []float64
	for i, s := range series {
		all[i] = pl.values(s)
		for _, v := range all[i] {
			xs.add(float64(v.ranks))
			ranks = append(ranks, float64(v.ranks))
			ys.add(v.center)
			for _, t := range v.trials {
				if x, ok := v.single(t); ok {
					ys.add(x)
				}
			}
		}
	}
	if !xs.any {
		return nil
	}
	for i, s := range series {
		if pl.ideal == nil || len(all[i]) < 2 {
			continue
		}
		for _, ranks := range idealRanks(all[i]) {
			if v, ok := pl.ideal(s, ranks); ok {
				ys.add(v)
			}
		}
	}
	log, top := pl.log && ys.lo > 0, max(pl.top, ys.hi)
	for _, values := range all {
		for _, v := range values {
			// An interval may reach far out of what was measured: it is cut there.
			if in := v.in; in != nil && (!log || in.Low > ys.lo/2) {
				ys.add(in.Low)
			}
			if in := v.in; in != nil && in.High < 2*ys.hi {
				ys.add(in.High)
			}
		}
	}
	if pl.one {
		ys.add(1)
		ys.lo, ys.hi = max(ys.lo, 0), min(ys.hi, top)
	}
	c := plotFrame(pl.title, pl.unit)
	c.Note = pl.note
	if log {
		c.Note = joinWords(c.Note, "logarithmic")
	}
	c.XLabel = "MPI ranks"
	x := axis{lo: xs.lo, hi: xs.hi, log: true, start: float64(c.X0) + 26, end: float64(c.X1) - 26}
	y := axis{log: log, start: float64(c.Y1), end: float64(c.Y0)}
	if log {
		y.lo, y.hi = ys.around()
	} else {
		y.lo, y.hi = ys.fromZero()
	}
	c.XTicks, c.YTicks = x.atValues(ranks, 24), y.ticks()
	gap := x.gap(ranks)
	for i, s := range series {
		center, trials := slot(i, len(series), gap)
		if len(all[i]) > 0 && all[i][0].single == nil {
			center = (center + trials) / 2
		}
		pl.drawSeries(c, x, y, i, s, all[i], center, trials-center)
	}
	if pl.one {
		c.Ideals = append(c.Ideals, shape{S: -1, D: polyline([]float64{float64(c.X0), float64(c.X1)}, []float64{y.at(1), y.at(1)})})
		for i := range c.YTicks {
			c.YTicks[i].Label = percentTick(c.YTicks[i].Label)
		}
	}
	c.Desc = pl.describe(series, all)
	return c
}

// drawSeries draws series i, its centres moved aside and its trials further.
func (pl plot) drawSeries(c *chart, x, y axis, i int, s *Series, values []value, aside, further float64) {
	var lx, ly []float64
	for _, v := range values {
		at := x.at(float64(v.ranks)) + aside
		lx, ly = append(lx, at), append(ly, y.clamp(v.center))
		if v.in != nil {
			c.Errors = append(c.Errors, y.interval(i, px(at), *v.in, false))
		}
		for _, t := range v.trials {
			if one, ok := v.single(t); ok {
				c.Dots = append(c.Dots, dot{S: i, X: px(at + further), Y: px(y.clamp(one)), Kind: t.kind(), Title: plain(fmt.Sprintf("%s: %s%s", t.name(), withUnit(sig(one, digits), pl.unit), t.marks()))})
			}
		}
		c.Marks = append(c.Marks, mark{S: i, X: px(at), Y: px(y.clamp(v.center)), Title: plain(joinWords(s.Label, v.title))})
	}
	if len(lx) > 1 && onePointEach(values) {
		c.Lines = append(c.Lines, shape{i, polyline(lx, ly)})
	}
	if pl.ideal == nil || len(values) == 0 {
		return
	}
	var ix, iy []float64
	for _, ranks := range idealRanks(values) {
		if v, ok := pl.ideal(s, ranks); ok {
			ix, iy = append(ix, x.at(float64(ranks))+aside), append(iy, y.clamp(v))
		}
	}
	if len(ix) > 1 && ix[0] < ix[len(ix)-1] {
		c.Ideals = append(c.Ideals, shape{i, polyline(ix, iy)})
	}
}

// onePointEach says whether each number of ranks has one point: where one has
// several, such as on one node and on two, a line through all of them would be
// that of nothing.
func onePointEach(values []value) bool {
	for i := 1; i < len(values); i++ {
		if values[i].ranks == values[i-1].ranks {
			return false
		}
	}
	return true
}

func idealRanks(values []value) []int {
	return []int{values[0].ranks, values[len(values)-1].ranks}
}

// describe puts a figure into words: the first and the last value of each
// series.
func (pl plot) describe(series []*Series, all [][]value) string {
	parts := []string{pl.title + " over the number of MPI ranks."}
	for i, s := range series {
		if n := len(all[i]); n == 1 {
			parts = append(parts, fmt.Sprintf("%s: %s.", s.Label, all[i][0].title))
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%s: %s; %s.", s.Label, all[i][0].title, all[i][n-1].title))
		}
	}
	return plain(strings.Join(parts, " "))
}

// kind is how a trial is drawn.
func (t *Trial) kind() string {
	switch {
	case t.Outlier != 0:
		return "outlier"
	case t.noisy():
		return "noisy"
	}
	return "plain"
}

func percentTick(s string) string {
	var v float64
	if _, err := fmt.Sscan(s, &v); err != nil {
		return s
	}
	return fmt.Sprintf("%.0f %%", math.Round(100*v))
}
