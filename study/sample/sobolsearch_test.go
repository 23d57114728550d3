// SPDX-License-Identifier: MIT

package sample

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The search that made sobolTable. It follows Joe and Kuo, "Constructing Sobol
// sequences with better two-dimensional projections", SIAM Journal on
// Scientific Computing 30, 2008: dimension by dimension, it keeps the initial
// numbers with the least worst case, over earlier dimensions and numbers of
// points 2^m, of t^6/(m-t+1), where t is the quality of the projection on the
// two. Ties go to the least sum. All initial numbers are tried if they are at
// most searchTries, and else as many random ones.
const (
	searchTries = 128
	searchM     = 16 // m goes from 1 to here
	searchSeed  = 2008
)

func TestTheSobolTableIsWhatTheSearchFinds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: left out by -short")
	}
	got := searchTable(len(sobolTable))
	if diff := cmp.Diff(sobolTable[:], got, cmp.AllowUnexported(sobolEntry{})); diff != "" {
		t.Errorf("the table differs from the search (-table +search):\n%s\nwant:\n%s", diff, format(got))
	}
}

func format(table []sobolEntry) string {
	var b strings.Builder
	for _, e := range table {
		numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(e.initial), " ", ", "), "[]")
		fmt.Fprintf(&b, "\t{%#b, []uint32{%s}},\n", e.polynomial, numbers)
	}
	return b.String()
}

func searchTable(n int) []sobolEntry {
	r := newRNG(searchSeed, 0)
	first, _ := sobolDirections(1)
	earlier := []matrix{rowsOf(first[0])}
	var table []sobolEntry
	for polynomial := uint32(3); len(table) < n; polynomial += 2 {
		if !primitive(polynomial) {
			continue
		}
		best := searchEntry(r, polynomial, earlier)
		table = append(table, best)
		earlier = append(earlier, rowsOf(best.directions()))
	}
	return table
}

func searchEntry(r *rng, polynomial uint32, earlier []matrix) sobolEntry {
	degree := bits.Len32(polynomial) - 1
	free := degree * (degree - 1) / 2 // bits to choose
	tries := uint64(min(searchTries, 1<<min(free, 30)))
	var best sobolEntry
	var worst, sum int64
	for choice := range tries {
		if free > 30 || 1<<free > tries {
			choice = r.pcg.Uint64()
		}
		e := sobolEntry{polynomial: polynomial}
		for i := range degree {
			e.initial = append(e.initial, uint32(choice&(1<<i-1))<<1|1)
			choice >>= i
		}
		w, s := penalty(rowsOf(e.directions()), earlier, worst, best.initial == nil)
		if best.initial == nil || w < worst || w == worst && s < sum {
			best, worst, sum = e, w, s
		}
	}
	return best
}

// penalty returns the largest and the sum of t^6/(m-t+1), in units that make
// them whole. It stops early once worse than limit.
func penalty(a matrix, earlier []matrix, limit int64, unlimited bool) (worst, sum int64) {
	const unit = 720720 // divisible by 1 to 16
	for m := searchM; m > 0; m-- {
		for _, b := range earlier {
			t := int64(quality(a, b, m))
			p := t * t * t * t * t * t * unit / (int64(m) - t + 1)
			worst = max(worst, p)
			sum += p
			if !unlimited && worst > limit {
				return worst, sum
			}
		}
	}
	return worst, sum
}

// A matrix has, in row i, the i-th digits of all direction numbers; the first
// direction number's is bit 0.
type matrix [sobolBits]uint32

func rowsOf(v [sobolBits]uint32) (m matrix) {
	for i, column := range v {
		for digit := range m {
			m[digit] |= column >> (sobolBits - 1 - digit) & 1 << i
		}
	}
	return m
}

// quality returns the t for which the first 2^m points of two dimensions are a
// (t,m,2)-net and no smaller one: m less the largest k such that, for any
// split k = i+j, the first i rows of a and j rows of b are independent
// (Niederreiter, "Random number generation and quasi-Monte Carlo methods",
// 1992, theorem 4.28).
func quality(a, b matrix, m int) int {
	k := m
	var of basis
	for i := 0; i <= k; i++ {
		if i > 0 && !of.add(a[i-1]&(1<<m-1)) {
			return m - min(k, i-1)
		}
		both := of
		for j := 1; i+j <= k; j++ {
			if !both.add(b[j-1] & (1<<m - 1)) {
				k = i + j - 1
			}
		}
	}
	return m - k
}

// A basis has independent rows, by the number of their highest bit.
type basis [sobolBits]uint32

// add adds a row, or returns false if it depends on the others.
func (b *basis) add(row uint32) bool {
	for row != 0 {
		top := bits.Len32(row) - 1
		if b[top] == 0 {
			b[top] = row
			return true
		}
		row ^= b[top]
	}
	return false
}

// primitive tells whether x generates all 2^s-1 non-zero residues modulo a
// polynomial of degree s, by trying.
func primitive(polynomial uint32) bool {
	top := uint32(1) << (bits.Len32(polynomial) - 1)
	x := uint32(1)
	for order := uint32(1); ; order++ {
		if x <<= 1; x&top != 0 {
			x ^= polynomial
		}
		if x <= 1 {
			return x == 1 && order == top-1
		}
	}
}
