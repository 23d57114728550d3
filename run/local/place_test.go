// SPDX-License-Identifier: MIT

package local

import (
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// twoSockets is a machine of two sockets with two NUMA nodes each, a core a
// node, and two hardware threads a core, numbered as Linux does as a rule.
var twoSockets = []core{
	{CPUs: []int{0, 4}, Socket: 0, NUMA: 0}, {CPUs: []int{1, 5}, Socket: 0, NUMA: 1},
	{CPUs: []int{2, 6}, Socket: 1, NUMA: 2}, {CPUs: []int{3, 7}, Socket: 1, NUMA: 3},
}

func TestPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		tasks, cores  int
		mapBy, bindTo string
		slots         []core
		want          [][]int
	}{
		{"ranks take cores in order", 3, 1, "", "core", twoSockets, [][]int{{0, 4}, {1, 5}, {2, 6}}},
		{"mapped by socket, ranks take turns", 4, 1, "socket", "core", twoSockets, [][]int{{0, 4}, {2, 6}, {1, 5}, {3, 7}}},
		{"mapped by NUMA node, ranks take turns", 3, 1, "numa", "core", twoSockets, [][]int{{0, 4}, {1, 5}, {2, 6}}},
		{"a rank of two cores has neighbours", 2, 2, "slot", "core", twoSockets, [][]int{{0, 4, 1, 5}, {2, 6, 3, 7}}},
		{"a rank of two cores mapped by socket stays in one", 2, 2, "socket", "core", twoSockets, [][]int{{0, 4, 1, 5}, {2, 6, 3, 7}}},
		{"a rank that no node can hold has cores of several", 1, 2, "numa", "core", twoSockets, [][]int{{0, 4, 1, 5}}},
		{"a rank bound to its socket has its cores", 2, 1, "socket", "socket", twoSockets, [][]int{{0, 4, 1, 5}, {2, 6, 3, 7}}},
		{"a rank bound to its socket has no core of another job", 1, 1, "", "socket", twoSockets[1:3], [][]int{{1, 5}}},
		{"more ranks than cores begin again", 5, 1, "", "core", twoSockets[:2], [][]int{{0, 4}, {1, 5}, {0, 4}, {1, 5}, {0, 4}}},
		{"more cores for a rank than there are is all of them", 2, 3, "", "core", twoSockets[:2], [][]int{{0, 4, 1, 5}, {0, 4, 1, 5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := len(c.slots)
			s := ensemble.Shape{Tasks: c.tasks, CoresPerTask: c.cores, MapBy: c.mapBy, BindTo: c.bindTo}
			if diff := cmp.Diff(c.want, place(s, c.slots)); diff != "" {
				t.Errorf("processors of the ranks (-want +got):\n%s", diff)
			}
			if len(c.slots) != before {
				t.Errorf("%d slots are left of %d", len(c.slots), before)
			}
		})
	}
}

func TestLaunchLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		mpi     spec.MPI
		machine bool
		shape   ensemble.Shape
		over    bool
		want    string // without the option that root needs
		ranks   string
	}{
		{"without MPI the command stands alone", spec.NoMPI, true, ensemble.Shape{Tasks: 2, BindTo: "core"}, false, "app x", ""},
		{"Open MPI does not bind unless asked to", spec.OpenMPI, true, ensemble.Shape{Tasks: 2, MapBy: "core"}, false, "L -n 2 --bind-to none app x", ""},
		{"Open MPI places ranks of the whole machine", spec.OpenMPI, true, ensemble.Shape{Tasks: 2, MapBy: "socket", BindTo: "core"}, false, "L -n 2 --map-by socket --bind-to core app x", ""},
		{"Open MPI counts cores by slot", spec.OpenMPI, true, ensemble.Shape{Tasks: 2, CoresPerTask: 2, MapBy: "core", BindTo: "core"}, false, "L -n 2 --map-by slot:PE=2 --bind-to core app x", ""},
		{"Open MPI does not count cores for sockets", spec.OpenMPI, true, ensemble.Shape{Tasks: 2, CoresPerTask: 2, BindTo: "socket"}, false, "L -n 2 --bind-to socket app x", ""},
		{"Open MPI may bind more ranks than cores", spec.OpenMPI, true, ensemble.Shape{Tasks: 9, BindTo: "core"}, true, "L --oversubscribe -n 9 --bind-to core:overload-allowed app x", ""},
		{"Open MPI is told where ranks of a part of the machine go", spec.OpenMPI, false, ensemble.Shape{Tasks: 2, CoresPerTask: 2, BindTo: "core"}, false,
			"L -n 2 --rankfile DIR/ranks --mca rmaps_rank_file_physical 1 --use-hwthread-cpus app x",
			"rank 0=localhost slot=0-1,4-5\nrank 1=localhost slot=2-3,6-7\n"},
		{"Hydra does not bind unless asked to", spec.MPICH, true, ensemble.Shape{Tasks: 2, MapBy: "core"}, false, "L -n 2 app x", ""},
		{"Hydra is told where ranks go", spec.MPICH, true, ensemble.Shape{Tasks: 2, MapBy: "node", BindTo: "core"}, false, "L -n 2 -bind-to user:0+4,1+5 app x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.CoresPerTask = max(1, c.shape.CoresPerTask)
			j := &ensemble.Job{Shape: c.shape, Launch: ensemble.Launch{MPI: c.mpi, Command: []string{"app", "x"}}}
			j.Policy.Oversubscribe = c.over
			argv, ranks, err := launchLine(j, plan{Cores: twoSockets, Machine: c.machine, Launcher: "L"}, "DIR")
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Replace(strings.Join(argv, " "), " --allow-run-as-root", "", 1)
			if diff := cmp.Diff([]string{c.want, c.ranks}, []string{got, ranks}); diff != "" {
				t.Errorf("command line and file of ranks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAListTooLongForOpenMPIIsRefused(t *testing.T) {
	t.Parallel()
	var odd []core // with a socket of odd processors, as some machines number them
	for i := range 40 {
		odd = append(odd, core{CPUs: []int{2*i + 1}})
	}
	j := &ensemble.Job{Shape: ensemble.Shape{Tasks: 1, CoresPerTask: 1, BindTo: "socket"}, Launch: ensemble.Launch{MPI: spec.OpenMPI}}
	_, _, err := launchLine(j, plan{Cores: odd}, "DIR")
	if err == nil || !strings.Contains(err.Error(), "a longer list than Open MPI takes") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestListsOfProcessors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"one", "3", "3"},
		{"a range and one", "0-3,8", "0-3,8"},
		{"neighbours become a range", "1,0,2", "0-2"},
		{"twice the same", "5,5,4-5", "4-5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, err := parseCPUList(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := formatCPUList(list); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, bad := range []string{"", "a", "3-1", "1-", "0-9999999"} {
		if list, err := parseCPUList(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, list)
		}
	}
}
