// SPDX-License-Identifier: MIT

// Makempi builds the MPI profiling library for each MPI whose compiler is here
// into the cache where a run looks for it, and prints where.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/converged-computing/ensemble/mpi"
)

func main() {
	if err := build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	cache, err := mpi.Cache()
	if err != nil {
		return err
	}
	for _, name := range mpi.Names() {
		found, err := mpi.Find(ctx, name)
		if errors.Is(err, mpi.ErrMissing) {
			fmt.Printf("%s: %v\n", name, err)
			continue
		}
		if err != nil {
			return err
		}
		library, err := mpi.Build(ctx, found, cache)
		if err != nil {
			return err
		}
		fmt.Printf("%s %s: %s\n", name, found.Version, library)
	}
	return nil
}
