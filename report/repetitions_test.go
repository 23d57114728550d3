// SPDX-License-Identifier: MIT

package report_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// repeated are the trials of one point; the number of a repetition is not the
// order in which it ran.
func repeated(asked spec.Percent, times ...float64) (records []measure.Record) {
	for i, x := range times {
		records = append(records, measure.Record{
			App: "sim", Tasks: 1, Nodes: 1, Status: "succeeded", Trial: fmt.Sprint("t", i), Attempt: 1, Iteration: number(len(times) - i),
			Until:   &spec.Until{Interval: asked, AtMost: 20},
			Times:   read.Times{Start: time.Unix(int64(100*i+1), 0), Finish: time.Unix(int64(100*i+50), 0)},
			Metrics: map[string]read.Value{"loop": {Value: x, Unit: "s"}},
		})
	}
	return records
}

func TestWhatRepetitionsBought(t *testing.T) {
	t.Parallel()
	noisy := repeated(0.05, 10.2, 9.8, 99, 10.6, 9.6, 10)
	noisy[2].Flags = []string{"noisy"}
	half := []float64{0.25413, 0.09741, 0.07022, 0.04757}
	for _, c := range []struct {
		name    string
		records []measure.Record
		want    *report.Repetitions
	}{
		{"in the order in which they ran", repeated(0.05, 10.2, 9.8, 10.6, 9.6, 10),
			&report.Repetitions{Enough: true, N: 5, Half: half}},
		{"without noisy ones", noisy, &report.Repetitions{Enough: true, N: 5, Half: half}},
		{"with what is missing", repeated(0.01, 10.2, 9.8, 10.6, 9.6, 10),
			&report.Repetitions{N: 5, Half: half, Needed: 114}},
		{"two that agree are not enough", repeated(0.05, 10, 10), &report.Repetitions{N: 2, Half: []float64{0}}},
		{"one", repeated(0.05, 10), &report.Repetitions{N: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.want.Asked = *c.records[0].Until
			got := report.Build(c.records, sim, report.Options{}).Applications[0].Series[0].Points[0].Repetitions
			if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(1e-3, 0)); diff != "" {
				t.Errorf("repetitions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepetitionsAreShownWhereTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	const caption, short = "What the repetitions bought", "1 rank: 5 quiet repetitions tell too little for ±1%; about 114 would"
	records := repeated(0.01, 10.2, 9.8, 10.6, 9.6, 10)
	fixed := slices.Clone(records)
	for i := range fixed {
		fixed[i].Until = nil
	}
	for name, c := range map[string]struct {
		write func(w io.Writer, r *report.Report) error
		row   string
	}{
		"text": {func(w io.Writer, r *report.Report) error { return report.Text(w, r, report.TextOptions{}) },
			"1 rank  5       20     1%  4.8     25    9.7    7.0    4.8"},
		"page": {func(w io.Writer, r *report.Report) error { return report.HTML(w, r, report.Meta{}) },
			`<td class="num ">25</td><td class="num ">9.7</td><td class="num ">7.0</td><td class="num ">4.8</td>`},
	} {
		var asked, not strings.Builder
		if err := errors.Join(c.write(&asked, report.Build(records, sim, report.Options{})), c.write(&not, report.Build(fixed, sim, report.Options{}))); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{caption, short, c.row} {
			if !strings.Contains(asked.String(), want) {
				t.Errorf("the %s does not say %q", name, want)
			}
		}
		if strings.Contains(not.String(), caption) {
			t.Errorf("the %s speaks of an interval that nobody asked for", name)
		}
	}
}
