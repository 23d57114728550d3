// SPDX-License-Identifier: MIT

// Command write writes the manifests into a folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/converged-computing/ensemble/internal/deploy"
)

func main() {
	files, err := deploy.Files()
	for name, content := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}
