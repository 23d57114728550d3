// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"encoding/binary"
)

// searcher finds many literals in one pass over a line. Of a text of n bytes
// every n-q+1st place begins one of the text's grams of q bytes, wherever the
// text is; so it is enough to look at every n-q+1st place of the line, where n is
// the length of the shortest literal, and to compare where a gram is one of a
// literal's. The looks do not depend on each other, unlike those of an algorithm
// that jumps by what it sees: the processor does several at once. One search
// costs the same for two literals as for fifty.
type searcher struct {
	literals [][]byte
	gram     int // 2 or 3 bytes
	stride   int
	// bucket numbers the places of the grams with one hash; 0 has none.
	bucket [1 << hashBits]uint16
	places [][]place
}

// place says that a gram is at an offset of a literal.
type place struct {
	literal int32
	offset  int
}

const hashBits = 13

// hash spreads grams by multiplication (Knuth, The Art of Computer Programming
// 3, 6.4).
func hash(gram uint32) uint32 { return gram * 0x9E3779B1 >> (32 - hashBits) }

// newSearcher takes literals of two bytes at least.
func newSearcher(literals []string) *searcher {
	const longest = 8 // of what is looked at of a literal
	s := &searcher{places: make([][]place, 1)}
	shortest := longest
	for _, l := range literals {
		s.literals = append(s.literals, []byte(l))
		shortest = min(shortest, len(l))
	}
	s.gram = 3
	if shortest < 5 {
		s.gram = 2
	}
	s.stride = shortest - s.gram + 1
	for id, l := range s.literals {
		for offset := range s.stride {
			b := &s.bucket[hash(gramOf(l[offset:], s.gram))]
			if *b == 0 {
				*b = uint16(len(s.places))
				s.places = append(s.places, nil)
			}
			s.places[*b] = append(s.places[*b], place{int32(id), offset})
		}
	}
	return s
}

func gramOf(b []byte, n int) uint32 {
	g := uint32(b[0]) | uint32(b[1])<<8
	if n > 2 {
		g |= uint32(b[2]) << 16
	}
	return g
}

// find appends the number of every literal in a line to ids, once for each time
// that it is there.
func (s *searcher) find(line []byte, ids []int32) []int32 {
	mask := uint32(1)<<(8*s.gram) - 1
	i := 0
	for ; i+4 <= len(line); i += s.stride {
		if k := s.bucket[hash(binary.LittleEndian.Uint32(line[i:])&mask)]; k != 0 {
			ids = s.compare(line, i, k, ids)
		}
	}
	for ; i+s.gram <= len(line); i += s.stride {
		if k := s.bucket[hash(gramOf(line[i:], s.gram))]; k != 0 {
			ids = s.compare(line, i, k, ids)
		}
	}
	return ids
}

// compare appends the literals that have the gram at i and are there.
func (s *searcher) compare(line []byte, i int, bucket uint16, ids []int32) []int32 {
	for _, p := range s.places[bucket] {
		if from := i - p.offset; from >= 0 && bytes.HasPrefix(line[from:], s.literals[p.literal]) {
			ids = append(ids, p.literal)
		}
	}
	return ids
}
