// SPDX-License-Identifier: MIT

package pattern_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// heldOut is a class of generated series that no constant of the package was set
// by: other curves than those of [generate], more noise, fewer runs, sizes that
// are no powers of two, means instead of runs, rates, shares and memory.
type heldOut struct {
	name    string
	options pattern.Options
	curve   func(r *rand.Rand, last float64) func(x float64) float64
	// measure makes what is known of the runs of a size.
	measure func(p *pattern.Point)
	// spoil makes something of the points that no law carries.
	spoil func(r *rand.Rand, points []pattern.Point)
	// refused is the share that has to be refused at least, in series that are
	// spoiled.
	refused float64
}

// evenly is even in the logarithm.
func evenly(r *rand.Rand, lo, hi float64) float64 { return lo * math.Exp(r.Float64()*math.Log(hi/lo)) }

// strongCurve draws one of eight curves of strong scaling. Parallel work takes
// one second at the last size that is fitted.
func strongCurve(r *rand.Rand, last float64) func(float64) float64 {
	kind, a, b := r.IntN(8), evenly(r, 0.02, 1), evenly(r, 0.01, 0.15)
	exponent, from := 0.5+0.6*r.Float64(), last*evenly(r, 0.2, 4)
	return func(x float64) float64 {
		u := x / last
		switch kind {
		case 0: // nearly ideal
			return 1/u + b/10
		case 1: // Amdahl
			return 1/u + a
		case 2: // a tree of messages
			return 1/u + a/2 + b*math.Log2(x)/math.Log2(last+1)
		case 3: // one message after another
			return 1/u + a/2 + b*u
		case 4: // surfaces of blocks
			return 1/u + a*math.Pow(u, -2.0/3)
		case 5: // a power
			return math.Pow(u, -exponent)
		case 6: // work and messages overlap: the slower of them counts
			return math.Hypot(1/u, a) + b
		default: // the work fits the caches from some size on
			return 1/u*(1-0.3/(1+math.Pow(from/x, 3))) + b
		}
	}
}

// weakCurve draws one of six curves of weak scaling; the work takes one second.
func weakCurve(r *rand.Rand, last float64) func(float64) float64 {
	kind, a, from := r.IntN(6), evenly(r, 0.02, 1), last*evenly(r, 0.2, 4)
	return func(x float64) float64 {
		switch u := x / last; kind {
		case 0:
			return 1
		case 1:
			return 1 + a*math.Log2(x)/math.Log2(last+1)
		case 2:
			return 1 + a*u/2
		case 3:
			return 1 + a*math.Cbrt(u)
		case 4:
			return 1 + a*math.Sqrt(u)
		default: // another level of the network from some size on
			return 1 + a/2/(1+math.Pow(from/x, 3))
		}
	}
}

// shareCurve is the share of messages in a strong scaling time, in per cent.
func shareCurve(r *rand.Rand, last float64) func(float64) float64 {
	time, messages, e := strongCurve(r, last), evenly(r, 0.05, 1), r.Float64()-0.6
	return func(x float64) float64 {
		m := messages * math.Pow(x/last, e)
		return 100 * m / (m + time(x))
	}
}

// memoryCurve is that of one rank: its part, what all have, and buffers for
// every other rank.
func memoryCurve(r *rand.Rand, last float64) func(float64) float64 {
	own, all, buffers := evenly(r, 0.05, 3), evenly(r, 0.05, 3), 0.0
	if r.IntN(2) == 0 {
		buffers = evenly(r, 0.003, 0.1)
	}
	return func(x float64) float64 { return 1e8 * (own*last/x + all + buffers*x/last) }
}

func inverse(of func(*rand.Rand, float64) func(float64) float64) func(*rand.Rand, float64) func(float64) float64 {
	return func(r *rand.Rand, last float64) func(float64) float64 {
		curve := of(r, last)
		return func(x float64) float64 { return 1 / curve(x) }
	}
}

// toMean leaves of the runs their mean, toSummary that and their deviation.
func toMean(p *pattern.Point) {
	s := stats.Summarize(p.Values, 0)
	*p = pattern.Point{X: p.X, Mean: s.Mean}
}

func toSummary(p *pattern.Point) {
	s := stats.Summarize(p.Values, 0)
	*p = pattern.Point{X: p.X, Mean: s.Mean, SD: s.SD, N: s.N}
}

// turn makes the times from some size on rise by a third and more.
func turn(r *rand.Rand, points []pattern.Point) {
	from := 1 + r.IntN(len(points)-2)
	for i := from + 1; i < len(points); i++ {
		ratio := math.Pow(1.3+r.Float64(), float64(i-from)) * stats.Median(points[from].Values) / stats.Median(points[i].Values)
		for k := range points[i].Values {
			points[i].Values[k] *= ratio
		}
	}
}

// mix makes six runs of a size, of which three took half as long again and more.
func mix(r *rand.Rand, points []pattern.Point) {
	p := &points[r.IntN(len(points))]
	at, slow := p.Values[0], 1.5+r.Float64()
	p.Values = nil
	for i := range 6 {
		v := at * math.Exp(0.03*r.NormFloat64())
		if i%2 == 1 {
			v *= slow
		}
		p.Values = append(p.Values, v)
	}
}

// scatter makes the runs of a size differ by factors.
func scatter(r *rand.Rand, points []pattern.Point) {
	p := &points[r.IntN(len(points))]
	at := p.Values[0]
	p.Values = nil
	for i := range 5 {
		p.Values = append(p.Values, at*math.Exp(float64(i-2)/2+0.1*r.NormFloat64()))
	}
}

var (
	strongTime = pattern.Options{Axis: "nodes", Unit: "s", Scaling: spec.ScalingStrong}
	weakTime   = pattern.Options{Axis: "nodes", Unit: "s", Scaling: spec.ScalingWeak}
	strongRate = pattern.Options{Axis: "nodes", Unit: "1/s", Scaling: spec.ScalingStrong, Form: pattern.Rate}
)

var heldOuts = []heldOut{
	{name: "strong", options: strongTime, curve: strongCurve},
	{name: "strong, means", options: strongTime, curve: strongCurve, measure: toMean},
	{name: "strong, summaries", options: strongTime, curve: strongCurve, measure: toSummary},
	{name: "strong, a rate", options: strongRate, curve: inverse(strongCurve)},
	{name: "weak", options: weakTime, curve: weakCurve},
	{name: "weak, means", options: weakTime, curve: weakCurve, measure: toMean},
	{name: "share of MPI", options: pattern.Options{Axis: "ranks", Unit: "%", Form: pattern.Share}, curve: shareCurve},
	{name: "memory", options: pattern.Options{Axis: "ranks", Unit: "B"}, curve: memoryCurve},
	{name: "turned", options: strongTime, curve: strongCurve, spoil: turn, refused: 0.9},
	{name: "mixed", options: strongTime, curve: strongCurve, spoil: mix, refused: 0.95},
	{name: "scattered", options: strongTime, curve: strongCurve, spoil: scatter, refused: 0.95},
}

// reach are how many times the largest size is predicted.
var reach = []float64{2, 4, 8}

// draw makes a series of the class: three to six sizes, one to five runs of each
// with noise of 1 to 15 %, of which one in twenty takes up to three times as long.
// truth is what as many runs measure at the sizes of [reach].
func (h *heldOut) draw(r *rand.Rand) (points []pattern.Point, truth []float64) {
	n, runs, step := 3+r.IntN(4), 1+r.IntN(5), []float64{1.5, 2, 2, 2, 2, 3, 4}[r.IntN(7)]
	first := math.Exp2(float64(r.IntN(7)))
	var sizes []float64
	for i := range n {
		sizes = append(sizes, math.Round(first*math.Pow(step, float64(i))))
	}
	if sizes = slices.Compact(sizes); len(sizes) < n {
		return h.draw(r)
	}
	last := sizes[n-1]
	curve, scale := h.curve(r, last), evenly(r, 0.1, 1e4)
	if h.options.Form == pattern.Share {
		scale = 1
	}
	noise, wobble := evenly(r, 0.01, 0.15), evenly(r, 0.001, 0.03)
	for _, by := range reach {
		sizes = append(sizes, by*last)
	}
	for i, x := range sizes {
		base := curve(x) * scale * math.Exp(wobble*r.NormFloat64())
		p := pattern.Point{X: x}
		for range runs {
			v := base * math.Exp(noise*r.NormFloat64())
			if r.IntN(20) == 0 {
				v *= 1.2 + 1.8*r.Float64()
			}
			if h.options.Form == pattern.Share {
				v = min(v, 99)
			}
			p.Values = append(p.Values, v)
		}
		if i >= n {
			truth = append(truth, stats.Median(p.Values))
			continue
		}
		points = append(points, p)
	}
	if h.spoil != nil {
		h.spoil(r, points)
	}
	if h.measure != nil {
		for i := range points {
			h.measure(&points[i])
		}
	}
	return points, truth
}

// TestHeldOutSeries holds that intervals keep what they promise, and that
// refusals come where they should, on series that nothing was set by.
func TestHeldOutSeries(t *testing.T) {
	t.Parallel()
	const each = 60
	for i := range heldOuts {
		h := &heldOuts[i]
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			tallies := make([]tally, len(reach))
			r := rand.New(rand.NewPCG(2026, uint64(i)))
			for range each {
				points, truth := h.draw(r)
				p := pattern.Fit(points, h.options)
				for k := range reach {
					tallies[k].add(p.At(reach[k]*points[len(points)-1].X), truth[k])
				}
			}
			predicted, held := 0, 0
			for k := range tallies {
				c := &tallies[k]
				predicted, held = predicted+c.predicted, held+c.held
				t.Logf("%-17s %g x beyond: %v", h.name, reach[k], c)
				if share := 1 - float64(c.predicted)/each; share < h.refused {
					t.Errorf("%g x beyond: %.0f %% are refused, want %.0f %% at least", reach[k], 100*share, 100*h.refused)
				}
			}
			if h.spoil == nil && float64(held) < 0.85*float64(predicted) {
				t.Errorf("%d of %d of the 90 %% intervals hold the truth", held, predicted)
			}
		})
	}
}
