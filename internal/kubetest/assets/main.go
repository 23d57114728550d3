// SPDX-License-Identifier: MIT

// Command assets builds the API server that tests run, once, into the user's cache
// directory, and prints the directory in which it is.
package main

import (
	"fmt"
	"os"

	"github.com/converged-computing/ensemble/internal/kubetest"
)

func main() {
	dir, err := kubetest.Build(os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}
