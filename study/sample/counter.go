// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"math/big"
	"slices"
)

// maxCounts bounds the numbers a counter may keep.
const maxCounts = 1 << 18

// A counter counts the ways to complete an assignment of the first factors of
// a group. They depend only on the levels of those factors that a constraint
// shares with a later one, which keeps the count short where few constraints
// overlap, however large the group (variable elimination; Dechter, "Bucket
// elimination: a unifying framework for reasoning", Artificial Intelligence
// 113, 1999).
type counter struct {
	levels []int
	order  []int          // factors of the group
	checks [][]*predicate // by position: those that read it and none later
	live   [][]int        // by position: earlier factors that still matter
	counts []map[string]*big.Int
	kept   int
	key    []byte
}

// newCounter returns a counter for group g of s, or nil if it would have to
// keep too many numbers or ctx is done.
func newCounter(ctx context.Context, s *solver, g int) *counter {
	order := s.groups[g]
	c := &counter{
		levels: s.levels,
		order:  order,
		checks: make([][]*predicate, len(order)),
		live:   make([][]int, len(order)),
		counts: make([]map[string]*big.Int, len(order)),
	}
	ends := make([]int, len(order)) // the last position a constraint ties each to
	for i := range order {
		ends[i] = i
		c.counts[i] = map[string]*big.Int{}
	}
	for _, p := range s.preds {
		if len(p.Factors) == 0 || s.group[p.Factors[0]] != g {
			continue
		}
		last := slices.Index(order, slices.Max(p.Factors))
		c.checks[last] = append(c.checks[last], p)
		for _, f := range p.Factors {
			i := slices.Index(order, f)
			ends[i] = max(ends[i], last)
		}
	}
	for i := range order {
		for j := range i {
			if ends[j] >= i {
				c.live[i] = append(c.live[i], order[j])
			}
		}
	}
	if c.count(ctx, 0, make([]int, len(s.levels))) == nil {
		return nil
	}
	return c
}

// count returns the number of ways to assign the factors from position i on,
// or nil if that takes too many numbers or ctx is done. It changes row there.
func (c *counter) count(ctx context.Context, i int, row []int) *big.Int {
	if i == len(c.order) {
		return big.NewInt(1)
	}
	c.key = c.key[:0]
	for _, f := range c.live[i] {
		c.key = appendKey(c.key, row[f:f+1])
	}
	if n, ok := c.counts[i][string(c.key)]; ok {
		return n
	}
	if c.kept++; c.kept > maxCounts || ctx.Err() != nil {
		return nil
	}
	key := string(c.key)
	sum := new(big.Int)
	for l := range c.levels[c.order[i]] {
		row[c.order[i]] = l
		if allHold(c.checks[i], row) {
			n := c.count(ctx, i+1, row)
			if n == nil {
				return nil
			}
			sum.Add(sum, n)
		}
	}
	c.counts[i][key] = sum
	return sum
}

// draw gives levels to the factors of the group, uniformly among the ways to
// do so.
func (c *counter) draw(ctx context.Context, r *rng, row []int) {
	for i, f := range c.order {
		rank := r.bigN(c.count(ctx, i, row))
		for l := 0; ; l++ {
			row[f] = l
			if !allHold(c.checks[i], row) {
				continue
			}
			n := c.count(ctx, i+1, row)
			if rank.Cmp(n) < 0 {
				break
			}
			rank.Sub(rank, n)
		}
	}
}
