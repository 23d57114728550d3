// SPDX-License-Identifier: MIT

// Package run carries out an ensemble and leaves a run directory that is the
// whole truth about it.
//
// The model: a driver takes jobs from a stream, hands them to an [Executor] as
// there is room, and writes every event into the journal before it acts on it.
// A run directory holds
//
//	ensemble.yaml        the resolved input
//	journal.jsonl        events, append-only, fsynced in batches
//	environment.json     the machine as found, one entry a session
//	jobs/ID/ATTEMPT/     job.json, stdout, stderr, exit.json, files asked for
//
// The promises, which hold through kill -9 of the driver at any moment:
//
//   - a job whose exit.json is written is finished: it is not run again;
//   - a submit event is in the journal before the executor hears of it, so a
//     resumed driver knows what may be running and asks the executor for it;
//   - a finish event follows exit.json, so that a driver that dies between the
//     two finds the exit and writes the event then;
//   - one driver at a time works in a directory: the journal is locked.
//
// The journal reaches the disk in batches, so a crash of the machine can take its
// last events along, and an exit.json can be there that it knows nothing of. A
// resumed driver looks for one before it submits: what is finished stays so.
//
// Commands around the run belong to a session: those before it run again when the
// run goes on, once nothing of the last session runs any more.
//
// Events of one attempt are delivered in order; those of different attempts in
// any order.
package run
