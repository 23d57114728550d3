// SPDX-License-Identifier: MIT

package local

import (
	"path/filepath"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// preload gives the path of the profiling library that a job asks for, built when
// the first one does; it is empty where none is asked for.
func (x *Executor) preload(job *ensemble.Job) (path string, err error) {
	if job.Launch.Profile != spec.ProfileMPI {
		return "", nil
	}
	name := job.Launch.MPI
	if path = x.preloads[name]; path == "" {
		if path, err = run.ProfilingLibrary(name); err == nil {
			x.preloads[name] = path
		}
	}
	return path, err
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
