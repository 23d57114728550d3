// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewSpaceRefuses(t *testing.T) {
	never := func([]int) bool { return false }
	always := func([]int) bool { return true }
	differ := func(l []int) bool { return l[0] != l[1] }
	tests := []struct {
		name          string
		levels        []int
		constraints   []Constraint
		unsatisfiable bool
		want          string
	}{
		{"a factor without levels", []int{2, 0}, nil, false, "factor 1: has 0 levels"},
		{"a constraint without a predicate", []int{2}, []Constraint{{Factors: []int{0}}}, false, `constraint "#0": has no predicate`},
		{"a constraint on a factor that is not there", []int{2}, []Constraint{{Name: "c", Factors: []int{1}, Allows: always}}, false, `constraint "c": reads factor 1, but there are 1 factors`},
		{"a constraint that names a factor twice", []int{2, 2}, []Constraint{{Factors: []int{1, 1}, Allows: always}}, false, "reads factor 1 twice"},
		{"a constraint that is never true", []int{2, 2}, []Constraint{
			{Name: "fine", Factors: []int{0}, Allows: always},
			{Name: "bad", Factors: []int{0, 1}, Allows: never},
		}, true, `constraint "bad" is never true`},
		{"a constraint on nothing that is false", nil, []Constraint{{Name: "bad", Allows: never}}, true, `constraint "bad" is never true`},
		{"single-factor constraints that leave a factor no level", []int{2}, []Constraint{
			{Name: "low", Factors: []int{0}, Allows: func(l []int) bool { return l[0] == 0 }},
			{Name: "high", Factors: []int{0}, Allows: func(l []int) bool { return l[0] == 1 }},
		}, true, `constraints "low" and "high" conflict`},
		{"three factors of two levels that must all differ, naming only what conflicts", []int{2, 2, 2, 2}, []Constraint{
			{Name: "free", Factors: []int{3, 0}, Allows: differ},
			{Name: "ab", Factors: []int{0, 1}, Allows: differ},
			{Name: "bc", Factors: []int{1, 2}, Allows: differ},
			{Name: "ac", Factors: []int{0, 2}, Allows: differ},
		}, true, `constraints "ab", "bc" and "ac" conflict`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewSpace(t.Context(), test.levels, test.constraints...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if errors.Is(err, ErrUnsatisfiable) != test.unsatisfiable {
				t.Errorf("error %v is ErrUnsatisfiable: %t", err, !test.unsatisfiable)
			}
		})
	}
}

func TestLevelsAreCopied(t *testing.T) {
	levels := []int{2, 3}
	s := brute{levels: levels}.space(t)
	levels[0] = 9
	if n := len(collect(t, s)); n != 6 {
		t.Errorf("the space has %d points after a change of the caller's levels, want 6", n)
	}
}

// pigeons are more factors than levels of which no two may be the same, which
// no search decides in time.
func pigeons(factors int) ([]int, []Constraint) {
	var all []Constraint
	for f := range factors {
		for g := range f {
			all = append(all, Constraint{Factors: []int{f, g}, Allows: func(l []int) bool { return l[0] != l[1] }})
		}
	}
	return repeated(factors-1, factors), all
}

func TestNewSpaceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	levels, constraints := pigeons(20)
	begin := time.Now()
	_, err := NewSpace(ctx, levels, constraints...)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnsatisfiable) {
		t.Errorf("got %v, want the context's error", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestSamplersEndWithTheirContext(t *testing.T) {
	levels, constraints := pigeons(12)
	for f := range levels {
		levels[f]++ // the points are permutations
	}
	s, err := NewSpace(t.Context(), levels, constraints...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"covering", func(ctx context.Context) error { _, err := Covering(ctx, s, 4, 1); return err }},
		{"random", func(ctx context.Context) error { _, err := Random(ctx, s, 1000, 1); return err }},
		{"coverage", func(ctx context.Context) error { _, err := Coverage(ctx, s, 4, nil); return err }},
		{"full", func(ctx context.Context) error {
			for range Full(ctx, s) {
			}
			return ctx.Err()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if err := c.run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// Every partial assignment of many random spaces is feasible if and only if
// some point extends it.
func TestFeasibleAgreesWithBruteForce(t *testing.T) {
	unsatisfiable := 0
	for seed := range uint64(400) {
		b := randomBrute(seed)
		points := b.points()
		s, err := NewSpace(t.Context(), b.levels, b.constraints...)
		if errors.Is(err, ErrUnsatisfiable) != (len(points) == 0) {
			t.Fatalf("seed %d: %d points, error %v", seed, len(points), err)
		}
		if err != nil {
			unsatisfiable++
			continue
		}
		want := map[string]bool{}
		for _, p := range points {
			for mask := range 1 << len(p) {
				want[string(appendKey(nil, masked(p, mask)))] = true
			}
		}
		for _, p := range (brute{levels: b.levels}).points() {
			for mask := range 1 << len(p) {
				partial := masked(p, mask)
				if got := feasible(t, s, partial); got != want[string(appendKey(nil, partial))] {
					t.Fatalf("seed %d: feasible(%v) is %t, but %d points", seed, partial, got, len(points))
				}
			}
		}
	}
	if unsatisfiable < 20 || unsatisfiable > 300 {
		t.Errorf("%d of 400 spaces are unsatisfiable, want a fair share of both", unsatisfiable)
	}
}

func feasible(t *testing.T, s *Space, partial []int) bool {
	return newSolver(s.levels, s.constraints).feasible(t.Context(), partial)
}

// masked returns the point with the factors in mask left open.
func masked(point []int, mask int) []int {
	partial := slices.Clone(point)
	for f := range partial {
		if mask>>f&1 != 0 {
			partial[f] = unset
		}
	}
	return partial
}

func TestFeasible(t *testing.T) {
	chain := brute{levels: repeated(3, 40)} // each factor at least the one before
	for f := range 39 {
		chain.constraints = append(chain.constraints, Constraint{Factors: []int{f, f + 1}, Allows: func(l []int) bool { return l[0] <= l[1] }})
	}
	ends := func(first, last int) []int {
		row := unsetRow(40)
		row[0], row[39] = first, last
		return row
	}
	wide := brute{levels: repeated(100, 5), constraints: []Constraint{sumAtMost(10, 0, 1, 2, 3, 4)}}
	tests := []struct {
		name    string
		space   brute
		partial []int
		want    bool
	}{
		{"nothing assigned is", chain, unsetRow(40), true},
		{"the ends of a long chain in order are", chain, ends(1, 2), true},
		{"the ends of a long chain out of order are not", chain, ends(2, 1), false},
		{"a constraint with too many combinations to remember is met", wide, []int{2, 8, unset, 0, 0}, true},
		{"a constraint with too many combinations to remember is violated", wide, []int{unset, 9, 2, 0, 0}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := feasible(t, test.space.space(t), test.partial); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
