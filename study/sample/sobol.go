// SPDX-License-Identifier: MIT

package sample

import (
	"fmt"
	"iter"
	"math/bits"
)

// MaxSobolDims is the largest number of dimensions of a Sobol' sequence.
const MaxSobolDims = len(sobolTable) + 1

// sobolBits is how many binary digits coordinates have, so that a sequence has
// 2^sobolBits points.
const sobolBits = 32

// Sobol returns Sobol' sequence in [0,1)^dims, for dims of 0 to
// [MaxSobolDims]. Its first 2^m points, for any m, have exactly one coordinate
// in each interval [i/2^m, (i+1)/2^m) of every dimension, and are a
// (0,m,2)-net in the first two; the first point is the origin. Coordinates are
// multiples of 2^-32, and there are 2^32 points. A point is yielded in the same
// slice as the one before: clone it to keep it.
//
// The sequence is Sobol's ("On the distribution of points in a cube and the
// approximate evaluation of integrals", USSR Computational Mathematics and
// Mathematical Physics 7, 1967), in the order of Antonov and Saleev (1979),
// with direction numbers of our own (see sobolTable).
func Sobol(dims int) (iter.Seq[[]float64], error) {
	directions, err := sobolDirections(dims)
	if err != nil {
		return nil, err
	}
	return sobolPoints(directions, make([]uint32, dims)), nil
}

// ScrambledSobol is [Sobol] with a random linear matrix scramble and a random
// digital shift, which keep the properties of its first 2^m points while every
// single point becomes uniform, so that means over seeds are unbiased
// (Matoušek, "On the L2-discrepancy for anchored boxes", Journal of Complexity
// 14, 1998). It is the sequence to prefer unless the origin has a meaning.
func ScrambledSobol(dims int, seed uint64) (iter.Seq[[]float64], error) {
	directions, err := sobolDirections(dims)
	if err != nil {
		return nil, err
	}
	r := newRNG(seed, streamSobol)
	shift := make([]uint32, dims)
	for d := range directions {
		scramble(r, &directions[d])
		shift[d] = uint32(r.pcg.Uint64() >> 32)
	}
	return sobolPoints(directions, shift), nil
}

// scramble multiplies direction numbers, as columns of digits, by a random
// lower triangular matrix with ones on the diagonal.
func scramble(r *rng, v *[sobolBits]uint32) {
	var product [sobolBits]uint32
	for digit := range sobolBits {
		own := uint32(1) << (sobolBits - 1 - digit)
		above := ^(own<<1 - 1) // more significant digits
		row := own | uint32(r.pcg.Uint64()>>32)&above
		for i := range v {
			if bits.OnesCount32(v[i]&row)&1 != 0 {
				product[i] |= own
			}
		}
	}
	*v = product
}

func sobolPoints(directions [][sobolBits]uint32, shift []uint32) iter.Seq[[]float64] {
	return func(yield func([]float64) bool) {
		digits := append([]uint32(nil), shift...)
		point := make([]float64, len(shift))
		for n := uint64(1); ; n++ {
			for d, x := range digits {
				point[d] = float64(x) / (1 << sobolBits)
			}
			if !yield(point) || n == 1<<sobolBits {
				return
			}
			change := bits.TrailingZeros64(n)
			for d := range digits {
				digits[d] ^= directions[d][change]
			}
		}
	}
}

// sobolDirections returns the direction numbers of the first dims dimensions:
// number i, as a column of binary digits after the point, is v[i]/2^32.
func sobolDirections(dims int) ([][sobolBits]uint32, error) {
	if dims < 0 || dims > MaxSobolDims {
		return nil, fmt.Errorf("sequence in %d dimensions: want 0 to %d", dims, MaxSobolDims)
	}
	directions := make([][sobolBits]uint32, dims)
	for d := range directions {
		if d == 0 {
			for i := range directions[d] {
				directions[d][i] = 1 << (sobolBits - 1 - i)
			}
			continue
		}
		directions[d] = sobolTable[d-1].directions()
	}
	return directions, nil
}

// A sobolEntry makes one dimension: a primitive polynomial over GF(2), bit i
// of which is the coefficient of x^i, and as many initial numbers as its
// degree, the i-th of which (from 1) is odd and below 2^i.
type sobolEntry struct {
	polynomial uint32
	initial    []uint32
}

// directions extends the initial numbers by the recurrence that the polynomial
// x^s + a1 x^(s-1) + ... + 1 stands for,
//
//	m[i] = 2 a1 m[i-1] ^ 4 a2 m[i-2] ^ ... ^ 2^s m[i-s] ^ m[i-s]
//
// and returns m[i]/2^i in units of 2^-32.
func (e sobolEntry) directions() (v [sobolBits]uint32) {
	s := len(e.initial)
	for i := range v {
		if i < s {
			v[i] = e.initial[i] << (sobolBits - 1 - i)
			continue
		}
		v[i] = v[i-s] ^ v[i-s]>>s
		for k := 1; k < s; k++ {
			if e.polynomial>>(s-k)&1 != 0 {
				v[i] ^= v[i-k]
			}
		}
	}
	return v
}
