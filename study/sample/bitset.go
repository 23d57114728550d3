// SPDX-License-Identifier: MIT

package sample

import "math/bits"

// A bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }
func (b bitset) remove(i int)   { b[i>>6] &^= 1 << (i & 63) }

// fill adds all numbers below n.
func (b bitset) fill(n int) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n&63 != 0 {
		b[len(b)-1] = 1<<(n&63) - 1
	}
}

// from returns the first member that is at least i, going round at the end.
// The set must not be empty.
func (b bitset) from(i int) int {
	w := i >> 6
	word := b[w] &^ (1<<(i&63) - 1)
	for word == 0 {
		w++
		if w == len(b) {
			w = 0
		}
		word = b[w]
	}
	return w<<6 + bits.TrailingZeros64(word)
}
