// SPDX-License-Identifier: MIT

package sample

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// A study is planned anew from its file and seed wherever it is run, so a seed
// must give the same points everywhere and for good. When a digest has to
// change, studies give other trials than before: say so in the release notes.
func TestSeedsGiveThePointsTheyAlwaysGave(t *testing.T) {
	s := brute{
		levels:      repeated(4, 3, 3, 5, 2, 4),
		constraints: []Constraint{when(0, 3, 5, 2), sumAtMost(5, 1, 2, 3, 4)},
	}.space(t)
	strength := func(k int) func(uint64) any {
		return func(seed uint64) any { return covering(t, s, k, seed) }
	}
	tests := []struct {
		name   string
		points func(seed uint64) any
		want   string
	}{
		{"covering arrays of strength 1", strength(1), "386baa80c1ab533c"},
		{"covering arrays of strength 2", strength(2), "4e1b414a4631e207"},
		{"covering arrays of strength 3", strength(3), "3defe130c278c2f5"},
		{"covering arrays from orthogonal arrays", func(seed uint64) any {
			return covering(t, brute{levels: repeated(5, 7)}.space(t), 2, seed)
		}, "4cd3e0c797109732"},
		{"random points", func(seed uint64) any { return random(t, s, 30, seed) }, "71c69d65113b0c29"},
		{"random points of a product", func(seed uint64) any {
			return random(t, brute{levels: repeated(11, 40)}.space(t), 30, seed)
		}, "ed57ff2e77fa3ed9"},
		{"Latin hypercubes", func(seed uint64) any { return LatinHypercube(50, 5, seed) }, "b9013dbeccf1e0cb"},
		{"scrambled Sobol' sequences", func(seed uint64) any { return scrambled(t, MaxSobolDims, 50, seed) }, "b4e80f647cefc35a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() && strings.HasSuffix(test.name, "strength 3") {
				t.Skip("takes seconds: left out by -short")
			}
			h := sha256.New()
			for _, seed := range []uint64{0, 1 << 63, 0} {
				fmt.Fprintln(h, test.points(seed))
			}
			if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != test.want {
				t.Errorf("digest %s, want %s", got, test.want)
			}
		})
	}
}
