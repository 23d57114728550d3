// SPDX-License-Identifier: MIT

// Command ensemble-operator reconciles Ensembles.
package main

import (
	"os"

	"github.com/converged-computing/ensemble/internal/operator"
)

func main() { os.Exit(operator.Main(os.Args[1:], os.Stderr)) }
