// SPDX-License-Identifier: MIT

package sample

import (
	"fmt"
	"slices"
	"testing"
)

// This file has the slow and obvious versions of what the package does, which
// share no code with it, and spaces to try both on.

// brute is a space as its definition has it.
type brute struct {
	levels      []int
	constraints []Constraint
}

// points returns all feasible points, in lexicographic order.
func (b brute) points() [][]int {
	points := [][]int{{}}
	for _, n := range b.levels {
		var longer [][]int
		for _, p := range points {
			for l := range n {
				longer = append(longer, append(slices.Clone(p), l))
			}
		}
		points = longer
	}
	return slices.DeleteFunc(points, func(p []int) bool { return !b.allows(p) })
}

func (b brute) allows(point []int) bool {
	for _, c := range b.constraints {
		var args []int
		for _, f := range c.Factors {
			args = append(args, point[f])
		}
		if !c.Allows(args) {
			return false
		}
	}
	return true
}

// tuples returns the t-tuples that occur in points, as text.
func (b brute) tuples(points [][]int, t int) map[string]bool {
	set := map[string]bool{}
	for _, factors := range subsets(len(b.levels), min(t, len(b.levels))) {
		for _, p := range points {
			text := ""
			for _, f := range factors {
				text += fmt.Sprintf("%d=%d ", f, p[f])
			}
			set[text] = true
		}
	}
	return set
}

// subsets returns the subsets of the numbers below n that have t members.
func subsets(n, t int) [][]int {
	if t == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for last := t - 1; last < n; last++ {
		for _, s := range subsets(last, t-1) {
			all = append(all, append(slices.Clone(s), last))
		}
	}
	return all
}

// checkCovering reports rows that are infeasible and tuples that no row has.
func (b brute) checkCovering(t *testing.T, rows [][]int, strength int) {
	t.Helper()
	for _, row := range rows {
		if len(row) != len(b.levels) || !b.allows(row) {
			t.Fatalf("strength %d: row %v is not feasible", strength, row)
		}
	}
	have := b.tuples(rows, strength)
	for tuple := range b.tuples(b.points(), strength) {
		if !have[tuple] {
			t.Fatalf("strength %d: %d rows do not cover %s", strength, len(rows), tuple)
		}
	}
}

func (b brute) space(t testing.TB) *Space {
	t.Helper()
	s, err := NewSpace(t.Context(), b.levels, b.constraints...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// randomBrute returns a space of up to 6 factors with up to 4 levels and up to
// 5 constraints on up to 3 of them, each of which forbids a part of the
// combinations chosen by the seed. It may be unsatisfiable.
func randomBrute(seed uint64) brute {
	r := newRNG(seed, 1<<32)
	var b brute
	for range 1 + r.intN(6) {
		b.levels = append(b.levels, 1+r.intN(4))
	}
	order := make([]int, len(b.levels))
	for f := range order {
		order[f] = f
	}
	for range r.intN(6) {
		shuffle(r, order)
		factors := slices.Clone(order[:1+r.intN(min(3, len(order)))])
		salt, percent := r.pcg.Uint64(), uint64(10+r.intN(60))
		b.constraints = append(b.constraints, Constraint{Factors: factors, Allows: func(levels []int) bool {
			h := newRNG(salt, 0)
			for _, l := range levels {
				h = newRNG(h.pcg.Uint64(), uint64(l))
			}
			return h.uint64n(100) >= percent
		}})
	}
	return b
}

// repeated returns levels given as pairs of a number of levels and how many
// factors have it.
func repeated(pairs ...int) []int {
	var levels []int
	for i := 0; i < len(pairs); i += 2 {
		levels = append(levels, slices.Repeat([]int{pairs[i]}, pairs[i+1])...)
	}
	return levels
}

// when returns the constraint that factor f having level l requires factor g
// to have level m.
func when(f, l, g, m int) Constraint {
	return Constraint{
		Name:    fmt.Sprintf("%d=%d => %d=%d", f, l, g, m),
		Factors: []int{f, g},
		Allows:  func(levels []int) bool { return levels[0] != l || levels[1] == m },
	}
}

// sumAtMost returns the constraint that the levels of the factors add up to at
// most n.
func sumAtMost(n int, factors ...int) Constraint {
	return Constraint{
		Name:    fmt.Sprintf("sum of %v <= %d", factors, n),
		Factors: factors,
		Allows: func(levels []int) bool {
			sum := 0
			for _, l := range levels {
				sum += l
			}
			return sum <= n
		},
	}
}
