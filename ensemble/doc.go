// SPDX-License-Identifier: MIT

// Package ensemble says what a job is and what can happen to it.
//
// The model: a [Job] is one configuration to run, resolved: every command an
// argument vector, every deck a text. Each try at it is an attempt, counted
// from 1. An [Event] is one change with its time. Events are enough to rebuild
// a [State], and nothing else changes one, so a journal of events is the whole
// history of a run.
//
// What can happen to an attempt:
//
//	         submit          start           finish
//	(none) ─────────▶ queued ──────▶ running ───────▶ finished ──▶ settled
//	   ▲                 │              │                │
//	   │                 └──────────────┴─▶ finish       │ failed with tries left,
//	   └─────────────────────────────────────────────────┘ cancelled or lost
//
// An attempt that is queued may wait for an idle machine first, which changes
// nothing but what people are told.
//
// A job is settled once it succeeded, or failed with no try left. A cancelled
// or lost attempt settles nothing: the job runs again when the run goes on,
// and the attempt does not count as a try.
//
// Decisions are pure: events in, states and the next attempt out. Effects are
// the work of package run.
package ensemble
