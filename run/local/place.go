// SPDX-License-Identifier: MIT

package local

import (
	"slices"

	"github.com/converged-computing/ensemble/ensemble"
)

// place gives each rank the processors that it is bound to.
//
// The launchers' own mapping knows the whole machine only, and not the cores
// that a job has beside others, so this is done here for them. Each rank takes
// as many cores as one task asks for: the next ones, or, mapped by socket or
// NUMA node, those of each in turn. When none are left, which only
// oversubscription allows, it begins again. A rank bound to its socket or NUMA
// node has all the job's cores there.
func place(s ensemble.Shape, slots []core) [][]int {
	groups := groupBy(slots, domain(s.MapBy))
	free := slices.Clone(groups)
	ranks := make([][]int, s.Tasks)
	for r := range ranks {
		left := 0
		for _, g := range free {
			left += len(g)
		}
		if left < min(s.CoresPerTask, len(slots)) {
			free = slices.Clone(groups)
		}
		ranks[r] = processors(widen(take(free, r, s.CoresPerTask), slots, s.BindTo))
	}
	return ranks
}

// take takes n cores from the group whose turn it is, from the next one that
// has as many, or from several.
func take(free [][]core, turn, n int) []core {
	for i := range free {
		if g := (turn + i) % len(free); len(free[g]) >= n {
			taken := free[g][:n]
			free[g] = free[g][n:]
			return taken
		}
	}
	var taken []core
	for i := range free {
		g := (turn + i) % len(free)
		k := min(n-len(taken), len(free[g]))
		taken = append(taken, free[g][:k]...)
		free[g] = free[g][k:]
	}
	return taken
}

// widen gives the cores that share a domain with one of some cores.
func widen(taken, slots []core, bindTo string) []core {
	in := domain(bindTo)
	if in == nil {
		return taken
	}
	var wide []core
	for _, c := range slots {
		if slices.ContainsFunc(taken, func(t core) bool { return in(t) == in(c) }) {
			wide = append(wide, c)
		}
	}
	return wide
}

// domain gives the function that tells parts of the machine apart; nil is for
// those that cores, or the one node, are.
func domain(of string) func(core) int {
	switch of {
	case "socket":
		return func(c core) int { return c.Socket }
	case "numa":
		return func(c core) int { return c.NUMA }
	default:
		return nil
	}
}

// groupBy puts cores of one domain together, in the order of the first of each.
func groupBy(slots []core, in func(core) int) [][]core {
	if in == nil {
		return [][]core{slots}
	}
	var groups [][]core
	at := map[int]int{}
	for _, c := range slots {
		i, ok := at[in(c)]
		if !ok {
			i = len(groups)
			at[in(c)], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}
