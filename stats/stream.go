// SPDX-License-Identifier: MIT

package stats

import (
	"math"
	"slices"
	"sort"
)

// Stream describes values as they come, exactly: it keeps them all, in order. The
// zero value is an empty one. A value costs about the square root of their number
// to add, and so does what is asked of their order.
type Stream struct {
	blocks   [][]float64 // ascending, and none is empty
	n        int
	mean, m2 float64 // Welford's: the mean, and the sum of squared deviations from it
}

// blockSize is where a block is cut in two.
const blockSize = 512

// Add takes in a value. One that is not [Usable] is left out, and false.
func (s *Stream) Add(x float64) bool {
	if !Usable(x) {
		return false
	}
	s.n++
	d := x - s.mean
	s.mean += d / float64(s.n)
	s.m2 += d * (x - s.mean)

	b := max(0, sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i][0] > x })-1)
	if len(s.blocks) == 0 {
		s.blocks = [][]float64{nil}
	}
	at, _ := slices.BinarySearch(s.blocks[b], x)
	s.blocks[b] = slices.Insert(s.blocks[b], at, x)
	if k := len(s.blocks[b]); k > blockSize {
		right := slices.Clone(s.blocks[b][k/2:])
		s.blocks[b] = s.blocks[b][:k/2]
		s.blocks = slices.Insert(s.blocks, b+1, right)
	}
	return true
}

// N counts the values.
func (s *Stream) N() int { return s.n }

// Mean is that of the values; of none, as with all below, it is zero.
func (s *Stream) Mean() float64 { return s.mean }

// Variance has n-1 in the denominator; of one value it is zero. Source: Welford,
// "Note on a method for calculating corrected sums of squares and products",
// Technometrics 4 (1962).
func (s *Stream) Variance() float64 {
	if s.n < 2 {
		return 0
	}
	return s.m2 / float64(s.n-1)
}

// Min and Max are the smallest and the largest value.
func (s *Stream) Min() float64 { return s.Quantile(0) }

// Max is the largest value.
func (s *Stream) Max() float64 { return s.Quantile(1) }

// Median is the middle of the values, or between the two in the middle.
func (s *Stream) Median() float64 { return s.Quantile(0.5) }

// IQR is the interquartile range, between the quantiles of 0.25 and 0.75.
func (s *Stream) IQR() float64 { return s.Quantile(0.75) - s.Quantile(0.25) }

// Quantile is that of q, from 0 to 1, between the two nearest values in
// proportion. Source: definition 7 of Hyndman and Fan, "Sample quantiles in
// statistical packages", The American Statistician 50 (1996).
func (s *Stream) Quantile(q float64) float64 {
	if s.n == 0 {
		return 0
	}
	return between(float64(s.n-1)*q, s.at)
}

// MAD is the median of the absolute deviations from the median, as it is: no
// factor makes it an estimate of a standard deviation.
func (s *Stream) MAD() float64 {
	if s.n == 0 {
		return 0
	}
	median := s.Median()
	// The deviations are two ascending rows: below the median from its end, and
	// from the median on.
	low := s.below(median)
	left := func(i int) float64 { return median - s.at(low-1-i) }
	right := func(i int) float64 { return s.at(low+i) - median }
	return between(float64(s.n-1)/2, func(k int) float64 { return merged(k, low, left, s.n-low, right) })
}

// between gives the value at a place between two of a row.
func between(place float64, at func(int) float64) float64 {
	i := int(place)
	x := at(i)
	if f := place - math.Trunc(place); f > 0 {
		x = x*(1-f) + at(i+1)*f
	}
	return x
}

// merged gives the k-th smallest of two ascending rows together.
func merged(k, n int, a func(int) float64, m int, b func(int) float64) float64 {
	// As many of a as come before the others of b.
	i := max(0, k+1-m) + sort.Search(min(k+1, n)-max(0, k+1-m), func(i int) bool {
		i += max(0, k+1-m)
		return k-i < 0 || a(i) >= b(k-i)
	})
	switch j := k - i; { // the k-th is the larger of the last of either
	case j < 0:
		return a(i - 1)
	case i > 0 && a(i-1) > b(j):
		return a(i - 1)
	default:
		return b(j)
	}
}

// at gives the i-th smallest value, from 0.
func (s *Stream) at(i int) float64 {
	for _, b := range s.blocks {
		if i < len(b) {
			return b[i]
		}
		i -= len(b)
	}
	return s.blocks[len(s.blocks)-1][len(s.blocks[len(s.blocks)-1])-1] // by rounding of a place
}

// below counts the values that are less than x.
func (s *Stream) below(x float64) (n int) {
	for _, b := range s.blocks {
		if b[len(b)-1] < x {
			n += len(b)
			continue
		}
		i, _ := slices.BinarySearch(b, x)
		return n + i
	}
	return n
}
