// SPDX-License-Identifier: MIT

package mpi

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.go internal/makempi/*.go
var program embed.FS

// module is the go.mod of [Sources]: nothing but the standard library, of the oldest
// Go that has what they use.
const module = "module github.com/converged-computing/ensemble\n\ngo 1.24\n"

// Sources are a Go module, by path in it, whose command ./mpi/internal/makempi builds
// the profiling library for the MPIs where it runs: an image of another system has its
// own made by it.
func Sources() (map[string][]byte, error) {
	files := map[string][]byte{"go.mod": []byte(module)}
	for _, from := range []fs.ReadFileFS{program, sources} {
		err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files["mpi/"+path], err = from.ReadFile(path)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
