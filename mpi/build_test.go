// SPDX-License-Identifier: MIT

package mpi

import (
	"os"
	"path/filepath"
	"testing"
)

// compiler makes a compiler that says of itself and of its MPI what the files
// macros and header beside it say, and compiles anything to nothing.
func compiler(t *testing.T) (path string, say func(macros, header string)) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "mpicc")
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("mpicc", `#!/bin/sh
case "$*" in
*-dM*) exec cat "${0%/*}/macros" ;;
-E*) exec cat "${0%/*}/header" ;;
*) : >library.so ;;
esac
`, 0o755)
	return path, func(macros, header string) {
		put("macros", macros, 0o644)
		put("header", header, 0o644)
	}
}

func TestALibraryIsKeptForWhatItIsBuiltFor(t *testing.T) {
	t.Parallel()
	path, say := compiler(t)
	cache := t.TempDir()
	const version = "#define OMPI_MAJOR_VERSION 4\n#define OMPI_MINOR_VERSION 1\n#define OMPI_RELEASE_VERSION 4\n"
	seen := map[string]string{}
	for _, c := range []struct{ name, macros, header string }{
		{"one machine", version + "#define __x86_64__ 1\n#define __GLIBC_MINOR__ 36\n", header()},
		{"one of another kind", version + "#define __aarch64__ 1\n#define __GLIBC_MINOR__ 36\n", header()},
		{"one with another C library", version + "#define __x86_64__ 1\n#define __GLIBC_MINOR__ 41\n", header()},
		{"one with more functions", version + "#define __x86_64__ 1\n#define __GLIBC_MINOR__ 36\n", header() + "int MPI_More(void);\n"},
		{"another version", "#define MPICH_VERSION \"4.0.2\"\n#define __x86_64__ 1\n", header()},
	} {
		say(c.macros, c.header)
		var first string
		for range 2 {
			i, err := identify(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			library, err := Build(t.Context(), i, cache)
			if err != nil {
				t.Fatal(err)
			}
			if first != "" && library != first {
				t.Errorf("%s: got %s after %s", c.name, library, first)
			}
			first = library
		}
		if other, ok := seen[first]; ok {
			t.Errorf("%s has the library of %s", c.name, other)
		}
		seen[first] = c.name
	}
}
