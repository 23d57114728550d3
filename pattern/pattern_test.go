// SPDX-License-Identifier: MIT

package pattern_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// measured gives three runs at each size, a thousandth apart.
func measured(curve func(float64) float64, sizes ...float64) (points []pattern.Point) {
	for _, x := range sizes {
		y := curve(x)
		points = append(points, pattern.Point{X: x, Values: []float64{y, y * 1.001, y * 0.999}})
	}
	return points
}

// runs gives points with the values as they are.
func runs(values map[float64][]float64) (points []pattern.Point) {
	for x, v := range values {
		points = append(points, pattern.Point{X: x, Values: v})
	}
	return points
}

func amdahl(x float64) float64 { return 10 + 1000/x }

func TestLawsAreFoundAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		curve func(float64) float64
		want  string
		// units are those of the constants.
		units map[string]pattern.Constant
	}{
		{"what scales ideally", func(x float64) float64 { return 1000 / x }, "ideal", map[string]pattern.Constant{"parallel": {1000, "s·nodes"}}},
		{"Amdahl's law", amdahl, "amdahl", map[string]pattern.Constant{"serial": {10, "s"}, "parallel": {1000, "s·nodes"}}},
		{"messages along a tree", func(x float64) float64 { return amdahl(x) + 2*math.Log2(x) }, "amdahl with logarithmic communication",
			map[string]pattern.Constant{"serial": {10, "s"}, "parallel": {1000, "s·nodes"}, "log": {2, "s"}}},
		{"surfaces of cubes", func(x float64) float64 { return 1000/x + 100*math.Pow(x, -2.0/3) }, "latency and bandwidth",
			map[string]pattern.Constant{"parallel": {1000, "s·nodes"}, "bandwidth": {100, "s·nodes^(2/3)"}}},
		{"what does not depend on the size", func(float64) float64 { return 7 }, "constant", map[string]pattern.Constant{"constant": {7, "s"}}},
		{"what grows with the size", func(x float64) float64 { return 10 + 2*x }, "linear communication",
			map[string]pattern.Constant{"constant": {10, "s"}, "linear": {2, "s/nodes"}}},
		{"what grows with its root", func(x float64) float64 { return 10 + 2*math.Sqrt(x) }, "normal form",
			map[string]pattern.Constant{"constant": {10, "s"}, "factor": {2, "s/nodes^(1/2)"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pattern.Fit(measured(tt.curve, 4, 8, 16, 32, 64), pattern.Options{Axis: "nodes", Unit: "s"})
			if p.Model == nil || p.Model.Name != tt.want {
				t.Fatalf("got %+v, want %s", p.Model, tt.want)
			}
			if d := cmp.Diff(tt.units, p.Model.Constants, cmpopts.EquateApprox(1e-6, 0)); d != "" {
				t.Errorf("constants (-want +got):\n%s", d)
			}
			a := p.At(128)
			if a.Prediction == nil || math.Abs(a.Prediction.Value/tt.curve(128)-1) > 0.001 {
				t.Errorf("at 128: got %+v, want %g", a, tt.curve(128))
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	falling := func(last ...float64) map[float64][]float64 {
		return map[float64][]float64{4: {100, 101, 99}, 8: {52, 51.5, 52.2}, 16: last}
	}
	tests := []struct {
		name    string
		points  []pattern.Point
		options pattern.Options
		at      float64
		want    string
	}{
		{"nothing was measured", nil, pattern.Options{}, 8, "nothing was measured"},
		{"two sizes", measured(amdahl, 4, 8), pattern.Options{}, 16, "two sizes were measured; a curve takes three"},
		{"a curve that has turned", runs(falling(60, 61, 60)), pattern.Options{Axis: "nodes"}, 32, "the curve has turned: at 16 nodes it is 15 % higher than at 8 nodes"},
		{"a time that grows under strong scaling", measured(func(x float64) float64 { return 10 + x }, 4, 8, 16), pattern.Options{Scaling: spec.ScalingStrong}, 32, "does not improve from 4 x on"},
		{"a rate that falls under strong scaling", measured(func(x float64) float64 { return 100 / x }, 4, 8, 16), pattern.Options{Scaling: spec.ScalingStrong, Form: pattern.Rate}, 32, "75 % lower at 16 x"},
		{"a hill", measured(func(x float64) float64 { return 10 - math.Abs(x-8) }, 4, 8, 16), pattern.Options{}, 32, "the curve has turned: it changes by"},
		{"runs in two groups", runs(falling(27, 40, 27.1, 40.2, 26.9)), pattern.Options{Axis: "nodes", Unit: "s"}, 32, "the runs at 16 nodes fall into two groups, around 27 and 40.1 s"},
		{"configurations with names", []pattern.Point{{X: 4, Values: []float64{100}}, {X: 8, Values: []float64{50, 51}, Configurations: []string{"128 ranks", "256 ranks"}}, {X: 16, Values: []float64{26}}},
			pattern.Options{}, 32, "configurations are mixed at 8 x (128 ranks; 256 ranks)"},
		{"runs without a middle", runs(falling(20, 40)), pattern.Options{}, 32, "too noisy: the standard deviation of the 2 runs at 16 x is 47 %"},
		{"a summary without a middle", []pattern.Point{{X: 4, Mean: 100, SD: 1, N: 5}, {X: 8, Mean: 50, SD: 40, N: 5}, {X: 16, Mean: 26, SD: 1, N: 5}}, pattern.Options{}, 32, "too noisy"},
		{"far beyond the data", measured(amdahl, 4, 8, 16), pattern.Options{Unit: "s"}, 4096, "too far beyond the data, which end at 16 x"},
		{"a share far beyond the data", measured(func(x float64) float64 { return 100 * x / (x + 8) }, 4, 8, 16), pattern.Options{Form: pattern.Share}, 256, "as a ratio to the rest"},
		{"a time of zero", runs(falling(0, 0)), pattern.Options{}, 32, "the value 0 at 16 x has no law; laws are for values more than zero"},
		{"a share above a hundred", runs(falling(120)), pattern.Options{Form: pattern.Share}, 32, "between 0 and 100"},
		{"a size below one", measured(amdahl, 4, 8, 16), pattern.Options{}, 0, "no size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pattern.Fit(tt.points, tt.options)
			a := p.At(tt.at)
			if a.Prediction != nil || !strings.Contains(a.Refused, tt.want) {
				t.Errorf("got %+v %q, want a refusal with %q", a.Prediction, a.Refused, tt.want)
			}
			for _, pt := range tt.points { // and yet what was measured is answered
				a := p.At(pt.X)
				if a.Prediction == nil || !a.Measured || a.Prediction.Low > a.Prediction.Value || a.Prediction.High < a.Prediction.Value {
					t.Errorf("at %g: got %+v, want the measured value", pt.X, a)
				}
			}
		})
	}
}

func TestOutliersDoNotBendTheCurve(t *testing.T) {
	t.Parallel()
	clean := measured(amdahl, 4, 8, 16, 32)
	dirty := measured(amdahl, 4, 8, 16, 32)
	for i := range dirty {
		v := dirty[i].Values
		clean[i].Values = append(v[:3:3], v[0], v[1])
		dirty[i].Values = append(v[:3:3], v[0], 2*v[1])
	}
	a, b := pattern.Fit(clean, pattern.Options{}).At(64), pattern.Fit(dirty, pattern.Options{}).At(64)
	if a.Prediction == nil || b.Prediction == nil || math.Abs(a.Prediction.Value/b.Prediction.Value-1) > 0.01 {
		t.Errorf("got %+v with outliers and %+v without", b.Prediction, a.Prediction)
	}
}

// TestASmallRiseIsNoTurn holds that sizes may wobble by some per cent.
func TestASmallRiseIsNoTurn(t *testing.T) {
	t.Parallel()
	points := runs(map[float64][]float64{4: {100, 100.1}, 8: {97, 97.1}, 16: {100, 100.2}})
	if a := pattern.Fit(points, pattern.Options{}).At(32); a.Prediction == nil || math.Abs(a.Prediction.Value-99) > 5 {
		t.Errorf("got %+v, %q", a.Prediction, a.Refused)
	}
}

func TestOneOfThreeRunsApartIsAnOutlier(t *testing.T) {
	t.Parallel()
	points := measured(amdahl, 4, 8, 16)
	points[1].Values[2] *= 3
	if a := pattern.Fit(points, pattern.Options{}).At(32); a.Prediction == nil || math.Abs(a.Prediction.Value/amdahl(32)-1) > 0.03 {
		t.Errorf("got %+v, %q, want %g", a.Prediction, a.Refused, amdahl(32))
	}
}

// TestASizeApartIsLeftOut holds that the median cannot help where all runs of a
// size were disturbed, but the other sizes can.
func TestASizeApartIsLeftOut(t *testing.T) {
	t.Parallel()
	points := measured(amdahl, 2, 4, 8, 16, 32, 64)
	for k := range points[3].Values {
		points[3].Values[k] *= 1.6
	}
	p := pattern.Fit(points, pattern.Options{Axis: "nodes"})
	a := p.At(128)
	if a.Prediction == nil || math.Abs(a.Prediction.Value/amdahl(128)-1) > 0.03 {
		t.Errorf("got %+v, %q, want %g", a.Prediction, a.Refused, amdahl(128))
	}
	if want := "16 nodes lies apart from the curve of the other sizes and is left out"; !slices.Contains(a.Warnings, want) {
		t.Errorf("got %q, want %q", a.Warnings, want)
	}
	if a := p.At(16); a.Prediction == nil || !a.Measured || a.Prediction.Value != points[3].Values[0] {
		t.Errorf("at 16: got %+v, want what was measured", a)
	}
}

// TestSizesAroundTheCurveWidenTheInterval holds that what repetitions do not see,
// such as another placement for each size, is seen all the same.
func TestSizesAroundTheCurveWidenTheInterval(t *testing.T) {
	t.Parallel()
	around := measured(amdahl, 2, 4, 8, 16, 32)
	for i := range around {
		for k := range around[i].Values {
			around[i].Values[k] *= 1 + 0.03*float64(1-2*(i%2))
		}
	}
	width := func(points []pattern.Point) float64 {
		a := pattern.Fit(points, pattern.Options{}).At(64)
		if a.Prediction == nil {
			t.Fatal(a.Refused)
		}
		return (a.Prediction.High - a.Prediction.Low) / a.Prediction.Value
	}
	if on, off := width(measured(amdahl, 2, 4, 8, 16, 32)), width(around); off < 1.5*on {
		t.Errorf("got an interval of %.2f of the value around the curve, and of %.2f on it", off, on)
	}
}

func TestRatesAndSharesStayInTheirRange(t *testing.T) {
	t.Parallel()
	share := pattern.Fit(measured(func(x float64) float64 { return 100 * x / (x + 40) }, 4, 8, 16, 32), pattern.Options{Form: pattern.Share, Unit: "%"})
	if a := share.At(64); a.Prediction == nil || math.Abs(a.Prediction.Value-100*64.0/104) > 2 || a.Prediction.High >= 100 {
		t.Errorf("share: got %+v (%s)", a.Prediction, a.Refused)
	}
	ends := pattern.Fit(measured(func(x float64) float64 { return 100 * 10 / (10 + 5 + 1000/x) }, 16, 32, 64, 128, 256), pattern.Options{Form: pattern.Share, Unit: "%", Axis: "ranks"})
	if a := ends.At(1024); a.Prediction == nil || math.Abs(a.Prediction.Value-100*10/(15+1000.0/1024)) > 1 {
		t.Errorf("share that ends: got %+v (%s)", a.Prediction, a.Refused)
	}
	if want := "100 · r / (1 + r), r = 1 / (limit + rise / ranks)"; ends.Model.Formula != want {
		t.Errorf("got %q, want %q", ends.Model.Formula, want)
	}
	rate := pattern.Fit(measured(func(x float64) float64 { return 500 / amdahl(x) }, 4, 8, 16, 32), pattern.Options{Form: pattern.Rate, Unit: "1/s"})
	if a := rate.At(64); a.Prediction == nil || math.Abs(a.Prediction.Value*amdahl(64)/500-1) > 0.01 {
		t.Errorf("rate: got %+v (%s)", a.Prediction, a.Refused)
	}
	if want := "1 / (serial + parallel / x)"; rate.Model.Formula != want {
		t.Errorf("got %q, want %q", rate.Model.Formula, want)
	}
}

// TestScalingOfValuesScalesPredictions is a property: the unit of a time says
// nothing about the law.
func TestScalingOfValuesScalesPredictions(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		s := generate(random(seed), spec.ScalingStrong)
		const factor = 3600
		scaled := make([]pattern.Point, len(s.points))
		for i, p := range s.points {
			scaled[i] = pattern.Point{X: p.X}
			for _, v := range p.Values {
				scaled[i].Values = append(scaled[i].Values, factor*v)
			}
		}
		x := 2 * s.points[len(s.points)-1].X
		a, b := pattern.Fit(s.points, pattern.Options{}).At(x), pattern.Fit(scaled, pattern.Options{}).At(x)
		if (a.Prediction == nil) != (b.Prediction == nil) {
			t.Fatalf("seed %d: got %q and %q", seed, a.Refused, b.Refused)
		}
		if a.Prediction == nil {
			continue
		}
		want := pattern.Prediction{Value: factor * a.Prediction.Value, Low: factor * a.Prediction.Low, High: factor * a.Prediction.High, Level: 0.9}
		if d := cmp.Diff(want, *b.Prediction, cmpopts.EquateApprox(1e-6, 0)); d != "" {
			t.Errorf("seed %d (-want +got):\n%s", seed, d)
		}
	}
}

// TestIntervalsGrowWithDistance asks ever farther sizes.
func TestIntervalsGrowWithDistance(t *testing.T) {
	t.Parallel()
	p := pattern.Fit(measured(func(x float64) float64 { return 1000 / x }, 4, 8, 16, 32, 64), pattern.Options{})
	last := 0.0
	for _, x := range []float64{64, 80, 128, 192, 256} {
		a := p.At(x)
		if a.Prediction == nil {
			t.Fatalf("at %g: %s", x, a.Refused)
		}
		width := (a.Prediction.High - a.Prediction.Low) / a.Prediction.Value
		if width <= last {
			t.Errorf("at %g the interval is %.3f wide, before %.3f", x, width, last)
		}
		last = width
	}
}
