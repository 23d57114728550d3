// SPDX-License-Identifier: MIT

// Package agent drives one unit of an Ensemble from beside its lead broker.
//
// The model: an agent is a container of each pod of a MiniCluster. That of the first pod
// drives; the others only stay alive, since a pod whose container ends loses its name. The
// agent keeps a run directory in the volume that it shares with Flux, so that a restarted
// agent goes on with it; a new pod has another one, with a broker that knows nothing: then
// the instance is lost, which is said and not hidden.
//
// The steps of the driving one:
//
//  1. read the Ensemble, and of it the groups and variants of the unit;
//  2. wait for Flux;
//  3. carry out the run, with the same driver as the command line; report how it stands;
//     end it early where the Ensemble is cancelled, deleted or overdue, and on SIGTERM;
//  4. save: pack the run directory, push it, verify it, for as long as that takes;
//  5. shut Flux down, which ends the pods.
//
// Promises: Flux is not shut down before the results are saved, but on SIGTERM. What the
// agent reports is in the status below its unit's report, which nobody else writes.
package agent
