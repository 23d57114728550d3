// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// TupleCoverage tells how many of the feasible combinations of levels of any t
// factors some rows have.
type TupleCoverage struct {
	Covered, Total int

	tuples    *tuples
	uncovered bitset
}

// A Tuple is one combination of levels: Levels[i] is that of Factors[i], and
// Factors ascend.
type Tuple struct {
	Factors, Levels []int
}

// Coverage counts, exactly, the feasible t-tuples of s that rows cover. A t
// larger than the number of factors means all of them. The error is ctx.Err()
// once ctx is done, one that wraps [ErrTooLarge], or one about a t below 1 or
// a row that is not a feasible point of s.
func Coverage(ctx context.Context, s *Space, t int, rows [][]int) (*TupleCoverage, error) {
	x, err := strength(s, t)
	if err != nil {
		return nil, err
	}
	solver := newSolver(s.levels, s.constraints)
	for i, row := range rows {
		if err := s.check(solver, row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	uncovered, total, err := x.feasible(ctx, solver)
	if err != nil {
		return nil, err
	}
	cover := &TupleCoverage{Total: total, tuples: x, uncovered: uncovered}
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for c := range x.count() {
			if tuple := x.at(c, row); uncovered.has(tuple) {
				uncovered.remove(tuple)
				cover.Covered++
			}
		}
	}
	return cover, nil
}

// check returns an error unless row is a feasible point.
func (s *Space) check(solver *solver, row []int) error {
	if len(row) != len(s.levels) {
		return fmt.Errorf("has %d levels for %d factors", len(row), len(s.levels))
	}
	for f, l := range row {
		if l < 0 || l >= s.levels[f] {
			return fmt.Errorf("has level %d of factor %d, which has %d", l, f, s.levels[f])
		}
	}
	for _, p := range solver.preds {
		if !p.holds(row) {
			return fmt.Errorf("violates constraint %q", p.Name)
		}
	}
	return nil
}

// Uncovered yields the feasible tuples that no row has, in lexicographic order
// of their factors and then of their levels.
func (c *TupleCoverage) Uncovered() iter.Seq[Tuple] {
	return func(yield func(Tuple) bool) {
		row := make([]int, len(c.tuples.levels))
		for combo := range c.tuples.count() {
			for tuple := int(c.tuples.base[combo]); tuple < int(c.tuples.base[combo+1]); tuple++ {
				if !c.uncovered.has(tuple) {
					continue
				}
				c.tuples.put(tuple, combo, row)
				var t Tuple
				for _, f := range c.tuples.factors(combo) {
					t.Factors = append(t.Factors, int(f))
					t.Levels = append(t.Levels, row[f])
				}
				if !yield(t) {
					return
				}
			}
		}
	}
}

// ordered returns rows in the order in which each adds as many tuples to those
// before it as any of the rest would, the earlier in case of a tie. Since what
// a row adds can only shrink, a number that was true once is a bound, and few
// need to be found anew at each step (Minoux, "Accelerated greedy algorithms
// for maximizing submodular set functions", 1978).
func (x *tuples) ordered(ctx context.Context, feasible bitset, rows [][]int) ([][]int, error) {
	uncovered := slices.Clone(feasible)
	bound := make([]int, len(rows))
	for i := range bound {
		bound[i] = x.total
	}
	exact := make([]int, len(rows)) // how many were chosen when bound was true
	out := make([][]int, 0, len(rows))
	for len(out) < len(rows) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i := 0
		for j, n := range bound {
			if n > bound[i] {
				i = j
			}
		}
		if exact[i] <= len(out) {
			exact[i] = len(out) + 1
			bound[i] = 0
			for c := range x.count() {
				if uncovered.has(x.at(c, rows[i])) {
					bound[i]++
				}
			}
			continue
		}
		for c := range x.count() {
			if tuple := x.at(c, rows[i]); uncovered.has(tuple) {
				uncovered.remove(tuple)
			}
		}
		bound[i] = -1
		out = append(out, rows[i])
	}
	return out, nil
}
