// SPDX-License-Identifier: MIT

package stats

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
)

// DefaultLevel is the confidence level of intervals, as a fraction.
const DefaultLevel = 0.95

// Interval is a confidence interval, in the unit of the sample.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Level is the confidence as a fraction. That of an interval between order
	// statistics is the smallest possible at or above the one asked for.
	Level float64 `json:"level"`
}

// Summary describes a sample, in the unit of the sample.
type Summary struct {
	// N counts the finite values. All other numbers are zero when it is zero.
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
	// independent values; at 95 % it needs six. Source: Conover, "Practical
	// Nonparametric Statistics", 3rd ed., section 3.2; le Boudec, "Performance
	// Evaluation of Computer and Communication Systems", section 2.2.
	MedianInterval *Interval `json:"median_interval,omitempty"`
	Warnings       []string  `json:"warnings,omitempty"`
}

// Summarize describes the values. level is the confidence of the intervals as
// a fraction between 0 and 1; 0 is [DefaultLevel]. Values that are not finite
// are left out, with a warning. The slice is not changed.
func Summarize(values []float64, level float64) Summary {
	if level == 0 {
		level = DefaultLevel
	}
	var s Summary
	xs := slices.DeleteFunc(slices.Clone(values), notFinite)
	if k := len(values) - len(xs); k > 0 {
		s.warn("%d of %d values are not finite and are left out", k, len(values))
	}
	if s.N = len(xs); s.N == 0 {
		s.warn("no values")
		return s
	}
	sample := benchmath.NewSample(xs, &benchmath.DefaultThresholds) // sorts xs
	s.Min, s.Max = xs[0], xs[s.N-1]
	s.Mean = stat.Mean(xs, nil)
	if s.N > 1 {
		s.SD = stat.StdDev(xs, nil)
	}

	median := benchmath.AssumeNothing.Summary(sample, level)
	s.Median = median.Center
	if !math.IsInf(median.Lo, 0) && !math.IsInf(median.Hi, 0) {
		s.MedianInterval = &Interval{median.Lo, median.Hi, median.Confidence}
	}
	if s.N < 2 {
		s.warn("one value: no interval")
		return s
	}
	mean := benchmath.AssumeNormal.Summary(sample, level)
	s.MeanInterval = &Interval{mean.Lo, mean.Hi, level}
	if s.MedianInterval == nil {
		s.warn("no interval of the median: %d values are too few for %g %%", s.N, 100*level)
	}
	if s.Min == s.Max {
		s.warn("all %d values are equal: the interval says nothing beyond the resolution of the measurement", s.N)
	}
	return s
}

func (s *Summary) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

func notFinite(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }
