// SPDX-License-Identifier: MIT

// Package sample picks points of a parameter space: all of them, some at
// random, some that fill it evenly, or few that still meet every combination
// of t levels.
//
// # Model
//
// A [Space] is a list of factors, each with a number of levels; a point (a
// row) is one level index per factor, in the order of the factors. Constraints
// are predicates over some of the factors; a point is feasible when all hold,
// and a partial assignment is feasible when some feasible point completes it.
// A space always has a feasible point: [NewSpace] refuses one that has none.
// What a level stands for is the caller's business; [Level] and [Between] turn
// points of the unit cube, which [LatinHypercube] and [Sobol] make, into
// levels or into values of a range.
//
// # Steps
//
//  1. NewSpace checks the factors and finds the connected groups of
//     constrained factors, so that every question about feasibility is a
//     search over one group only.
//  2. Full, Random or Covering choose rows; LatinHypercube and Sobol choose
//     points of the unit cube without looking at a space.
//  3. Coverage tells what share of the t-way combinations a list of rows
//     meets, for instance after a budget has cut a covering array short.
//     Covering puts the rows that add most first, so that a cut loses least.
//
// Everything is a pure function of its arguments. Randomness comes from PCG
// (math/rand/v2) and a seed, and is turned into numbers here, so that the same
// seed gives the same points on every platform and with every Go release.
package sample
