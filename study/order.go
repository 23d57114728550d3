// SPDX-License-Identifier: MIT

package study

import (
	"math/bits"
	"math/rand/v2"
	"sort"

	"github.com/converged-computing/ensemble/spec"
)

// Streams of random numbers, apart from those that package sample uses.
const (
	streamCube = iota + 101
	streamOrder
)

// maxTable bounds the permutations that are kept as a table.
const maxTable = 1 << 16

// A permutation is a random bijection of the numbers below n in bounded
// memory. Few numbers are shuffled. Many are enciphered by a Feistel network
// over the next power of four; what falls outside is enciphered again until it
// does not (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite
// domains", CT-RSA 2002).
type permutation struct {
	n     uint64
	table []uint32
	half  uint // bits of half a block
	keys  [6]uint64
}

// newPermutation makes the permutation that a seed and a stream decide.
func newPermutation(n, seed, stream uint64) *permutation {
	r := rand.NewPCG(seed, stream)
	p := &permutation{n: n}
	if n <= maxTable {
		p.table = make([]uint32, n)
		for i := range p.table {
			p.table[i] = uint32(i)
		}
		for i := len(p.table) - 1; i > 0; i-- {
			j := below(r, uint64(i)+1)
			p.table[i], p.table[j] = p.table[j], p.table[i]
		}
		return p
	}
	p.half = uint(bits.Len64(n-1)+1) / 2
	for i := range p.keys {
		p.keys[i] = r.Uint64()
	}
	return p
}

// below gives a uniform number below n, by multiplication with rejection
// (Lemire, "Fast random integer generation in an interval", ACM TOMACS 29,
// 2019). It is done here since the methods of rand.Rand may change.
func below(r *rand.PCG, n uint64) uint64 {
	hi, lo := bits.Mul64(r.Uint64(), n)
	if lo < n {
		for limit := -n % n; lo < limit; {
			hi, lo = bits.Mul64(r.Uint64(), n)
		}
	}
	return hi
}

// at gives the number at place i.
func (p *permutation) at(i uint64) uint64 {
	if p.table != nil {
		return uint64(p.table[i])
	}
	mask := uint64(1)<<p.half - 1
	for {
		left, right := i>>p.half, i&mask
		for _, k := range p.keys {
			left, right = right, left^scramble(right^k)&mask
		}
		if i = left<<p.half | right; i < p.n {
			return i
		}
	}
}

// scramble is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix derives a seed for a name, so that a sweep keeps its sample when others
// come or go.
func mix(seed uint64, name string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return scramble(scramble(seed+0x9e3779b97f4a7c15) ^ h)
}

// A block is a part of a plan whose trials are in one random order: for each
// sweep a number of indices, each of which stands for one or more repetitions.
type block struct {
	sweeps []*sweep
	ends   []uint64 // by sweep, where its places in the block end
	first  int      // repetition
	repeat bool     // all repetitions of a sweep are in the block
}

// blocks gives the blocks of a plan in order.
func blocks(order spec.Order, sweeps []*sweep) []*block {
	most := 0
	for _, s := range sweeps {
		most = max(most, s.spec.Repetitions.Most())
	}
	if order == spec.OrderRandom {
		most = 1
	}
	all := make([]*block, most)
	for i := range all {
		b := &block{first: i + 1, repeat: order == spec.OrderRandom}
		end := uint64(0)
		for _, s := range sweeps {
			n := uint64(s.drawn.n)
			if b.repeat {
				n *= uint64(s.spec.Repetitions.Most())
			} else if s.spec.Repetitions.Most() <= i {
				continue
			}
			end += n
			b.sweeps, b.ends = append(b.sweeps, s), append(b.ends, end)
		}
		all[i] = b
	}
	return all
}

// n is the number of places in the block.
func (b *block) n() uint64 { return b.ends[len(b.ends)-1] }

// at gives the sweep, index and repetition at a place of the block.
func (b *block) at(i uint64) (s *sweep, index, repetition int) {
	k := 0
	if len(b.ends) > 1 {
		k = sort.Search(len(b.ends), func(k int) bool { return i < b.ends[k] })
	}
	if s = b.sweeps[k]; k > 0 {
		i -= b.ends[k-1]
	}
	if b.repeat {
		n := uint64(s.spec.Repetitions.Most())
		return s, int(i / n), int(i%n) + 1
	}
	return s, int(i), b.first
}
