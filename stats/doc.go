// SPDX-License-Identifier: MIT

// Package stats summarises small samples of measurements.
//
// The model: a sample is what repetitions of one configuration measured, five
// values say, rarely fifty. So intervals are exact for small samples where
// theory has an exact one, an interval that cannot be had is missing instead of
// approximate, and every result carries warnings: sentences about what the
// numbers beside them cannot carry. A warning is not an error; it is to be
// shown with the numbers.
//
// The steps: [Summarize] describes one sample, [Outliers] marks the values of
// it that lie apart, and [RatioOfMeans] compares two summaries, as a speed-up
// does. Nothing here drops a value because it is unusual: what to do with an
// outlier is the reader's decision.
package stats
