// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

func TestAMissingCompilerIsNamedWithItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	x := &Executor{preloads: map[spec.MPI]string{}}
	for name, want := range map[spec.MPI]string{spec.OpenMPI: "libopenmpi-dev", spec.MPICH: "libmpich-dev"} {
		_, err := x.preload(&ensemble.Job{Launch: ensemble.Launch{MPI: name, Profile: spec.ProfileMPI}})
		var missing *run.MissingError
		if !errors.As(err, &missing) || !slices.Contains(missing.Packages, want) {
			t.Errorf("got %v, want the package %s", err, want)
		}
		if path, err := x.preload(&ensemble.Job{Launch: ensemble.Launch{MPI: name}}); path != "" || err != nil {
			t.Errorf("without a profile: got %q, %v", path, err)
		}
	}
}

func TestTheLauncherAndTheCompilerAreMissedAtOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	x := &Executor{cores: twoSockets, launchers: map[spec.MPI]string{}, preloads: map[spec.MPI]string{}}
	err := x.Check(&ensemble.Job{
		Shape:  ensemble.Shape{Nodes: 1, Tasks: 1, Threads: 1, CoresPerTask: 1},
		Launch: ensemble.Launch{MPI: spec.OpenMPI, Profile: spec.ProfileMPI, Command: []string{"app"}},
	})
	for _, want := range []string{"openmpi-bin", "gcc libopenmpi-dev"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want the package %s", err, want)
		}
	}
}

func TestTheLibraryIsForRanksOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mpi  spec.MPI
		env  []string
		want []string
	}{
		{"under Open MPI", spec.OpenMPI, nil, []string{"env", "LD_PRELOAD=/lib.so", "ENSEMBLE_MPI_PROFILE=/dir/profile", "app"}},
		{"under MPICH", spec.MPICH, nil, []string{"env", "LD_PRELOAD=/lib.so", "ENSEMBLE_MPI_PROFILE=/dir/profile", "app"}},
		{"beside a library of the application", spec.MPICH, []string{"LD_PRELOAD=/theirs.so"}, []string{"env", "LD_PRELOAD=/lib.so:/theirs.so", "ENSEMBLE_MPI_PROFILE=/dir/profile", "app"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			job := &ensemble.Job{
				Shape:  ensemble.Shape{Nodes: 1, Tasks: 2, Threads: 1, CoresPerTask: 1},
				Launch: ensemble.Launch{MPI: c.mpi, Command: []string{"app"}, Env: c.env},
			}
			argv, _, err := launchLine(job, plan{Launcher: "L", Preload: "/lib.so"}, "/dir")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, argv[len(argv)-4:]); argv[0] != "L" || d != "" {
				t.Errorf("got %q: -want +got:\n%s", argv, d)
			}
		})
	}
}
