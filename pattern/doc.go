// SPDX-License-Identifier: MIT

// Package pattern fits how a number changes with the size that it was measured
// at, and predicts it at other sizes, or refuses with a reason.
//
// The model: a [Series] holds what one application, variant, environment and
// problem did in one metric over nodes or over ranks; a [Pattern] is the law that
// was chosen for it, out of the candidates that theory has for times that fall
// and for times that rise with the size. Every coefficient is work or waiting and
// so is never negative, and errors are relative, so that a size of a second counts as
// much as one of an hour.
//
// The steps: [FromRecords] and [Read] give [Observation] values; [Group] makes
// series of them; [Fit] takes the middle of the repetitions of each size, leaves
// out one that lies apart, fits all candidates, leaves sizes out to see how each
// errs, and chooses; [Pattern.At] answers a size.
//
// Three rules keep answers honest. A size that was measured is answered with the
// measurement, whatever the law says. Everything else has an interval that has
// the choice of the law in it and grows with the distance from the data. And
// where the data cannot carry a prediction there is none: fewer than three sizes,
// a curve that has turned, two configurations mixed in one size, too much noise,
// too far beyond the data.
//
// The same data give the same numbers: the bootstrap's seed is made of the sizes
// and of the numbers of runs.
//
// The constants that are judgements, such as how far plain laws err beyond their
// data, were set by the synthetic series of the package's tests, which are partly
// laws of the package and partly none of them. The held-out series of the tests
// judge them and set none.
package pattern
