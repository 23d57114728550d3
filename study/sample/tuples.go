// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// ErrTooLarge is wrapped by errors about a strength at which there are more
// combinations of factors or of levels than this package keeps count of.
var ErrTooLarge = errors.New("too many combinations")

// Bounds of the bookkeeping: 32 MiB of bits, and some 100 MiB of combinations.
const (
	maxTuples = 1 << 28
	maxFields = 1 << 25
)

// tuples numbers the t-tuples of levels: combinations of t factors in
// lexicographic order and, within a combination, the levels in mixed radix,
// last factor fastest.
type tuples struct {
	levels []int
	t      int
	total  int
	combos []int32 // t factors each, ascending
	base   []int32 // number of the first tuple of each combination, and total
	// of holds, for each factor f, one record per combination with f: the
	// first tuple's number, the place value of f, and then factor and place
	// value of each other factor; 2t numbers.
	of [][]int32
}

// strength numbers the t-tuples of a space, or those of all factors if there
// are fewer than t.
func strength(s *Space, t int) (*tuples, error) {
	if t < 1 {
		return nil, fmt.Errorf("strength %d: want at least 1", t)
	}
	return newTuples(s.levels, min(t, len(s.levels)))
}

// newTuples numbers the t-tuples of factors with the given levels, for t of
// at most their number.
func newTuples(levels []int, t int) (*tuples, error) {
	if most := maxFields / (2*t*t + 1); combinations(len(levels), t, most) > most {
		return nil, fmt.Errorf("%w of %d among %d factors", ErrTooLarge, t, len(levels))
	}
	x := &tuples{levels: levels, t: t, of: make([][]int32, len(levels))}
	combo := make([]int, t)
	for i := range combo {
		combo[i] = i
	}
	for more := true; more; more = nextCombo(combo, len(levels)) {
		n := 1
		for _, f := range combo {
			if levels[f] > maxTuples/n {
				return nil, fmt.Errorf("%w of levels of factors %v: more than %d", ErrTooLarge, combo, maxTuples)
			}
			n *= levels[f]
		}
		if n > maxTuples-x.total {
			return nil, fmt.Errorf("%w of %d levels: more than %d", ErrTooLarge, t, maxTuples)
		}
		x.base = append(x.base, int32(x.total))
		x.add(combo)
		x.total += n
	}
	x.base = append(x.base, int32(x.total))
	return x, nil
}

// combinations returns the number of ways to choose t of n, or some number
// above limit.
func combinations(n, t, limit int) int {
	c := 1
	for i := range min(t, n-t) {
		if c > limit {
			break
		}
		c = c * (n - i) / (i + 1)
	}
	return c
}

// nextCombo steps to the next ascending choice of factors below n, and
// reports whether there is one.
func nextCombo(combo []int, n int) bool {
	for i := len(combo) - 1; i >= 0; i-- {
		if combo[i] < n-len(combo)+i {
			combo[i]++
			for j := i + 1; j < len(combo); j++ {
				combo[j] = combo[j-1] + 1
			}
			return true
		}
	}
	return false
}

// add appends the records of a combination whose first tuple is x.total.
func (x *tuples) add(combo []int) {
	stride := make([]int32, len(combo))
	place := 1
	for i := len(combo) - 1; i >= 0; i-- {
		stride[i] = int32(place)
		place *= x.levels[combo[i]]
	}
	for i, f := range combo {
		x.combos = append(x.combos, int32(f))
		x.of[f] = append(x.of[f], int32(x.total), stride[i])
		for j, other := range combo {
			if j != i {
				x.of[f] = append(x.of[f], int32(other), stride[j])
			}
		}
	}
}

// count returns the number of combinations of t factors.
func (x *tuples) count() int { return len(x.base) - 1 }

// factors returns the factors of combination c.
func (x *tuples) factors(c int) []int32 { return x.combos[c*x.t : (c+1)*x.t] }

// comboOf returns the combination to which a tuple belongs.
func (x *tuples) comboOf(tuple int) int {
	return sort.Search(len(x.base), func(c int) bool { return int(x.base[c]) > tuple }) - 1
}

// put writes the levels of a tuple of combination c into row.
func (x *tuples) put(tuple, c int, row []int) {
	rest := tuple - int(x.base[c])
	for _, f := range slices.Backward(x.factors(c)) {
		row[f] = rest % x.levels[f]
		rest /= x.levels[f]
	}
}

// at returns the tuple of combination c that row, complete on its factors, has.
func (x *tuples) at(c int, row []int) int {
	n := 0
	for _, f := range x.factors(c) {
		n = n*x.levels[f] + row[f]
	}
	return int(x.base[c]) + n
}

// feasible returns the set of feasible tuples, and how many there are.
func (x *tuples) feasible(ctx context.Context, s *solver) (bitset, int, error) {
	set := newBitset(x.total)
	set.fill(x.total)
	n := x.total
	row := unsetRow(len(x.levels))
	for c := range x.count() {
		free := true
		for _, f := range x.factors(c) {
			free = free && s.group[f] < 0
		}
		if free {
			continue
		}
		for tuple := x.base[c]; tuple < x.base[c+1]; tuple++ {
			if tuple&0xfff == 0 && ctx.Err() != nil {
				return nil, 0, ctx.Err()
			}
			x.put(int(tuple), c, row)
			if !s.feasible(ctx, row) {
				set.remove(int(tuple))
				n--
			}
		}
		for _, f := range x.factors(c) {
			row[f] = unset
		}
	}
	return set, n, ctx.Err()
}
