// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/converged-computing/ensemble/mpi"
	"github.com/converged-computing/ensemble/spec"
)

// developers are Debian's packages with which a program can be built for an MPI.
var developers = map[spec.MPI][]string{
	spec.OpenMPI: {"gcc", "libopenmpi-dev"},
	spec.MPICH:   {"gcc", "libmpich-dev"},
}

// ImageLibrary is where images of the container matrix have the MPI profiling library.
const ImageLibrary = "/opt/ensemble/lib/libensemble-mpi.so"

// ProfilingLibrary gives the path of the MPI profiling library for an MPI: it is built
// where it was not before. Without the MPI's compiler the error is a *MissingError.
func ProfilingLibrary(name spec.MPI) (string, error) {
	ctx := context.Background()
	found, err := mpi.Find(ctx, string(name))
	if errors.Is(err, mpi.ErrMissing) {
		return "", &MissingError{Program: fmt.Sprintf("the compiler of %s", name), Of: "profile: mpi", Packages: developers[name]}
	}
	if err != nil {
		return "", err
	}
	cache, err := mpi.Cache()
	if err != nil {
		return "", err
	}
	return mpi.Build(ctx, found, cache)
}
