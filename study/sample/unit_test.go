// SPDX-License-Identifier: MIT

package sample

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLatinHypercubeHitsEveryStratumOnce(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 10, 49, 100, 1000, 12345} {
		points := LatinHypercube(n, 3, uint64(n))
		for d := range 3 {
			hits := make([]int, n)
			for _, p := range points {
				if p[d] < 0 || p[d] >= 1 {
					t.Fatalf("n=%d: coordinate %v", n, p[d])
				}
				hits[Level(p[d], n)]++
			}
			for stratum, h := range hits {
				if h != 1 {
					t.Fatalf("n=%d: dimension %d has %d points in stratum %d", n, d, h, stratum)
				}
			}
		}
	}
}

func TestLatinHypercubeDependsOnTheSeedOnly(t *testing.T) {
	first := LatinHypercube(5, 2, 1)
	if diff := cmp.Diff(first, LatinHypercube(5, 2, 1)); diff != "" {
		t.Errorf("the same seed gives other points:\n%s", diff)
	}
	if cmp.Equal(first, LatinHypercube(5, 2, 2)) {
		t.Error("another seed gives the same points")
	}
}

func TestLatinHypercubeOfNothing(t *testing.T) {
	if got := LatinHypercube(0, 2, 1); len(got) != 0 {
		t.Errorf("0 points are %v", got)
	}
	if got := LatinHypercube(2, 0, 1); len(got) != 2 || len(got[0]) != 0 {
		t.Errorf("2 points without dimensions are %v", got)
	}
}

func TestLevel(t *testing.T) {
	tests := []struct {
		name   string
		u      float64
		levels int
		want   int
	}{
		{"zero is the first level", 0, 5, 0},
		{"just below one is the last", math.Nextafter(1, 0), 5, 4},
		{"a boundary belongs to the level above", 0.5, 4, 2},
		{"one is kept in range", 1, 3, 2},
		{"below zero is kept in range", -0.5, 3, 0},
		{"a single level is always it", 0.7, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Level(test.u, test.levels); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestBetween(t *testing.T) {
	for _, test := range [][4]float64{{0, 2, 6, 2}, {0.5, 2, 6, 4}, {0.25, 6, 2, 5}, {0.9, 3, 3, 3}} {
		if got := Between(test[0], test[1], test[2]); got != test[3] {
			t.Errorf("Between(%v, %v, %v) = %v, want %v", test[0], test[1], test[2], got, test[3])
		}
	}
}
