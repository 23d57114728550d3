// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"
)

// readBack reads the benchmark format as benchstat does and fails on anything
// that does not parse.
func readBack(t *testing.T, records []measure.Record, apps map[string]*spec.Application) ([]*benchfmt.Result, benchfmt.UnitMetadataMap) {
	t.Helper()
	var b bytes.Buffer
	if err := report.RecordsBenchmark(&b, records, apps); err != nil {
		t.Fatal(err)
	}
	r := benchfmt.NewReader(&b, "records")
	var results []*benchfmt.Result
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			results = append(results, rec.Clone())
		case *benchfmt.SyntaxError:
			t.Error(rec)
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return results, r.Units()
}

func TestRecordsBenchmark(t *testing.T) {
	record := func(change func(*measure.Record)) measure.Record {
		r := measure.Record{
			App: "lammps", Variant: "debian-openmpi", Environment: "laptop", Tasks: 2, Nodes: 1, Threads: 1, Status: ensemble.Succeeded,
			Parameters: map[string]spec.Value{"cells": spec.Of(20)},
			Metrics: map[string]read.Value{
				"loop_time":            {Value: 14620.5, Unit: "ms"},
				"timesteps_per_second": {Value: 6.84, Unit: "1/s"},
				"detail":               {Value: 3, Unit: "count"},
			},
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	type result struct {
		Name, Environment, Flags string
		Values                   map[string]float64
	}
	usual := map[string]float64{"loop_time-sec": 14.6205, "timesteps_per_second-1/s": 6.84}
	for _, test := range []struct {
		name   string
		record measure.Record
		want   []result
	}{
		{
			name:   "times become seconds and details are left out",
			record: record(nil),
			want:   []result{{Name: "Lammps/variant=debian-openmpi/cells=20/tasks=2", Environment: "laptop", Values: usual}},
		},
		{
			name: "the launcher's time is added where it is known",
			record: record(func(r *measure.Record) {
				r.Times.Start, r.Times.Finish = began, began.Add(15e9)
			}),
			want: []result{{Name: "Lammps/variant=debian-openmpi/cells=20/tasks=2", Environment: "laptop", Values: map[string]float64{
				"loop_time-sec": 14.6205, "timesteps_per_second-1/s": 6.84, "launcher_wall_time-sec": 15,
			}}},
		},
		{
			name:   "noisy measurements carry their flags as configuration",
			record: record(func(r *measure.Record) { r.Flags = []string{"shared", "noisy"} }),
			want:   []result{{Name: "Lammps/variant=debian-openmpi/cells=20/tasks=2", Environment: "laptop", Flags: "noisy,shared", Values: usual}},
		},
		{
			name: "nodes and threads are named where there are several",
			record: record(func(r *measure.Record) {
				r.Nodes, r.Threads = 4, 2
			}),
			want: []result{{Name: "Lammps/variant=debian-openmpi/cells=20/nodes=4/threads=2/tasks=2", Environment: "laptop", Values: usual}},
		},
		{
			name: "what a name must not hold is escaped",
			record: record(func(r *measure.Record) {
				r.Tasks = 0
				r.Variant = "a b/c=d%"
				r.Environment = "two\nlines"
				r.Parameters = map[string]spec.Value{"k=/": spec.Of("ü-\t8"), "z": spec.Of("v-16")}
			}),
			want: []result{{Name: "Lammps/variant=a%20b%2Fc%3Dd%25/k%3D%2F=ü-%098/z=v%2D16", Environment: "two lines", Values: usual}},
		},
		{
			name: "an application that is not known gives all its metrics",
			record: record(func(r *measure.Record) {
				r.App = "other"
				r.Metrics = map[string]read.Value{"rate": {Value: 3.5, Unit: "ns/day"}, "of two words": {Value: 2, Unit: "Mega things"}}
			}),
			want: []result{{Name: "Other/variant=debian-openmpi/cells=20/tasks=2", Environment: "laptop", Values: map[string]float64{
				"rate-nanosec/day": 3.5, "of_two_words-Mega_things": 2,
			}}},
		},
		{
			name:   "a failed record is left out",
			record: record(func(r *measure.Record) { r.Status = ensemble.Failed }),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			results, units := readBack(t, []measure.Record{test.record}, apps())
			var got []result
			for _, r := range results {
				one := result{Name: r.Name.String(), Environment: r.GetConfig("environment"), Flags: r.GetConfig("flags"), Values: map[string]float64{}}
				for _, v := range r.Values {
					one.Values[v.Unit] = v.Value
				}
				got = append(got, one)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if len(got) > 0 && test.record.App == "lammps" {
				if lower, higher := units.GetBetter("loop_time-sec"), units.GetBetter("timesteps_per_second-1/s"); lower != -1 || higher != 1 {
					t.Errorf("the directions read back as %d and %d, want -1 and 1", lower, higher)
				}
			}
		})
	}
	t.Run("a rich set of records reads back whole", func(t *testing.T) {
		want := 0
		for _, r := range rich() {
			if r.Status == ensemble.Succeeded {
				want++
			}
		}
		results, _ := readBack(t, rich(), apps())
		if len(results) != want {
			t.Errorf("%d results, want %d", len(results), want)
		}
		for _, r := range results {
			if _, parts := r.Name.Parts(); strings.HasPrefix(string(parts[len(parts)-1]), "-") {
				t.Errorf("the name %q ends in what reads as GOMAXPROCS", r.Name)
			}
		}
	})
	t.Run("applications that disagree on a direction leave it open", func(t *testing.T) {
		a := record(nil)
		b := record(func(r *measure.Record) { r.App = "minife" })
		known := apps()
		known["minife"].Spec.Output.Metrics = []spec.Metric{{Name: "loop_time", Better: spec.BetterHigher, Role: spec.RoleFigureOfMerit}}
		_, units := readBack(t, []measure.Record{a, b}, known)
		if got := units.GetBetter("loop_time-sec"); got != 0 {
			t.Errorf("the direction is %d, want 0", got)
		}
	})
}

// Whatever a record says, the format stays readable and the value is the same.
func FuzzRecordsBenchmark(f *testing.F) {
	f.Add("lammps", "debian-openmpi", "cells", "20", "laptop", "loop_time", "s")
	f.Add("", "a b/c=%", "k\n", "v-8", "two\nlines", "ns", "ns/day")
	f.Add("a", "v", "k", "1", "e", "", "")
	f.Add("Benchmark", "\xff", "Unit x better=lower", "\u2028", ":", "better=", "MB")
	f.Fuzz(func(t *testing.T, app, variant, key, value, environment, metric, unit string) {
		results, _ := readBack(t, []measure.Record{{
			App: app, Variant: variant, Environment: environment, Tasks: 2, Status: ensemble.Succeeded,
			Parameters: map[string]spec.Value{key: spec.Of(value)},
			Metrics:    map[string]read.Value{metric: {Value: 1.5, Unit: unit}},
		}}, nil)
		if len(results) != 1 {
			t.Fatalf("%d results, want 1", len(results))
		}
		if n := len(results[0].Values); n != 1 && metric != "duration_wrapper" {
			t.Errorf("%d values, want 1", n)
		}
		if v := string(results[0].Name); !strings.HasSuffix(v, "/tasks=2") {
			t.Errorf("the name is %q", v)
		}
	})
}
