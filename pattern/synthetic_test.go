// SPDX-License-Identifier: MIT

package pattern_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// synthetic is a generated series: sizes to fit, and the truth beyond them.
type synthetic struct {
	points []pattern.Point
	// beyond is what is measured at two and at four times the largest size.
	beyond [2]float64
}

// ground draws the curve that a series is measured from. xm is the largest size
// that is fitted, where the parallel work takes one second.
func ground(r *rand.Rand, scaling spec.Scaling, xm float64) func(float64) float64 {
	// between is even in the logarithm, and maybe zero with probability 1-p.
	between := func(lo, hi float64) float64 { return lo * math.Exp(r.Float64()*math.Log(hi/lo)) }
	maybe := func(p, lo, hi float64) float64 {
		v := between(lo, hi)
		if r.Float64() < p {
			return v
		}
		return 0
	}
	if scaling == spec.ScalingWeak {
		kind := r.IntN(4)
		c := between(0.01, 0.6)
		return func(x float64) float64 {
			switch kind {
			case 1:
				return 1 + c*math.Log2(x)/math.Log2(xm+1)
			case 2:
				return 1 + c*x/xm
			case 3:
				return 1 + c*math.Sqrt(x/xm)
			}
			return 1
		}
	}
	var (
		serial   = between(0.002, 1) * r.Float64()
		log      = maybe(0.4, 0.005, 0.3)
		linear   = maybe(0.4, 0.005, 0.2)
		surface  = maybe(0.4, 0.02, 0.6)
		exponent = 1 - maybe(0.25, 0.01, 0.3) + maybe(0.2, 0.01, 0.4)
		// The caches hold the problem from some size on; something new begins at
		// some size, inside the data or beyond.
		cache, cached = maybe(0.2, 0.05, 0.5), xm * between(0.1, 1)
		jump, begins  = maybe(0.2, 0.02, 0.3), xm * between(0.1, 4)
	)
	return func(x float64) float64 {
		y := math.Pow(x/xm, -exponent) + serial + log*math.Log2(x+1)/math.Log2(xm+1) + linear*x/xm + surface*math.Pow(x/xm, -2.0/3)
		return y + cache*xm/x/(1+math.Pow(x/cached, 2)) + jump/(1+math.Pow(begins/x, 4))
	}
}

// generate draws a series with its noise and its outliers.
func generate(r *rand.Rand, scaling spec.Scaling) synthetic {
	n := 3 + r.IntN(3)
	first := math.Exp2(float64(r.IntN(6)))
	curve := ground(r, scaling, first*math.Exp2(float64(n-1)))
	noise, wobble := 0.001*math.Exp(r.Float64()*math.Log(50)), 0.001*math.Exp(r.Float64()*math.Log(30))
	outliers := 0.0
	if r.Float64() < 0.4 {
		outliers = 0.12
	}
	runs, scale := []int{1, 2, 3, 5, 5, 6}[r.IntN(6)], math.Exp(10*r.Float64()-3)
	var s synthetic
	for i := range n + 2 {
		x := first * math.Exp2(float64(i))
		base := scale * curve(x) * math.Exp(wobble*r.NormFloat64())
		values := make([]float64, runs)
		for k := range values {
			values[k] = base * math.Exp(noise*r.NormFloat64())
			if r.Float64() < outliers {
				values[k] *= 1.1 + 1.2*r.Float64()
			}
		}
		if i < n {
			s.points = append(s.points, pattern.Point{X: x, Values: values})
		} else {
			s.beyond[i-n] = stats.Median(values)
		}
	}
	return s
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(1, seed)) }

// tally counts what became of predictions.
type tally struct {
	asked, predicted, held int
	errors, widths         []float64
}

func (c *tally) add(a pattern.Answer, truth float64) {
	c.asked++
	if a.Prediction == nil {
		return
	}
	p := a.Prediction
	c.predicted++
	if p.Low <= truth && truth <= p.High {
		c.held++
	}
	c.errors = append(c.errors, math.Abs(100*(p.Value/truth-1)))
	c.widths = append(c.widths, 100*(p.High-p.Low)/p.Value)
}

func (c *tally) coverage() float64 { return float64(c.held) / float64(max(1, c.predicted)) }

func (c *tally) String() string {
	at := func(q float64) float64 {
		if len(c.errors) == 0 {
			return 0
		}
		return slices.Sorted(slices.Values(c.errors))[int(q*float64(len(c.errors)-1))]
	}
	return fmt.Sprintf("%4d asked, %4d predicted, %.1f %% of the intervals hold the truth; error median %.1f %%, 90 %% below %.1f %%; median width %.0f %%",
		c.asked, c.predicted, 100*c.coverage(), at(0.5), at(0.9), stats.Median(c.widths))
}

// TestSyntheticSeries is where the constants of the package come from: curves
// that are partly laws of the package and partly none.
func TestSyntheticSeries(t *testing.T) {
	t.Parallel()
	for _, scaling := range []spec.Scaling{spec.ScalingStrong, spec.ScalingWeak} {
		for n := 3; n <= 5; n++ {
			var tallies [2]tally
			r := random(uint64(n))
			for tallies[0].asked < 200 {
				s := generate(r, scaling)
				if len(s.points) != n {
					continue
				}
				p := pattern.Fit(s.points, pattern.Options{Scaling: scaling})
				for i := range tallies {
					tallies[i].add(p.At(s.points[n-1].X*math.Exp2(float64(i+1))), s.beyond[i])
				}
			}
			for i := range tallies {
				t.Logf("%-6s %d sizes, %d x beyond: %v", scaling, n, 2<<i, &tallies[i])
				if c := tallies[i].coverage(); c < 0.88 {
					t.Errorf("%s, %d sizes, %d x beyond: %.0f %% of the 90 %% intervals hold the truth", scaling, n, 2<<i, 100*c)
				}
			}
			if p := float64(tallies[0].predicted); p < 0.7*float64(tallies[0].asked) {
				t.Errorf("%s, %d sizes: only %v of %d are predicted at twice the largest", scaling, n, p, tallies[0].asked)
			}
		}
	}
}
