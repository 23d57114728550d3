// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// cells reads a file as a list of lines by the names of the columns. Empty
// cells are left out.
func cells(t *testing.T, b []byte) []map[string]string {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, line := range lines[1:] {
		m := map[string]string{}
		for i, cell := range line {
			if cell != "" {
				m[lines[0][i]] = cell
			}
		}
		out = append(out, m)
	}
	return out
}

func TestRecordsCSV(t *testing.T) {
	var b bytes.Buffer
	err := report.RecordsCSV(&b, []measure.Record{
		{
			App: "a", Variant: "with, comma", Problem: "a \"quoted\"\nproblem", Tasks: 2, Attempt: 1, Status: "succeeded",
			Iteration: number(0), ExitCode: number(0), Flags: []string{"noisy", "shared"}, Times: read.Times{Start: began},
			Parameters: map[string]spec.Value{"n": spec.Of(20), "empty": spec.Of("")},
			Metrics:    map[string]read.Value{"t": {Value: 0.1, Unit: "s"}, "count": {Value: 3}},
		},
		{App: "b", Status: "failed", Reason: "no\r\nluck", Command: "-n 5", Parameters: map[string]spec.Value{"n": spec.Of(-5), "=x": spec.Of("@y")}, Metrics: map[string]read.Value{"t": {Value: 100, Unit: "ms"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{
			"app": "a", "variant": "with, comma", "problem": "a \"quoted\"\nproblem", "tasks": "2", "attempt": "1", "status": "succeeded",
			"iteration": "0", "exit_code": "0", "flags": "noisy;shared", "start": "2026-03-14T09:26:53Z",
			"parameter.n": "20", "metric.t[s]": "0.1", "metric.count": "3",
		},
		{
			// The reader of package csv turns CRLF in quotes into LF.
			"app": "b", "status": "failed", "reason": "no\nluck", "command": "'-n 5", "metric.t[ms]": "100",
			"parameter.n": "-5", "parameter.=x": "'@y",
		},
	}
	if diff := cmp.Diff(want, cells(t, b.Bytes())); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func TestReportCSV(t *testing.T) {
	var b bytes.Buffer
	r := report.Build([]measure.Record{
		with(run("lammps", 1, "loop_time", 8), func(r *measure.Record) { r.Variant, r.Flags = "v", []string{"shared"} }),
		with(run("lammps", 2, "loop_time", 4), func(r *measure.Record) {
			r.Variant = "v"
			r.Metrics["timesteps_per_second"] = read.Value{Value: 25, Unit: "1/s"}
		}),
	}, apps(), report.Options{})
	if err := report.CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	point := func(more map[string]string) map[string]string {
		m := map[string]string{
			"app": "lammps", "scaling": "strong", "variant": "v", "nodes": "1", "time": "loop_time", "unit": "s", "n": "1",
			"noisy": "0", "base": "false",
		}
		maps.Copy(m, more)
		return m
	}
	want := []map[string]string{
		point(map[string]string{
			"ranks": "1", "base": "true", "median": "8", "mean": "8", "min": "8", "max": "8", "speedup": "1", "efficiency": "1",
			"flags": "shared", "warnings": "one value: no interval",
		}),
		point(map[string]string{
			"ranks": "2", "median": "4", "mean": "4", "min": "4", "max": "4", "speedup": "2", "efficiency": "1",
			"warnings": "one value: no interval; no interval of the ratio: each side needs two values, got 1 and 1", "merit.timesteps_per_second[1/s]": "25",
		}),
	}
	if diff := cmp.Diff(want, cells(t, b.Bytes())); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

// The order in which records were read is no part of what they say.
func TestReportIsTheSameForRecordsInAnyOrder(t *testing.T) {
	want, err := json.Marshal(report.Build(rich(), apps(), report.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	backwards := rich()
	slices.Reverse(backwards)
	got, err := json.Marshal(report.Build(backwards, apps(), report.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the report of the records backwards (-want +got):\n%s", diff)
	}
}

// A sheet that opens the file computes nothing that a record says.
func TestCSVHoldsNoFormula(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a formula is text", `=HYPERLINK("http://example.com")`, `'=HYPERLINK("http://example.com")`},
		{"so is one that begins with a sign", "+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"},
		{"or with a function's sign", "@SUM(A1)", "'@SUM(A1)"},
		{"or behind a tab", "\t=1", "'\t=1"},
		{"an option is no formula but looks like one", "-n 5", "'-n 5"},
		{"a number stays a number", "-1.5e-3", "-1.5e-3"},
		{"a sign within is harmless", "a=b", "a=b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var records, points bytes.Buffer
			all := []measure.Record{with(run("lammps", 1, "loop_time", 1), func(r *measure.Record) { r.Variant = test.text })}
			if err := errors.Join(report.RecordsCSV(&records, all), report.CSV(&points, report.Build(all, apps(), report.Options{}))); err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{records.Bytes(), points.Bytes()} {
				if got := cells(t, b)[0]["variant"]; got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}
