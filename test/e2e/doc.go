// SPDX-License-Identifier: MIT

// Package e2e tests what is installed: the command line, on a Kubernetes with real nodes,
// the operator in a pod of its own, and MiniClusters of the real Flux Operator. It is told
// where these are by the environment, so that any cluster will do; test/e2e/node brings one
// up on this machine.
package e2e
