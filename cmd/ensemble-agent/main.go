// SPDX-License-Identifier: MIT

// Command ensemble-agent drives an Ensemble from beside its lead broker.
package main

import (
	"os"

	"github.com/converged-computing/ensemble/internal/agent"
)

func main() { os.Exit(agent.Main()) }
