// SPDX-License-Identifier: MIT

package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/stats"
	"gonum.org/v1/gonum/stat"
)

// quantile is definition 7 of Hyndman and Fan, on sorted values.
func quantile(xs []float64, q float64) float64 {
	place := float64(len(xs)-1) * q
	i := int(place)
	if i+1 == len(xs) {
		return xs[i]
	}
	return xs[i] + (place-float64(i))*(xs[i+1]-xs[i])
}

func TestAStreamSaysWhatTheWholeSampleSays(t *testing.T) {
	t.Parallel()
	for _, draw := range []struct {
		name string
		next func(*rand.Rand) float64
	}{
		{"normal", func(r *rand.Rand) float64 { return 100 + r.NormFloat64() }},
		{"few different values", func(r *rand.Rand) float64 { return float64(r.IntN(3)) }},
		{"of any size", func(r *rand.Rand) float64 { return math.Exp(20*r.NormFloat64()) * float64(1-2*r.IntN(2)) }},
		{"one value", func(*rand.Rand) float64 { return 7 }},
	} {
		t.Run(draw.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			var s stats.Stream
			var xs []float64
			for n := 1; n <= 3000; n++ {
				x := draw.next(r)
				s.Add(x)
				at, _ := slices.BinarySearch(xs, x)
				xs = slices.Insert(xs, at, x)
				if n > 20 && n%97 != 0 {
					continue
				}
				deviations := make([]float64, n)
				for i, x := range xs {
					deviations[i] = math.Abs(x - quantile(xs, 0.5))
				}
				slices.Sort(deviations)
				variance := 0.0
				if n > 1 {
					variance = stat.Variance(xs, nil)
				}
				for _, c := range []struct {
					name      string
					want, got float64
				}{
					{"n", float64(n), float64(s.N())},
					{"mean", stat.Mean(xs, nil), s.Mean()}, {"variance", variance, s.Variance()},
					{"min", xs[0], s.Min()}, {"max", xs[n-1], s.Max()}, {"median", quantile(xs, 0.5), s.Median()},
					{"iqr", quantile(xs, 0.75) - quantile(xs, 0.25), s.IQR()}, {"mad", quantile(deviations, 0.5), s.MAD()},
				} {
					scale := math.Max(math.Abs(xs[0]), math.Abs(xs[n-1]))
					if c.name == "variance" {
						scale *= scale
					}
					if math.Abs(c.got-c.want) > 1e-12*scale {
						t.Fatalf("%s of %d values is %v, want %v", c.name, n, c.got, c.want)
					}
				}
			}
		})
	}
}

func TestAnEmptyStreamIsNought(t *testing.T) {
	t.Parallel()
	var s stats.Stream
	for _, x := range []float64{math.NaN(), math.Inf(1), 1e200} {
		if s.Add(x) {
			t.Errorf("%v was taken in", x)
		}
	}
	if got := fmt.Sprint(s.N(), s.Mean(), s.Variance(), s.Min(), s.Max(), s.Median(), s.IQR(), s.MAD()); got != "0 0 0 0 0 0 0 0" {
		t.Errorf("got %s, want noughts", got)
	}
}

func BenchmarkStream(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n, " values"), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				var s stats.Stream
				for range n {
					s.Add(r.Float64())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/value")
		})
	}
}
