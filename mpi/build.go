// SPDX-License-Identifier: MIT

package mpi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed profile/*.c profile/*.h
var sources embed.FS

// Implementation is an MPI that programs can be compiled for.
type Implementation struct {
	// Name is openmpi, mpich or, for another one, empty.
	Name string
	// Version is its own, such as 4.1.4.
	Version string
	// Compiler is the path of its wrapper for C.
	Compiler string
}

// wrappersOf are the names of compiler wrappers, by preference.
var wrappersOf = map[string][]string{
	"openmpi": {"mpicc.openmpi", "mpicc"},
	"mpich":   {"mpicc.mpich", "mpicc"},
}

// Names are those that Find knows.
func Names() []string { return slices.Sorted(maps.Keys(wrappersOf)) }

// Cache is the user's directory for libraries that were built.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for the MPI profiling library: %w", err)
	}
	if strings.ContainsAny(dir, " :") { // they part the libraries of LD_PRELOAD
		return "", fmt.Errorf("a library cannot be preloaded from %q: set XDG_CACHE_HOME to a path without spaces and colons", dir)
	}
	return filepath.Join(dir, "ensemble"), nil
}

// ErrMissing says that a machine has no compiler for an MPI.
var ErrMissing = errors.New("no compiler for this MPI")

// Find looks for the MPI of a name. The error wraps ErrMissing where its compiler
// or its header is not there.
func Find(ctx context.Context, name string) (Implementation, error) {
	candidates, ok := wrappersOf[name]
	if !ok {
		return Implementation{}, fmt.Errorf("%w: %q is unknown, want %s", ErrMissing, name, strings.Join(Names(), " or "))
	}
	var why error
	for _, c := range candidates {
		path, err := exec.LookPath(c)
		if err != nil {
			continue
		}
		found, err := identify(ctx, path)
		if err != nil {
			why = err
		} else if found.Name == name {
			return found, nil
		}
	}
	if why != nil {
		return Implementation{}, fmt.Errorf("%w: %w", ErrMissing, why)
	}
	return Implementation{}, fmt.Errorf("%w: found none of %s for %s", ErrMissing, strings.Join(candidates, ", "), name)
}

var macro = regexp.MustCompile(`(?m)^#define (MPICH_VERSION|OMPI_(?:MAJOR|MINOR|RELEASE)_VERSION) "?([^"\n]*)"?$`)

// identify asks a compiler wrapper which MPI it is for.
func identify(ctx context.Context, compiler string) (Implementation, error) {
	text, err := preprocess(ctx, compiler, "-dM")
	if err != nil {
		return Implementation{}, err
	}
	values := map[string]string{}
	for _, m := range macro.FindAllStringSubmatch(text, -1) {
		values[m[1]] = m[2]
	}
	i := Implementation{Compiler: compiler}
	switch {
	case values["OMPI_MAJOR_VERSION"] != "":
		i.Name = "openmpi"
		i.Version = values["OMPI_MAJOR_VERSION"] + "." + values["OMPI_MINOR_VERSION"] + "." + values["OMPI_RELEASE_VERSION"]
	case values["MPICH_VERSION"] != "":
		i.Name, i.Version = "mpich", values["MPICH_VERSION"]
	}
	return i, nil
}

// preprocess gives mpi.h with all that it includes.
func preprocess(ctx context.Context, compiler string, args ...string) (string, error) {
	dir, err := os.MkdirTemp("", "ensemble-mpi-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	// A file, for Open MPI's wrapper adds nothing when it reads its input; and with
	// a header of the C library, for its version.
	file := filepath.Join(dir, "header.c")
	if err := os.WriteFile(file, []byte("#include <limits.h>\n#include <mpi.h>\n"), 0o644); err != nil {
		return "", err
	}
	return command(ctx, dir, compiler, append([]string{"-E", "-P", file}, args...)...)
}

// command gives what a command prints, or what it complains of.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	var out, complaint bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, &out, &complaint
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		first, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return "", fmt.Errorf("running %s: %w: %s", filepath.Base(name), err, first)
	}
	return out.String(), nil
}

// flags are those of the compiler. All that is exported are the wrappers. Functions
// are bound when they are called, since an MPI of the same kind that a program
// brings along may have fewer than the one that was built for.
var flags = []string{"-shared", "-fPIC", "-O2", "-std=gnu11", "-fno-strict-aliasing", "-Wno-deprecated-declarations", "-pthread", "-Wl,-z,lazy"}

// Build gives the path of the profiling library for an MPI, from the cache or
// built into it. Several processes may build at once, and machines that differ may
// share a cache: what a library is kept under has what its compiler says of itself,
// of the machine that it compiles for, of the C library and of the MPI.
func Build(ctx context.Context, i Implementation, cache string) (string, error) {
	header, err := preprocess(ctx, i.Compiler)
	if err != nil {
		return "", fmt.Errorf("reading the header of %s %s: %w", i.Name, i.Version, err)
	}
	macros, err := preprocess(ctx, i.Compiler, "-dM")
	if err != nil {
		return "", fmt.Errorf("reading the header of %s %s: %w", i.Name, i.Version, err)
	}
	files, err := files(header)
	if err != nil {
		return "", fmt.Errorf("wrapping %s %s: %w", i.Name, i.Version, err)
	}
	digest := sha256.New()
	fmt.Fprintf(digest, "%s %s %s %q\n%s", i.Name, i.Version, i.Compiler, flags, macros)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(digest, "\n%s %d\n%s", name, len(files[name]), files[name])
	}
	library := filepath.Join(cache, fmt.Sprintf("mpi-%s-%s-%s.so", i.Name, i.Version, hex.EncodeToString(digest.Sum(nil))[:12]))
	if _, err := os.Stat(library); err == nil {
		return library, nil
	}
	if err := compile(ctx, i.Compiler, files, library); err != nil {
		return "", fmt.Errorf("building the profiling library for %s %s: %w", i.Name, i.Version, err)
	}
	return library, nil
}

// files are the sources of the library for an MPI with a header, by name.
func files(header string) (map[string][]byte, error) {
	all, err := parsePrototypes(header)
	if err != nil {
		return nil, err
	}
	generated, err := wrappers(all)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"wrappers.c": generated}
	err = fs.WalkDir(sources, "profile", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[d.Name()], err = sources.ReadFile(path)
		}
		return err
	})
	return files, err
}

// compile makes a library of files, whole or not at all.
func compile(ctx context.Context, compiler string, files map[string][]byte, library string) error {
	cache := filepath.Dir(library)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := append(slices.Clone(flags), "-o", "library.so")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return err
		}
		if strings.HasSuffix(name, ".c") {
			args = append(args, name)
		}
	}
	if _, err := command(ctx, dir, compiler, args...); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, "library.so"), library)
}
