// SPDX-License-Identifier: MIT

package catalog_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

func parse(t *testing.T, app *spec.Application, dir fs.FS) read.Run {
	t.Helper()
	r, err := read.New(app.Metadata.Name, app.Spec.Output)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.ReadFiles(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// captured gives one captured run: NAME.txt is what came to standard output
// and then to standard error, NAME.FILE is a collected file.
func captured(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	dir := filepath.Join("testdata", "outputs")
	paths, err := filepath.Glob(filepath.Join(dir, name+".*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captured output %q: %v", name, err)
	}
	files := fstest.MapFS{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		file := strings.TrimPrefix(filepath.Base(p), name+".")
		if file == "txt" {
			file = "stdout"
		}
		files[file] = &fstest.MapFile{Data: b}
	}
	if _, err := files.Stat("stdout"); errors.Is(err, fs.ErrNotExist) {
		files["stdout"] = &fstest.MapFile{}
	}
	return files
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

func TestCapturedOutputsGiveTheValuesPrintedInThem(t *testing.T) {
	c := load(t)
	for _, test := range []struct {
		app, file string
		tasks     int
		metrics   map[string]float64
	}{
		{"lammps", "lammps-debian-openmpi-1", 1, map[string]float64{
			"loop_time": 5.01831, "wall_time": 5, "timesteps_per_second": 59.781, "comm_percent": 1.10, "cpu_percent": 100}},
		{"lammps", "lammps-debian-openmpi-2", 2, map[string]float64{
			"loop_time": 2.83243, "wall_time": 2, "timesteps_per_second": 105.916, "comm_percent": 7.15, "cpu_percent": 98.6}},
		{"gromacs", "gromacs-debian-openmpi-1", 1, map[string]float64{
			"wall_time": 3.202, "simulation_ns_per_day": 27.033, "hour_per_ns": 0.888}},
		{"gromacs", "gromacs-debian-openmpi-2", 2, map[string]float64{
			"wall_time": 1.809, "simulation_ns_per_day": 47.865, "hour_per_ns": 0.501}},
		{"quantum-espresso", "quantum-espresso-debian-openmpi-1", 1, map[string]float64{
			"wall_time": 0.22 + 2.51, "electrons_time": 2.51, "scf_iterations": 8, "time_per_iteration": 2.51 / 8,
			"diagonalization_time": 2.21, "fft_time": 1.25, "total_energy": -63.35998515}},
		{"quantum-espresso", "quantum-espresso-debian-openmpi-2", 2, map[string]float64{
			"wall_time": 0.14 + 1.50, "electrons_time": 1.50, "scf_iterations": 8, "time_per_iteration": 1.50 / 8,
			"diagonalization_time": 1.32, "fft_time": 0.84, "fft_scatter_time": 0.09 + 0.14, "total_energy": -63.35998515}},
		{"nwchem", "nwchem-debian-openmpi-1", 1, map[string]float64{
			"wall_time": 3.1, "task_time": 3.1, "cpu_time": 3.1, "total_energy": -304.018527348709, "basis_functions": 72}},
		{"nwchem", "nwchem-debian-openmpi-2", 2, map[string]float64{
			"wall_time": 1.7, "task_time": 1.7, "cpu_time": 1.6, "total_energy": -304.018527348710, "basis_functions": 72}},
		{"nwchem", "nwchem-debian-mpich-1", 1, map[string]float64{
			"wall_time": 3.1, "task_time": 3.0, "cpu_time": 3.0, "total_energy": -304.018527348709, "basis_functions": 72}},
		{"nwchem", "nwchem-debian-mpich-2", 2, map[string]float64{
			"wall_time": 2.1, "task_time": 2.0, "cpu_time": 2.0, "total_energy": -304.018527348710, "basis_functions": 72}},
		{"hpcc", "hpcc-debian-openmpi-1", 1, map[string]float64{
			"hpl_time": 1.12961, "hpl_gflops": 4.72671, "star_dgemm_gflops": 5.07294, "star_stream_triad": 31.3816,
			"ptrans": 5.31352, "random_access": 0.0136875, "fft_gflops": 3.27921}},
		{"hpcc", "hpcc-debian-openmpi-2", 2, map[string]float64{
			"hpl_time": 0.663366, "hpl_gflops": 8.04885, "star_dgemm_gflops": 5.10812, "star_stream_triad": 50.1228,
			"ptrans": 2.6183, "random_access": 0.0228636, "fft_gflops": 5.1988,
			"ping_pong_latency": 0.424729, "ping_pong_bandwidth": 10.4945,
			"random_ring_latency": 0.330432, "random_ring_bandwidth": 8.99566}},
		{"netpipe", "netpipe-debian-openmpi-2", 0, map[string]float64{
			"latency": 0.16, "max_bandwidth": 79008.03 * 1.048576e-3, "largest_message_time": 101.26, "sizes": 40}},
		{"netpipe", "netpipe-debian-mpich-2", 0, map[string]float64{
			"latency": 0.19, "max_bandwidth": 77373.19 * 1.048576e-3, "largest_message_time": 103.39, "sizes": 40}},
		{"fio", "fio-debian-1", 0, map[string]float64{
			"run_time": 2.756, "read_volume": 131148. / 1024, "read_bandwidth": 47586. / 1024, "read_iops": 11896,
			"write_volume": 130996. / 1024, "bandwidth": 256 / 2.756}},
		{"stress-ng", "stress-ng-debian-1", 0, map[string]float64{
			"run_time": 3.00, "operations": 3004, "operations_per_second": 1001.10, "operations_per_cpu_second": 1001.13}},
		{"stress-ng", "stress-ng-debian-1-threads", 0, map[string]float64{
			"run_time": 1.59, "operations": 3004, "operations_per_second": 1893.78, "operations_per_cpu_second": 968.67,
			"user_time": 3.09, "system_time": 0.01}},
		{"iperf3", "iperf3-debian-1", 0, map[string]float64{
			"run_time": 4.05, "sender_bandwidth": 16.968, "receiver_bandwidth": 16.968, "retransmits": 7}},
		{"iperf3", "iperf3-debian-1-streams", 0, map[string]float64{
			"run_time": 2.74, "sender_bandwidth": 25.040, "receiver_bandwidth": 25.039, "retransmits": 14}},
	} {
		t.Run(test.file, func(t *testing.T) {
			app, _ := c.App(test.app)
			got := parse(t, app, captured(t, test.file))
			if got.Status != read.Succeeded {
				t.Errorf("status %s: %s", got.Status, got.Reason)
			}
			if got.Tasks != test.tasks {
				t.Errorf("%d tasks, want %d", got.Tasks, test.tasks)
			}
			for name, want := range test.metrics {
				if m, ok := got.Metrics[name]; !ok || !near(m.Value, want) {
					t.Errorf("the metric %s is %v, want %v", name, m.Value, want)
				}
			}
			for _, name := range roles(app) {
				if got.Metrics[name].Value <= 0 {
					t.Errorf("the metric %s is missing", name)
				}
			}
			if test.tasks == 1 && test.app == "hpcc" {
				if m, ok := got.Metrics["ping_pong_latency"]; ok {
					t.Errorf("one rank has a latency of %v to itself", m.Value)
				}
			}
		})
	}
}

func TestCapturedCurvesAreThoseOfTheFile(t *testing.T) {
	app, _ := load(t).App("netpipe")
	for _, test := range []struct {
		file        string
		first, last [2]float64 // Mbps of 2^20 bit/s, us
	}{
		{"netpipe-debian-openmpi-2", [2]float64{46.511628, 0.16}, [2]float64{79008.025731, 101.26}},
		{"netpipe-debian-mpich-2", [2]float64{41.131105, 0.19}, [2]float64{77373.191597, 103.39}},
	} {
		t.Run(test.file, func(t *testing.T) {
			got := parse(t, app, captured(t, test.file))
			for name, column := range map[string]int{"netpipe_bandwidth": 0, "netpipe_latency": 1} {
				want := [2]float64{test.first[column], test.last[column]}
				if column == 0 {
					want[0], want[1] = want[0]*1.048576e-3, want[1]*1.048576e-3
				}
				p := got.Series[name].Points
				if len(p) != 40 || p[0][0] != 1 || p[39][0] != 1<<20 || !near(p[0][1], want[0]) || !near(p[39][1], want[1]) {
					t.Errorf("%s: got %v, want 40 points from %v to %v", name, p, want[0], want[1])
				}
			}
		})
	}
}

func TestCapturedFailuresAreRecognised(t *testing.T) {
	c := load(t)
	for _, test := range []struct{ app, file, reason string }{
		{"lammps", "lammps-debian-openmpi-1-overflow", "ERROR on proc 0: Neighbor list overflow, boost neigh_modify one"},
		{"gromacs", "gromacs-debian-openmpi-2-cells", "Fatal error:"},
		{"quantum-espresso", "quantum-espresso-debian-openmpi-1-pools", "an error in the routine mp_start_pools"},
		{"quantum-espresso", "quantum-espresso-debian-openmpi-1-unconverged", "no convergence after 2 iterations"},
		{"nwchem", "nwchem-debian-openmpi-1-basis", "an error in the specified basis set"},
		{"nwchem", "nwchem-debian-openmpi-1-unconverged", "no convergence"},
		{"nwchem", "nwchem-debian-mpich-windows-2", "level shift has overflowed"},
		{"hpcc", "hpcc-debian-openmpi-1-grid", "Need at least 2 processes"},
		{"hpcc", "hpcc-debian-openmpi-1-line", "could not allocate"},
		{"netpipe", "netpipe-debian-openmpi-1", "Need at least two processes"},
		{"fio", "fio-debian-1-full", "ENOSPC"},
		{"iperf3", "iperf3-debian-1-refused", "unable to connect to server: Connection refused"},
	} {
		t.Run(test.file, func(t *testing.T) {
			app, _ := c.App(test.app)
			got := parse(t, app, captured(t, test.file))
			if got.Status != read.Failed {
				t.Errorf("status %s, want failed", got.Status)
			}
			if !strings.Contains(got.Reason, test.reason) {
				t.Errorf("the reason is %q, want %q in it", got.Reason, test.reason)
			}
		})
	}
}
