// SPDX-License-Identifier: MIT

package read_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
)

// mpip.txt is what mpiP 3.5.0 wrote of a program of two ranks, one of which waits
// for 80 % of its time.
func TestMPIP(t *testing.T) {
	text, err := os.ReadFile("testdata/mpip.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := last(t, reader(t, "mpip"), strings.NewReader(string(text)))
	want := map[string]read.Value{"app_time": {Value: 2.02, Unit: "s"}, "mpi_time": {Value: 0.805, Unit: "s"}, "mpi_percent": {Value: 39.76, Unit: "%"}}
	if d := cmp.Diff(want, got.Metrics); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got.Status != read.Succeeded || got.Tasks != 2 || got.Command != "./share" {
		t.Errorf("got %s, %d tasks of %q", got.Status, got.Tasks, got.Command)
	}
	for name, want := range map[string]string{
		"ranks": `[{"rank":0,"app_time_s":1.01,"mpi_time_s":0.0013,"mpi_percent":0.13},{"rank":1,"app_time_s":1.01,"mpi_time_s":0.803,"mpi_percent":79.39}]`,
		"calls": `[{"call":"MPI_Barrier","site":4,"time_ms":803.0,"app_percent":39.67,"count":20},{"call":"MPI_Barrier","site":2,"time_ms":0.73,"app_percent":0.04,"count":20},` +
			`{"call":"MPI_Barrier","site":1,"time_ms":0.57,"app_percent":0.03,"count":1},{"call":"MPI_Barrier","site":3,"time_ms":0.541,"app_percent":0.03,"count":1}]`,
	} {
		if table, err := json.Marshal(got.Tables[name]); err != nil || string(table) != want {
			t.Errorf("%s: got %s %v", name, table, err)
		}
	}
	before, _, _ := strings.Cut(string(text), "   *")
	if got := last(t, reader(t, "mpip"), strings.NewReader(before)); got.Status != read.Incomplete {
		t.Errorf("a report that breaks off: got %s", got.Status)
	}
}

const caliperHead = "Path                    Min time/rank Max time/rank Avg time/rank Time %    \n"

func TestCaliper(t *testing.T) {
	for _, c := range []struct {
		name, text string
		status     read.Status
		want       map[string]float64
		regions    []string
	}{
		{
			"the time of main is that of all that is in it", "some output 1 2 3\n" + caliperHead +
				"main                         0.100000      0.300000      0.200000 20.000000 \n" +
				"  solve                      0.400000      0.400000      0.400000 40.000000 \n" +
				"    MPI_Allreduce            0.000000      0.600000      0.300000 30.000000 \n" +
				"  main loop                  0.050000      0.050000      0.050000  5.000000 \n" +
				"    MPI_Wait                 0.050000      0.050000      0.050000  5.000000 \n" +
				"Elapsed time is 12 0.5 7 8 9\n",
			read.Succeeded, map[string]float64{"main_time": 1, "mpi_time": 0.35, "mpi_percent": 35},
			[]string{"main", "main/solve", "main/solve/MPI_Allreduce", "main/main loop", "main/main loop/MPI_Wait"},
		},
		{
			"functions of MPI outside main count as MPI, not as main", caliperHead +
				"main                         1.000000      1.000000      1.000000 20.000000 \n" +
				"  MPI_Bcast                  1.000000      1.000000      1.000000 20.000000 \n" +
				"MPI_Finalize                 0.500000      0.500000      0.500000 10.000000 \n",
			read.Succeeded, map[string]float64{"main_time": 2, "mpi_time": 1.5, "mpi_percent": 75},
			[]string{"main", "main/MPI_Bcast", "MPI_Finalize"},
		},
		{
			"more columns, and a table that is indented", "    Path       Min time/rank Max time/rank Avg time/rank Total time Time % (total)\n" +
				"    main        1.000000      1.000000      1.000000   2.000000           20.0\n" +
				"      MPI_Bcast  3.000000      3.000000      3.000000   6.000000          20.0\n",
			read.Succeeded, map[string]float64{"main_time": 4, "mpi_time": 3, "mpi_percent": 75},
			[]string{"main", "main/MPI_Bcast"},
		},
		{
			"without main there is no share", caliperHead +
				"kernel                       0.100000      0.100000      0.100000  3.800000 \n" +
				"    MPI_Gatherv              0.800000      0.800000      0.800000 96.000000 \n",
			read.Succeeded, map[string]float64{"mpi_time": 0.8}, []string{"kernel", "kernel/MPI_Gatherv"},
		},
		{"a log without a table", "main 1 2 3 4\n", read.Incomplete, nil, nil},
		{"a table without rows", caliperHead, read.Incomplete, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := last(t, reader(t, "caliper"), strings.NewReader(c.text))
			if got.Status != c.status {
				t.Errorf("got %s (%s), want %s", got.Status, got.Reason, c.status)
			}
			values := map[string]float64{}
			for name, v := range got.Metrics {
				values[name] = v.Value
			}
			if !maps.EqualFunc(c.want, values, func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 }) {
				t.Errorf("got %v, want %v", values, c.want)
			}
			var regions []string
			for _, row := range got.Tables["regions"].Rows {
				regions = append(regions, row[0].String())
			}
			if !slices.Equal(c.regions, regions) {
				t.Errorf("got the regions %q, want %q", regions, c.regions)
			}
		})
	}
}
