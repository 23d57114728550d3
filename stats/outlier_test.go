// SPDX-License-Identifier: MIT

package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/converged-computing/ensemble/stats"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// threeMADs is a MAD of three as a standard deviation, rounded as the package
// does and not as a constant is.
var threeMADs = func() float64 {
	x := 1.482602218505602
	return 3 * x
}()

func TestOutliers(t *testing.T) {
	coarse := []string{"more than half of the values are equal: outliers are judged by the mean absolute deviation"}
	for _, test := range []struct {
		name     string
		values   []float64
		want     []stats.Outlier
		warnings []string
	}{
		{
			name: "two values far above mask each other from sd but not from MAD",
			// Median 2.45; deviations 0.05 0.05 0.15 0.15 0.15 0.15 0.35 0.35
			// 5.75 5.85; MAD 0.15.
			values: []float64{2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3},
			want: []stats.Outlier{
				{Index: 8, Value: 8.2, Score: 5.75 / (1.482602218505602 * 0.15)},
				{Index: 9, Value: 8.3, Score: 5.85 / (1.482602218505602 * 0.15)},
			},
		},
		{
			name:   "a collapse by contention is one in five",
			values: []float64{5.7, 5.8, 44, 5.6, 5.7},
			want:   []stats.Outlier{{Index: 2, Value: 44, Score: 38.3 / (1.482602218505602 * 0.1)}},
		},
		{
			name:   "a value below the median has a negative score",
			values: []float64{10, 11, 12, 13, 1},
			want:   []stats.Outlier{{Index: 4, Value: 1, Score: -10 / 1.482602218505602}},
		},
		{name: "a score of 3.5 is not more than 3.5", values: []float64{-3, -3, 0, 3, 3.5 * threeMADs}},
		{
			name:   "a value that is too large to be one is passed over",
			values: []float64{1e308, 5.7, 5.8, 44, 5.6, 5.7},
			want:   []stats.Outlier{{Index: 3, Value: 44, Score: 38.3 / (1.482602218505602 * 0.1)}},
		},
		{name: "ordinary scatter has none", values: []float64{10, 11, 12, 13, 14}},
		{name: "equal values have none", values: []float64{3, 3, 3, 3, 3}},
		{
			name:     "one tick of a coarse clock is no outlier",
			values:   []float64{12.3, 12.3, 12.3, 12.4, 12.3},
			warnings: coarse,
		},
		{
			name:     "a large value among equal ones is one",
			values:   []float64{10, 10, 10, 10, 44},
			want:     []stats.Outlier{{Index: 4, Value: 44, Score: 34 / (1.2533141373155003 * 6.8)}},
			warnings: coarse,
		},
		{
			name:     "four values are too few",
			values:   []float64{1, 1.1, 0.9, 50},
			warnings: []string{"4 values are too few to tell an outlier; 5 are needed"},
		},
		{
			name:   "values that are not finite keep the places of the others",
			values: []float64{math.NaN(), 5.7, 5.8, 44, 5.6, 5.7},
			want:   []stats.Outlier{{Index: 3, Value: 44, Score: 38.3 / (1.482602218505602 * 0.1)}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, warnings := stats.Outliers(test.values)
			if diff := cmp.Diff(test.want, got, near); diff != "" {
				t.Errorf("outliers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, warnings, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// How often quiet samples have an outlier is in the documentation and on the
// page of a report; the bounds are five standard errors of the simulation.
func TestOutliersOfQuietSamples(t *testing.T) {
	const rounds = 10000
	rng := rand.New(rand.NewPCG(5, 6))
	for n, want := range map[int]float64{5: 0.21, 10: 0.12, 20: 0.10} {
		marked := 0
		for range rounds {
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = 10 + 0.1*rng.NormFloat64()
			}
			if found, _ := stats.Outliers(xs); len(found) > 0 {
				marked++
			}
		}
		margin := 0.005 + 5*math.Sqrt(want*(1-want)/rounds) // 0.005 for the rounding
		if got := float64(marked) / rounds; math.Abs(got-want) > margin {
			t.Errorf("n = %d: %.3f of the samples have an outlier, want %.2f ± %.3f", n, got, want, margin)
		}
	}
}
