// SPDX-License-Identifier: MIT

package pattern

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// enoughForOutlying is the least number of sizes of which one can lie apart:
	// four are left that agree without it, one more than any law has constants.
	enoughForOutlying = 5
	// falseAlarm is the probability with which a size of a series in which none
	// lies apart is taken for one that does.
	falseAlarm = 0.05
)

// outlying finds the size that lies farthest apart from the curve of the others,
// and reports whether it does so by more than chance: the outlier test of Cook and
// Weisberg, "Residuals and Influence in Regression" (1982), section 2.2.2, with
// the weighted mean of all laws for the regression. Each size is predicted by the
// laws that were fitted to the others; its error by their scatter is Student's;
// and the level is divided by the number of sizes that are tried (Bonferroni). The
// errors of the sizes count for [poolStrength] degrees of freedom in the scatter.
//
// Only sizes between others are tried, and only for being above. Of the first and
// the last one nobody knows whether it lies apart or the curve bends; and what
// disturbs a run makes it slower, so that a size below is where a curve turns.
func outlying(laws []law, cells []cell) (worst int, found bool) {
	n := len(cells)
	if n < enoughForOutlying {
		return 0, false
	}
	most := 0.0
	for i := 1; i < n-1; i++ {
		rest := slices.Delete(slices.Clone(cells), i, i+1)
		t, freedom := studentized(candidates(laws, rest), rest, cells[i])
		critical := distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(1 - falseAlarm/float64(n-2))
		if t /= critical; t > max(most, 1) {
			worst, most, found = i, t, true
		}
	}
	return worst, found
}

// studentized is the error by which the laws that were fitted to the rest miss a
// cell, over the deviation that it should have, with its degrees of freedom.
func studentized(all []candidate, rest []cell, c cell) (t, freedom float64) {
	n := float64(len(rest))
	var middle, spread, scatter float64
	for i := range all {
		middle += all[i].weight * logOf(all[i].at(c.x))
	}
	for i := range all {
		l := &all[i]
		spread += l.weight * math.Pow(logOf(l.at(c.x))-middle, 2)
		own := max(0, n-float64(l.cost))
		scatter += l.weight * (poolStrength*c.local*c.local + n*l.fit*l.fit) / (poolStrength + own)
		freedom += l.weight * (poolStrength + own)
	}
	deviation := math.Sqrt(scatter*(1+leverage(rest, c.x)) + spread)
	return (math.Log(c.y) - middle) / deviation, freedom
}

// leaveOutlying takes sizes that lie apart out of what laws are fitted to.
func (p *Pattern) leaveOutlying() {
	for {
		i, found := outlying(p.laws(), p.cells)
		if !found {
			return
		}
		p.warn("%s lies apart from the curve of the other sizes and is left out", p.place(p.cells[i].x))
		p.cells = slices.Delete(slices.Clone(p.cells), i, i+1)
	}
}
