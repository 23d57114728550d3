// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func random(t *testing.T, s *Space, n int, seed uint64) [][]int {
	t.Helper()
	rows, err := Random(context.Background(), s, n, seed)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRandomGivesDistinctFeasiblePointsAndAllWhenAskedForMore(t *testing.T) {
	for seed := range uint64(200) {
		b := randomBrute(seed)
		points := b.points()
		if len(points) == 0 {
			continue
		}
		for _, n := range []int{0, 1, len(points) / 2, len(points) - 1, len(points), len(points) + 1, 10 * len(points)} {
			rows := random(t, b.space(t), n, seed)
			if len(rows) != min(n, len(points)) {
				t.Fatalf("seed %d: %d rows of %d points, asked for %d", seed, len(rows), len(points), n)
			}
			slices.SortFunc(rows, slices.Compare)
			if len(slices.CompactFunc(rows, slices.Equal)) != min(n, len(points)) {
				t.Fatalf("seed %d: rows repeat", seed)
			}
			for _, row := range rows {
				if !b.allows(row) {
					t.Fatalf("seed %d: %v is not feasible", seed, row)
				}
			}
		}
	}
}

// Each ordered pair of the five points comes equally often, whichever way they
// are found: the bound is 5 standard deviations.
func TestRandomIsUniform(t *testing.T) {
	s := brute{levels: []int{3, 3, 1}, constraints: []Constraint{
		{Factors: []int{0, 1}, Allows: func(l []int) bool { return (l[0]*3+l[1])%2 == 0 }},
	}}.space(t)
	ctx := context.Background()
	rejecting := newDrawer(ctx, s, nil)
	rejecting.counters[0] = nil
	tests := []struct {
		name string
		pick func(seed uint64) ([][]int, error)
	}{
		{"by drawing", func(seed uint64) ([][]int, error) { return Random(ctx, s, 2, seed) }},
		{"by going through all points", func(seed uint64) ([][]int, error) {
			return s.unseen(ctx, 2, nil, newRNG(seed, streamRandom))
		}},
		{"by rejection", func(seed uint64) ([][]int, error) {
			rejecting.rng = newRNG(seed, streamRandom)
			a, _ := rejecting.draw(ctx)
			b, err := rejecting.draw(ctx)
			for slices.Equal(a, b) {
				b, err = rejecting.draw(ctx)
			}
			return [][]int{a, b}, err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const runs = 20000
			seen := map[string]int{}
			for seed := range uint64(runs) {
				rows, err := test.pick(seed)
				if err != nil {
					t.Fatal(err)
				}
				seen[fmt.Sprint(rows)]++
			}
			if len(seen) != 20 {
				t.Errorf("%d ordered pairs came up, want 20", len(seen))
			}
			for pair, n := range seen {
				if mean := runs / 20; n < mean-155 || n > mean+155 {
					t.Errorf("%s came up %d times, want some %d", pair, n, mean)
				}
			}
		})
	}
}

func TestRandomHandles(t *testing.T) {
	sparse := brute{levels: repeated(10, 60)} // a share of 1e-50 of the product
	for f := range 50 {
		sparse.constraints = append(sparse.constraints, Constraint{Factors: []int{f, f + 5}, Allows: func(l []int) bool { return l[0] == l[1] }})
	}
	tests := []struct {
		name  string
		space brute
		n     int
		want  int
	}{
		{"a product far over 64 bits", brute{levels: repeated(1000, 100)}, 50, 50},
		{"a factor with very many levels", brute{levels: []int{math.MaxInt / 2, 2}}, 50, 50},
		{"no factors", brute{}, 3, 1},
		{"factors of one level", brute{levels: []int{1, 1, 1}}, 3, 1},
		{"constraints that leave a tiny share of a huge product", sparse, 50, 50},
		{"a constraint on too many combinations to count", brute{levels: repeated(30, 6), constraints: []Constraint{sumAtMost(70, 0, 1, 2, 3, 4, 5)}}, 50, 50},
		{"a space that must be gone through to find the last points", brute{levels: []int{300, 300}, constraints: []Constraint{sumAtMost(3, 0, 1)}}, 1000, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rows := random(t, test.space.space(t), test.n, 7)
			if len(rows) != test.want {
				t.Errorf("%d rows, want %d", len(rows), test.want)
			}
			for _, row := range rows {
				if !test.space.allows(row) {
					t.Errorf("%v is not feasible", row)
				}
			}
		})
	}
}

func TestRandomDependsOnTheSeedOnly(t *testing.T) {
	s := brute{levels: repeated(7, 7), constraints: []Constraint{sumAtMost(20, 0, 1, 2, 3, 4, 5)}}.space(t)
	first := random(t, s, 20, 3)
	if diff := cmp.Diff(first, random(t, s, 20, 3)); diff != "" {
		t.Errorf("the same seed gives other rows:\n%s", diff)
	}
	if diff := cmp.Diff(first[:5], random(t, s, 5, 3)); diff != "" {
		t.Errorf("fewer rows are not the first ones:\n%s", diff)
	}
	if cmp.Equal(first, random(t, s, 20, 4)) {
		t.Error("another seed gives the same rows")
	}
}

func TestRandomEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Random(ctx, brute{levels: []int{9, 9}}.space(t), 3, 1)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
