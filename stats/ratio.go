// SPDX-License-Identifier: MIT

package stats

import (
	"fmt"
	"math"
)

// Estimate is a value derived from samples, with its interval where there is
// one.
type Estimate struct {
	Value    float64   `json:"value"`
	Interval *Interval `json:"interval,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
}

// RatioOfMeans estimates the mean of num over the mean of den, two independent
// samples with variances of their own. It reports false where the ratio has no
// value: an empty sample, a denominator of zero, or one so close to it that the
// ratio is 1e150 or more. level is as for [Summarize].
//
// The interval is Fieller's: all ratios r with |a - r b| ≤ t √(u + r² v), where
// a and b are the means, u and v their squared standard errors, and t is
// Student's with Satterthwaite's degrees of freedom at r = a/b,
//
//	(u + r² v)² / (u²/(n-1) + r⁴ v²/(m-1)).
//
// It is not symmetric around the ratio. There is none where either sample has
// one value, nor where the denominator may be zero at this level, for the set
// of ratios has no end then. The degrees of freedom are an approximation: at
// 95 %, and counting a set without an end as holding the ratio, it covers 96 to
// 98 % of the time with two or three values on each side and equal noise, 93 %
// with two values against more or much quieter ones, and 95 % from five values
// on (simulated; a test has it). Sources: Fieller, "Some problems in interval
// estimation", J. R. Statist. Soc. B 16 (1954); for unequal variances Tamhane
// and Logan, J. Biopharm. Statist. 14 (2004), as R's mratios has it.
func RatioOfMeans(num, den Summary, level float64) (Estimate, bool) {
	if num.N == 0 || den.N == 0 || den.Mean == 0 {
		return Estimate{}, false
	}
	if level == 0 {
		level = DefaultLevel
	}
	a, b := num.Mean, den.Mean
	e := Estimate{Value: a / b}
	if !Usable(e.Value) {
		return Estimate{}, false
	}
	if num.N < 2 || den.N < 2 {
		e.warn("no interval of the ratio: each side needs two values, got %d and %d", num.N, den.N)
		return e, true
	}
	if num.SD == 0 && den.SD == 0 {
		e.Interval = &Interval{e.Value, e.Value, level}
		e.warn("all values are equal on both sides: the interval says nothing beyond the resolution of the measurement")
		return e, true
	}
	// All in units of b, so that no square leaves the range of a float64: v is
	// the squared standard error of the denominator by b², u that of the
	// numerator by b², and a/b the ratio.
	r := e.Value
	u := math.Pow(num.SD/b, 2) / float64(num.N)
	v := math.Pow(den.SD/b, 2) / float64(den.N)
	w := 1.0 // the share of the numerator in the variance at r
	if r*r*v > 0 {
		w = u / (u + r*r*v)
	}
	df := 1 / (w*w/float64(num.N-1) + (1-w)*(1-w)/float64(den.N-1))
	t := student(level, df)

	// The limits are the roots of (1 - t²v) x² - 2r x + (r² - t²u) = 0.
	lead := 1 - t*t*v
	if lead <= 0 {
		e.warn("no interval of the ratio: the denominator varies too much")
		return e, true
	}
	root := t * math.Sqrt(r*r*v+lead*u)
	e.Interval = &Interval{(r - root) / lead, (r + root) / lead, level}
	return e, true
}

// Scale multiplies the value and its interval by a positive constant that is
// known exactly, as the efficiency does with the speed-up.
func (e Estimate) Scale(by float64) Estimate {
	e.Value *= by
	if e.Interval != nil {
		e.Interval = &Interval{e.Interval.Low * by, e.Interval.High * by, e.Interval.Level}
	}
	return e
}

func (e *Estimate) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
