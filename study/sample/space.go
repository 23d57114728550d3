// SPDX-License-Identifier: MIT

package sample

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
)

// ErrUnsatisfiable is wrapped by the error of [NewSpace] when no point meets
// all constraints.
var ErrUnsatisfiable = errors.New("no point meets all constraints")

// Unset marks, in a partial assignment, a factor without a level.
const Unset = -1

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

	mu     sync.Mutex // guards solver
	solver *solver    // answers Feasible
}

// NewSpace returns the space with the given number of levels per factor, each
// at least 1. No factors at all make a space of one point, the empty one. The
// error wraps [ErrUnsatisfiable] when the constraints leave no point, and then
// names a constraint that is never true, or a set of constraints that conflict
// and none of which could be left out. To find a point takes time exponential in
// the number of connected factors at worst.
func NewSpace(levels []int, constraints ...Constraint) (*Space, error) {
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
	s.solver = newSolver(s.levels, s.constraints)
	if !s.solver.satisfiable() {
		return nil, fmt.Errorf("%w: %s", ErrUnsatisfiable, conflict(s.levels, s.constraints))
	}
	return s, nil
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

// Levels returns the number of levels of each factor.
func (s *Space) Levels() []int { return slices.Clone(s.levels) }

// Size returns the number of points without regard to constraints, exactly,
// however large.
func (s *Space) Size() *big.Int {
	size := big.NewInt(1)
	for _, n := range s.levels {
		size.Mul(size, big.NewInt(int64(n)))
	}
	return size
}

// Feasible tells whether some point that meets all constraints has the levels
// given, with [Unset] for the factors that are open. It is exact, and remembers
// its answers. It panics unless there is one entry per factor, and is false for
// a level out of range.
func (s *Space) Feasible(partial []int) bool {
	if len(partial) != len(s.levels) {
		panic(fmt.Sprintf("sample: %d levels for %d factors", len(partial), len(s.levels)))
	}
	for f, l := range partial {
		if l < Unset || l >= s.levels[f] {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.solver.feasible(partial)
}
