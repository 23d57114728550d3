// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
)

// profiledRecords are four repetitions on one rank and on many, every other one
// profiled.
func profiledRecords(ranks int) (records []measure.Record) {
	for _, n := range []int{1, ranks} {
		for i := range 4 {
			r := measure.Record{
				App: "sim", Variant: "debian", Problem: "small", Tasks: n, Nodes: 1, Threads: 1, Status: "succeeded",
				Trial: fmt.Sprintf("t%d-%d", n, i), Attempt: 1, Iteration: number(i + 1),
				Metrics: map[string]read.Value{"loop": {Value: 10/float64(n) + 0.01*float64(i), Unit: "s"}},
			}
			if i%2 == 1 {
				wait := 50.0
				r.MPI = &mpi.Summary{
					Percent: float64(n+i) - 1, MinPercent: float64(n) / 2, MaxPercent: float64(2*n + i), Imbalance: 4, WaitPercent: &wait,
					CostPercent: 0.5, Ranks: n, Size: n,
					Calls: []mpi.CallSum{
						{Name: "MPI_Send<b>", Count: 10, Seconds: 0.5, Percent: 2.5, Longest: 0.2, Messages: 10, Bytes: 4000, Largest: 400},
						{Name: "MPI_Barrier", Count: 4, Seconds: 0.2, Percent: 1, Longest: 0.1, Waits: 4, WaitSeconds: 0.05},
						{Name: "MPI_Comm_rank", Count: 9, Seconds: 1e-9, Percent: 1e-7},
					},
					Sizes: []mpi.SizeSum{{Below: 1, Messages: 1}, {Below: 512, Messages: 9}},
				}
				for from := range n {
					if to := (from + 1) % n; to != from {
						r.MPI.Sent = append(r.MPI.Sent, mpi.PeerSum{From: from, To: to, Way: mpi.Blocking, Messages: 1, Bytes: 1000}, mpi.PeerSum{From: from, To: to, Way: mpi.Immediate, Messages: 1, Bytes: 500})
					}
				}
			}
			records = append(records, r)
		}
	}
	return records
}

var sim = map[string]*spec.Application{"sim": {Spec: spec.ApplicationSpec{
	Scaling: spec.ScalingStrong,
	Output:  spec.Output{Metrics: []spec.Metric{{Name: "loop", Unit: "s", Role: spec.RoleApplicationTime}}},
}}}

func TestProfilesOfAPoint(t *testing.T) {
	t.Parallel()
	r := report.Build(profiledRecords(2), sim, report.Options{})
	s := &r.Applications[0].Series[0]
	m := s.Points[1].MPI
	if m == nil || m.Percent.N != 2 || m.Percent.Median != 3 || m.Low != 1 || m.High != 7 || m.Imbalance != 4 || m.Cost != 0.5 {
		t.Fatalf("got %+v, want what the two profiled trials have", m)
	}
	if m.Added == nil || m.Added.Interval == nil || m.Added.Value < 1 || m.Added.Value > 1.01 {
		t.Errorf("got %+v, want the ratio of profiled to other trials", m.Added)
	}
	if s.Profile == nil || s.Profile.Ranks != 2 || s.Profile.Trial != "t2-1" {
		t.Errorf("got %+v, want one of the most ranks", s.Profile)
	}

	noisy := profiledRecords(2)
	for i := range noisy {
		if i%4 == 1 {
			noisy[i].Flags = []string{"noisy"}
		}
	}
	if m := report.Build(noisy, sim, report.Options{}).Applications[0].Series[0].Points[1].MPI; m.Added != nil {
		t.Errorf("got %+v, want no ratio where one quiet trial is left", m.Added)
	}
}

func TestTextOfProfiles(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.Text(&b, report.Build(profiledRecords(2), sim, report.Options{}), report.TextOptions{Width: 120}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"MPI on 2 ranks: 3.00 % of the time, 1.00 to 7.00 % by rank; the busiest rank computes 4.0 % longer than the mean;",
		"counting it took 0.50 %, and profiled trials 1.00",
		"where ranks met, 50 % of the time was waiting for the last.",
		"call calls share waiting bytes mean longest [%] [%] [us] [us] MPI_Send<b> 10 2.50 4 kB 50000 200000 MPI_Barrier 4 1.00 25 50000 100000",
	} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) { // however wide it is
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "MPI_Comm_rank") {
		t.Errorf("a call of no weight is shown:\n%s", b.String())
	}
}

func TestPageOfProfiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		ranks, squares int
		want           string
	}{
		{"two ranks are four squares", 2, 4, "rank 0 to 1: 1.5 kB"},
		{"many ranks are blocks", 200, 50 * 50, "block of 4 ranks 0 to 0: 4.5 kB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := report.HTML(&b, report.Build(profiledRecords(c.ranks), sim, report.Options{}), report.Meta{}); err != nil {
				t.Fatal(err)
			}
			page := b.String()
			if n := strings.Count(page, "<rect class=\"h") - 7; n != c.squares { // and the key
				t.Errorf("got %d squares, want %d", n, c.squares)
			}
			for _, want := range []string{c.want, "MPI_Send&lt;b&gt;", "Time in MPI", "Messages by size"} {
				if !strings.Contains(page, want) {
					t.Errorf("want %q on the page", want)
				}
			}
		})
	}
	var b bytes.Buffer
	if err := report.HTML(&b, report.Build(nil, sim, report.Options{}), report.Meta{}); err != nil || strings.Contains(b.String(), "Time in MPI") {
		t.Errorf("without a profile: %v, or MPI is on the page", err)
	}
}

func TestFilesHaveTheShareOfMPI(t *testing.T) {
	t.Parallel()
	records := profiledRecords(2)
	var b bytes.Buffer
	if err := report.RecordsCSV(&b, records); err != nil {
		t.Fatal(err)
	}
	lines := cells(t, b.Bytes())
	want := map[string]string{
		"mpi_percent": "2", "mpi_min_percent": "1", "mpi_max_percent": "5", "mpi_mean_percent": "0", "mpi_imbalance_percent": "4",
		"mpi_wait_percent": "50", "mpi_cost_percent": "0.5",
	}
	for name, want := range want {
		if got, unprofiled := lines[5][name], lines[4][name]; got != want || unprofiled != "" {
			t.Errorf("records: got %s %q and %q of one that was not profiled, want %q and nothing", name, got, unprofiled, want)
		}
	}
	b.Reset()
	if err := report.CSV(&b, report.Build(records, sim, report.Options{})); err != nil {
		t.Fatal(err)
	}
	if lines, err := csv.NewReader(&b).ReadAll(); err != nil || lines[0][len(lines[0])-1] != "mpi_percent" || lines[2][len(lines[2])-1] != "3" {
		t.Errorf("points: got %v %q", err, lines)
	}
	b.Reset()
	if err := report.RecordsBenchmark(&b, records, sim); err != nil || !strings.Contains(b.String(), " 2 mpi-%") {
		t.Errorf("benchmarks: got %v\n%s", err, b.String())
	}
}
