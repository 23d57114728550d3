// SPDX-License-Identifier: MIT

// Package report turns records into what a reader wants to know: how the time
// of each application scales, how sure that is, and what failed and why.
//
// The model: a [Report] holds applications; an application holds scaling
// [Series], one for each variant, environment and problem; a series holds a
// [Point] for each number of ranks; a point summarises the repeated trials
// measured there. A report is plain data without a number that JSON cannot
// hold, and the same records in any order give the same report.
//
// Three rules keep numbers comparable. An application's own time and the
// launcher's wall time are never mixed: one application has one kind, and the
// report says which. What is marked (noisy, shared, an outlier) stays in, is
// shown as marked, and where it matters the report says what the mean would be
// without. A number that the data cannot carry is missing, and a warning says
// why.
//
// The steps: [Build] groups and summarises; [Text], [CSV] and [HTML] write a
// report; [RecordsCSV] and [RecordsBenchmark] write the records themselves.
package report
