// SPDX-License-Identifier: MIT

package sample

// LatinHypercube returns n points in [0,1)^dims. In every dimension each of
// the n strata [i/n, (i+1)/n) has one point, at a random place in it (McKay,
// Beckman and Conover, "A comparison of three methods for selecting values of
// input variables in the analysis of output from a computer code",
// Technometrics 21, 1979). There are no points for n below 1. The strata are
// exact, in floating point too, for n up to 2^24.
func LatinHypercube(n, dims int, seed uint64) [][]float64 {
	if n < 1 {
		return nil
	}
	r := newRNG(seed, streamLatin)
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, dims)
	}
	strata := make([]int, n)
	for i := range strata {
		strata[i] = i
	}
	for d := range dims {
		shuffle(r, strata)
		for i, stratum := range strata {
			// 24 bits, centred: rounding cannot reach the next stratum.
			within := (float64(r.pcg.Uint64()>>40) + 0.5) / (1 << 24)
			points[i][d] = (float64(stratum) + within) / float64(n)
		}
	}
	return points
}

// Level returns the level index of u in [0,1) for a factor whose levels share
// the interval equally: floor(u*levels), kept in [0, levels).
func Level(u float64, levels int) int {
	return max(0, min(int(u*float64(levels)), levels-1))
}

// Between returns the value at u in [0,1) of the way from low to high.
func Between(u, low, high float64) float64 {
	// The conversion keeps compilers from fusing the product and the sum, which
	// would round differently on some platforms.
	return low + float64(u*(high-low))
}
