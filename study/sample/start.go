// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"iter"
	"slices"
)

// maxField bounds the fields that are made: the time is cubic, and arrays of
// more rows have little to gain.
const maxField = 128

// starts yields partial arrays to build on, of fewer than limit rows: for
// each number of levels that occurs, the orthogonal array of the next prime
// power and, at strength 2, its products. The columns go to the factors with
// most levels that fit; other factors, and levels they do not have, stay open.
func (x *tuples) starts(limit int) iter.Seq[[][]int] {
	return func(yield func([][]int) bool) {
		done := 0
		for _, q := range slices.Compact(slices.Sorted(slices.Values(x.levels))) {
			q = nextPrimePower(max(q, x.t, 2))
			if q <= done || q > maxField || !x.fewer(q, limit) {
				continue
			}
			done = q
			f, _ := newField(q)
			for array := f.orthogonal(x.t); len(array) < limit; array = f.multiplied(array) {
				if !yield(x.assign(array, q)) {
					return
				}
				if x.t != 2 || len(array[0]) >= len(x.levels) {
					break
				}
			}
		}
	}
}

func nextPrimePower(q int) int {
	for {
		if _, e := primePower(q); e > 0 {
			return q
		}
		q++
	}
}

// fewer tells whether q^t < limit.
func (x *tuples) fewer(q, limit int) bool {
	n := 1
	for range x.t {
		if n > limit/q {
			return false
		}
		n *= q
	}
	return n < limit
}

// assign gives the columns of an array with q levels to factors.
func (x *tuples) assign(array [][]int, q int) [][]int {
	var fits []int
	for f, n := range x.levels {
		if n <= q {
			fits = append(fits, f)
		}
	}
	slices.SortStableFunc(fits, func(a, b int) int { return x.levels[b] - x.levels[a] })
	fits = fits[:min(len(fits), len(array[0]))]
	rows := make([][]int, len(array))
	for i, from := range array {
		rows[i] = unsetRow(len(x.levels))
		for c, f := range fits {
			if l := from[c]; l < x.levels[f] {
				rows[i][f] = l
			}
		}
	}
	return rows
}

// legal opens, in the start rows, the levels with which they would not be
// feasible.
func (b *builder) legal(ctx context.Context, rows [][]int) [][]int {
	for i, row := range rows {
		rows[i] = unsetRow(len(row))
		for f, l := range row {
			rows[i][f] = l
			if l >= 0 && !b.solver.feasibleAt(ctx, rows[i], f) {
				rows[i][f] = unset
			}
		}
	}
	return rows
}
