// SPDX-License-Identifier: MIT

package sample

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
)

// rng draws from PCG. It does its own bounding and shuffling, because the
// methods of rand.Rand, unlike the generator, may change between Go releases.
type rng struct {
	pcg rand.PCG
}

// newRNG returns a generator for a seed. The stream keeps samplers that are
// given the same seed from drawing the same numbers.
func newRNG(seed, stream uint64) *rng {
	r := &rng{}
	r.pcg.Seed(seed, stream)
	return r
}

// Streams of the samplers.
const (
	streamRandom = iota + 1
	streamLatin
	streamSobol
	streamCovering
)

// uint64n returns a uniform number in [0, n) for n > 0, by multiplication
// with rejection (Lemire, "Fast random integer generation in an interval",
// ACM TOMACS 29, 2019).
func (r *rng) uint64n(n uint64) uint64 {
	hi, lo := bits.Mul64(r.pcg.Uint64(), n)
	if lo < n {
		for limit := -n % n; lo < limit; {
			hi, lo = bits.Mul64(r.pcg.Uint64(), n)
		}
	}
	return hi
}

// intN returns a uniform number in [0, n) for n > 0.
func (r *rng) intN(n int) int { return int(r.uint64n(uint64(n))) }

// bigN returns a uniform number in [0, n) for n > 0, by rejection of numbers
// of the same bit length.
func (r *rng) bigN(n *big.Int) *big.Int {
	width := n.BitLen()
	buf := make([]byte, (width+7)/8)
	for {
		for i := range buf {
			buf[i] = byte(r.pcg.Uint64() >> 56)
		}
		if extra := len(buf)*8 - width; extra > 0 {
			buf[0] >>= extra
		}
		if v := new(big.Int).SetBytes(buf); v.Cmp(n) < 0 {
			return v
		}
	}
}

// shuffle permutes s uniformly (Fisher and Yates).
func shuffle[T any](r *rng, s []T) {
	for i := len(s) - 1; i > 0; i-- {
		j := r.intN(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}
