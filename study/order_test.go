// SPDX-License-Identifier: MIT

package study

import (
	"math"
	"testing"
)

func TestPermutationsAreBijections(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{1, 2, 3, 10, 1000, maxTable, maxTable + 1, 100_003, 1 << 17, 1<<18 + 1} {
		p := newPermutation(n, 1, 2)
		seen := newBitset(int(n))
		for i := range n {
			j := p.at(i)
			if j >= n || seen.has(int(j)) {
				t.Fatalf("of %d numbers, %d goes to %d, which is taken or too large", n, i, j)
			}
			seen.add(int(j))
		}
	}
}

func TestPermutationsLookRandom(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{1000, maxTable, maxTable + 1, 1_000_000} {
		p := newPermutation(n, 3, 4)
		fixed, rising, moved := 0, 0, 0.0
		for i := range n {
			j := p.at(i)
			if j == i {
				fixed++
			}
			if i > 0 && j > p.at(i-1) {
				rising++
			}
			moved += math.Abs(float64(j) - float64(i))
		}
		// Expected: 1 fixed point, half of the steps rising, n/3 moved.
		if fixed > 8 {
			t.Errorf("of %d numbers %d stay", n, fixed)
		}
		if share := float64(rising) / float64(n); math.Abs(share-0.5) > 2/math.Sqrt(float64(n)) {
			t.Errorf("of %d steps a share of %.3f rises, want 0.5", n, share)
		}
		if mean := moved / float64(n) / float64(n); math.Abs(mean-1.0/3) > 2/math.Sqrt(float64(n)) {
			t.Errorf("of %d numbers each moves by %.3f on average, want 0.333", n, mean)
		}
	}
}

func TestSmallPermutationsAreUniform(t *testing.T) {
	t.Parallel()
	counts := map[[4]uint32]int{}
	const n = 24_000
	for seed := range uint64(n) {
		counts[[4]uint32(newPermutation(4, seed, 1).table)]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += (float64(c) - n/24) * (float64(c) - n/24) / (n / 24)
	}
	// The 99.99th percentile of chi-square with 23 degrees of freedom.
	if len(counts) != 24 || chi > 57 {
		t.Errorf("of 24 orders %d occur, with a chi-square of %.1f", len(counts), chi)
	}
}

func TestSeedsOfSweepsDependOnSeedAndName(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	for _, name := range []string{"", "a", "b", "ab", "ba"} {
		for seed := range uint64(100) {
			x := mix(seed, name)
			if seen[x] != "" {
				t.Errorf("two seeds are the same: %q and %s", name, seen[x])
			}
			seen[x] = name + "!"
		}
	}
}
