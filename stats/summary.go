// SPDX-License-Identifier: MIT

package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// DefaultLevel is the confidence level of intervals, as a fraction.
const DefaultLevel = 0.95

// Interval is a confidence interval, in the unit of the sample.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Level is the confidence as a fraction. That of an interval between order
	// statistics is above the one asked for, as there are only so many of them.
	Level float64 `json:"level"`
}

// Summary describes a sample, in the unit of the sample.
type Summary struct {
	// N counts the values that are used. All other numbers are zero when it is
	// zero.
	N      int     `json:"n"`
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	// SD is the standard deviation with n-1 in the denominator, zero for n = 1.
	SD  float64 `json:"sd"`
	Min float64 `json:"min"`
	Max float64 `json:"max"`
	// MeanInterval is Student's: mean ± t(1-α/2, n-1) sd/√n. It is exact for a
	// normal population and needs two values. Source: Student, "The probable
	// error of a mean", Biometrika 6 (1908).
	MeanInterval *Interval `json:"mean_interval,omitempty"`
	// MedianInterval lies between two order statistics and assumes nothing but
	// independent values; at 95 % it needs six. It has equal tails: the k-th value
	// from below and the k-th from above, with the largest k for which the
	// probability of fewer than k values below the median, binomial with p = 1/2,
	// is at most (1-level)/2. A shorter one with unequal tails sometimes exists,
	// but would have to favour a side. Source: Conover, "Practical Nonparametric
	// Statistics", 3rd ed., section 3.2; le Boudec, "Performance Evaluation of
	// Computer and Communication Systems", section 2.2.
	MedianInterval *Interval `json:"median_interval,omitempty"`
	Warnings       []string  `json:"warnings,omitempty"`
}

// largest is the size from which a value is taken for garbage: its square, which
// a variance needs, would come near the end of what a float64 holds (1.8e308),
// and nothing that is measured comes near either.
const largest = 1e150

// Usable says whether a value can be one: a number, finite, and below 1e150 in
// size.
func Usable(x float64) bool { return math.Abs(x) < largest }

// usable are the values that can be used, in ascending order, in a new slice.
func usable(values []float64) []float64 {
	xs := slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return !Usable(x) })
	slices.Sort(xs)
	return xs
}

// Median is the middle of the values, or between the two in the middle. Values
// that [Summarize] leaves out are left out; of none it is zero.
func Median(values []float64) float64 { return medianOfSorted(usable(values)) }

func medianOfSorted(xs []float64) float64 {
	n := len(xs)
	if n == 0 {
		return 0
	}
	return xs[(n-1)/2]/2 + xs[n/2]/2
}

// Summarize describes the values. level is the confidence of the intervals as
// a fraction between 0 and 1; 0 is [DefaultLevel]. Values that are not [Usable]
// are left out, with a warning. The slice is not changed.
func Summarize(values []float64, level float64) Summary {
	if level == 0 {
		level = DefaultLevel
	}
	var s Summary
	xs := usable(values)
	if k := len(values) - len(xs); k > 0 {
		s.warn("%d of %d values are not finite and are left out", k, len(values))
	}
	if s.N = len(xs); s.N == 0 {
		s.warn("no values")
		return s
	}
	s.Min, s.Max = xs[0], xs[s.N-1]
	s.Median = medianOfSorted(xs)
	if s.N < 2 {
		s.Mean = xs[0]
		s.warn("one value: no interval")
		return s
	}
	if s.Mean = s.Min; s.Min != s.Max { // equal values differ from their mean by rounding
		s.Mean, s.SD = stat.MeanStdDev(xs, nil)
	}
	half := student(level, float64(s.N-1)) * s.SD / math.Sqrt(float64(s.N))
	s.MeanInterval = &Interval{s.Mean - half, s.Mean + half, level}
	if s.MedianInterval = medianInterval(xs, level); s.MedianInterval == nil {
		s.warn("no interval of the median: %d values are too few for %g %%", s.N, 100*level)
	}
	if s.Min == s.Max {
		s.warn("all %d values are equal: the interval says nothing beyond the resolution of the measurement", s.N)
	}
	return s
}

// student is the two-sided quantile of Student's t, 2.776 at 95 % with four
// degrees of freedom.
func student(level, df float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - (1-level)/2)
}

// medianInterval is the interval of the median with equal tails, or nil where
// even the smallest and the largest value are too close.
func medianInterval(sorted []float64, level float64) *Interval {
	n := len(sorted)
	below := distuv.Binomial{N: float64(n), P: 0.5}
	k, tail := 0, 0.0 // the probability of fewer than k values below the median
	for {
		next := below.CDF(float64(k))
		if next > (1-level)/2 {
			break
		}
		k, tail = k+1, next
	}
	if k == 0 {
		return nil
	}
	return &Interval{sorted[k-1], sorted[n-k], 1 - 2*tail}
}

func (s *Summary) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}
