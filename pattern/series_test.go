// SPDX-License-Identifier: MIT

package pattern_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// tiny is an application with a time, a figure of merit, and a size and a grid
// among its parameters.
func tiny(scaling spec.Scaling) map[string]*spec.Application {
	return map[string]*spec.Application{"tiny": {Spec: spec.ApplicationSpec{
		Scaling: scaling,
		Parameters: map[string]spec.Parameter{
			"cells": {Role: spec.RoleProblemSize}, "p": {Role: spec.RoleProcessGrid}, "steps": {Role: spec.RoleIterations},
		},
		Output: spec.Output{Metrics: []spec.Metric{
			{Name: "own", Unit: "s", Role: spec.RoleApplicationTime, Better: spec.BetterLower},
			{Name: "rate", Unit: "1/s", Role: spec.RoleFigureOfMerit, Better: spec.BetterHigher},
		}},
	}}}
}

// record is a run of tiny that took own seconds, and two more to launch.
func record(nodes, tasks int, own float64, parameters map[string]spec.Value) measure.Record {
	problem := ""
	if v, ok := parameters["cells"]; ok {
		problem = v.String()
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return measure.Record{
		App: "tiny", Problem: problem, Parameters: parameters, Nodes: nodes, Tasks: tasks, Threads: 1,
		Status:    ensemble.Succeeded,
		Times:     read.Times{Start: start, Finish: start.Add(time.Duration((own + 2) * float64(time.Second)))},
		Metrics:   map[string]read.Value{"own": {Value: own, Unit: "s"}, "rate": {Value: 1 / own, Unit: "1/s"}, "mpi_percent": {Value: 20, Unit: "%"}},
		Resources: &run.Resources{MaxRSSBytes: 1 << 20},
	}
}

// summary is a series in a line: metric over axis, unit, and sizes with counts.
func summary(s *pattern.Series) string {
	text := fmt.Sprintf("%s over %s [%s] problem %q:", s.Metric, s.Axis, s.Unit, s.Problem)
	for _, p := range s.Points {
		text += fmt.Sprintf(" %g(%d)", p.X, max(p.N, len(p.Values)))
		if len(p.Configurations) > 1 {
			text += "{" + strings.Join(p.Configurations, ", ") + "}"
		}
	}
	return text
}

func TestGroup(t *testing.T) {
	t.Parallel()
	parameters := func(cells, p, steps int) map[string]spec.Value {
		return map[string]spec.Value{"cells": spec.Of(cells), "p": spec.Of(p), "steps": spec.Of(steps)}
	}
	var both []measure.Record
	for i, n := range []int{1, 2, 4} {
		both = append(both, record(n, 8*n, 10/float64(n), parameters(20, i, 5)), record(n, 8*n, 10/float64(n), parameters(20, i, 5)))
	}
	failed := record(8, 64, 1, parameters(20, 1, 5))
	failed.Status = ensemble.Failed
	noisy := record(4, 32, 30, parameters(20, 2, 5))
	noisy.Flags = []string{"noisy"}
	tests := []struct {
		name    string
		records []measure.Record
		scaling spec.Scaling
		want    pattern.Selection
		series  []string
	}{
		{"an application has its time, overhead, MPI share, memory and merits, over nodes and ranks", append(both, failed), spec.ScalingStrong, pattern.Selection{}, []string{
			`own over nodes [s] problem "20": 1(2) 2(2) 4(2)`, `own over ranks [s] problem "20": 8(2) 16(2) 32(2)`,
			`launch_overhead over nodes [s] problem "20": 1(2) 2(2) 4(2)`, `launch_overhead over ranks [s] problem "20": 8(2) 16(2) 32(2)`,
			`mpi_share over ranks [%] problem "20": 8(2) 16(2) 32(2)`,
			`max_rss over nodes [B] problem "20": 1(2) 2(2) 4(2)`, `max_rss over ranks [B] problem "20": 8(2) 16(2) 32(2)`,
			`rate over nodes [1/s] problem "20": 1(2) 2(2) 4(2)`, `rate over ranks [1/s] problem "20": 8(2) 16(2) 32(2)`,
		}},
		{"a noisy run gives way to quiet ones", append(both, noisy), spec.ScalingStrong, pattern.Selection{Metrics: []string{"own"}, Axes: []pattern.Axis{pattern.Nodes}},
			[]string{`own over nodes [s] problem "20": 1(2) 2(2) 4(2)`}},
		{"ranks on a node and grids are configurations", []measure.Record{record(1, 8, 10, parameters(20, 1, 5)), record(1, 16, 6, parameters(20, 2, 5))}, spec.ScalingStrong,
			pattern.Selection{Metrics: []string{"own"}, Axes: []pattern.Axis{pattern.Nodes}}, []string{`own over nodes [s] problem "20": 1(2){16 ranks p=2, 8 ranks p=1}`}},
		{"an axis along which nothing varies is left out", []measure.Record{record(1, 1, 10, nil), record(1, 2, 6, nil)}, spec.ScalingStrong,
			pattern.Selection{Metrics: []string{"own"}}, []string{`own over ranks [s] problem "": 1(1) 2(1)`}},
		{"other parameters make other series", []measure.Record{record(1, 8, 10, parameters(20, 1, 5)), record(1, 8, 20, parameters(20, 1, 10))}, spec.ScalingStrong,
			pattern.Selection{Metrics: []string{"own"}, Axes: []pattern.Axis{pattern.Ranks}}, []string{`own over ranks [s] problem "20": 8(1)`, `own over ranks [s] problem "20": 8(1)`}},
		{"under weak scaling sizes of the problem belong together", []measure.Record{record(1, 8, 10, parameters(20, 1, 5)), record(2, 16, 11, parameters(40, 1, 5))}, spec.ScalingWeak,
			pattern.Selection{Metrics: []string{"own"}, Axes: []pattern.Axis{pattern.Nodes}}, []string{`own over nodes [s] problem "": 1(1) 2(1)`}},
		{"unless two of them ran at one place", []measure.Record{record(1, 8, 10, parameters(20, 1, 5)), record(1, 8, 11, parameters(40, 1, 5))}, spec.ScalingWeak,
			pattern.Selection{Metrics: []string{"own"}, Axes: []pattern.Axis{pattern.Nodes}}, []string{`own over nodes [s] problem "20": 1(1)`, `own over nodes [s] problem "40": 1(1)`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			apps := tiny(tt.scaling)
			all := pattern.Group(pattern.FromRecords(tt.records, apps), apps, tt.want)
			var got []string
			for i := range all {
				got = append(got, summary(&all[i]))
			}
			if d := cmp.Diff(tt.series, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTheShareOfAProfileIsThatOfTheRun(t *testing.T) {
	t.Parallel()
	r := record(1, 8, 10, nil)
	r.MPI = &mpi.Summary{Percent: 35}
	got := pattern.FromRecords([]measure.Record{r}, nil)[0].Numbers[pattern.MPIShare]
	if want := (pattern.Number{Value: 35, Unit: "%"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAUnitOfWorkByTimeIsARate(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]pattern.Form{"GB/s": pattern.Rate, "ns/day": pattern.Rate, "GFLOPS": pattern.Rate, "1/s": pattern.Rate, "s": pattern.Amount, "B": pattern.Amount, "s/step": pattern.Amount, "": pattern.Amount, "%": pattern.Share} {
		o := pattern.Observation{App: "unknown", Nodes: 4, Numbers: map[string]pattern.Number{"m": {Value: 1, Unit: unit}}}
		if got := pattern.Group([]pattern.Observation{o}, nil, pattern.Selection{})[0].Form; got != want {
			t.Errorf("%q: got %v, want %v", unit, got, want)
		}
	}
}

func TestExtraP(t *testing.T) {
	t.Parallel()
	point := func(x float64, values ...float64) pattern.Point { return pattern.Point{X: x, Values: values} }
	all := []pattern.Series{
		{App: "b", Problem: "two words", Metric: "time", Axis: pattern.Nodes, Points: []pattern.Point{point(4, 10, 1.1e-7), {X: 8, Mean: 5e7, SD: 1, N: 3}}},
		{App: "a", Metric: "rate", Axis: pattern.Nodes, Points: []pattern.Point{point(4, 1), point(8, 2.5)}},
	}
	var b bytes.Buffer
	if err := pattern.ExtraP(&b, all); err != nil {
		t.Fatal(err)
	}
	want := "PARAMETER nodes\nPOINTS 4 8\n\nMETRIC rate\nREGION a\nDATA 1\nDATA 2.5\n\nMETRIC time\nREGION b/two_words\nDATA 10 0.00000011\nDATA 50000000\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	all[1].Points = all[1].Points[:1]
	if err := pattern.ExtraP(&b, all); !errors.Is(err, pattern.ErrUneven) {
		t.Errorf("got %v, want %v", err, pattern.ErrUneven)
	}
	b.Reset()
	if err := pattern.ExtraPLines(&b, all[1:]); err != nil {
		t.Fatal(err)
	}
	if want := "{\"params\":{\"nodes\":4},\"callpath\":\"a\",\"metric\":\"rate\",\"value\":1}\n"; b.String() != want {
		t.Errorf("got %s, want %s", &b, want)
	}
}
