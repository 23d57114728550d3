// SPDX-License-Identifier: MIT

package sample

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// unset marks, in a partial assignment, a factor without a level.
const unset = -1

// maxMemo bounds the answers a solver remembers for a group of factors; a full
// memory is dropped and filled anew.
const maxMemo = 1 << 20

// A solver decides feasibility. Factors that share a constraint, directly or
// through others, form a group; groups do not influence each other, so each is
// searched alone. The search assigns the factor with the fewest levels left
// and, after every step, drops the levels that a constraint with one open
// factor forbids (forward checking; Haralick and Elliott, "Increasing tree
// search efficiency for constraint satisfaction problems", Artificial
// Intelligence 14, 1980). It is complete, and so exponential in the size of a
// group at worst: once the context of a question is done, the answer is false
// and not to be trusted.
//
// A solver is not safe for concurrent use.
type solver struct {
	levels []int
	preds  []*predicate
	of     [][]*predicate // those that read each factor
	group  []int          // of each factor; -1 if no constraint reads it
	groups [][]int        // factors of each group, ascending
	known  []map[string]bool

	// The state of the search.
	row     []int    // unset where open
	dropped [][]bool // by factor and level
	left    []int    // levels not dropped, of each factor
	trail   []drop   // what to put back, oldest first
	key     []byte
}

// A drop is a level removed from a factor's domain.
type drop struct{ factor, level int }

func newSolver(levels []int, constraints []Constraint) *solver {
	s := &solver{
		levels:  levels,
		of:      make([][]*predicate, len(levels)),
		group:   make([]int, len(levels)),
		row:     unsetRow(len(levels)),
		dropped: make([][]bool, len(levels)),
		left:    make([]int, len(levels)),
	}
	for _, c := range constraints {
		p := newPredicate(c, levels)
		s.preds = append(s.preds, p)
		for _, f := range c.Factors {
			s.of[f] = append(s.of[f], p)
		}
	}
	for f, n := range levels {
		s.group[f] = -1
		s.left[f] = n
		if len(s.of[f]) > 0 {
			s.dropped[f] = make([]bool, n)
		}
	}
	for f := range levels {
		if len(s.of[f]) > 0 && s.group[f] < 0 {
			s.groups = append(s.groups, nil)
			s.known = append(s.known, map[string]bool{})
			s.join(f, len(s.groups)-1)
		}
	}
	for f, g := range s.group {
		if g >= 0 {
			s.groups[g] = append(s.groups[g], f)
		}
	}
	return s
}

// join puts f and all factors connected with it in group g.
func (s *solver) join(f, g int) {
	s.group[f] = g
	for _, p := range s.of[f] {
		for _, other := range p.Factors {
			if s.group[other] < 0 {
				s.join(other, g)
			}
		}
	}
}

// satisfiable tells whether any point meets all constraints.
func (s *solver) satisfiable(ctx context.Context) bool {
	for _, p := range s.preds {
		if len(p.Factors) == 0 && !p.holds(nil) {
			return false
		}
		if len(p.Factors) == 1 && !s.filter(p, p.Factors[0]) {
			return false
		}
	}
	s.trail = s.trail[:0] // what one constraint forbids alone stays dropped
	for g := range s.groups {
		if !s.search(ctx, g) {
			return false
		}
	}
	return true
}

// allowsAt tells whether a complete row meets all constraints that read f.
func (s *solver) allowsAt(row []int, f int) bool { return allHold(s.of[f], row) }

// feasible tells whether some point that meets all constraints extends the
// partial assignment row.
func (s *solver) feasible(ctx context.Context, row []int) bool {
	for g := range s.groups {
		if !s.feasibleGroup(ctx, row, g) {
			return false
		}
	}
	return true
}

// feasibleAt is feasible for a row of which only the level of f is new.
func (s *solver) feasibleAt(ctx context.Context, row []int, f int) bool {
	return s.group[f] < 0 || s.feasibleGroup(ctx, row, s.group[f])
}

func (s *solver) feasibleGroup(ctx context.Context, row []int, g int) bool {
	s.key = s.key[:0]
	set := 0
	for _, f := range s.groups[g] {
		s.key = appendKey(s.key, row[f:f+1])
		if row[f] >= 0 {
			set++
		}
	}
	if set == 0 {
		return true // the space is satisfiable
	}
	if ok, known := s.known[g][string(s.key)]; known {
		return ok
	}
	key := string(s.key)
	ok := true
	for _, f := range s.groups[g] {
		if row[f] >= 0 && !s.place(f, row[f]) {
			ok = false
			break
		}
	}
	ok = ok && s.search(ctx, g)
	for _, f := range s.groups[g] {
		s.row[f] = unset
	}
	s.undo(0)
	if ctx.Err() != nil {
		return false
	}
	if len(s.known[g]) >= maxMemo {
		clear(s.known[g])
	}
	s.known[g][key] = ok
	return ok
}

// search tells whether the open factors of group g can be assigned, and leaves
// the state as it found it.
func (s *solver) search(ctx context.Context, g int) bool {
	next := -1
	for _, f := range s.groups[g] {
		if s.row[f] < 0 && (next < 0 || s.left[f] < s.left[next]) {
			next = f
		}
	}
	if next < 0 {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	mark := len(s.trail)
	for l := range s.levels[next] {
		found := s.place(next, l) && s.search(ctx, g)
		s.row[next] = unset
		s.undo(mark)
		if found {
			return true
		}
	}
	return false
}

// place assigns a level and drops what that makes impossible. It reports
// whether every open factor it looked at still has a level.
func (s *solver) place(f, level int) bool {
	if s.dropped[f][level] {
		return false
	}
	s.row[f] = level
	for _, p := range s.of[f] {
		switch n, other := p.open(s.row); {
		case n == 0 && !p.holds(s.row):
			return false
		case n == 1 && !s.filter(p, other):
			return false
		}
	}
	return true
}

// filter drops the levels of f that p, whose other factors are assigned,
// forbids, and reports whether any is left.
func (s *solver) filter(p *predicate, f int) bool {
	for l := range s.levels[f] {
		s.row[f] = l
		if !s.dropped[f][l] && !p.holds(s.row) {
			s.dropped[f][l] = true
			s.left[f]--
			s.trail = append(s.trail, drop{f, l})
		}
	}
	s.row[f] = unset
	return s.left[f] > 0
}

// undo puts back what was dropped since the trail had length mark.
func (s *solver) undo(mark int) {
	for _, d := range s.trail[mark:] {
		s.dropped[d.factor][d.level] = false
		s.left[d.factor]++
	}
	s.trail = s.trail[:mark]
}

// conflict explains why constraints leave no point: by the first one that is
// never true, or else by a set of which every proper subset can be met (found
// by leaving out one after the other). What it says once ctx is done is not to
// be trusted.
func conflict(ctx context.Context, levels []int, constraints []Constraint) string {
	can := func(cs []Constraint) bool { return newSolver(levels, cs).satisfiable(ctx) }
	for _, c := range constraints {
		if !can([]Constraint{c}) {
			return "constraint " + strconv.Quote(c.Name) + " is never true"
		}
	}
	core := slices.Clone(constraints)
	for i := 0; i < len(core); {
		if rest := slices.Delete(slices.Clone(core), i, i+1); can(rest) {
			i++
		} else {
			core = rest
		}
	}
	names := make([]string, len(core))
	for i, c := range core {
		names[i] = strconv.Quote(c.Name)
	}
	last := len(names) - 1
	return "constraints " + strings.Join(names[:last], ", ") + " and " + names[last] + " conflict"
}

// appendKey appends a form of the levels that is unique among rows of one
// length; levels may be unset.
func appendKey(key []byte, levels []int) []byte {
	for _, l := range levels {
		key = binary.AppendUvarint(key, uint64(l+1))
	}
	return key
}
