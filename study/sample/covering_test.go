// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"testing"
)

func covering(t testing.TB, s *Space, strength int, seed uint64) [][]int {
	t.Helper()
	rows, err := Covering(context.Background(), s, strength, seed)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestCoveringCoversEveryFeasibleTuple(t *testing.T) {
	tests := []struct {
		name  string
		space brute
	}{
		{"mixed levels without constraints", brute{levels: []int{5, 4, 3, 3, 2, 2, 2}}},
		{"equal levels without constraints", brute{levels: repeated(3, 7)}},
		{"prime power levels", brute{levels: repeated(4, 6)}},
		{"factors of one level among others", brute{levels: []int{1, 3, 1, 2, 4, 1}}},
		{"one large factor", brute{levels: []int{2, 30, 2, 3, 2}}},
		{"an implication and a bound", brute{
			levels:      []int{4, 3, 3, 2, 2, 3},
			constraints: []Constraint{when(0, 1, 3, 0), sumAtMost(4, 1, 2, 5)},
		}},
		{"a chain through which constraints forbid what none forbids alone", brute{
			levels:      []int{3, 3, 3, 3, 2, 2},
			constraints: []Constraint{when(0, 0, 1, 1), when(1, 1, 2, 2), when(2, 2, 3, 0), when(3, 0, 4, 1)},
		}},
		{"a constraint on all factors", brute{
			levels:      []int{3, 3, 3, 3, 3},
			constraints: []Constraint{sumAtMost(4, 4, 3, 2, 1, 0)},
		}},
		{"equal levels with few feasible rows", brute{
			levels: repeated(5, 5),
			constraints: []Constraint{
				{Factors: []int{0, 1, 2}, Allows: func(l []int) bool { return (l[0]+l[1]+l[2])%5 == 0 }},
				{Factors: []int{2, 3}, Allows: func(l []int) bool { return l[0] != l[1] }},
			},
		}},
		{"a single feasible point", brute{
			levels:      repeated(3, 5),
			constraints: []Constraint{sumAtMost(0, 0, 1, 2, 3, 4)},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			most := 6
			if testing.Short() {
				most = 4
			}
			for strength := 1; strength <= most; strength++ {
				test.space.checkCovering(t, covering(t, test.space.space(t), strength, 1), strength)
			}
		})
	}
}

func TestCoveringCoversRandomSpaces(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		b := randomBrute(seed)
		if len(b.points()) == 0 {
			continue
		}
		for strength := 1; strength <= 4; strength++ {
			b.checkCovering(t, covering(t, b.space(t), strength, seed), strength)
		}
	}
}

// published are spaces for which the sizes of pairwise arrays by PICT are
// published (Czerwonka, "Pairwise testing in the real world: practical
// extensions to test-case scenarios", PNSQC 2006; see pairwise.org/efficiency).
var published = []struct {
	name   string
	levels []int
	pict   int
}{
	{"3^4", repeated(3, 4), 9},
	{"3^13", repeated(3, 13), 18},
	{"4^15 3^17 2^29", repeated(4, 15, 3, 17, 2, 29), 37},
	{"4^1 3^39 2^35", repeated(4, 1, 3, 39, 2, 35), 27},
	{"2^100", repeated(2, 100), 15},
	{"10^20", repeated(10, 20), 210},
}

func TestCoveringIsNoLargerThanPICT(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 1
	}
	for _, p := range published {
		t.Run(p.name, func(t *testing.T) {
			s := brute{levels: p.levels}.space(t)
			sizes := map[int]int{}
			for seed := range seeds {
				rows := covering(t, s, 2, seed)
				sizes[len(rows)]++
				if len(rows) > p.pict {
					t.Errorf("seed %d: %d rows, PICT has %d", seed, len(rows), p.pict)
				}
				checkPairs(t, p.levels, rows)
			}
			t.Logf("rows by how many seeds have as many: %v", sizes)
		})
	}
}

// checkPairs reports pairs of levels that no row has.
func checkPairs(t *testing.T, levels []int, rows [][]int) {
	t.Helper()
	for f := range levels {
		for g := range f {
			have := map[[2]int]bool{}
			for _, row := range rows {
				have[[2]int{row[f], row[g]}] = true
			}
			if len(have) != levels[f]*levels[g] {
				t.Fatalf("factors %d and %d have %d pairs", g, f, len(have))
			}
		}
	}
}

func TestCoveringSizes(t *testing.T) {
	tests := []struct {
		name     string
		space    brute
		strength int
		most     int
	}{
		{"no factors need one empty row", brute{}, 2, 1},
		{"one factor needs its levels", brute{levels: []int{7}}, 1, 7},
		{"one factor needs its levels at any strength", brute{levels: []int{7}}, 3, 7},
		{"strength above the factors is the product", brute{levels: []int{2, 3, 4}}, 5, 24},
		{"strength one needs the largest factor", brute{levels: []int{2, 9, 4, 3}}, 1, 9},
		{"factors of one level need one row", brute{levels: []int{1, 1, 1}}, 2, 1},
		{"the two largest factors bound a mixed space", brute{levels: []int{5, 4, 2, 2, 3}}, 2, 20},
		{"q+1 factors of q levels are orthogonal", brute{levels: repeated(5, 6)}, 2, 25},
		{"q a power of a prime as well", brute{levels: repeated(8, 9)}, 2, 64},
		{"orthogonal at strength three", brute{levels: repeated(4, 5)}, 3, 64},
		{"orthogonal at strength four", brute{levels: repeated(5, 6)}, 4, 625},
		{"a constraint that makes some rows more necessary", brute{levels: repeated(3, 3), constraints: []Constraint{sumAtMost(2, 0, 1)}}, 2, 11},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if n := len(covering(t, test.space.space(t), test.strength, 1)); n == 0 || n > test.most {
				t.Errorf("%d rows, want at most %d", n, test.most)
			}
		})
	}
}

func TestCoveringPutsTheRowsThatAddMostFirst(t *testing.T) {
	s := brute{levels: []int{4, 4, 3, 3, 2, 2, 2}, constraints: []Constraint{when(0, 0, 4, 1)}}.space(t)
	rows := covering(t, s, 2, 1)
	covered := func(rows ...[]int) int {
		c, err := Coverage(context.Background(), s, 2, rows)
		if err != nil {
			t.Fatal(err)
		}
		return c.Covered
	}
	for i := range rows {
		for j := i + 1; j < len(rows); j++ {
			swapped := append(rows[:i:i], rows[j])
			if now, other := covered(rows[:i+1]...), covered(swapped...); other > now {
				t.Fatalf("row %d covers %d, row %d would cover %d", i, now, j, other)
			}
		}
	}
}

func TestCoveringRefuses(t *testing.T) {
	_, err := Covering(context.Background(), brute{levels: []int{2}}.space(t), 0, 1)
	if err == nil {
		t.Error("strength 0: no error")
	}
	_, err = Covering(context.Background(), brute{levels: repeated(50, 60)}.space(t), 4, 1)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("strength 4 of 50^60: error %v, want %v", err, ErrTooLarge)
	}
	_, err = Covering(context.Background(), brute{levels: repeated(2, 2000)}.space(t), 4, 1)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("strength 4 of 2^2000: error %v, want %v", err, ErrTooLarge)
	}
}

// A context that ends after any number of looks at it ends Covering.
func TestCoveringEndsWithItsContext(t *testing.T) {
	for _, b := range []brute{
		{levels: repeated(4, 10)},
		{levels: repeated(3, 9), constraints: []Constraint{sumAtMost(9, 0, 1, 2, 3, 4, 5)}},
		{levels: repeated(3, 3)},
	} {
		for looks := range 40 {
			ctx := &countdown{Context: context.Background(), left: looks}
			rows, err := Covering(ctx, b.space(t), 3, 1)
			if ctx.left < 0 && (!errors.Is(err, context.Canceled) || rows != nil) {
				t.Errorf("after %d looks: %d rows, error %v", looks, len(rows), err)
			}
		}
	}
}

// countdown is cancelled after a number of calls of Err.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func FuzzCovering(f *testing.F) {
	f.Add(uint64(1), uint64(1), uint8(2))
	f.Add(uint64(17), uint64(0), uint8(3))
	f.Fuzz(func(t *testing.T, space, seed uint64, strength uint8) {
		b := randomBrute(space)
		k := 1 + int(strength)%4
		s, err := NewSpace(t.Context(), b.levels, b.constraints...)
		if err != nil {
			if !errors.Is(err, ErrUnsatisfiable) || len(b.points()) > 0 {
				t.Fatalf("error %v for %d points", err, len(b.points()))
			}
			return
		}
		rows := covering(t, s, k, seed)
		b.checkCovering(t, rows, k)
		c, err := Coverage(context.Background(), s, k, rows)
		if err != nil || c.Covered != c.Total {
			t.Fatalf("coverage %+v, error %v", c, err)
		}
	})
}
