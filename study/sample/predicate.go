// SPDX-License-Identifier: MIT

package sample

// maxTable bounds the combinations of levels for which a predicate's answers
// are remembered: 2 bits each, so 256 KiB a constraint.
const maxTable = 1 << 20

// A predicate is a constraint that remembers its answers, since predicates may
// be interpreted and are asked the same few questions often.
type predicate struct {
	Constraint
	stride []int   // place value of each factor's level; nil if too many
	answer []uint8 // 2 bits each: known, allowed
	args   []int
}

func newPredicate(c Constraint, levels []int) *predicate {
	p := &predicate{Constraint: c, args: make([]int, len(c.Factors))}
	size := 1
	stride := make([]int, len(c.Factors))
	for i, f := range c.Factors {
		stride[i] = size
		if levels[f] > maxTable/size {
			return p
		}
		size *= levels[f]
	}
	p.stride = stride
	p.answer = make([]uint8, (size+3)/4)
	return p
}

// holds tells whether row, which has a level for every factor the constraint
// reads, meets it.
func (p *predicate) holds(row []int) bool {
	if p.stride == nil {
		return p.ask(row)
	}
	at := 0
	for i, f := range p.Factors {
		at += row[f] * p.stride[i]
	}
	shift := at & 3 * 2
	known := p.answer[at>>2] >> shift
	if known&1 == 0 {
		known = 1
		if p.ask(row) {
			known = 3
		}
		p.answer[at>>2] |= known << shift
	}
	return known&2 != 0
}

func (p *predicate) ask(row []int) bool {
	for i, f := range p.Factors {
		p.args[i] = row[f]
	}
	return p.Allows(p.args)
}

// open counts the factors the constraint reads that row leaves open, and
// returns the last of them.
func (p *predicate) open(row []int) (n, last int) {
	for _, f := range p.Factors {
		if row[f] < 0 {
			n++
			last = f
		}
	}
	return n, last
}
