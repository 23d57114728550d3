// SPDX-License-Identifier: MIT

package read_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
)

// curves gives a run's series and metrics as lines.
func curves(r read.Run) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Series)) {
		s := r.Series[name]
		lines = append(lines, fmt.Sprintf("%s %s %v", name, s.Unit[1], s.Points))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		lines = append(lines, fmt.Sprintf("%s = %g %s", name, r.Metrics[name].Value, r.Metrics[name].Unit))
	}
	return append(lines, string(r.Status))
}

func TestOSU(t *testing.T) {
	for _, c := range []struct {
		name, log string
		want      []string
	}{
		{
			"latency has one column",
			"# OSU MPI Latency Test v5.8\n# Size          Latency (us)\n0                       7.46\n8                       7.78\n1048576                77.98\n",
			[]string{"osu_latency us [[0 7.46] [8 7.78] [1.048576e+06 77.98]]", "at_1MiB = 77.98 us", "at_8B = 7.78 us", "succeeded"},
		},
		{
			"bandwidth has its unit in MB/s",
			"# OSU MPI Bandwidth Test v5.8\n# Size      Bandwidth (MB/s)\n8                      14.61\n",
			[]string{"osu_bw MB/s [[8 14.61]]", "at_8B = 14.61 MB/s", "succeeded"},
		},
		{
			"a validated table has a word in each row",
			"# OSU MPI-CUDA Bi-Directional Bandwidth Test v7.3\n# Datatype: MPI_CHAR.\n# Size      Bandwidth (MB/s)        Validation\n8                      14.61              Pass\n",
			[]string{"osu_bibw MB/s [[8 14.61]]", "at_8B = 14.61 MB/s", "succeeded"},
		},
		{
			"a failed validation is no success",
			"# OSU MPI Latency Test v7.3\n# Size          Latency (us)        Validation\n8                       1.50              Fail\n",
			[]string{"osu_latency us [[8 1.5]]", "at_8B = 1.5 us", "incomplete"},
		},
		{
			"message rates are a series of their own",
			"# OSU MPI Multiple Bandwidth / Message Rate Test v5.8\n# [ pairs: 4 ] [ window size: 64 ]\n# Size                  MB/s        Messages/s\n8                      50.25        6281250.00\n",
			[]string{"osu_mbw_mr MB/s [[8 50.25]]", "osu_mbw_mr_messages 1/s [[8 6.28125e+06]]", "at_8B = 50.25 MB/s", "succeeded"},
		},
		{
			"a non-blocking collective has the parts of its time",
			"# OSU MPI Non-blocking Allreduce Latency Test v5.8\n# Overall = Coll. Init + Compute + MPI_Test + MPI_Wait\n\n# Size           Overall(us)       Compute(us)    Pure Comm.(us)        Overlap(%)\n8                      10.50              5.25              6.00             12.50\n",
			[]string{
				"osu_iallreduce us [[8 10.5]]", "osu_iallreduce_compute us [[8 5.25]]",
				"osu_iallreduce_overlap % [[8 12.5]]", "osu_iallreduce_pure_comm us [[8 6]]",
				"at_8B = 10.5 us", "succeeded",
			},
		},
		{
			"a barrier has no sizes",
			"# OSU MPI Barrier Latency Test v5.8\n# Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations\n             12.50             10.25             15.75        1000\n",
			[]string{"avg_latency = 12.5 us", "iterations = 1000 count", "max_latency = 15.75 us", "min_latency = 10.25 us", "succeeded"},
		},
		{"a barrier can have one column", "# OSU MPI Barrier Latency Test v5.8\n# Avg Latency(us)\n             12.50\n", []string{"avg_latency = 12.5 us", "succeeded"}},
		{
			"the start of MPI is a line of words",
			"# OSU MPI Init Test v5.8\nnprocs: 8, min: 200 ms, max: 250 ms, avg: 225 ms\n",
			[]string{"init_avg = 225 ms", "init_max = 250 ms", "init_min = 200 ms", "succeeded"},
		},
		{"hello counts its processes", "# OSU MPI Hello World Test v5.8\nThis is a test with 8 processes\n", []string{"hello_processes = 8 count", "succeeded"}},
		{
			"a one-sided test has comments on its windows",
			"# OSU MPI_Put Latency Test v5.8\n# Window creation: MPI_Win_allocate\n# Synchronization: MPI_Win_flush\n# Size          Latency (us)\n8                       1.25\n",
			[]string{"osu_put_latency us [[8 1.25]]", "at_8B = 1.25 us", "succeeded"},
		},
		{
			"warnings between rows are no rows",
			"# OSU MPI All-to-All Personalized Exchange Latency Test v5.8\n# Size       Avg Latency(us)\n4                       1.00\n[17.5] [host:1:0] sys.c:1 UCX  WARN  9 segments\n2024-01-01 00:00:00 8 lines\n8                       2.00\n",
			[]string{"osu_alltoall us [[4 1] [8 2]]", "at_8B = 2 us", "succeeded"},
		},
		{
			"a second datatype is a second table",
			"# OSU MPI Reduce Latency Test v7.2\n# Datatype: MPI_INT.\n# Size       Avg Latency(us)\n8                       1.00\n# Datatype: MPI_CHAR.\n# Size       Avg Latency(us)\n8                       2.00\n",
			[]string{"osu_reduce us [[8 1]]", "osu_reduce_mpi_char us [[8 2]]", "at_8B = 1 us", "succeeded"},
		},
		{"a title without rows is no success", "# OSU MPI Latency Test v5.8\n# Size          Latency (us)\n", []string{"incomplete"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, curves(last(t, reader(t, "osu"), strings.NewReader(c.log)))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestTwoOSUTestsAreTwoRuns(t *testing.T) {
	log := "Start time: 1700000000\n# OSU MPI Latency Test v5.8\n# Size          Latency (us)\n8                       7.78\n" +
		"# OSU MPI Bandwidth Test v5.8\n# Size      Bandwidth (MB/s)\n8                      14.61\nEnd time: 1700000009\n"
	var got [][]string
	for r := range reader(t, "osu").Read(t.Context(), "x", strings.NewReader(log)) {
		got = append(got, curves(r))
	}
	want := [][]string{
		{"osu_latency us [[8 7.78]]", "at_8B = 7.78 us", "duration_wrapper = 9 s", "succeeded"},
		{"osu_bw MB/s [[8 14.61]]", "at_8B = 14.61 MB/s", "duration_wrapper = 9 s", "succeeded"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
