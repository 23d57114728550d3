// SPDX-License-Identifier: MIT

package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
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
// value: an empty sample, or a denominator of zero. level is as for
// [Summarize].
//
// The interval is Fieller's: all ratios r with |a - r b| ≤ t √(u + r² v), where
// a and b are the means, u and v their squared standard errors, and t is
// Student's with Satterthwaite's degrees of freedom at r = a/b,
//
//	(u + r² v)² / (u²/(n-1) + r⁴ v²/(m-1)).
//
// It is not symmetric around the ratio. There is none where either sample has
// one value, nor where the denominator may be zero at this level, for the set
// of ratios has no end then. Sources: Fieller, "Some problems in interval
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
	if num.N < 2 || den.N < 2 {
		e.warn("no interval of the ratio: each side needs two values, got %d and %d", num.N, den.N)
		return e, true
	}
	u := num.SD * num.SD / float64(num.N)
	v := den.SD * den.SD / float64(den.N)
	if u == 0 && v == 0 {
		e.Interval = &Interval{e.Value, e.Value, level}
		e.warn("all values are equal on both sides: the interval says nothing beyond the resolution of the measurement")
		return e, true
	}
	r2 := e.Value * e.Value
	df := (u + r2*v) * (u + r2*v) / (u*u/float64(num.N-1) + r2*r2*v*v/float64(den.N-1))
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - (1-level)/2)

	// The limits are the roots of (b² - t²v) r² - 2ab r + (a² - t²u) = 0.
	lead := b*b - t*t*v
	if lead <= 0 {
		e.warn("no interval of the ratio: the denominator varies too much")
		return e, true
	}
	root := t * math.Sqrt(a*a*v+lead*u)
	e.Interval = &Interval{(a*b - root) / lead, (a*b + root) / lead, level}
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
