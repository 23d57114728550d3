// SPDX-License-Identifier: MIT

// Command ensemble-agent drives an Ensemble from beside its lead broker. As "ensemble-agent
// witness" it saves what Kubernetes tells of one instead.
package main

import (
	"os"
	"slices"

	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/witness"
	_ "golang.org/x/crypto/x509roots/fallback" // its image has no certificates
)

func main() {
	if slices.Equal(os.Args[1:], []string{"witness"}) {
		os.Exit(witness.Main())
	}
	os.Exit(agent.Main())
}
