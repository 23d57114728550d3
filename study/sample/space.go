// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrUnsatisfiable is wrapped by the error of [NewSpace] when no point meets
// all constraints.
var ErrUnsatisfiable = errors.New("no point meets all constraints")

// A Constraint tells which combinations of levels are allowed.
type Constraint struct {
	// Name names the constraint in errors. Default: its position, as "#0".
	Name string
	// Factors are the indices of the factors that Allows reads, each once.
	Factors []int
	// Allows gets one level index per entry of Factors, in that order. It
	// must be a pure function, and must neither keep nor change the slice.
	Allows func(levels []int) bool
}

// A Space is a product of factors, cut down by constraints. It is immutable
// and safe for concurrent use if its predicates are.
type Space struct {
	levels      []int
	constraints []Constraint
}

// NewSpace returns the space with the given number of levels per factor, each
// at least 1. No factors at all make a space of one point, the empty one. The
// error wraps [ErrUnsatisfiable] when the constraints leave no point, and then
// names a constraint that is never true, or a set of constraints that conflict
// and none of which could be left out. To find a point takes time exponential in
// the number of connected factors at worst; once ctx is done the error is
// ctx.Err().
func NewSpace(ctx context.Context, levels []int, constraints ...Constraint) (*Space, error) {
	for f, n := range levels {
		if n < 1 {
			return nil, fmt.Errorf("factor %d: has %d levels, want at least 1", f, n)
		}
	}
	s := &Space{levels: slices.Clone(levels)}
	for i, c := range constraints {
		if c.Name == "" {
			c.Name = fmt.Sprintf("#%d", i)
		}
		if err := c.validate(len(levels)); err != nil {
			return nil, fmt.Errorf("constraint %q: %w", c.Name, err)
		}
		c.Factors = slices.Clone(c.Factors)
		s.constraints = append(s.constraints, c)
	}
	if newSolver(s.levels, s.constraints).satisfiable(ctx) {
		return s, nil
	}
	why := conflict(ctx, s.levels, s.constraints)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsatisfiable, why)
}

func (c Constraint) validate(factors int) error {
	if c.Allows == nil {
		return errors.New("has no predicate")
	}
	for i, f := range c.Factors {
		if f < 0 || f >= factors {
			return fmt.Errorf("reads factor %d, but there are %d factors", f, factors)
		}
		if slices.Contains(c.Factors[:i], f) {
			return fmt.Errorf("reads factor %d twice", f)
		}
	}
	return nil
}
