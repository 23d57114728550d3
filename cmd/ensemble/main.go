// SPDX-License-Identifier: MIT

// Command ensemble designs, runs and studies ensembles of HPC applications.
package main

import (
	"os"

	"github.com/converged-computing/ensemble/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
