// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// replicates is how many times the bootstrap draws.
	replicates = 2000
	// surprise is the standard deviation that the error of a prediction has at
	// twice the largest size, beyond the disagreement of the laws, before anything
	// is known of the application. With it the intervals of the synthetic series
	// hold the truth in 95 to 98 of 100 predictions at twice the largest size and in
	// 92 to 94 at four times that, where the problem stays the same. It is also what
	// plain fits to published strong-scaling series err by in the median.
	surprise = 0.08
	// surpriseStrength is how many errors of one's own that counts for.
	surpriseStrength = 4
)

// At answers a size. One that was measured has the measured value and the
// interval of its middle; any other has the value of the chosen law.
//
// The interval comes from a parametric bootstrap (Efron and Tibshirani, "An
// Introduction to the Bootstrap", 1993, section 6.5). A replicate draws a law by
// its weight, so that the choice of the law is a part of the uncertainty (Buckland, Burnham
// and Augustin, "Model selection: an integral part of inference", Biometrics 53,
// 1997), draws each size anew within its error and the deviation of the sizes
// around the laws, see [betweenSizes], fits, and predicts. To that it adds the
// noise and the deviation of a measurement, and what no law tells: that something
// new begins beyond the data. The scale of the latter is κ·log2(x/largest), with
//
//	κ² = (ν s² + Σ e²) / (ν + n),
//
// where e are the n errors that the laws made one doubling beyond a part of the
// data, s is [surprise], by √2 more for a share, and ν [surpriseStrength]; and it is
// Student's with ν + n degrees of freedom: a change of the exponent at the end of
// the data, whose size is learned. Between sizes the distance is that to the nearer
// of the two.
//
// An interval that is wider than the value says nothing and is a refusal, see
// [Pattern.carries].
func (p *Pattern) At(x float64) Answer {
	if i := slices.IndexFunc(p.points, func(pt Point) bool { return pt.X == x }); i >= 0 {
		return p.measuredAt(i)
	}
	a := Answer{Warnings: slices.Clone(p.Warnings)}
	switch {
	case !(x >= 1) || math.IsInf(x, 0):
		a.Refused = fmt.Sprintf("%s is no size; a size is 1 or more", p.place(x))
	case p.Refused != "":
		a.Refused = p.Refused
	default:
		p.predict(&a, x)
	}
	return a
}

// measuredAt answers with what was measured.
func (p *Pattern) measuredAt(i int) Answer {
	pt := &p.points[i]
	y := pt.location()
	a := Answer{Measured: true, Warnings: slices.Clone(p.Warnings)}
	if p.Refused != "" {
		a.Warnings = append(a.Warnings, "no prediction beyond the measured sizes: "+p.Refused)
	}
	if i >= len(p.sizes) { // no law is possible, and no relative noise
		a.Prediction = &Prediction{y, y, y, p.options.Level}
		a.Warnings = append(a.Warnings, "the interval is not known")
		return a
	}
	c := p.sizes[i]
	t := distuv.StudentsT{Sigma: 1, Nu: max(float64(c.n-1), 1) + poolStrength}.Quantile((1 + p.options.Level) / 2)
	half := t * c.sampling
	a.Prediction = p.between(c.y, c.y*math.Exp(-half), c.y*math.Exp(half))
	a.Prediction.Value = y
	return a
}

// between turns a fitted value and its limits into the unit of the values.
func (p *Pattern) between(y, low, high float64) *Prediction {
	low, high = p.form.back(low), p.form.back(high)
	return &Prediction{p.form.back(y), min(low, high), max(low, high), p.options.Level}
}

func (p *Pattern) predict(a *Answer, x float64) {
	got, noise := p.interval(x)
	last := p.cells[len(p.cells)-1]
	if !p.carries(got) {
		a.Refused = p.tooWide(x, got, noise)
		return
	}
	a.Prediction = got
	if p.falling && x > last.x && p.all[p.chosen].at(x) > last.y*(1+material) {
		a.Warnings = append(a.Warnings, fmt.Sprintf("the law turns beyond the data, which end at %s", p.place(last.x)))
	}
}

// interval predicts at x; noise is as of [Pattern.bootstrap].
func (p *Pattern) interval(x float64) (got *Prediction, noise float64) {
	y := p.all[p.chosen].at(x)
	draws, noise := p.bootstrap(x)
	tail := (1 - p.options.Level) / 2
	low, high := stat.Quantile(tail, stat.Empirical, draws, nil), stat.Quantile(1-tail, stat.Empirical, draws, nil)
	return p.between(y, min(low, y), max(high, y)), noise
}

// carries says whether a prediction says anything: whether the interval is no
// wider than the value. A share is judged as the ratio to the rest besides, since
// between 0 and 100 any interval about a large share is narrow.
func (p *Pattern) carries(got *Prediction) bool {
	if p.options.Form != Share {
		return got.High-got.Low <= got.Value
	}
	ratio := p.form.forward
	return got.High-got.Low <= got.Value && ratio(got.High)-ratio(got.Low) <= ratio(got.Value)
}

// tooWide says why the interval at x is too wide. Far beyond the data the
// distance is the reason, unless nothing beyond them can be predicted at all.
func (p *Pattern) tooWide(x float64, got *Prediction, noise float64) string {
	interval := fmt.Sprintf("the %.0f %% interval, %.4g to %.4g %s, is wider than the value, %.4g", 100*got.Level, got.Low, got.High, p.options.Unit, got.Value)
	if p.options.Form == Share && got.High-got.Low <= got.Value {
		interval += ", as a ratio to the rest"
	}
	last := p.cells[len(p.cells)-1].x
	reach := last
	for 2*reach < x {
		if next, _ := p.interval(2 * reach); !p.carries(next) {
			break
		}
		reach *= 2
	}
	switch {
	case reach > last:
		return fmt.Sprintf("too far beyond the data, which end at %s and carry to some %s: %s", p.place(last), p.place(reach), interval)
	case 2*distuv.UnitNormal.Quantile((1+got.Level)/2)*noise > 0.5:
		return "too noisy: " + interval
	case x > 2*last:
		return fmt.Sprintf("too far beyond the data, which end at %s: %s", p.place(last), interval)
	}
	return "the laws that fit disagree: " + interval
}

// bootstrap draws values at x, in ascending order. noise is the part of their
// deviation, in relative terms, that repetitions explain.
func (p *Pattern) bootstrap(x float64) (draws []float64, noise float64) {
	r := rand.New(rand.NewPCG(p.seed(), math.Float64bits(x)))
	runs := 0.0
	for _, c := range p.cells {
		runs += float64(c.n) / float64(len(p.cells))
	}
	repeat := p.noise / math.Sqrt(runs)
	scale, freedom := p.surprise(x)
	structural := distuv.StudentsT{Sigma: scale, Nu: freedom, Src: r}
	var sum, squares float64
	replica := slices.Clone(p.cells)
	for range replicates {
		c := &p.all[p.draw(r.Float64())]
		for i, cell := range p.cells {
			replica[i].y = cell.y * math.Exp(math.Hypot(cell.sampling, p.wobble)*r.NormFloat64())
		}
		f, ok := c.law.fit(replica)
		if !ok {
			f = c.fitted
		}
		y := f.at(x)
		if !(y > 0) || math.IsInf(y, 0) {
			y = c.at(x)
		}
		d := math.Log(y / c.at(x))
		sum, squares = sum+d, squares+d*d
		y *= math.Exp(math.Hypot(repeat, p.wobble) * r.NormFloat64())
		if scale > 0 {
			y *= math.Exp(structural.Rand())
		}
		draws = append(draws, y)
	}
	slices.Sort(draws)
	noise = math.Sqrt(max(0, squares/replicates-sum*sum/replicates/replicates) + repeat*repeat)
	return draws, noise
}

// draw picks a law by its weight; u is uniform between 0 and 1.
func (p *Pattern) draw(u float64) int {
	for i := range p.all {
		if u -= p.all[i].weight; u < 0 {
			return i
		}
	}
	return p.chosen
}

// surprise gives the scale at x of what no law tells, with its degrees of
// freedom.
func (p *Pattern) surprise(x float64) (scale, freedom float64) {
	own, folds := ahead(p.all)
	n := float64(folds)
	s := surprise * p.form.parts
	step := math.Sqrt((surpriseStrength*s*s + n*own) / (surpriseStrength + n))
	return step * p.distance(x), surpriseStrength + n
}

// distance is how many doublings x is from the measured sizes.
func (p *Pattern) distance(x float64) float64 {
	nearest := math.Inf(1)
	for _, c := range p.cells {
		nearest = min(nearest, math.Abs(math.Log2(x/c.x)))
	}
	return nearest
}

// seed comes from the sizes and the numbers of runs, so that the same data give
// the same interval, and so do the same data in another unit.
func (p *Pattern) seed() uint64 {
	h := fnv.New64a()
	for _, c := range p.cells {
		fmt.Fprintf(h, "%g %d;", c.x, c.n)
	}
	return h.Sum64()
}
