// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCoverage(t *testing.T) {
	three := brute{levels: []int{2, 2, 2}}
	tests := []struct {
		name      string
		space     brute
		strength  int
		rows      [][]int
		covered   int
		total     int
		uncovered []Tuple // the first of them
	}{
		{"no rows cover nothing", three, 2, nil, 0, 12, []Tuple{{[]int{0, 1}, []int{0, 0}}}},
		{"one row covers one tuple of each combination", three, 2, [][]int{{0, 1, 0}}, 3, 12,
			[]Tuple{{[]int{0, 1}, []int{0, 0}}, {[]int{0, 1}, []int{1, 0}}}},
		{"a row twice counts once", three, 1, [][]int{{0, 1, 0}, {0, 1, 0}}, 3, 6,
			[]Tuple{{[]int{0}, []int{1}}, {[]int{1}, []int{0}}, {[]int{2}, []int{1}}}},
		{"the half with even sums covers all pairs", three, 2, [][]int{{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}}, 12, 12, nil},
		{"infeasible tuples are not counted", brute{levels: []int{2, 2, 2}, constraints: []Constraint{when(0, 0, 1, 0), when(1, 0, 2, 0)}}, 2,
			[][]int{{0, 0, 0}, {1, 1, 0}}, 6, 9, []Tuple{{[]int{0, 1}, []int{1, 0}}, {[]int{0, 2}, []int{1, 1}}}},
		{"strength above the factors counts points", three, 9, [][]int{{0, 0, 0}}, 1, 8,
			[]Tuple{{[]int{0, 1, 2}, []int{0, 0, 1}}}},
		{"no factors have one empty tuple", brute{}, 2, [][]int{{}}, 1, 1, nil},
		{"the empty tuple wants a row", brute{}, 2, nil, 0, 1, []Tuple{{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Coverage(context.Background(), test.space.space(t), test.strength, test.rows)
			if err != nil {
				t.Fatal(err)
			}
			if c.Covered != test.covered || c.Total != test.total {
				t.Errorf("covers %d of %d, want %d of %d", c.Covered, c.Total, test.covered, test.total)
			}
			all := slices.Collect(c.Uncovered())
			if len(all) != c.Total-c.Covered {
				t.Errorf("%d tuples are uncovered, want %d", len(all), c.Total-c.Covered)
			}
			if diff := cmp.Diff(test.uncovered, all[:min(len(all), len(test.uncovered))]); len(test.uncovered) > 0 && diff != "" {
				t.Errorf("uncovered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUncoveredCanBeLeft(t *testing.T) {
	c, err := Coverage(context.Background(), brute{levels: []int{2, 2}}.space(t), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range c.Uncovered() {
		break
	}
}

func TestCoverageAgreesWithBruteForce(t *testing.T) {
	for seed := range uint64(150) {
		b := randomBrute(seed)
		points := b.points()
		if len(points) == 0 {
			continue
		}
		s := b.space(t)
		rows := random(t, s, 1+len(points)/4, seed)
		for strength := 1; strength <= 4; strength++ {
			c, err := Coverage(context.Background(), s, strength, rows)
			if err != nil {
				t.Fatal(err)
			}
			covered, total := len(b.tuples(rows, strength)), len(b.tuples(points, strength))
			if c.Covered != covered || c.Total != total {
				t.Errorf("seed %d: covers %d of %d, want %d of %d", seed, c.Covered, c.Total, covered, total)
			}
		}
	}
}

func TestCoverageRefuses(t *testing.T) {
	s := brute{levels: []int{2, 3}, constraints: []Constraint{when(0, 0, 1, 0)}}.space(t)
	tests := []struct {
		name     string
		strength int
		row      []int
		want     string
	}{
		{"a strength below one", 0, []int{0, 0}, "strength 0"},
		{"a row of another length", 1, []int{0}, "row 0: has 1 levels for 2 factors"},
		{"a level out of range", 1, []int{0, 3}, "row 0: has level 3 of factor 1, which has 3"},
		{"an open level", 1, []int{unset, 0}, "row 0: has level -1"},
		{"a row that violates a constraint", 1, []int{0, 2}, `row 0: violates constraint "0=0 => 1=0"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Coverage(context.Background(), s, test.strength, [][]int{test.row})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestCoverageEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Coverage(ctx, brute{levels: []int{2, 2}}.space(t), 1, [][]int{{0, 0}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
