// SPDX-License-Identifier: MIT

// Package v1alpha1 is the custom resource Ensemble of converged-computing.org, which
// carries the spec of an Ensemble file and says how its run stands.
//
// The model: a resource is the file itself, so that kubectl takes it as it is. Its spec is
// kept as it came, [Ensemble.Decode] reads it with the strictness of the file's decoder.
// Status has three owners that never write one another's fields: the operator, the agent
// of each member below members[NAME].report, and nobody else. What is in it grows with
// members and named groups, never with trials or jobs.
//
// [CRD] gives the definition of the resource, whose schema is that of the file.
package v1alpha1
