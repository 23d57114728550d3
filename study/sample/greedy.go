// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"slices"
)

// A builder makes rows one at a time, each chosen to cover as many uncovered
// tuples as it can.
type builder struct {
	*tuples
	solver *solver
	rng    *rng

	uncovered bitset
	todo      int // members of uncovered

	gain  []int // by level of the factor being decided
	order []int // scratch
}

func newBuilder(x *tuples, s *solver, r *rng, feasible bitset, todo int) *builder {
	return &builder{
		tuples: x, solver: s, rng: r,
		uncovered: slices.Clone(feasible), todo: todo,
		gain:  make([]int, slices.Max(append([]int{1}, x.levels...))),
		order: make([]int, 0, len(x.levels)),
	}
}

// greedy completes the start rows, which may be partial, and adds rows until
// no tuple is uncovered. Each new row is the best of a number of candidates
// (Cohen, Dalal, Fredman and Patton, "The AETG system", IEEE TSE 23, 1997). It
// gives up, returning nil, as soon as it would need limit rows.
func (b *builder) greedy(ctx context.Context, start [][]int, limit int) ([][]int, error) {
	rows := b.complete(ctx, start)
	row, best := unsetRow(len(b.levels)), unsetRow(len(b.levels))
	for b.todo > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(rows)+1 >= limit {
			return nil, nil
		}
		most := 0
		for range candidates {
			if n := b.candidate(ctx, row); n > most {
				most = n
				row, best = best, row
			}
		}
		b.cover(best)
		rows = append(rows, slices.Clone(best))
	}
	return rows, ctx.Err()
}

// complete gives a level to every open factor of the start rows, so that they
// cover what the levels already fixed in others do not.
func (b *builder) complete(ctx context.Context, start [][]int) [][]int {
	rows := make([][]int, 0, len(start))
	for _, partial := range start {
		row := slices.Clone(partial)
		b.cover(row)
		rows = append(rows, row)
	}
	for _, row := range rows {
		b.extend(ctx, row)
		b.cover(row)
	}
	return rows
}

// unsetRow returns a row of n open factors.
func unsetRow(n int) []int {
	row := make([]int, n)
	for f := range row {
		row[f] = unset
	}
	return row
}

// candidate fills row with the levels of a random uncovered tuple, then, in
// random order, gives each other factor the level that covers most, and at
// last changes single levels as long as that covers more. It returns how many
// uncovered tuples the row covers, which is at least 1.
func (b *builder) candidate(ctx context.Context, row []int) int {
	for f := range row {
		row[f] = unset
	}
	tuple := b.uncovered.from(b.rng.intN(b.total))
	b.put(tuple, b.comboOf(tuple), row)
	return 1 + b.extend(ctx, row) + b.climb(row)
}

// extend gives levels to the open factors of row, which must be feasible. It
// returns how many uncovered tuples that covers. Once ctx is done it gives any.
func (b *builder) extend(ctx context.Context, row []int) int {
	b.order = b.order[:0]
	for f, l := range row {
		if l < 0 {
			b.order = append(b.order, f)
		}
	}
	shuffle(b.rng, b.order)
	n := 0
	for _, f := range b.order {
		gain := b.gains(row, f)
		for {
			l := b.best(gain)
			row[f] = l
			if b.solver.feasibleAt(ctx, row, f) || ctx.Err() != nil {
				n += gain[l]
				break
			}
			gain[l] = -1
		}
	}
	return n
}

// climb changes the level of one factor after the other, in random order, as
// long as some change covers more tuples. It returns how many more.
func (b *builder) climb(row []int) int {
	b.order = b.order[:0]
	for f := range row {
		b.order = append(b.order, f)
	}
	total := 0
	for still := 0; still < len(row); {
		shuffle(b.rng, b.order)
		for _, f := range b.order {
			still++
			gain := b.gains(row, f)
			was := row[f]
			for {
				l := b.best(gain)
				if gain[l] <= gain[was] {
					row[f] = was
					break
				}
				row[f] = l
				if b.solver.allowsAt(row, f) {
					total += gain[l] - gain[was]
					still = 0
					break
				}
				gain[l] = -1
			}
		}
	}
	return total
}

// best returns the level with the highest gain, any of them in case of a tie.
func (b *builder) best(gain []int) int {
	at, ties := 0, 1
	for l := 1; l < len(gain); l++ {
		switch {
		case gain[l] > gain[at]:
			at, ties = l, 1
		case gain[l] == gain[at]:
			if ties++; b.rng.intN(ties) == 0 {
				at = l
			}
		}
	}
	return at
}

// gains returns, for each level of f, how many uncovered tuples it would cover
// together with the levels of the other factors that row has.
func (b *builder) gains(row []int, f int) []int {
	gain := b.gain[:b.levels[f]]
	clear(gain)
	of, width := b.of[f], 2*b.t
next:
	for ; len(of) > 0; of = of[width:] {
		at := int(of[0])
		for i := 2; i < width; i += 2 {
			l := row[of[i]]
			if l < 0 {
				continue next
			}
			at += l * int(of[i+1])
		}
		stride := int(of[1])
		for l := range gain {
			gain[l] += int(b.uncovered[at>>6] >> (at & 63) & 1)
			at += stride
		}
	}
	return gain
}

// cover removes the tuples that row, which may be partial, has.
func (b *builder) cover(row []int) {
next:
	for c := range b.count() {
		for _, f := range b.factors(c) {
			if row[f] < 0 {
				continue next
			}
		}
		if tuple := b.at(c, row); b.uncovered.has(tuple) {
			b.uncovered.remove(tuple)
			b.todo--
		}
	}
}
