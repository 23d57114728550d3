// SPDX-License-Identifier: MIT

package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/converged-computing/ensemble/stats"
	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"
)

func TestRatioOfMeans(t *testing.T) {
	for _, test := range []struct {
		name     string
		num, den []float64
		want     stats.Estimate
	}{
		{
			name: "over a constant it is Student's interval divided by the constant",
			num:  sleep, den: []float64{2, 2, 2},
			want: stats.Estimate{Value: 0.79, Interval: &stats.Interval{Low: 0.7001142 / 2, High: 2.4598858 / 2, Level: 0.95}},
		},
		{
			// Means 10 and 5, squared standard errors 1/3 and 1/12, so that
			// u = r²v and Satterthwaite gives 4 degrees of freedom: t = 2.7764451,
			// t² = 7.7086475. The roots of (25 - t²/12) r² - 100 r + 100 - t²/3.
			name: "equal relative errors give four degrees of freedom",
			num:  []float64{9, 10, 11}, den: []float64{4.5, 5, 5.5},
			want: stats.Estimate{Value: 2, Interval: &stats.Interval{
				Low:  (100 - math.Sqrt(100*100-4*(25-7.7086475/12)*(100-7.7086475/3))) / (2 * (25 - 7.7086475/12)),
				High: (100 + math.Sqrt(100*100-4*(25-7.7086475/12)*(100-7.7086475/3))) / (2 * (25 - 7.7086475/12)), Level: 0.95,
			}},
		},
		{
			name: "one value on a side leaves the ratio without an interval",
			num:  []float64{10}, den: []float64{5, 5.1},
			want: stats.Estimate{Value: 10 / 5.05, Warnings: []string{"no interval of the ratio: each side needs two values, got 1 and 2"}},
		},
		{
			name: "a denominator that may be zero leaves the interval without an end",
			num:  []float64{10, 11}, den: []float64{1, 9},
			want: stats.Estimate{Value: 2.1, Warnings: []string{"no interval of the ratio: the denominator varies too much"}},
		},
		{
			name: "nothing over something is nothing at all",
			num:  []float64{0, 0}, den: []float64{2, 2.1},
			want: stats.Estimate{Value: 0, Interval: &stats.Interval{Low: 0, High: 0, Level: 0.95}},
		},
		{
			// The same as over 5 with 4 degrees of freedom, 1e140 times as large.
			name: "values whose fourth powers are no numbers have an interval all the same",
			num:  []float64{9e140, 10e140, 11e140}, den: []float64{4.5, 5, 5.5},
			want: stats.Estimate{Value: 2e140, Interval: &stats.Interval{
				Low:  1e140 * (100 - math.Sqrt(100*100-4*(25-7.7086475/12)*(100-7.7086475/3))) / (2 * (25 - 7.7086475/12)),
				High: 1e140 * (100 + math.Sqrt(100*100-4*(25-7.7086475/12)*(100-7.7086475/3))) / (2 * (25 - 7.7086475/12)), Level: 0.95,
			}},
		},
		{
			name: "equal values on both sides say nothing about the spread",
			num:  []float64{4, 4}, den: []float64{2, 2},
			want: stats.Estimate{Value: 2, Interval: &stats.Interval{Low: 2, High: 2, Level: 0.95}, Warnings: []string{
				"all values are equal on both sides: the interval says nothing beyond the resolution of the measurement",
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := stats.RatioOfMeans(stats.Summarize(test.num, 0), stats.Summarize(test.den, 0), 0)
			if diff := cmp.Diff(test.want, got, near); diff != "" || !ok {
				t.Errorf("ratio, ok = %v (-want +got):\n%s", ok, diff)
			}
		})
	}
	t.Run("an empty side or a mean of zero or next to it has no ratio", func(t *testing.T) {
		one, none, zero := stats.Summarize([]float64{1}, 0), stats.Summarize(nil, 0), stats.Summarize([]float64{-1, 1}, 0)
		tiny := stats.Summarize([]float64{5e-324, 5e-324}, 0)
		for _, pair := range [][2]stats.Summary{{one, none}, {none, one}, {one, zero}, {one, tiny}} {
			if got, ok := stats.RatioOfMeans(pair[0], pair[1], 0); ok {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("a constant scales value and interval", func(t *testing.T) {
		e := stats.Estimate{Value: 3, Interval: &stats.Interval{Low: 2, High: 5, Level: 0.95}}
		want := stats.Estimate{Value: 1.5, Interval: &stats.Interval{Low: 1, High: 2.5, Level: 0.95}}
		if diff := cmp.Diff(want, e.Scale(0.5)); diff != "" {
			t.Errorf("scaled (-want +got):\n%s", diff)
		}
	})
}

// Satterthwaite's degrees of freedom are an approximation: the smallest samples
// with equal noise get more than was asked for, those with unequal noise a
// little less. A speed-up of few repetitions is the case that matters here.
func TestRatioIntervalCoversWhatItClaims(t *testing.T) {
	const rounds = 6000
	rng := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct {
		name       string
		n, m       int
		cvA, cvB   float64
		low, upper float64
	}{
		{"two on each side, equal noise", 2, 2, 0.05, 0.05, 0.965, 0.985},
		{"two over five, equal noise", 2, 5, 0.05, 0.05, 0.920, 0.950},
		{"two quiet ones over two noisy ones", 2, 2, 0.01, 0.20, 0.920, 0.950},
		{"three on each side, equal noise", 3, 3, 0.05, 0.05, 0.945, 0.985},
		{"five on each side, equal noise", 5, 5, 0.03, 0.03, 0.945, 0.970},
		{"three noisy over ten quiet ones", 3, 10, 0.10, 0.01, 0.940, 0.960},
		{"twenty on each side, unequal noise", 20, 20, 0.02, 0.08, 0.940, 0.960},
	} {
		t.Run(test.name, func(t *testing.T) {
			hits := 0
			for range rounds {
				e, _ := stats.RatioOfMeans(draw(rng, test.n, 28, test.cvA), draw(rng, test.m, 14, test.cvB), 0)
				if e.Interval == nil || e.Interval.Low <= 2 && 2 <= e.Interval.High {
					hits++ // without an end the set holds the ratio
				}
			}
			if got := float64(hits) / rounds; got < test.low || got > test.upper {
				t.Errorf("the interval covers %.4f, want %.3f to %.3f", got, test.low, test.upper)
			}
		})
	}
}

// draw gives what the ratio needs of n values of a normal population with the
// mean and the coefficient of variation given.
func draw(rng *rand.Rand, n int, mean, cv float64) stats.Summary {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = mean * (1 + cv*rng.NormFloat64())
	}
	s := stats.Summary{N: n}
	s.Mean, s.SD = stat.MeanStdDev(xs, nil)
	return s
}
