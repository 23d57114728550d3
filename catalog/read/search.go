// SPDX-License-Identifier: MIT

package read

import "bytes"

// searcher finds many literals in one pass, with the algorithm of Wu and
// Manber (A fast algorithm for multi-pattern searching, TR-94-17, 1994): a
// table says for the two bytes at the window's end how far the window can jump
// without missing a literal. One search costs the same for two literals as for
// fifty, unlike a bytes.Index for each.
type searcher struct {
	literals [][]byte
	window   int // the length of the shortest literal
	shift    [hashes]uint8
	bucket   [hashes][]int32
}

const hashes = 1 << 12

func hash(a, b byte) uint32 { return (uint32(a)<<4 ^ uint32(b)) % hashes }

// newSearcher takes literals of two bytes at least.
func newSearcher(literals []string) *searcher {
	s := &searcher{window: 1 << 7}
	for _, l := range literals {
		s.literals = append(s.literals, []byte(l))
		s.window = min(s.window, len(l))
	}
	for i := range s.shift {
		s.shift[i] = uint8(s.window - 1)
	}
	for id, l := range s.literals {
		for i := 0; i+1 < s.window; i++ {
			h := hash(l[i], l[i+1])
			s.shift[h] = min(s.shift[h], uint8(s.window-2-i))
		}
		h := hash(l[s.window-2], l[s.window-1])
		s.bucket[h] = append(s.bucket[h], int32(id))
	}
	return s
}

// next gives the first place at or after i where literals begin, and appends
// their numbers to ids. The place is len(b) when there is none.
func (s *searcher) next(b []byte, i int, ids []int32) (int, []int32) {
	if len(s.literals) == 0 {
		return len(b), ids
	}
	found := len(ids)
	for last := i + s.window - 1; last < len(b); {
		h := hash(b[last-1], b[last])
		if jump := s.shift[h]; jump > 0 {
			last += int(jump)
			continue
		}
		i = last - s.window + 1
		for _, id := range s.bucket[h] {
			if bytes.HasPrefix(b[i:], s.literals[id]) {
				ids = append(ids, id)
			}
		}
		if len(ids) > found {
			return i, ids
		}
		last++
	}
	return len(b), ids
}
