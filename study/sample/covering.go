// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"slices"
)

// candidates is how many rows the greedy construction chooses each from. More
// hardly shorten the result once it has been reduced.
const candidates = 3

// Bounds on the records a reduction may look at, some 5 ns each. Most of what
// can be gained is gained by then, and small spaces take no time.
const (
	smallWorkPerTuple = 20_000
	largeWork         = 20_000_000
	largeWorkPerTuple = 100
)

// Covering returns rows in which every feasible combination of levels of any t
// factors occurs: a mixed-level covering array of strength t. All rows meet the
// constraints. Each row adds as many combinations to those before it as any
// later one would, so that cutting the array short loses little.
// A t larger than the number of factors means all of them, which makes the
// array the feasible product.
//
// The array is small, though not always smallest. A greedy array competes
// with ones that start from orthogonal arrays where these exist; the shortest is
// then reduced by a search of bounded effort, which ends at a lower bound.
// Memory is a bit per tuple and, for up to 2^22 tuples, 6 bytes each while
// reducing.
//
// The error is ctx.Err() once ctx is done, one that wraps [ErrTooLarge], or one
// about a t below 1.
func Covering(ctx context.Context, s *Space, t int, seed uint64) ([][]int, error) {
	x, err := strength(s, t)
	if err != nil {
		return nil, err
	}
	if t >= len(s.levels) {
		return s.product(ctx)
	}
	solver := newSolver(s.levels, s.constraints)
	feasible, total, err := x.feasible(ctx, solver)
	if err != nil {
		return nil, err
	}
	r := newRNG(seed, streamCovering)
	rows, err := newBuilder(x, solver, r, feasible, total).greedy(ctx, nil, total+1)
	if err != nil {
		return nil, err
	}
	for start := range x.starts(len(rows)) {
		b := newBuilder(x, solver, r, feasible, total)
		other, err := b.greedy(ctx, b.legal(ctx, start), len(rows))
		if err != nil {
			return nil, err
		}
		if other != nil {
			rows = other
		}
	}
	d := newReducer(x, solver, r, feasible, rows)
	rows, err = d.reduce(ctx, min(int64(total)*smallWorkPerTuple, largeWork+int64(total)*largeWorkPerTuple))
	if err != nil {
		return nil, err
	}
	return x.ordered(ctx, feasible, rows)
}

// product returns all feasible points.
func (s *Space) product(ctx context.Context) ([][]int, error) {
	var rows [][]int
	for row := range Full(ctx, s) {
		rows = append(rows, slices.Clone(row))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return rows, nil
}
