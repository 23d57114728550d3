// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"slices"
)

// Random returns n distinct points that meet the constraints, uniformly
// without replacement and in random order. Fewer than n rows mean that there
// are no more: they are all feasible points.
//
// It draws points, each uniform among the feasible ones, until n distinct ones
// are seen; when draws bring nothing new for long, so that the space must be
// nearly exhausted, it chooses the rest by going through all points. Memory is
// proportional to the rows, and not to the space.
//
// The error is ctx.Err() once ctx is done. Without it Random still ends, but
// may take long if constraints connect many factors and leave a tiny share of
// their combinations.
func Random(ctx context.Context, s *Space, n int, seed uint64) ([][]int, error) {
	if n < 1 {
		return nil, ctx.Err()
	}
	r := newRNG(seed, streamRandom)
	d := newDrawer(ctx, s, r)
	seen := map[string]bool{}
	var rows [][]int
	var key []byte
	for idle := 0; idle <= 2*len(rows)+1000; idle++ {
		if len(rows) == n {
			return rows, nil
		}
		row, err := d.draw(ctx)
		if err != nil {
			return nil, err
		}
		if key = appendKey(key[:0], row); !seen[string(key)] {
			seen[string(key)] = true
			rows = append(rows, row)
			idle = 0
		}
	}
	rest, err := s.unseen(ctx, n-len(rows), seen, r)
	if err != nil {
		return nil, err
	}
	return append(rows, rest...), nil
}

// unseen returns n feasible points, or all there are, uniformly chosen among
// those whose keys are not in seen, by going through all points (reservoir
// sampling; Vitter, "Random sampling with a reservoir", ACM TOMS 11, 1985,
// algorithm R).
func (s *Space) unseen(ctx context.Context, n int, seen map[string]bool, r *rng) ([][]int, error) {
	var rows [][]int
	var key []byte
	count := 0
	for row := range Full(ctx, s) {
		if key = appendKey(key[:0], row); seen[string(key)] {
			continue
		}
		count++
		if len(rows) < n {
			rows = append(rows, slices.Clone(row))
		} else if i := r.intN(count); i < n {
			copy(rows[i], row)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	shuffle(r, rows)
	return rows, nil
}

// A drawer draws feasible points uniformly, each group of connected factors by
// itself: by counting where that is cheap, and else by rejection.
type drawer struct {
	solver   *solver
	rng      *rng
	counters []*counter // by group; nil where rejection is used
}

func newDrawer(ctx context.Context, s *Space, r *rng) *drawer {
	d := &drawer{solver: newSolver(s.levels, s.constraints), rng: r}
	for g := range d.solver.groups {
		d.counters = append(d.counters, newCounter(ctx, d.solver, g))
	}
	return d
}

func (d *drawer) draw(ctx context.Context) ([]int, error) {
	row := make([]int, len(d.solver.levels))
	for f, g := range d.solver.group {
		if g < 0 {
			row[f] = d.rng.intN(d.solver.levels[f])
		}
	}
	for g, c := range d.counters {
		if c != nil {
			c.draw(ctx, d.rng, row)
			continue
		}
		for tries := 0; !d.try(g, row); tries++ {
			if tries&0xfff == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	return row, ctx.Err()
}

// try gives random levels to the factors of group g, and reports whether they
// meet its constraints.
func (d *drawer) try(g int, row []int) bool {
	for _, f := range d.solver.groups[g] {
		row[f] = d.rng.intN(d.solver.levels[f])
	}
	for _, f := range d.solver.groups[g] {
		if !d.solver.allowsAt(row, f) {
			return false
		}
	}
	return true
}
