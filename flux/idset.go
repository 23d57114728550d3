// SPDX-License-Identifier: MIT

package flux

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxID is the highest id that Flux takes in a set.
const maxID = 1<<32 - 3

// IDSet is a set of ids such as ranks or cores (RFC 22), kept as ranges: its
// size is that of its text, however many ids it has. The zero value is empty.
// A copy shares its ranges; no method changes ranges that another set has.
type IDSet struct {
	ranges []idRange // ascending, with gaps between them
}

type idRange struct{ first, last int }

// IDs makes a set of ids, which may repeat. An id below zero is left out.
func IDs(ids ...int) IDSet {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var s IDSet
	for _, id := range ids {
		if id >= 0 {
			s.push(idRange{id, id})
		}
	}
	return s
}

// IDRange makes the set of all ids from first to last, both included.
func IDRange(first, last int) IDSet {
	if first > last || first < 0 {
		return IDSet{}
	}
	return IDSet{[]idRange{{first, last}}}
}

// push puts a range behind those before it; it may touch or overlap the last.
func (s *IDSet) push(r idRange) {
	if n := len(s.ranges); n > 0 && r.first <= s.ranges[n-1].last+1 {
		s.ranges[n-1].last = max(s.ranges[n-1].last, r.last)
		return
	}
	s.ranges = append(s.ranges, r)
}

// ParseIDSet reads "1-3,5" or "[1-3,5]". Ids have to ascend and have no leading
// zeros, as RFC 22 says.
func ParseIDSet(text string) (IDSet, error) {
	s, err := parseIDSet(text)
	if err != nil {
		return IDSet{}, fmt.Errorf("reading the set of ids %q: %w", text, err)
	}
	return s, nil
}

func parseIDSet(text string) (s IDSet, err error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return s, errors.New("a bracket is not closed")
		}
	}
	if text == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseID(low)
		if err != nil {
			return s, err
		}
		last := first
		if isRange {
			if last, err = parseID(high); err != nil {
				return s, err
			}
		}
		if n := len(s.ranges); last < first || n > 0 && first <= s.ranges[n-1].last {
			return s, fmt.Errorf("%q does not ascend", part)
		}
		s.push(idRange{first, last})
	}
	return s, nil
}

func parseID(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxID || text[0] == '+' {
		return 0, fmt.Errorf("%q is no id", text)
	}
	if len(text) > 1 && text[0] == '0' {
		return 0, fmt.Errorf("%q has a leading zero", text)
	}
	return int(n), nil
}

// String is the short form without brackets: 0-3,5.
func (s IDSet) String() string {
	var b []byte
	for i, r := range s.ranges {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(r.first), 10)
		if r.last > r.first {
			b = strconv.AppendInt(append(b, '-'), int64(r.last), 10)
		}
	}
	return string(b)
}

// MarshalText writes what String does.
func (s IDSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseIDSet does.
func (s *IDSet) UnmarshalText(text []byte) (err error) {
	*s, err = ParseIDSet(string(text))
	return err
}

// Len is how many ids there are.
func (s IDSet) Len() (n int) {
	for _, r := range s.ranges {
		n += r.last - r.first + 1
	}
	return n
}

// Contains says whether id is one of them.
func (s IDSet) Contains(id int) bool {
	i, found := slices.BinarySearchFunc(s.ranges, id, func(r idRange, id int) int {
		if r.last < id {
			return -1
		} else if r.first > id {
			return 1
		}
		return 0
	})
	return found && i < len(s.ranges)
}

// All gives the ids in order.
func (s IDSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range s.ranges {
			for id := r.first; id <= r.last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// Equal says whether both have the same ids.
func (s IDSet) Equal(t IDSet) bool { return slices.Equal(s.ranges, t.ranges) }

// Union has the ids of either.
func (s IDSet) Union(t IDSet) IDSet { return union(s, t) }

// union has the ids of all sets. It sorts once, however many they are.
func union(sets ...IDSet) (u IDSet) {
	var all []idRange
	for _, s := range sets {
		all = append(all, s.ranges...)
	}
	slices.SortFunc(all, func(a, b idRange) int { return a.first - b.first })
	for _, r := range all {
		u.push(r)
	}
	return u
}

// Intersect has the ids of both.
func (s IDSet) Intersect(t IDSet) (u IDSet) {
	for i, j := 0, 0; i < len(s.ranges) && j < len(t.ranges); {
		a, b := s.ranges[i], t.ranges[j]
		if first, last := max(a.first, b.first), min(a.last, b.last); first <= last {
			u.push(idRange{first, last})
		}
		if a.last < b.last {
			i++
		} else {
			j++
		}
	}
	return u
}

// Without has the ids of s that t has not.
func (s IDSet) Without(t IDSet) (u IDSet) {
	j := 0
	for _, r := range s.ranges {
		for ; j < len(t.ranges) && t.ranges[j].last < r.first; j++ {
		}
		for k := j; k < len(t.ranges) && t.ranges[k].first <= r.last; k++ {
			if r.first < t.ranges[k].first {
				u.push(idRange{r.first, t.ranges[k].first - 1})
			}
			r.first = t.ranges[k].last + 1
		}
		if r.first <= r.last {
			u.push(r)
		}
	}
	return u
}
