// SPDX-License-Identifier: MIT

package pattern

import (
	"math"

	"github.com/converged-computing/ensemble/stats"
)

// Point is what was measured at one size. It has single runs in Values, or a
// summary of them in Mean, SD and N where single runs are not known.
type Point struct {
	// X is the size: a number of nodes or of ranks, more than zero.
	X float64
	// Values are the single runs.
	Values []float64
	// Mean, SD and N summarise runs that are not known one by one: SD has n-1 in
	// its denominator, and is zero where it is not known either. They count where
	// Values is empty.
	Mean, SD float64
	N        int
	// Configurations name what was mixed at this size: ranks for nodes, threads,
	// parameters. More than one is a reason to refuse.
	Configurations []string
}

// The noise that is assumed where repetitions say little. They are judgements,
// in relative terms, on which the result depends weakly.
const (
	// unrepeated is the noise of single runs that nothing was repeated for.
	unrepeated = 0.05
	// wobble is what sizes differ by beyond their repetitions: another
	// allocation, another placement, another route.
	wobble = 0.01
	// drift is what they differ by more with each doubling that lies between
	// them and the largest: a law holds within a regime, and caches, networks and
	// algorithms change regimes on the way. So near sizes count more than far ones
	// for what lies beyond.
	drift = 0.02
	// poolStrength is how many degrees of freedom the noise of all sizes counts
	// for beside that of one.
	poolStrength = 4
)

// cell is a size with its robust location, in the scale in which laws are
// fitted.
type cell struct {
	x, y float64
	n    int
	// sampling is the standard deviation of y in relative terms as far as
	// repetitions tell; local has the wobble between sizes as well, and error what
	// the size differs from a law for the largest one by.
	sampling, local, error float64
}

func (c cell) weight() float64 { return 1 / (c.error * c.error) }

// location is the median of the runs, which one outlier of three does not move
// far; of two runs it is the mean, and of a summary its mean.
func (p *Point) location() float64 {
	if len(p.Values) == 0 {
		return p.Mean
	}
	return stats.Median(p.Values)
}

func (p *Point) count() int {
	if len(p.Values) == 0 {
		return max(p.N, 1)
	}
	return len(p.Values)
}

// spread is the relative standard deviation of the runs, robust from three runs
// on, with its degrees of freedom, which are zero where it is not known.
func (p *Point) spread() (sd, freedom float64) {
	n, at := p.count(), p.location()
	if len(p.Values) == 0 {
		if p.SD <= 0 || n < 2 {
			return 0, 0
		}
		return p.SD / at, float64(n - 1)
	}
	if n < 2 {
		return 0, 0
	}
	s := stats.Summarize(p.Values, 0)
	sd = s.SD
	if n >= 3 {
		deviations := make([]float64, n)
		for i, v := range p.Values {
			deviations[i] = math.Abs(v - at)
		}
		// The usual 1.4826 makes the median absolute deviation that of a normal
		// population; for few values it is too small by 1 - 0.8/n or so: Croux and
		// Rousseeuw, "Time-efficient algorithms for two highly robust estimators of
		// scale", COMPSTAT (1992).
		if mad := 1.4826 * stats.Median(deviations) / (1 - 0.8/float64(n)); mad > 0 {
			sd = min(sd, mad)
		}
	}
	return sd / at, float64(n - 1)
}

// cells gives the points, which are in the order of their sizes, with their
// errors. The
// noise of a size is its own and that of all sizes, in proportion to what they
// know: with two or three runs its own says little. The noise of the series and
// whether it was measured at all come with it.
func cells(points []Point, f form) (all []cell, pooled float64, measured bool) {
	var squares, freedom float64
	for i := range points {
		sd, df := points[i].spread()
		squares, freedom = squares+df*sd*sd, freedom+df
	}
	pooled = unrepeated
	if measured = freedom > 0; measured {
		pooled = math.Sqrt(squares / freedom)
	}
	for i := range points {
		p := &points[i]
		sd, df := p.spread()
		at := p.location()
		c := cell{x: p.X, y: f.forward(at), n: p.count()}
		// The median of three and more normal values varies π/2 times as much as
		// their mean.
		v := (df*sd*sd + poolStrength*pooled*pooled) / (df + poolStrength) / float64(c.n)
		if len(p.Values) > 2 {
			v *= math.Pi / 2
		}
		c.sampling = math.Sqrt(v) * f.elastic(at)
		c.local = math.Hypot(c.sampling, wobble)
		all = append(all, c)
	}
	return all, pooled, measured
}

// weigh gives the cells, which are in the order of their sizes, their errors for
// a law that is to hold at the largest.
func weigh(cells []cell) {
	for i := range cells {
		cells[i].error = math.Hypot(cells[i].local, drift*math.Log2(cells[len(cells)-1].x/cells[i].x))
	}
}
