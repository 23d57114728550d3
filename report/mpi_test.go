// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
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
					Percent: float64(n+i) - 1, MinPercent: float64(n) / 2, MeanPercent: float64(n) + 0.5, MaxPercent: float64(2*n + i), Imbalance: 4, WaitPercent: &wait,
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

// profiledStudy is a study on one node and one on many, with and without
// profiles: halo exchange, so that ranks send to their neighbours in three
// dimensions, and calls with long names.
func profiledStudy() []measure.Record {
	m := newMaker()
	m.lammps("debian-openmpi", []int{1, 2, 4, 8, 16}, 4, 24.3)
	m.lammps("rocky-mpich-with-a-long-name-of-its-own", []int{64, 128, 512}, 4, 900)
	for i := range m.records {
		r := &m.records[i]
		r.Nodes = max(1, r.Tasks/64)
		if i%2 == 1 {
			r.MPI = halo(r.Tasks, 1+0.01*float64(i))
		}
		if i%8 == 0 {
			r.Metrics["mpi_percent"] = read.Value{Value: 33.3, Unit: "%"}
		}
	}
	return m.records
}

// halo is the profile of ranks in a box of 4 by 4 by as many as are left.
func halo(n int, by float64) *mpi.Summary {
	wait, percent := 41.5*by, 12*math.Log2(float64(n)+1)*by/4
	s := &mpi.Summary{
		Percent: percent, MinPercent: percent * 0.6, MeanPercent: percent, MaxPercent: percent * 1.7, Imbalance: 7.25 * by, WaitPercent: &wait,
		Seconds: 3, Ranks: n, Size: n, CostPercent: 0.004 * by, Library: "Open MPI v4.1.4",
	}
	for i, name := range []string{"MPI_Sendrecv", "MPI_Allreduce", "MPI_Waitall", "MPI_Neighbor_alltoallv_init_with_a_long_name", "MPI_Barrier", "MPI_Bcast", "MPI_Irecv", "MPI_Isend", "MPI_Reduce", "MPI_Comm_split", "MPI_Cart_shift"} {
		share := percent / math.Exp2(float64(i+1))
		s.Calls = append(s.Calls, mpi.CallSum{Name: name, Count: uint64(400 * n), Seconds: share * 0.03 * float64(n), Percent: share, Longest: 0.012, Bytes: uint64(1 << (30 - i)), Waits: uint64(400 * n * (i % 2)), WaitSeconds: share * 0.01 * float64(n)})
	}
	for e := range 20 {
		s.Sizes = append(s.Sizes, mpi.SizeSum{Below: 1 << e, Messages: uint64(1000 * (e + 1))})
	}
	for from := range n {
		for d, step := range []int{1, 4, 16, n / 2} {
			for _, to := range []int{from - step, from + step} {
				if 0 <= to && to < n && to != from {
					s.Sent = append(s.Sent, mpi.PeerSum{From: from, To: to, Way: mpi.Blocking, Messages: 100, Bytes: uint64(1e8 / math.Pow(9, float64(d)) * by)})
				}
			}
		}
	}
	return s
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
	if m == nil || m.Profile == nil || m.Reported != nil {
		t.Fatalf("got %+v, want what profiles tell, and nothing else", m)
	}
	f := m.Profile
	if m.Percent.N != 2 || m.Percent.Median != 3 || f.Low != 1 || f.Mean != 2.5 || f.High != 7 || f.Imbalance != 4 || *f.Waiting != 50 || f.Cost != 0.5 {
		t.Errorf("got %+v of %+v, want what the two profiled trials have", f, m)
	}
	if f.Added == nil || f.Added.Interval == nil || f.Added.Value < 1 || f.Added.Value > 1.01 {
		t.Errorf("got %+v, want the ratio of profiled to other trials", f.Added)
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
	s = &report.Build(noisy, sim, report.Options{}).Applications[0].Series[0]
	f = s.Points[1].MPI.Profile
	if f.Added != nil {
		t.Errorf("got %+v, want no ratio where one quiet trial is left", f.Added)
	}
	if f.Noisy != 1 || f.Quiet == nil || *f.Quiet != 4 || s.Profile.Trial != "t2-3" {
		t.Errorf("got %+v and %s, want the quiet trial's share beside, and that trial as the typical one", f, s.Profile.Trial)
	}
}

// What applications report may be a share of something else than what profiles
// tell: one number never comes from both.
func TestReportedSharesStayApart(t *testing.T) {
	t.Parallel()
	report40 := func(r *measure.Record) {
		r.Metrics["mpi_percent"] = read.Value{Value: 40, Unit: "%"}
		if r.MPI == nil {
			r.MPI = &mpi.Summary{Percent: 40}
		}
	}
	records := profiledRecords(2)
	for i := range records {
		if records[i].Tasks == 1 {
			records[i].MPI = nil
		}
		report40(&records[i])
	}
	s := &report.Build(records, sim, report.Options{}).Applications[0].Series[0]
	if m := s.Points[0].MPI; m == nil || m.Profile != nil || m.Percent.N != 4 || m.Percent.Median != 40 || m.Reported.Median != 40 {
		t.Errorf("without a profile: got %+v, want what is reported", m)
	}
	if m := s.Points[1].MPI; m == nil || m.Profile == nil || m.Percent.N != 2 || m.Percent.Median != 3 || m.Reported.N != 4 {
		t.Errorf("with profiles: got %+v, want the profiles' share and the reported one beside it", m)
	}
	for i, trial := range s.Points[1].Trials {
		if profiled := i%2 == 1; (trial.MPI != nil) != profiled {
			t.Errorf("trial %d: got a share %v, want one of profiled trials only", i, trial.MPI)
		}
	}
	text := text(t, records, 100)
	if !strings.Contains(text, "slowdown") || !strings.Contains(text, "reported") || !strings.Contains(text, "40.00") {
		t.Errorf("the text has not both:\n%s", text)
	}
	for i := range records {
		records[i].MPI = &mpi.Summary{Percent: 40}
	}
	html := simPage(t, records)
	if strings.Contains(html, "by rank") || strings.Contains(html, "<svg class=\"chart heat\"") || !strings.Contains(html, "as it is reported") {
		t.Error("a page without a profile shows one, or not what is reported")
	}
}

func TestWhatAReaderOfProfilesShouldKnow(t *testing.T) {
	t.Parallel()
	change := func(do func(*measure.Record)) []measure.Record {
		records := profiledRecords(2)
		for i := range records {
			do(&records[i])
		}
		return records
	}
	const nodes = "waiting is known of collective calls on one node only"
	const cost = "counting the calls of MPI took 16 % of the time"
	const lost = "7 messages went to more ranks"
	const noisy = "2 ranks: 2 of 2 profiles noisy: where other work delays a rank"
	for _, c := range []struct {
		name    string
		records []measure.Record
		want    string // alone
	}{
		{"nothing of a cheap profile on one node", profiledRecords(2), ""},
		{"that waiting between nodes is unknown", change(func(r *measure.Record) { r.Nodes = r.Tasks }), nodes},
		{"that counting is in the times", change(func(r *measure.Record) {
			if r.MPI != nil {
				r.MPI.CostPercent = 16
			}
		}), cost},
		{"that noise is time in MPI", change(func(r *measure.Record) { r.Flags = []string{"noisy"} }), noisy},
		{"that messages are missing", change(func(r *measure.Record) {
			if r.MPI != nil {
				r.MPI.Lost = 7
			}
		}), lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			html := simPage(t, c.records)
			for _, shown := range []string{strings.Join(strings.Fields(text(t, c.records, 100)), " "), html} {
				for _, note := range []string{nodes, cost, lost, noisy} {
					if strings.Contains(shown, note) != (note == c.want) {
						t.Errorf("%q is there: %t, want %t", note, note != c.want, note == c.want)
					}
				}
			}
		})
	}
}

func simPage(t *testing.T, records []measure.Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, report.Build(records, sim, report.Options{}), report.Meta{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func text(t *testing.T, records []measure.Record, width int) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, report.Build(records, sim, report.Options{}), report.TextOptions{Width: width}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextOfProfiles(t *testing.T) {
	t.Parallel()
	for _, width := range []int{80, 100, 120} {
		t.Run(strconv.Itoa(width), func(t *testing.T) {
			t.Parallel()
			golden(t, fmt.Sprintf("mpi-%d.txt", width), []byte(text(t, profiledRecords(2), width)))
		})
	}
}

func TestPageOfProfiles(t *testing.T) {
	t.Parallel()
	const most = 120 << 10 // bytes beyond those of a page without profiles
	plain := simPage(t, nil)
	for _, c := range []struct {
		name         string
		ranks, cells int
		want         []string
	}{
		{"of two ranks each pair is a cell", 2, 2, []string{"rank 0 to rank 1: 1.5 kB", "Most: rank 0 to rank 1 1.5 kB", ">about 1.5 kB<"}},
		{"of 32 ranks each pair has a title", 32, 32, []string{"rank 31 to rank 0: 1.5 kB"}},
		{"of 40 ranks the pairs of one shade are one path", 40, 0, []string{`<path class="cells h6"`, "There are 40 pairs of a sender and a receiver."}},
		{"of 512 ranks eight by eight are a cell", 512, 0, []string{"sum over blocks of 8 by 8 ranks", ">448<", "512 pairs", "The first 20 of 512 pairs."}},
		{"of 4096 ranks 64 by 64 are a cell", 4096, 0, []string{"sum over blocks of 64 by 64 ranks", ">3584<", "4096 pairs"}},
		{"of 4100 ranks the last block is smaller", 4100, 0, []string{"sum over blocks of 65 by 65 ranks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := simPage(t, profiledRecords(c.ranks))
			if n := strings.Count(got, `<rect class="cell h`) - 6; n != c.cells { // and the key
				t.Errorf("got %d cells, want %d", n, c.cells)
			}
			if n := len(got) - len(plain); n > most {
				t.Errorf("the profile takes %d bytes, want %d at most", n, most)
			}
			for _, want := range append(c.want, "MPI_Send&lt;b&gt;", "Time in MPI", "Messages by size") {
				if !strings.Contains(got, want) && !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
					t.Errorf("want %q on the page", want)
				}
			}
		})
	}
	if strings.Contains(plain, "Time in MPI") {
		t.Error("without a profile MPI is on the page")
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
		"mpi_percent": "2", "mpi_min_percent": "1", "mpi_max_percent": "5", "mpi_mean_percent": "2.5", "mpi_imbalance_percent": "4",
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
	want = map[string]string{
		"mpi_percent": "3", "mpi_min_percent": "1", "mpi_mean_percent": "2.5", "mpi_max_percent": "7", "mpi_imbalance_percent": "4",
		"mpi_wait_percent": "50", "mpi_cost_percent": "0.5", "mpi_profiles": "2", "mpi_reported_percent": "",
	}
	point := cells(t, b.Bytes())[1]
	for name, want := range want {
		if got := point[name]; got != want {
			t.Errorf("points: got %s %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(point["mpi_slowdown"], "1.00") || point["mpi_slowdown_low"] >= point["mpi_slowdown_high"] {
		t.Errorf("points: got a slowdown of %q [%q, %q]", point["mpi_slowdown"], point["mpi_slowdown_low"], point["mpi_slowdown_high"])
	}
	b.Reset()
	if err := report.RecordsBenchmark(&b, records, sim); err != nil || !strings.Contains(b.String(), " 2 mpi-%") {
		t.Errorf("benchmarks: got %v\n%s", err, b.String())
	}
}
