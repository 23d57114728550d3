// SPDX-License-Identifier: MIT

// Command assets builds the API server and the registry that tests run, once, into the
// user's cache directory, and prints where they are.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/registrytest"
)

func main() {
	for _, build := range []func(io.Writer) (string, error){registrytest.Build, kubetest.Build} {
		path, err := build(os.Stderr)
		if err != nil {
			fmt.Fprintln(os.Stderr, "assets:", err)
			os.Exit(1)
		}
		fmt.Println(path)
	}
}
