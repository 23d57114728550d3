// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strings"
)

// rowFigures are the figures of series that were all measured on one number of
// ranks: nothing scales there, so each series is a row and the values lie on
// the horizontal axis.
func rowFigures(r *Report, a *Application, series []*Series) []*chart {
	var figures []*chart
	for _, pl := range append([]plot{timePlot(r, a)}, meritPlots(a)...) {
		if c := pl.drawRows(series); c != nil {
			figures = append(figures, c)
		}
	}
	return figures
}

func meritPlots(a *Application) (plots []plot) {
	for _, m := range a.Merits {
		plots = append(plots, meritPlot(m))
	}
	return plots
}

// rowHeight holds a line of text and the values below it.
const rowHeight = 44

// drawRows makes the figure, or nil where no series has the number.
func (pl plot) drawRows(series []*Series) *chart {
	type rowValue struct {
		s *Series
		i int // hue
		value
	}
	var rows []rowValue
	var xs span
	for i, s := range series {
		for _, v := range pl.values(s) {
			rows = append(rows, rowValue{s, i, v})
			xs.add(v.center)
			for _, t := range v.trials {
				if x, ok := v.single(t); ok {
					xs.add(x)
				}
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	for _, v := range rows {
		if v.in != nil && v.in.High < 2*xs.hi {
			xs.add(v.in.High)
		}
	}
	c := plotFrame(pl.title, pl.unit)
	c.Note = pl.note
	c.X0, c.Y1 = 14, c.Y0+px(rowHeight*len(rows))+8
	c.H = c.Y1 + 24
	x := axis{start: float64(c.X0), end: float64(c.X1)}
	x.lo, x.hi = xs.fromZero()
	c.XTicks = x.ticks()
	desc := []string{pl.title + " of each series."}
	for row, v := range rows {
		top := float64(c.Y0) + rowHeight*float64(row)
		at := top + 27
		name := plain(v.s.Label)
		c.Texts = append(c.Texts, caption{X: c.X0 + 6, Y: px(top + 15), Class: "rowname", Text: cut(name, 58), Title: name})
		if v.in != nil {
			c.Errors = append(c.Errors, x.interval(v.i, px(at), *v.in, true))
		}
		for _, t := range v.trials {
			if one, ok := v.single(t); ok {
				c.Dots = append(c.Dots, dot{S: v.i, X: px(x.clamp(one)), Y: px(at + 9), Kind: t.kind(), Title: plain(fmt.Sprintf("%s: %s%s", t.name(), withUnit(sig(one, digits), pl.unit), t.marks()))})
			}
		}
		c.Marks = append(c.Marks, mark{S: v.i, X: px(x.clamp(v.center)), Y: px(at), Title: plain(joinWords(v.s.Label, v.title))})
		desc = append(desc, fmt.Sprintf("%s: %s.", v.s.Label, v.title))
	}
	c.Desc = plain(strings.Join(desc, " "))
	return c
}

// oneSize says whether all series were measured on the same number of ranks, or
// on an unknown one.
func (a *Application) oneSize() bool {
	ranks := -1
	for _, s := range a.Series {
		for _, p := range s.Points {
			if p.Time.N == 0 && len(p.Merits) == 0 {
				continue
			}
			if ranks >= 0 && p.Ranks != ranks {
				return false
			}
			ranks = p.Ranks
		}
	}
	return true
}
