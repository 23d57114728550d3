// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/study/sample"
)

// A reduced is the space of a sweep's factors that have a choice: more than one
// level, and no interval. Rules that read an interval are left out.
type reduced struct {
	space   *sample.Space
	factors []int // of the sweep, by factor of the space
	fixed   []int // levels of the others
	pinned  bool  // a rule reads the environment that is fixed
}

// reduce makes the space; pin is the level at which the environment is fixed,
// or -1.
func (s *sweep) reduce(ctx context.Context, pin int, rules ...*rule) (*reduced, error) {
	r := &reduced{fixed: make([]int, len(s.factors))}
	environment := -1
	if pin >= 0 {
		environment = s.places[slotEnvironment].factor
		r.fixed[environment] = pin
	}
	position := make([]int, len(s.factors))
	var levels []int
	for f, x := range s.factors {
		if position[f] = -1; x.n > 1 && x.interval == nil && f != environment {
			position[f] = len(levels)
			levels = append(levels, x.n)
			r.factors = append(r.factors, f)
		}
	}
	var constraints []sample.Constraint
	for _, rule := range rules {
		if slices.ContainsFunc(rule.factors, func(f int) bool { return s.factors[f].interval != nil }) {
			continue
		}
		r.pinned = r.pinned || slices.Contains(rule.factors, environment)
		v := &view{sweep: s, row: slices.Clone(r.fixed)}
		var read, at []int
		for _, f := range rule.factors {
			if position[f] >= 0 {
				read, at = append(read, position[f]), append(at, f)
			}
		}
		constraints = append(constraints, sample.Constraint{Name: rule.name, Factors: read, Allows: func(levels []int) bool {
			for i, l := range levels {
				v.row[at[i]] = l
			}
			s.resolve(v.row, &v.config)
			ok, err := rule.holds(v)
			return ok || err != nil // an error counts where the point is taken
		}})
	}
	var err error
	if r.space, err = sample.NewSpace(ctx, levels, constraints...); err != nil {
		return nil, fmt.Errorf("finding points that can run: %w", err)
	}
	return r, nil
}

// expand gives a row of the space the levels that it leaves out.
func (r *reduced) expand(levels, row []int) {
	copy(row, r.fixed)
	for i, f := range r.factors {
		row[f] = levels[i]
	}
}

// contract is the inverse of expand.
func (r *reduced) contract(row []int) []int {
	levels := make([]int, len(r.factors))
	for i, f := range r.factors {
		levels[i] = row[f]
	}
	return levels
}
