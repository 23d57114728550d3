// SPDX-License-Identifier: MIT

// Package forecast plays ensembles that were not run, and runs again what was on
// other machines, to say how long it takes, what it costs and how well it uses
// its nodes.
//
// The model: [Times] is what earlier runs measured, and what somebody says, of how
// long jobs take. A [Source] answers for one job: from the runs of the same
// configuration, or by the law that package pattern fits to those of other sizes,
// or not at all, with the reason. A [Machine] is the simulated member. [Play] plays
// an ensemble there once, with times that a seed draws, and gives a [Result];
// [Many] plays it many times and gives each number as a [Range]. [Replay] plays
// the jobs that a journal recorded, under a [Policy] of how many nodes there are.
//
// What is drawn: a job of a configuration that was measured takes the time of one of
// its runs, each job anew. One of another size takes a time from the interval of
// the pattern, and all jobs of one law draw the same place in their intervals, since
// a law that is wrong is wrong for all of them: that makes sums uncertain, where
// independent draws would average it away.
//
// Money is node-hours times the price, of the nodes that are there, busy or not, from
// the begin to the end. What nodes cost while they boot or are handed back is not in
// it; neither are storage and traffic.
//
// Nothing here touches files or looks at a clock. The same input gives the same
// numbers.
package forecast
