// SPDX-License-Identifier: MIT

package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// developers are Debian's packages with which a program can be built for an MPI.
var developers = map[spec.MPI][]string{
	spec.OpenMPI: {"gcc", "libopenmpi-dev"},
	spec.MPICH:   {"gcc", "libmpich-dev"},
}

// preload gives the path of the profiling library that a job asks for, built when
// the first one does; it is empty where none is asked for.
func (x *Executor) preload(job *ensemble.Job) (path string, err error) {
	if job.Launch.Profile != spec.ProfileMPI {
		return "", nil
	}
	name := job.Launch.MPI
	if path = x.preloads[name]; path == "" {
		if path, err = buildLibrary(name); err == nil {
			x.preloads[name] = path
		}
	}
	return path, err
}

// buildLibrary builds the profiling library for an MPI, or finds the one that was
// built before.
func buildLibrary(name spec.MPI) (string, error) {
	ctx := context.Background()
	found, err := mpi.Find(ctx, string(name))
	if errors.Is(err, mpi.ErrMissing) {
		return "", &run.MissingError{Program: fmt.Sprintf("the compiler of %s", name), Of: "profile: mpi", Packages: developers[name]}
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

// profiled is what stands before the command of one rank to have it profiled: the
// library is for the ranks, not for their launcher.
func profiled(job *ensemble.Job, p plan, dir string) []string {
	if p.Preload == "" {
		return nil
	}
	libraries := p.Preload
	for _, v := range job.Launch.Env {
		if theirs, ok := strings.CutPrefix(v, "LD_PRELOAD="); ok && theirs != "" {
			libraries += ":" + theirs
		}
	}
	return []string{"env", "LD_PRELOAD=" + libraries, "ENSEMBLE_MPI_PROFILE=" + filepath.Join(dir, run.ProfileDir)}
}
