// SPDX-License-Identifier: MIT

// Command write writes the manifests below a folder.
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
		path := filepath.Join(os.Args[1], name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}
