// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study/sample"
)

// satisfiable checks, without drawing a sample, that some point can run. It
// gives up as soon as it has found one.
func (s *sweep) satisfiable(ctx context.Context) error {
	n, ok := s.size(maxCount)
	if !ok {
		_, err := s.reduce(ctx, -1, s.rules...)
		if errors.Is(err, sample.ErrUnsatisfiable) {
			err = s.empty(ctx)
		}
		return s.wrap(err)
	}
	k := newChecker(s)
	row := make([]int, len(s.factors))
	removed := make([]int, len(s.rules))
	var failure error
	for i := range n {
		if i&0x3f == 0 && ctx.Err() != nil { // a point can take 20 ms
			return ctx.Err()
		}
		s.levels(i, row)
		switch broken, err := k.broken(row); {
		case broken >= 0:
			removed[broken]++
		case err == nil:
			return nil
		case failure == nil:
			failure = err
		}
	}
	if failure == nil {
		s.drawn.removed = removed
		failure = s.empty(ctx)
	}
	return s.wrap(failure)
}

// empty explains why no point is left: by the rules that hold nowhere, or else
// by what each rule removed, or by a smallest set of rules that conflict.
func (s *sweep) empty(ctx context.Context) error {
	var never []spec.Fault
	for _, r := range s.rules {
		if slices.ContainsFunc(r.factors, func(f int) bool { return s.factors[f].interval != nil }) {
			continue
		}
		if _, err := s.reduce(ctx, -1, r); errors.Is(err, sample.ErrUnsatisfiable) {
			never = append(never, spec.Faultf(r.at, "no trial is left: %q is true for none of the %s points of sweep %q",
				short(r.name), s.points, s.name))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(never) > 0 {
		return fail(never...)
	}
	if s.drawn.removed != nil {
		var parts []string
		for i, n := range s.drawn.removed {
			if n > 0 {
				parts = append(parts, fmt.Sprintf("%q removes %d", short(s.rules[i].name), n))
			}
		}
		return faultf(s.at, "no trial is left of the %s points of sweep %q: %s of the rest", s.points, s.name, strings.Join(parts, ", then "))
	}
	if _, err := s.reduce(ctx, -1, s.rules...); err != nil {
		return faultf(s.at, "no trial is left of sweep %q: %v", s.name, err)
	}
	return faultf(s.at, "no trial is left: the sampler %s found no point of sweep %q that meets all constraints", s.spec.Sampler.Kind, s.name)
}

// short cuts a constraint for a message.
func short(text string) string {
	if r := []rune(text); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return text
}
