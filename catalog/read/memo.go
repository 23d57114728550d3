// SPDX-License-Identifier: MIT

package read

// memo keeps the matches on one line: several rules often read one expression.
type memo struct {
	turn  uint64 // of the line
	known []known
}

// known is what one expression found.
type known struct {
	tried, read uint64 // the turns of the match and of its number
	match       []int  // kept for its memory where found is false
	x           float64
	found, ok   bool // ok is the number's
}

func newMemo(rules int) memo { return memo{known: make([]known, rules)} }

func (m *memo) find(r *rule, line []byte) []int {
	k := &m.known[r.same]
	if k.tried != m.turn {
		k.tried = m.turn
		match := r.re.find(line, k.match)
		if k.found = match != nil; k.found {
			k.match = match
		}
	}
	if !k.found {
		return nil
	}
	return k.match
}

// number reads the group of a match.
func (m *memo) number(r *rule, line []byte, match []int) (float64, bool) {
	k := &m.known[r.same]
	if k.read != m.turn {
		k.read = m.turn
		k.x, k.ok = parseNumber(line[match[2*r.group]:match[2*r.group+1]])
	}
	return k.x, k.ok
}
