// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strings"
)

// maxDrawn is the number of points of one line that are drawn; of more, every
// k-th is.
const maxDrawn = 400

// curveFigure draws lines of a curve: medians, a band from the smallest to the
// largest trial, and logarithms where the values span more than a factor of
// thirty.
func curveFigure(c *Curve, lines []Line) *chart {
	var xs, ys, positive span
	for _, l := range lines {
		for _, p := range l.Points {
			xs.add(p.X)
			ys.add(p.Min, p.Max)
			if p.X > 0 {
				positive.add(p.X)
			}
		}
	}
	f := plotFrame(plain(c.Name), c.Unit[1])
	f.XLabel = plain(c.Unit[0])
	x := axis{lo: xs.lo, hi: xs.hi, start: float64(f.X0) + 10, end: float64(f.X1) - 10}
	if positive.any && positive.hi > 30*positive.lo {
		x.log, x.lo = true, positive.lo // a message of no bytes is drawn at the left edge
	}
	y := axis{start: float64(f.Y1), end: float64(f.Y0)}
	if ys.lo > 0 && ys.hi > 30*ys.lo {
		y.log, f.Note = true, "logarithmic"
		y.lo, y.hi = ys.around()
	} else {
		y.lo, y.hi = ys.fromZero()
	}
	f.YTicks = y.ticks()
	bytes := c.Unit[0] == "bytes" || c.Unit[0] == "B"
	switch {
	case bytes && x.log:
		f.XTicks, f.XLabel = x.byteTicks(), "message size"
	case xs.lo == xs.hi:
		f.XTicks = x.atValues([]float64{xs.lo}, 0)
	default:
		f.XTicks = x.ticks()
	}
	desc := []string{fmt.Sprintf("%s in %s over %s.", c.Name, c.Unit[1], c.Unit[0])}
	for i, l := range lines {
		drawLine(f, x, y, i, l, c)
		first, last := l.Points[0], l.Points[len(l.Points)-1]
		desc = append(desc, fmt.Sprintf("%s: %s at %s, %s at %s.", l.Label, sig(first.Median, digits), short(first.X), sig(last.Median, digits), short(last.X)))
	}
	f.Desc = plain(strings.Join(desc, " "))
	return f
}

func drawLine(f *chart, x, y axis, i int, l Line, c *Curve) {
	every := (len(l.Points) + maxDrawn - 1) / maxDrawn
	var xs, ys, bandX, bandLow, bandHigh []float64
	for k, p := range l.Points {
		if k%every != 0 {
			continue
		}
		at := x.clamp(p.X)
		xs, ys = append(xs, at), append(ys, y.clamp(p.Median))
		bandX, bandLow, bandHigh = append(bandX, at), append(bandLow, y.clamp(p.Min)), append(bandHigh, y.clamp(p.Max))
		if len(l.Points) <= 40 {
			title := fmt.Sprintf("%s: %s at %s", l.Label, withUnit(sig(p.Median, digits), c.Unit[1]), withUnit(short(p.X), c.Unit[0]))
			if p.N > 1 {
				title += fmt.Sprintf(", n = %d, %s to %s", p.N, sig(p.Min, digits), sig(p.Max, digits))
			}
			f.Marks = append(f.Marks, mark{S: i, X: px(at), Y: px(y.clamp(p.Median)), Title: plain(title)})
		}
	}
	f.Lines = append(f.Lines, shape{i, polyline(xs, ys)})
	if l.N > 1 {
		d := polyline(bandX, bandHigh)
		for k := len(bandX) - 1; k >= 0; k-- {
			d += fmt.Sprintf("L%s %s", px(bandX[k]), px(bandLow[k]))
		}
		f.Bands = append(f.Bands, shape{i, d + "Z"})
	}
}
