// SPDX-License-Identifier: MIT

package sample

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func collect(t *testing.T, s *Space) [][]int {
	t.Helper()
	var rows [][]int
	for row := range Full(t.Context(), s) {
		rows = append(rows, slices.Clone(row))
	}
	return rows
}

func TestFull(t *testing.T) {
	tests := []struct {
		name  string
		space brute
		want  [][]int
	}{
		{"no factors have one empty point", brute{}, [][]int{{}}},
		{"the last factor is fastest", brute{levels: []int{2, 1, 3}}, [][]int{{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {1, 0, 0}, {1, 0, 1}, {1, 0, 2}}},
		{"points that a constraint forbids are left out", brute{levels: []int{2, 3}, constraints: []Constraint{sumAtMost(1, 1, 0)}}, [][]int{{0, 0}, {0, 1}, {1, 0}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, collect(t, test.space.space(t))); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFullAgreesWithBruteForce(t *testing.T) {
	for seed := range uint64(200) {
		b := randomBrute(seed)
		want := b.points()
		if len(want) == 0 {
			continue
		}
		if diff := cmp.Diff(want, collect(t, b.space(t))); diff != "" {
			t.Fatalf("seed %d: points (-want +got):\n%s", seed, diff)
		}
	}
}

func TestFullOfAHugeSpaceCanBeLeftAndWalkedAgain(t *testing.T) {
	points := Full(t.Context(), brute{levels: repeated(1000, 50)}.space(t))
	for range 2 {
		n := 0
		for row := range points {
			if row[49] != n {
				t.Fatalf("point %d ends in %d", n, row[49])
			}
			if n++; n == 10 {
				break
			}
		}
	}
}

func TestFullUsesNoMemoryPerPoint(t *testing.T) {
	s := brute{levels: repeated(4, 8)}.space(t)
	allocs := testing.AllocsPerRun(5, func() {
		for range Full(t.Context(), s) {
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations for 65536 points", allocs)
	}
}
