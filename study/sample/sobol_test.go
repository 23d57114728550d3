// SPDX-License-Identifier: MIT

package sample

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sequence(t testing.TB, points iter.Seq[[]float64], err error, n int) [][]float64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var list [][]float64
	for p := range points {
		if list = append(list, slices.Clone(p)); len(list) == n {
			break
		}
	}
	return list
}

func sobol(t testing.TB, dims, n int) [][]float64 {
	t.Helper()
	points, err := Sobol(dims)
	return sequence(t, points, err, n)
}

func scrambled(t testing.TB, dims, n int, seed uint64) [][]float64 {
	t.Helper()
	points, err := ScrambledSobol(dims, seed)
	return sequence(t, points, err, n)
}

// In two dimensions there is no choice of direction numbers.
func TestSobolStartsAsPublished(t *testing.T) {
	want := [][]float64{{0, 0}, {0.5, 0.5}, {0.75, 0.25}, {0.25, 0.75}, {0.375, 0.375}, {0.875, 0.875}}
	if diff := cmp.Diff(want, sobol(t, 2, 6)); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestSobolProjections(t *testing.T) {
	tests := []struct {
		name   string
		points [][]float64
	}{
		{"plain", sobol(t, MaxSobolDims, 1<<12)},
		{"scrambled", scrambled(t, MaxSobolDims, 1<<12, 5)},
		{"scrambled otherwise", scrambled(t, MaxSobolDims, 1<<12, 6)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for m := range 13 {
				points := test.points[:1<<m]
				for d := range MaxSobolDims {
					checkNet(t, points, d, 0, m, 0)
				}
				for split := range m + 1 {
					checkNet(t, points, 0, 1, split, m-split)
				}
			}
		})
	}
}

// checkNet reports boxes of 2^-a by 2^-b in dimensions d and e that do not have
// exactly one of the 2^(a+b) points.
func checkNet(t *testing.T, points [][]float64, d, e, a, b int) {
	t.Helper()
	seen := make([]bool, len(points))
	for _, p := range points {
		seen[Level(p[d], 1<<a)<<b|Level(p[e], 1<<b)] = true
	}
	if slices.Contains(seen, false) {
		t.Fatalf("%d points are no net in %d by %d boxes of dimensions %d and %d", len(points), 1<<a, 1<<b, d, e)
	}
}

func TestTheSobolTableIsWellFormed(t *testing.T) {
	degree := 1
	for i, e := range sobolTable {
		if !primitive(e.polynomial) {
			t.Errorf("entry %d: %b is not primitive", i, e.polynomial)
		}
		if i > 0 && e.polynomial <= sobolTable[i-1].polynomial {
			t.Errorf("entry %d: %b is out of order", i, e.polynomial)
		}
		if len(e.initial) != bits.Len32(e.polynomial)-1 || len(e.initial) < degree {
			t.Errorf("entry %d: %d numbers for %b", i, len(e.initial), e.polynomial)
		}
		degree = len(e.initial)
		for j, m := range e.initial {
			if m%2 == 0 || m>>(j+1) != 0 {
				t.Errorf("entry %d: number %d is %d", i, j+1, m)
			}
		}
	}
}

// There are phi(2^s-1)/s primitive polynomials of degree s.
func TestPrimitiveFindsAsManyPolynomialsAsThereAre(t *testing.T) {
	for degree, want := range []int{1: 1, 2: 1, 3: 2, 4: 2, 5: 6, 6: 6, 7: 18, 8: 16, 9: 48, 10: 60} {
		n := 0
		for p := uint32(1)<<degree | 1; degree > 0 && p < 2<<degree; p += 2 {
			if primitive(p) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d primitive polynomials of degree %d, want %d", n, degree, want)
		}
	}
}

func TestSobolPlanesHaveTheStatedQuality(t *testing.T) {
	directions, err := sobolDirections(MaxSobolDims)
	if err != nil {
		t.Fatal(err)
	}
	var rows []matrix
	for _, v := range directions {
		rows = append(rows, rowsOf(v))
	}
	for dims, want := range map[int]int{2: 0, 4: 3, 8: 4, 16: 5, 32: 6, 64: 8} {
		worst := 0
		for d := range dims {
			for e := range d {
				for m := 1; m <= 16; m++ {
					worst = max(worst, quality(rows[d], rows[e], m))
				}
			}
		}
		if worst != want {
			t.Errorf("the worst quality among %d dimensions is %d, want %d", dims, worst, want)
		}
	}
}

// The quality that matrices promise is that of the points.
func TestQualityCountsPoints(t *testing.T) {
	const m = 8
	directions, _ := sobolDirections(20)
	points := sobol(t, 20, 1<<m)
	for d := range 20 {
		for e := range d {
			want := m
			for q := m; q >= 0 && isNet(points, d, e, m, q); q-- {
				want = q
			}
			if got := quality(rowsOf(directions[d]), rowsOf(directions[e]), m); got != want {
				t.Errorf("dimensions %d and %d: quality %d, points have %d", e, d, got, want)
			}
		}
	}
}

// isNet tells whether all boxes of area 2^(t-m) have 2^t of the 2^m points.
func isNet(points [][]float64, d, e, m, t int) bool {
	for a := range m - t + 1 {
		count := make([]int, 1<<(m-t))
		for _, p := range points {
			count[Level(p[d], 1<<a)<<(m-t-a)|Level(p[e], 1<<(m-t-a))]++
		}
		if slices.Max(count) != 1<<t {
			return false
		}
	}
	return true
}

// The integral of prod(1 + (x-1/2)/(d+1)) is 1. The error of the mean over
// 4096 points is compared with that of 20 random sets of points.
func TestSobolIntegratesBetterThanRandom(t *testing.T) {
	const dims, n, runs = 12, 4096, 20
	smooth := func(points [][]float64) float64 {
		sum := 0.0
		for _, p := range points {
			v := 1.0
			for d, x := range p {
				v *= 1 + (x-0.5)/float64(d+1)
			}
			sum += v
		}
		return math.Abs(sum/float64(len(points)) - 1)
	}
	r := newRNG(1, 0)
	random := 0.0
	for range runs {
		points := make([][]float64, n)
		for i := range points {
			for range dims {
				points[i] = append(points[i], float64(r.pcg.Uint64()>>11)/(1<<53))
			}
		}
		random += smooth(points) / runs
	}
	if plain := smooth(sobol(t, dims, n)); plain > random/5 {
		t.Errorf("the error is %v, random points have %v", plain, random)
	}
	mean := 0.0
	for seed := range uint64(runs) {
		mean += smooth(scrambled(t, dims, n, seed)) / runs
	}
	if mean > random/20 {
		t.Errorf("the error when scrambled is %v, random points have %v", mean, random)
	}
}

func TestScrambledSobolDependsOnTheSeedOnly(t *testing.T) {
	first := scrambled(t, 3, 8, 1)
	if diff := cmp.Diff(first, scrambled(t, 3, 8, 1)); diff != "" {
		t.Errorf("the same seed gives other points:\n%s", diff)
	}
	if cmp.Equal(first, scrambled(t, 3, 8, 2)) {
		t.Error("another seed gives the same points")
	}
}

func TestSobolRefusesDimensionsItHasNot(t *testing.T) {
	for _, dims := range []int{-1, MaxSobolDims + 1} {
		if _, err := Sobol(dims); err == nil {
			t.Errorf("%d dimensions: no error", dims)
		}
		if _, err := ScrambledSobol(dims, 1); err == nil {
			t.Errorf("%d dimensions, scrambled: no error", dims)
		}
	}
	if got := sobol(t, 0, 2); len(got) != 2 || len(got[0]) != 0 {
		t.Errorf("2 points without dimensions are %v", got)
	}
}
