// SPDX-License-Identifier: MIT

package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

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

// FindLauncher gives the path of the launcher of an MPI; where there is none the
// error is a *run.MissingError.
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
	return "", &run.MissingError{Program: fmt.Sprintf("the launcher of %s (%s)", mpi, l.programs[0]), Packages: []string{l.pkg}}
}

// launchLine puts the launcher before the command of one rank. Where Open MPI
// has to be told where each rank goes, ranks is the content of the file
// rankFile in the attempt's directory that says it, and empty elsewhere.
func launchLine(job *ensemble.Job, p plan, dir string) (argv []string, ranks string, err error) {
	s := job.Shape
	bound := s.BindTo != "" && s.BindTo != "none"
	switch job.Launch.MPI {
	case spec.NoMPI:
		return job.Launch.Command, "", nil
	case spec.OpenMPI:
		argv = append(argv, p.Launcher)
		if os.Geteuid() == 0 {
			argv = append(argv, "--allow-run-as-root")
		}
		if job.Policy.Oversubscribe {
			argv = append(argv, "--oversubscribe")
		}
		argv = append(argv, "-n", strconv.Itoa(s.Tasks))
		switch {
		case !bound:
			// Ranks have the launcher's processors: those of the job.
			argv = append(argv, "--bind-to", "none")
		case p.Machine:
			argv = append(argv, openMPIPlacement(s, job.Policy.Oversubscribe)...)
		default:
			if ranks, err = rankFileText(place(s, p.Cores)); err != nil {
				return nil, "", err
			}
			argv = append(argv, "--rankfile", filepath.Join(dir, rankFile), "--mca", "rmaps_rank_file_physical", "1", "--use-hwthread-cpus")
		}
	case spec.MPICH:
		argv = append(argv, p.Launcher, "-n", strconv.Itoa(s.Tasks))
		if bound {
			argv = append(argv, "-bind-to", "user:"+userBinding(place(s, p.Cores)))
		}
	default:
		return nil, "", fmt.Errorf("there is no launcher for the MPI %q", job.Launch.MPI)
	}
	argv = append(argv, profiled(job, p, dir)...)
	return append(argv, job.Launch.Command...), ranks, nil
}

// openMPIPlacement has mpirun place the ranks of a job that has the machine.
// It counts cores per rank (PE) only when it binds to cores, and not when it
// maps by core, where a slot means the same.
func openMPIPlacement(s ensemble.Shape, oversubscribe bool) (argv []string) {
	by, bind := s.MapBy, s.BindTo
	if s.CoresPerTask > 1 && bind == "core" {
		if by == "" || by == "core" {
			by = "slot"
		}
		by += ":PE=" + strconv.Itoa(s.CoresPerTask)
	}
	if by != "" {
		argv = append(argv, "--map-by", by)
	}
	if oversubscribe {
		bind += ":overload-allowed"
	}
	return append(argv, "--bind-to", bind)
}

// rankFileLimit is how long the list of a rank's processors may be: Open MPI 4
// copies it into 64 bytes and is killed by a longer one.
const rankFileLimit = 63

// rankFileText tells mpirun the processors of each rank. Its --cpu-set would be
// the simple way, but makes mpirun bind every rank to the whole set and refuse
// to map.
func rankFileText(ranks [][]int) (string, error) {
	var b strings.Builder
	for r, cpus := range ranks {
		list := formatCPUList(cpus)
		if len(list) > rankFileLimit {
			return "", fmt.Errorf("rank %d is to be bound to the processors %s, a longer list than Open MPI takes: bind to core or none, or do not share the machine", r, list)
		}
		fmt.Fprintf(&b, "rank %d=localhost slot=%s\n", r, list)
	}
	return b.String(), nil
}

// userBinding writes Hydra's list of the processors of each rank: commas
// between ranks, plus signs between the processors of one.
func userBinding(ranks [][]int) string {
	var all []string
	for _, cpus := range ranks {
		var one []string
		for _, cpu := range cpus {
			one = append(one, strconv.Itoa(cpu))
		}
		all = append(all, strings.Join(one, "+"))
	}
	return strings.Join(all, ",")
}
