// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"errors"
	"math/bits"
	"slices"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study/sample"
)

// Bounds on what one sweep may ask for.
const (
	// maxScan bounds a product that is gone through point by point: a bit of
	// memory and some 50 ns each.
	maxScan = 1 << 26
	// maxCount bounds a product that is gone through only to say how many
	// points each rule removes.
	maxCount = 1 << 20
	// maxRows bounds the points of a sample, which are kept in memory.
	maxRows = 1 << 22
)

// points are the points of a sweep that are sampled.
type points struct {
	// n is how many indices there are; not all need to be points.
	n int
	// feasible marks the indices of a product that are points; nil: all are.
	feasible bitset
	// rows has the levels of a sample, one row after the other; nil: the
	// indices are those of the product.
	rows []int32

	sampled int   // points
	removed []int // by rule, the points it was the first to remove; nil if not counted
}

// A bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset    { return make(bitset, (n+63)/64) }
func (b bitset) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }
func (b bitset) add(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) len() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// point puts the levels of an index into row and says whether it is a point.
func (s *sweep) point(i int, row []int) bool {
	d := &s.drawn
	if d.rows != nil {
		for f := range row {
			row[f] = int(d.rows[i*len(row)+f])
		}
		return true
	}
	if d.feasible != nil && !d.feasible.has(i) {
		return false
	}
	s.levels(i, row)
	return true
}

// levels puts the levels of an index of the product into row; the last factor
// changes fastest.
func (s *sweep) levels(i int, row []int) {
	for f := len(s.factors) - 1; f >= 0; f-- {
		n := s.factors[f].n
		row[f] = i % n
		i /= n
	}
}

// add appends a row to a sample.
func (d *points) add(row []int) {
	for _, l := range row {
		d.rows = append(d.rows, int32(l))
	}
	d.n++
	d.sampled++
}

// size gives the number of points of the product if there are max at most.
func (s *sweep) size(max int64) (int, bool) {
	if !s.points.IsInt64() || s.points.Int64() > max || s.hasInterval() {
		return 0, false
	}
	return int(s.points.Int64()), true
}

func (s *sweep) hasInterval() bool {
	return slices.ContainsFunc(s.factors, func(f factor) bool { return f.interval != nil })
}

// draw finds the points of the sweep. The error is a *spec.FileError without
// positions, or ctx.Err().
func (s *sweep) draw(ctx context.Context) error {
	full := s.spec.Sampler.Kind == spec.SampleFull
	limit := int64(maxCount)
	if full {
		limit = maxScan
	}
	if n, ok := s.size(limit); ok {
		err := s.scan(ctx, n)
		switch {
		case err == nil && s.drawn.sampled == 0:
			return s.wrap(s.empty(ctx))
		case full || ctx.Err() != nil:
			return s.wrap(err)
		case err != nil:
			s.drawn.removed = nil // it may be at a point that is not sampled
		}
		s.drawn = points{removed: s.drawn.removed}
	}
	err := s.sample(ctx)
	if err == nil && s.drawn.sampled == 0 {
		err = s.empty(ctx)
	}
	return s.wrap(err)
}

// sample draws the points of a sample.
func (s *sweep) sample(ctx context.Context) error {
	sampler := s.spec.Sampler
	switch {
	case sampler.Kind == spec.SampleFull:
		return s.enumerate(ctx)
	case sampler.Kind == spec.SampleCovering:
		return s.drawRows(ctx, func(space *sample.Space) ([][]int, error) {
			return sample.Covering(ctx, space, sampler.Strength, s.seed)
		})
	case sampler.Kind == spec.SampleRandom && !s.hasInterval():
		return s.drawRows(ctx, func(space *sample.Space) ([][]int, error) {
			return sample.Random(ctx, space, sampler.Count, s.seed)
		})
	default:
		return s.drawUnits(ctx)
	}
}

// wrap gives an error its place.
func (s *sweep) wrap(err error) error {
	var r *ruleError
	var f *faultError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return fail(r.fault())
	case errors.As(err, &f):
		return fail(spec.Fault(*f))
	case errors.Is(err, sample.ErrTooLarge):
		return fail(spec.Faultf(s.at.Key("sampler"), "%v", err))
	default:
		return err
	}
}

// A faultError is a fault on its way to the file's error.
type faultError spec.Fault

func (f *faultError) Error() string { return f.Message }

func faultf(at spec.Path, format string, args ...any) error {
	f := faultError(spec.Faultf(at, format, args...))
	return &f
}

// fail gives faults as one error, without the positions that only a document
// knows.
func fail(faults ...spec.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &spec.FileError{File: "ensemble", Faults: faults}
}

// scan asks the rules about every point of the product.
func (s *sweep) scan(ctx context.Context, n int) error {
	d := points{n: n, sampled: n, removed: make([]int, len(s.rules))}
	s.drawn = d
	if len(s.rules) == 0 {
		return nil
	}
	d.feasible, d.sampled = newBitset(n), 0
	k := newChecker(s)
	row := make([]int, len(s.factors))
	for i := range n {
		if i&0x3f == 0 && ctx.Err() != nil { // a point can take 20 ms
			return ctx.Err()
		}
		if i > 0 {
			s.next(row)
		}
		switch broken, err := k.broken(row); {
		case broken >= 0:
			d.removed[broken]++
		case err != nil:
			return err
		default:
			d.feasible.add(i)
			d.sampled++
		}
	}
	if d.sampled == n {
		d.feasible = nil
	}
	s.drawn = d
	return nil
}

// next steps to the next point of the product.
func (s *sweep) next(row []int) {
	for f := len(row) - 1; f >= 0; f-- {
		if row[f]++; row[f] < s.factors[f].n {
			return
		}
		row[f] = 0
	}
}

// enumerate collects the points of a product that is too large to go through,
// but of which the rules leave little.
func (s *sweep) enumerate(ctx context.Context) error {
	tooMany := faultf(s.at.Key("sampler"), "the product of the axes has %s points; give a sampler that takes some of them, or fewer values", s.points)
	if len(s.rules) == 0 {
		return tooMany
	}
	r, err := s.reduce(ctx, -1, s.rules...)
	if errors.Is(err, sample.ErrUnsatisfiable) {
		return nil
	}
	if err != nil {
		return err
	}
	k := newChecker(s)
	row := make([]int, len(s.factors))
	for levels := range sample.Full(ctx, r.space) {
		if s.drawn.n == maxRows {
			return tooMany
		}
		r.expand(levels, row)
		if _, err := k.broken(row); err != nil {
			return err
		}
		s.drawn.add(row)
	}
	return ctx.Err()
}

// eachEnvironment calls f with the level of the environment factor where every
// environment gets a sample of its own, and else once with -1.
func (s *sweep) eachEnvironment(f func(pin int) error) error {
	if !s.allEnvs {
		return f(-1)
	}
	for pin := range s.envOf {
		if err := f(pin); err != nil {
			return err
		}
	}
	return nil
}

// drawRows has the sample package choose rows of a space.
func (s *sweep) drawRows(ctx context.Context, choose func(*sample.Space) ([][]int, error)) error {
	k := newChecker(s)
	row := make([]int, len(s.factors))
	var chosen [][]int
	return s.eachEnvironment(func(pin int) error {
		r, err := s.reduce(ctx, pin, s.rules...)
		if errors.Is(err, sample.ErrUnsatisfiable) {
			return nil // this environment has room for nothing
		}
		if err != nil {
			return err
		}
		if chosen == nil || r.pinned {
			if chosen, err = choose(r.space); err != nil {
				return err
			}
		}
		for _, levels := range chosen {
			r.expand(levels, row)
			if _, err := k.broken(row); err != nil {
				return err
			}
			if s.drawn.n == maxRows {
				return faultf(s.at.Key("sampler"), "the sample has more than %d points", maxRows)
			}
			s.drawn.add(row)
		}
		return nil
	})
}
