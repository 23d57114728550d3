// SPDX-License-Identifier: MIT

// Package study turns a study into trials: what will run, in which order, at
// which cost, and what a budget leaves out. Nothing is run here.
//
// # Model
//
// A study is a list of sweeps. A sweep is the product of its factors: its
// applications, its axes, and its zips, which are one factor each. A point of
// the product has one level of every factor and decides a configuration: what
// an axis does not give is derived (tasks = nodes × tasks per node) or has a
// default. Rules say which points can run at all: the layout adds up, the
// variant exists, the application accepts the ranks, the environment has room,
// and the study's own constraints, which are CEL expressions, hold. A sampler
// chooses among the points that the rules leave. A [Trial] is one repetition of
// one configuration; its ID is a digest of all that decides it and of nothing
// else, so that it stays when other trials come or go.
//
// A run happens in one environment. A sweep with an environments axis samples
// environments like any other axis; without one it makes the same points in
// every environment of the study, since comparisons are made between those.
//
// # Steps
//
//  1. [Resolve] holds a file against the catalog and gives an ensemble, which
//     has all that the following steps need. Every fault is found at once and
//     has its line and column.
//  2. [New] compiles the sweeps, has every point checked and the samples
//     drawn, puts the trials in order and finds where the budget ends the plan.
//  3. [Plan.Trials] streams the trials. A product is never held in memory: a
//     permutation of its indices and one bit a point are enough.
//  4. [Plan.Summary] counts: points, what each rule removed, what was sampled,
//     what the budget cut, the cost, and the t-way coverage of what is left.
//
// Everything is a pure function of the file and its seed: the same file gives
// the same plan, byte for byte, on every machine.
package study
