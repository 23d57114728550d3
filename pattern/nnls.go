// SPDX-License-Identifier: MIT

package pattern

import "math"

// maxTerms is the largest number of terms of a law.
const maxTerms = 3

// nonNegative finds the coefficients c >= 0 of the columns that minimise
//
//	Σᵢ wᵢ (Σⱼ cⱼ a[j][i] - 1)²
//
// which, with a[j][i] = φⱼ(xᵢ)/yᵢ, is the weighted sum of squared relative
// errors. It tries every set of columns that may be positive, at most seven of
// them, and solves the normal equations of each: the optimum of Lawson and
// Hanson's problem NNLS ("Solving Least Squares Problems", 1974, chapter 23) is
// the best of those without a negative coefficient. With as few columns as here
// that is exact, and has no iteration that might not end.
//
// It reports false where no set of columns has a solution, as with columns that
// are all zero.
func nonNegative(a [][]float64, w []float64) (c []float64, ok bool) {
	k := len(a)
	var gram [maxTerms][maxTerms]float64
	var right, scale [maxTerms]float64
	for i := range k {
		for j := range k {
			for r := range w {
				gram[i][j] += w[r] * a[i][r] * a[j][r]
			}
		}
		for r := range w {
			right[i] += w[r] * a[i][r]
		}
		if scale[i] = math.Sqrt(gram[i][i]); !(scale[i] > 0) {
			scale[i] = 1
		}
	}
	for i := range k { // unit columns: the condition does not depend on the size of x
		right[i] /= scale[i]
		for j := range k {
			gram[i][j] /= scale[i] * scale[j]
		}
	}
	best := 0.0 // of cᵀr, by which the sum of squares is smaller than that of zeros
	for set := 1; set < 1<<k; set++ {
		got, solved := solve(&gram, &right, set, k)
		if !solved {
			continue
		}
		gain := 0.0
		for j := range k {
			gain += got[j] * right[j]
		}
		if gain > best*(1+1e-12) {
			best, ok = gain, true
			c = append(c[:0], got[:k]...)
		}
	}
	for j := range c {
		c[j] /= scale[j]
	}
	return c, ok
}

// solve solves the normal equations for the columns in set by elimination with
// pivots on the diagonal, which suffices for a positive definite matrix. It
// fails where the columns depend on one another or a coefficient is negative.
func solve(gram *[maxTerms][maxTerms]float64, right *[maxTerms]float64, set, k int) (c [maxTerms]float64, ok bool) {
	const dependent = 1e-10
	var columns [maxTerms]int
	n := 0
	for j := range k {
		if set&(1<<j) != 0 {
			columns[n] = j
			n++
		}
	}
	var m [maxTerms][maxTerms + 1]float64
	for i := range n {
		for j := range n {
			m[i][j] = gram[columns[i]][columns[j]]
		}
		m[i][n] = right[columns[i]]
	}
	for i := range n {
		if m[i][i] < dependent {
			return c, false
		}
		for r := i + 1; r < n; r++ {
			f := m[r][i] / m[i][i]
			for j := i; j <= n; j++ {
				m[r][j] -= f * m[i][j]
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		x := m[i][n]
		for j := i + 1; j < n; j++ {
			x -= m[i][j] * c[columns[j]]
		}
		if x /= m[i][i]; !(x >= 0) {
			return c, false
		}
		c[columns[i]] = x
	}
	return c, true
}
