// SPDX-License-Identifier: MIT

package pattern

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestNonNegativeIsOptimal checks the conditions of Karush, Kuhn and Tucker: the
// gradient of the sum of squares is zero where a coefficient is positive, and not
// negative where it is zero.
func TestNonNegativeIsOptimal(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		k, n := 1+r.IntN(maxTerms), 1+r.IntN(6)
		a, w := make([][]float64, k), make([]float64, n)
		for j := range a {
			a[j] = make([]float64, n)
			for i := range a[j] {
				a[j][i] = r.NormFloat64()
			}
		}
		for i := range w {
			w[i] = r.Float64() + 0.1
		}
		c, ok := nonNegative(a, w)
		if !ok {
			c = make([]float64, k) // no column points towards the ones
		}
		for j := range k {
			gradient := 0.0
			for i := range n {
				residual := -1.0
				for m := range k {
					residual += c[m] * a[m][i]
				}
				gradient += w[i] * a[j][i] * residual
			}
			if c[j] < 0 || gradient < -1e-6 || c[j] > 0 && math.Abs(gradient) > 1e-6 {
				t.Fatalf("coefficient %d of %v has the gradient %g", j, c, gradient)
			}
		}
	}
}
