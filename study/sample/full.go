// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"iter"
)

// Full yields all points that meet the constraints, in lexicographic order:
// the last factor changes fastest. It needs memory for one row only, which it
// yields again and again: clone a row to keep it. Prefixes that a constraint
// forbids are skipped as a whole. Once ctx is done it ends.
func Full(ctx context.Context, s *Space) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		last := len(s.levels) - 1
		row := make([]int, len(s.levels))
		if last < 0 {
			yield(row)
			return
		}
		checks := s.checks()
		row[0] = -1
		for d, steps := 0, 0; d >= 0; {
			if steps++; steps&0xffff == 0 && ctx.Err() != nil {
				return
			}
			row[d]++
			switch {
			case row[d] == s.levels[d]:
				d--
			case !allHold(checks[d], row):
			case d < last:
				d++
				row[d] = -1
			case !yield(row):
				return
			}
		}
	}
}

// checks returns, for each factor, the constraints that read it and no later
// one.
func (s *Space) checks() [][]*predicate {
	checks := make([][]*predicate, len(s.levels))
	for _, c := range s.constraints {
		last := -1
		for _, f := range c.Factors {
			last = max(last, f)
		}
		if last >= 0 { // one that reads nothing holds, or there was no space
			checks[last] = append(checks[last], newPredicate(c, s.levels))
		}
	}
	return checks
}

func allHold(preds []*predicate, row []int) bool {
	for _, p := range preds {
		if !p.holds(row) {
			return false
		}
	}
	return true
}
