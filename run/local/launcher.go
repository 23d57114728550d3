// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// MissingError says that the machine lacks a program, and how to get it.
type MissingError struct {
	Program string
	// Hint is a sentence that tells how to get it.
	Hint string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed; %s", e.Program, e.Hint)
}

// launchers are the names under which the launcher of an MPI is found, the
// first that exists wins: distributions that have several MPIs side by side
// put the MPI's name into the program's.
var launchers = map[spec.MPI]struct {
	programs []string
	version  string // what its --version says
	pkg      string // Debian's package
}{
	spec.OpenMPI: {[]string{"mpirun.openmpi", "mpirun"}, "(Open", "openmpi-bin"}, // (OpenRTE) or (Open MPI)
	spec.MPICH:   {[]string{"mpiexec.hydra", "mpiexec.mpich", "mpiexec"}, "HYDRA", "mpich"},
}

// LauncherPackage names Debian's package of the launcher of an MPI.
func LauncherPackage(mpi spec.MPI) string { return launchers[mpi].pkg }

// FindLauncher gives the path of the launcher of an MPI.
func FindLauncher(mpi spec.MPI) (string, error) {
	l, ok := launchers[mpi]
	if !ok {
		return "", fmt.Errorf("there is no launcher for the MPI %q", mpi)
	}
	for _, program := range l.programs {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").CombinedOutput()
		if err == nil && strings.Contains(string(out), l.version) {
			return path, nil
		}
	}
	return "", &MissingError{Program: "the launcher of " + string(mpi) + " (" + l.programs[0] + ")", Hint: "install it with: apt-get install " + l.pkg}
}

// launchLine puts the launcher, a path, before the command of one rank. slots
// are the cores that the job has to itself.
func launchLine(job *ensemble.Job, launcher string, slots []core) ([]string, error) {
	s := job.Shape
	if job.Launch.MPI == spec.NoMPI {
		return job.Launch.Command, nil
	}
	argv := []string{launcher}
	bind := s.BindTo
	if bind == "" {
		bind = "none"
	}
	switch job.Launch.MPI {
	case spec.OpenMPI:
		if os.Geteuid() == 0 {
			argv = append(argv, "--allow-run-as-root")
		}
		if job.Policy.Oversubscribe {
			argv = append(argv, "--oversubscribe")
		}
		// Without a map of its own mpirun counts slots by the machine and not by
		// the job's cores; one node makes them the same.
		argv = append(argv, "-n", strconv.Itoa(s.Tasks))
		if s.MapBy != "" || s.CoresPerTask > 1 && bind != "none" {
			by := s.MapBy
			if by == "" {
				by = "slot"
			}
			if s.CoresPerTask > 1 && bind != "none" {
				by += ":PE=" + strconv.Itoa(s.CoresPerTask)
			}
			argv = append(argv, "--map-by", by)
		}
		argv = append(argv, "--bind-to", bind)
		if bind != "none" {
			argv = append(argv, "--cpu-set", cpuList(slots))
		}
	case spec.MPICH:
		argv = append(argv, "-n", strconv.Itoa(s.Tasks))
		switch {
		case bind == "core" && job.Policy.Shared:
			argv = append(argv, "-bind-to", "user:"+userBinding(slots, s))
		case bind != "none":
			if s.CoresPerTask > 1 && bind == "core" {
				bind += ":" + strconv.Itoa(s.CoresPerTask)
			}
			argv = append(argv, "-bind-to", bind)
			if s.MapBy != "" {
				argv = append(argv, "-map-by", s.MapBy)
			}
		case s.MapBy != "":
			return nil, errors.New("MPICH maps ranks only where it binds them: give bindTo with mapBy")
		}
	}
	return append(argv, job.Launch.Command...), nil
}

// cpuList writes processors as 0,1,4.
func cpuList(slots []core) string {
	var s []string
	for _, c := range slots {
		for _, cpu := range c {
			s = append(s, strconv.Itoa(cpu))
		}
	}
	return strings.Join(s, ",")
}

// userBinding writes Hydra's list of the processors of each rank: commas
// between ranks, plus signs between the processors of one.
func userBinding(slots []core, s ensemble.Shape) string {
	ranks := make([]string, 0, s.Tasks)
	for r := range s.Tasks {
		var cpus []string
		for i := range s.CoresPerTask {
			for _, cpu := range slots[(r*s.CoresPerTask+i)%len(slots)] {
				cpus = append(cpus, strconv.Itoa(cpu))
			}
		}
		ranks = append(ranks, strings.Join(cpus, "+"))
	}
	return strings.Join(ranks, ",")
}
