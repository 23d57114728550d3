// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// run is a record of an application that took so many seconds by the metric
// named; an empty name leaves it to the launcher's time.
func run(app string, ranks int, metric string, took float64) measure.Record {
	r := measure.Record{App: app, Tasks: ranks, Nodes: 1, Status: ensemble.Succeeded, Attempt: 1}
	if metric != "" {
		r.Metrics = map[string]read.Value{metric: {Value: took, Unit: "s"}}
		return r
	}
	r.Times = read.Times{Start: began, Finish: began.Add(time.Duration(took * 1e9))}
	return r
}

func with(r measure.Record, change func(*measure.Record)) measure.Record {
	change(&r)
	return r
}

// outline is what a report says of its series, in words.
func outline(r *report.Report) (out []string) {
	for _, a := range r.Applications {
		for _, s := range a.Series {
			line := fmt.Sprintf("%s %s %q:", a.Name, a.Time.Name, s.Label)
			for _, p := range s.Points {
				line += fmt.Sprintf(" %d×%.4g", p.Ranks, p.Time.Mean)
				if p.Grid != "" {
					line += " (" + p.Grid + ")"
				}
				if p.Speedup != nil {
					line += fmt.Sprintf(" S=%.4g", p.Speedup.Value)
				}
				if p.Efficiency != nil {
					line += fmt.Sprintf(" E=%.4g", p.Efficiency.Value)
				}
				line += ";"
			}
			out = append(out, line)
			for _, w := range s.Warnings {
				out = append(out, "! "+w)
			}
		}
		for _, w := range a.Warnings {
			out = append(out, "! "+w)
		}
	}
	return out
}

func TestBuild(t *testing.T) {
	parameters := func(kv ...any) func(*measure.Record) {
		return func(r *measure.Record) {
			r.Parameters = map[string]spec.Value{}
			for i := 0; i < len(kv); i += 2 {
				r.Parameters[kv[i].(string)] = spec.Of(kv[i+1])
			}
		}
	}
	for _, test := range []struct {
		name    string
		records []measure.Record
		want    []string
	}{
		{
			name:    "strong scaling compares with the smallest number of ranks",
			records: []measure.Record{run("lammps", 8, "loop_time", 4), run("lammps", 2, "loop_time", 12), run("lammps", 2, "loop_time", 8)},
			want:    []string{`lammps loop_time "all trials": 2×10 S=1 E=1; 8×4 S=2.5 E=0.625;`},
		},
		{
			name:    "weak scaling has an efficiency only",
			records: []measure.Record{run("minife", 1, "wall_time", 9), run("minife", 2, "wall_time", 10)},
			want:    []string{`minife wall_time "all trials": 1×9 E=1; 2×10 E=0.9;`},
		},
		{
			name:    "an application without a time of its own has the launcher's",
			records: []measure.Record{run("netpipe", 2, "", 3)},
			want:    []string{`netpipe launcher_wall_time "all trials": 2×3 S=1 E=1;`},
		},
		{
			name: "a log's wrapper stands in for the launcher's moments unless it covers other runs",
			records: []measure.Record{
				run("netpipe", 2, "duration_wrapper", 3),
				with(run("netpipe", 2, "duration_wrapper", 99), func(r *measure.Record) { r.Flags = []string{"shared-wrapper"} }),
			},
			want: []string{`netpipe launcher_wall_time "all trials": 2×3 S=1 E=1;`},
		},
		{
			name:    "the launcher's time never fills in for the application's",
			records: []measure.Record{run("lammps", 1, "loop_time", 3), run("lammps", 1, "", 7), run("lammps", 2, "", 5)},
			want:    []string{`lammps loop_time "all trials": 1×3 S=1 E=1; 2×0;`},
		},
		{
			name:    "where no record holds the application's time the launcher's is shown and said",
			records: []measure.Record{run("lammps", 1, "", 3)},
			want: []string{
				`lammps launcher_wall_time "all trials": 1×3 S=1 E=1;`,
				"! no record holds loop_time, the application's own time: the launcher's wall time is shown",
			},
		},
		{
			name: "milliseconds become seconds",
			records: []measure.Record{with(run("lammps", 1, "loop_time", 1500), func(r *measure.Record) {
				r.Metrics["loop_time"] = read.Value{Value: 1500, Unit: "ms"}
			})},
			want: []string{`lammps loop_time "all trials": 1×1.5 S=1 E=1;`},
		},
		{
			name: "parameters make series and the grid of ranks does not",
			records: []measure.Record{
				with(run("hpcc", 1, "hpl_time", 4), parameters("n", 2000, "p", 1, "q", 1)),
				with(run("hpcc", 2, "hpl_time", 2), parameters("n", 2000, "p", 1, "q", 2)),
				with(run("hpcc", 1, "hpl_time", 1), parameters("n", 500, "p", 1, "q", 1)),
			},
			want: []string{`hpcc hpl_time "n=500": 1×1 S=1 E=1;`, `hpcc hpl_time "n=2000": 1×4 S=1 E=1; 2×2 S=2 E=1;`},
		},
		{
			name: "two grids on the same ranks are no repetitions of one thing",
			records: []measure.Record{
				with(run("hpcc", 2, "hpl_time", 8), parameters("n", 2000, "p", 1, "q", 2)),
				with(run("hpcc", 4, "hpl_time", 4), parameters("n", 2000, "p", 2, "q", 2)),
				with(run("hpcc", 4, "hpl_time", 5), parameters("n", 2000, "p", 1, "q", 4)),
			},
			want: []string{`hpcc hpl_time "n=2000": 2×8 S=1 E=1; 4×5 (p=1 q=4) S=1.6 E=0.8; 4×4 (p=2 q=2) S=2 E=1;`},
		},
		{
			name: "a variant that lacks the fewest ranks has a base of its own, which is said",
			records: []measure.Record{
				with(run("lammps", 1, "loop_time", 9), func(r *measure.Record) { r.Variant = "a" }),
				with(run("lammps", 2, "loop_time", 6), func(r *measure.Record) { r.Variant = "a" }),
				with(run("lammps", 2, "loop_time", 5), func(r *measure.Record) { r.Variant = "b" }),
				with(run("lammps", 4, "loop_time", 3), func(r *measure.Record) { r.Variant = "b" }),
			},
			want: []string{
				`lammps loop_time "a": 1×9 S=1 E=1; 2×6 S=1.5 E=0.75;`, `lammps loop_time "b": 2×5 S=1 E=1; 4×3 S=1.667 E=0.8333;`,
				"! speed-up and efficiency refer to 2 ranks here and to 1 rank in another series: they do not compare",
			},
		},
		{
			name:    "a time of zero or less is no base and has no speed-up",
			records: []measure.Record{run("lammps", 1, "loop_time", 0), run("lammps", 2, "loop_time", 4), run("lammps", 4, "loop_time", -2), run("lammps", 8, "loop_time", 0)},
			want:    []string{`lammps loop_time "all trials": 1×0; 2×4 S=1 E=1; 4×-2; 8×0;`},
		},
		{
			name:    "a number that no measurement has is left out",
			records: []measure.Record{run("lammps", 1, "loop_time", 1e300), run("lammps", 1, "loop_time", 4)},
			want:    []string{`lammps loop_time "all trials": 1×4 S=1 E=1;`},
		},
		{
			name: "under weak scaling the size may grow with the ranks",
			records: []measure.Record{
				with(run("minife", 1, "wall_time", 4), parameters("nx", 100)),
				with(run("minife", 2, "wall_time", 5), parameters("nx", 200)),
			},
			want: []string{`minife wall_time "all trials": 1×4 E=1; 2×5 E=0.8;`},
		},
		{
			name: "two sizes on the same number of ranks are two series even then",
			records: []measure.Record{
				with(run("minife", 1, "wall_time", 4), parameters("nx", 100)),
				with(run("minife", 1, "wall_time", 9), parameters("nx", 200)),
				with(run("minife", 2, "wall_time", 5), parameters("nx", 100)),
			},
			want: []string{
				`minife wall_time "nx=100": 1×4 E=1; 2×5 E=0.8;`,
				"! several sizes of the problem ran on the same number of ranks: each size is a series of its own",
				`minife wall_time "nx=200": 1×9 E=1;`,
				"! several sizes of the problem ran on the same number of ranks: each size is a series of its own",
			},
		},
		{
			name: "records without parameters are told apart by the name of the problem",
			records: []measure.Record{
				with(run("lammps", 1, "loop_time", 4), func(r *measure.Record) { r.Problem = "a" }),
				with(run("lammps", 1, "loop_time", 8), func(r *measure.Record) { r.Problem = "b" }),
			},
			want: []string{`lammps loop_time "a": 1×4 S=1 E=1;`, `lammps loop_time "b": 1×8 S=1 E=1;`},
		},
		{
			name: "equal names of different problems are told apart by parameters",
			records: []measure.Record{
				with(with(run("lammps", 1, "loop_time", 4), parameters("steps", 100)), func(r *measure.Record) { r.Problem = "a" }),
				with(with(run("lammps", 1, "loop_time", 8), parameters("steps", 200)), func(r *measure.Record) { r.Problem = "a" }),
			},
			want: []string{`lammps loop_time "steps=100": 1×4 S=1 E=1;`, `lammps loop_time "steps=200": 1×8 S=1 E=1;`},
		},
		{
			name: "variants, environments and threads are never mixed",
			records: []measure.Record{
				with(run("lammps", 1, "loop_time", 1), func(r *measure.Record) { r.Variant, r.Environment, r.Threads = "v", "e", 1 }),
				with(run("lammps", 1, "loop_time", 2), func(r *measure.Record) { r.Variant, r.Environment, r.Threads = "w", "e", 1 }),
				with(run("lammps", 1, "loop_time", 3), func(r *measure.Record) { r.Variant, r.Environment, r.Threads = "v", "f", 1 }),
				with(run("lammps", 1, "loop_time", 4), func(r *measure.Record) { r.Variant, r.Environment, r.Threads = "v", "e", 2 }),
			},
			want: []string{
				`lammps loop_time "v, e, 1 thread": 1×1 S=1 E=1;`, `lammps loop_time "v, e, 2 threads": 1×4 S=1 E=1;`,
				`lammps loop_time "v, f, 1 thread": 1×3 S=1 E=1;`, `lammps loop_time "w, e, 1 thread": 1×2 S=1 E=1;`,
			},
		},
		{
			name: "ranks on more nodes are a point of their own",
			records: []measure.Record{
				run("lammps", 4, "loop_time", 4), with(run("lammps", 4, "loop_time", 5), func(r *measure.Record) { r.Nodes = 2 }),
			},
			want: []string{`lammps loop_time "all trials": 4×4 S=1 E=1; 4×5 S=0.8 E=0.8;`},
		},
		{
			name:    "without the number of ranks nothing is compared",
			records: []measure.Record{run("lammps", 0, "loop_time", 4)},
			want:    []string{`lammps loop_time "all trials": 0×4;`, "! the number of ranks of 1 trial is unknown"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := outline(report.Build(test.records, apps(), report.Options{}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildMarksWhatIsUnusual(t *testing.T) {
	var records []measure.Record
	for i, took := range []float64{5.7, 5.8, 44, 5.6, 5.7} {
		r := run("lammps", 2, "loop_time", took)
		r.Times = read.Times{Start: began, Finish: began.Add(time.Duration((took + 1) * 1e9))}
		r.Metrics["timesteps_per_second"] = read.Value{Value: 100 / took, Unit: "1/s"}
		r.Job, r.Trial = fmt.Sprint("job", i), fmt.Sprint("trial", i)
		if took == 44 {
			r.Flags = []string{"noisy", "shared"}
		}
		records = append(records, r)
	}
	p := report.Build(records, apps(), report.Options{}).Applications[0].Series[0].Points[0]
	if p.Outliers != 1 || p.Trials[2].Outlier < 100 || p.Trials[2].ID != "trial2" {
		t.Errorf("the slow trial is not the outlier: %+v", p.Trials)
	}
	if diff := cmp.Diff(map[string]int{"noisy": 1, "shared": 1}, p.Flags); diff != "" || p.Noisy != 1 {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	if p.Quiet == nil || p.Quiet.N != 4 || math.Abs(p.Quiet.Mean-5.7) > 1e-9 || math.Abs(p.Time.Mean-13.36) > 1e-9 {
		t.Errorf("means with and without noise: %+v and %+v", p.Time, p.Quiet)
	}
	if p.Overhead == nil || math.Abs(p.Overhead.Median-1) > 1e-6 {
		t.Errorf("launch overhead: %+v", p.Overhead)
	}
	if m := p.Merits["timesteps_per_second"]; m.N != 5 || math.Abs(m.Median-100/5.7) > 1e-9 {
		t.Errorf("figure of merit: %+v", m)
	}
}

func TestBuildWarnsOfOtherUnits(t *testing.T) {
	metric := func(name string, value float64, unit string) func(*measure.Record) {
		return func(r *measure.Record) { r.Metrics[name] = read.Value{Value: value, Unit: unit} }
	}
	p := report.Build([]measure.Record{
		with(run("hpcc", 1, "hpl_time", 4), metric("hpl_gflops", 3, "Gflop/s")),
		with(run("hpcc", 1, "hpl_time", 4), metric("hpl_gflops", 3000, "Mflop/s")),
		with(run("hpcc", 1, "hpl_time", 4), metric("hpl_time", 4000, "ms")),
		with(run("hpcc", 1, "hpl_time", 4), metric("hpl_time", 9, "ticks")),
	}, apps(), report.Options{}).Applications[0].Series[0].Points[0]
	want := []string{"hpl_time of 1 trial in [ticks], not in [s], and left out", "hpl_gflops of 1 trial in [Mflop/s], not in [Gflop/s], and left out", "1 trial without hpl_time"}
	if diff := cmp.Diff(want, p.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if p.Time.N != 3 || p.Time.Mean != 4 || p.Merits["hpl_gflops"].N != 1 {
		t.Errorf("times %+v, merits %+v", p.Time, p.Merits)
	}
}

func TestBuildComparesWithoutNoise(t *testing.T) {
	noisy := func(r *measure.Record) { r.Flags = []string{"noisy"} }
	efficiencies := func(records []measure.Record) (all, quiet []float64) {
		for _, p := range report.Build(records, apps(), report.Options{}).Applications[0].Series[0].Points {
			all = append(all, p.Efficiency.Value)
			if p.QuietEfficiency == nil {
				quiet = append(quiet, -1)
			} else {
				quiet = append(quiet, p.QuietEfficiency.Value)
			}
		}
		return all, quiet
	}
	for _, test := range []struct {
		name       string
		records    []measure.Record
		all, quiet []float64 // -1 for none
	}{
		{
			"a noisy trial spoils the mean, and the efficiency without it is told",
			[]measure.Record{run("lammps", 1, "loop_time", 8), run("lammps", 2, "loop_time", 4), with(run("lammps", 2, "loop_time", 12), noisy)},
			[]float64{1, 0.5}, []float64{-1, 1},
		},
		{
			"a noisy base spoils all others",
			[]measure.Record{run("lammps", 1, "loop_time", 8), with(run("lammps", 1, "loop_time", 16), noisy), run("lammps", 2, "loop_time", 4)},
			[]float64{1, 1.5}, []float64{-1, 1},
		},
		{
			"under weak scaling too",
			[]measure.Record{run("minife", 1, "wall_time", 8), run("minife", 2, "wall_time", 10), with(run("minife", 2, "wall_time", 30), noisy)},
			[]float64{1, 0.4}, []float64{-1, 0.8},
		},
		{
			"where every trial is noisy there is nothing to tell",
			[]measure.Record{run("lammps", 1, "loop_time", 8), with(run("lammps", 2, "loop_time", 8), noisy)},
			[]float64{1, 0.5}, []float64{-1, -1},
		},
		{
			"without noise the efficiency is one",
			[]measure.Record{run("lammps", 1, "loop_time", 8), run("lammps", 2, "loop_time", 8)},
			[]float64{1, 0.5}, []float64{-1, -1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, quiet := efficiencies(test.records)
			if diff := cmp.Diff([][]float64{test.all, test.quiet}, [][]float64{all, quiet}); diff != "" {
				t.Errorf("efficiencies of all and without noise (-want +got):\n%s", diff)
			}
		})
	}
}

// A flag that a record carries is shown, whatever it is and however the attempt
// ended.
func TestFlagsAreShown(t *testing.T) {
	records := []measure.Record{
		with(run("lammps", 1, "loop_time", 8), func(r *measure.Record) { r.Flags = []string{"of-success", "of-success"} }),
		with(run("lammps", 1, "", 8), func(r *measure.Record) { r.Status, r.Flags = ensemble.Failed, []string{"of-failure"} }),
		with(run("netpipe", 2, "", 8), func(r *measure.Record) { r.Flags = []string{"of-wall-time", "left-processes", "no-answer"} }),
	}
	r := report.Build(records, apps(), report.Options{})
	want := map[string]int{"of-success": 1, "of-failure": 1, "of-wall-time": 1, "left-processes": 1, "no-answer": 1}
	if diff := cmp.Diff(want, r.Counts.Flags); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	var text bytes.Buffer
	if err := report.Text(&text, r, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	html, _ := page(t, records)
	for flag := range want {
		if n := strings.Count(text.String(), flag); n < 2 {
			t.Errorf("the text has %s %d times, want it in the sum and where it belongs:\n%s", flag, n, text.String())
		}
		if n := strings.Count(html, flag); n < 2 {
			t.Errorf("the page has %s %d times, want it in the sum and where it belongs", flag, n)
		}
	}
	for _, meaning := range []string{"left-processes: the application left processes behind", "no-answer: it succeeded, but its output has no answer,"} {
		if !strings.Contains(html, meaning) {
			t.Errorf("the page does not say %q", meaning)
		}
	}
}

func TestBuildCountsTrialsAndAttempts(t *testing.T) {
	attempt := func(job string, n int, at time.Duration, status ensemble.Status) measure.Record {
		return measure.Record{App: "lammps", Job: job, Attempt: n, Status: status, Times: read.Times{Start: began.Add(at), Finish: began.Add(at + time.Second)}}
	}
	r := report.Build([]measure.Record{
		attempt("a", 1, 0, ensemble.Failed), attempt("a", 2, time.Minute, ensemble.Succeeded), // one trial, recovered
		attempt("b", 1, 0, ensemble.Timeout), attempt("b", 2, time.Minute, ensemble.Timeout), // one trial, lost
		attempt("a", 1, time.Hour, ensemble.Succeeded),                                        // the first trial again, in another run
		attempt("c", 1, 0, ensemble.Lost),                                                     // one that a resumed run tries again
		attempt("d", 1, 0, ensemble.Failed), attempt("d", 2, time.Minute, ensemble.Cancelled), // another
		attempt("e", 1, 0, ensemble.Cancelled), attempt("e", 2, time.Minute, ensemble.Failed), // one that was
	}, apps(), report.Options{})
	if diff := cmp.Diff(report.Counts{Trials: 6, Attempts: 10, Succeeded: 2, Failed: 2, Unfinished: 2}, r.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	var recovered []bool
	for _, f := range r.Failures {
		recovered = append(recovered, f.Recovered)
	}
	if diff := cmp.Diff([]bool{true, false, false, false, false, false, false, false}, recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
	if len(r.Jobs) != 10 || !slices.IsSortedFunc(r.Jobs, func(a, b report.Job) int { return a.Start.Compare(b.Start) }) {
		t.Errorf("the time line has %d jobs, want 10 by start", len(r.Jobs))
	}
	var text bytes.Buffer
	if err := report.Text(&text, r, report.TextOptions{}); err != nil || !strings.HasPrefix(text.String(), "6 trials in 10 attempts: 2 succeeded, 2 failed, 2 not finished\n") {
		t.Errorf("the text begins with %.80s, %v", text.String(), err)
	}
}

func TestBuildCurves(t *testing.T) {
	record := func(ranks int, name string, points ...[2]float64) measure.Record {
		r := run("netpipe", ranks, "", 1)
		r.Series = map[string]read.Series{name: {Unit: [2]string{"bytes", "us"}, Points: points}}
		return r
	}
	a := report.Build([]measure.Record{
		record(2, "latency", [2]float64{8, 1}, [2]float64{1, 3}),
		record(2, "latency", [2]float64{1, 5}, [2]float64{4, math.NaN()}),
		record(4, "latency", [2]float64{1, 7}),
		record(2, "sample_cpu", [2]float64{1, 7}),
	}, apps(), report.Options{}).Applications[0]
	want := []report.Curve{{Name: "latency", Unit: [2]string{"bytes", "us"}, Lines: []report.Line{
		{Nodes: 1, Ranks: 2, N: 2, Points: []report.LinePoint{{X: 1, N: 2, Median: 4, Min: 3, Max: 5}, {X: 8, N: 1, Median: 1, Min: 1, Max: 1}}},
		{Nodes: 1, Ranks: 4, N: 1, Points: []report.LinePoint{{X: 1, N: 1, Median: 7, Min: 7, Max: 7}}},
	}}}
	if diff := cmp.Diff(want, a.Curves, cmpopts.IgnoreFields(report.Setting{}, "Label")); diff != "" {
		t.Errorf("curves (-want +got):\n%s", diff)
	}
}
