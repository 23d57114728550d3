// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

func newAppView(r *Report, a *Application, id string) appView {
	v := appView{ID: id, Name: plain(cmp.Or(a.Name, "without a name")), Description: plain(a.describe())}
	for _, w := range a.Warnings {
		v.Warnings = append(v.Warnings, plain(w))
	}
	series := make([]*Series, len(a.Series))
	for i := range a.Series {
		series[i] = &a.Series[i]
		if s := headline(a, series[i]); s != "" {
			v.Headlines = append(v.Headlines, plain(s))
		}
	}
	if n := len(v.Headlines); n > hues {
		v.Headlines = append(v.Headlines[:hues-1], fmt.Sprintf("and %d more series, below", n-hues+1))
	}
	rows := a.oneSize()
	for chunk := range slices.Chunk(series, hues) {
		set := figureSet{}
		if rows {
			set.Figures = rowFigures(r, a, chunk)
		} else {
			set.Figures = scalingFigures(r, a, chunk)
			for i, s := range chunk {
				set.Legend = append(set.Legend, newLegendEntry(i, s.Label))
			}
		}
		for _, c := range set.Figures {
			set.Ideal = set.Ideal || len(c.Ideals) > 0
			set.Intervals = set.Intervals || len(c.Errors) > 0
			for _, e := range c.Errors {
				set.Beyond = set.Beyond || e.Beyond[0] || e.Beyond[1]
			}
			for _, d := range c.Dots {
				set.Trials.Plain = set.Trials.Plain || d.Kind == "plain"
				set.Trials.Noisy = set.Trials.Noisy || d.Kind == "noisy"
				set.Trials.Outlier = set.Trials.Outlier || d.Kind == "outlier"
			}
		}
		if len(set.Figures) > 0 {
			v.Sets = append(v.Sets, set)
		}
	}
	number(id, v.Sets)
	v.Table = seriesTable(r, a, !rows)
	v.Repetitions = repetitionTable(a)
	v.Profiles = profileViews(a)
	v.Curves = curveSets(a.Curves)
	number(id+"-curve", v.Curves)
	return v
}

// number gives figures identifiers that are unique on the page.
func number(prefix string, sets []figureSet) {
	n := 0
	for _, set := range sets {
		for _, c := range set.Figures {
			n++
			c.ID = fmt.Sprintf("%s-figure-%d", prefix, n)
		}
	}
}

func newLegendEntry(i int, label string) legendEntry {
	return legendEntry{S: i % hues, D: markers[i%hues], Label: plain(label)}
}

// headline is what a series amounts to in a sentence: its largest size.
func headline(a *Application, s *Series) string {
	if len(s.Points) < 2 {
		return ""
	}
	base := slices.IndexFunc(s.Points, func(p Point) bool { return p.Base })
	last := &s.Points[len(s.Points)-1]
	if base < 0 || last.Base || last.Efficiency == nil {
		return ""
	}
	first := &s.Points[base]
	text := s.Label + ": "
	if a.Scaling == spec.ScalingWeak {
		text += fmt.Sprintf("efficiency %s on %s, against %s", percentText(last.Efficiency, false), last.place(), first.place())
	} else {
		text += fmt.Sprintf("%s times as fast on %s as on %s, efficiency %s",
			estimateText(last.Speedup, false), last.place(), first.place(), percentText(last.Efficiency, false))
	}
	switch {
	case last.QuietEfficiency != nil:
		text += "; without noisy trials " + percentText(last.QuietEfficiency, false)
	case first.Noisy+last.Noisy > 0:
		text += "; from noisy trials"
	}
	return text
}

// curveSets are a figure for every curve, or several where there are more lines
// than can be told apart.
func curveSets(curves []Curve) (sets []figureSet) {
	for i := range curves {
		c := &curves[i]
		for chunk := range slices.Chunk(c.Lines, hues) {
			set := figureSet{Figures: []*chart{curveFigure(c, chunk)}}
			for i, l := range chunk {
				set.Legend = append(set.Legend, newLegendEntry(i, l.Label))
				set.Bands = set.Bands || l.N > 1
			}
			set.Table = curveTable(c, chunk)
			sets = append(sets, set)
		}
	}
	return sets
}

// maxCurveRows bounds the table of a curve.
const maxCurveRows = 200

// curveTable is a row for each x, a column for each line.
func curveTable(c *Curve, lines []Line) *tableView {
	t := &tableView{
		Caption: plain(fmt.Sprintf("%s: medians", c.Name)),
		Heads:   []head{{Name: "x", Unit: plain(c.Unit[0]), Number: true}},
	}
	medians := map[float64][]cell{}
	for i, l := range lines {
		t.Heads = append(t.Heads, head{Name: plain(l.Label), Unit: plain(c.Unit[1]), Number: true})
		for _, p := range l.Points {
			if medians[p.X] == nil {
				medians[p.X] = make([]cell, len(lines))
			}
			medians[p.X][i] = cell{Text: sig(p.Median, digits)}
		}
	}
	var rows [][]cell
	for _, x := range slices.Sorted(maps.Keys(medians)) {
		row := append([]cell{{Text: short(x)}}, medians[x]...)
		for i := range row {
			row[i].Number = true
		}
		rows = append(rows, row)
	}
	if n := len(rows); n > maxCurveRows {
		rows, t.More = rows[:maxCurveRows], fmt.Sprintf("The first %d of %d rows.", maxCurveRows, n)
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}
