// SPDX-License-Identifier: MIT

// Package operator reconciles Ensembles: it makes MiniClusters, watches what becomes of
// them, and cleans up what is saved.
//
// The model: an Ensemble is compiled to units, of which each becomes one MiniCluster; see
// [v1alpha1.Units]. The agent in it runs jobs, saves results and reports to the status;
// the operator never schedules jobs, never dials pods and reads no secrets.
//
// The steps, a file each:
//
//  1. gather: the Ensemble, its MiniClusters, their Jobs and pods;
//  2. decide: a pure function of these and the time; what to make, to resize and to
//     delete, the status, and when to look again;
//  3. apply: does that, in an order that survives being cut off anywhere.
//
// Promises: nothing is deleted whose results are not saved and verified, but for an
// Ensemble that its user deletes with an annotation or leaves deleted beyond its grace
// period. Never more than maxNodes nodes are asked for. The same world gives the same
// decision, so that a restarted operator goes on.
package operator
