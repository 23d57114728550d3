// SPDX-License-Identifier: MIT

package read_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

// studies is where the published logs are: the folder that the variable
// ENSEMBLE_STUDIES names, or shared/studies beside the repository.
func studies(t testing.TB) string {
	dir := os.Getenv("ENSEMBLE_STUDIES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "studies")
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		t.Skipf("no published logs at %s (ENSEMBLE_STUDIES names another place)", dir)
	}
	return dir
}

// published is one run of the manifest.
type published struct {
	File          string
	App           string
	RunID         *string `json:"run_id"`
	Nodes, Tasks  *int
	Iteration     *int
	Command       *string
	Format        string
	Expected      map[string]expectation
	ExpectFailure *string `json:"expect_failure"`
	MetricFamily  string  `json:"metric_family"`
}

type expectation struct {
	Value json.RawMessage
	Unit  any
	Truth string
}

func manifest(t testing.TB, dir string) map[string][]published {
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Entries []published }
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	byFile := map[string][]published{}
	for _, e := range m.Entries {
		byFile[e.File] = append(byFile[e.File], e)
	}
	return byFile
}

// output gives the rules of an application of the catalog; a built-in reader
// needs none.
func output(t testing.TB, app string) spec.Output {
	t.Helper()
	file := filepath.Join("..", "apps", app, "app.yaml")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return spec.Output{}
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := spec.Decode(file, b)
	if err != nil {
		t.Fatal(err)
	}
	return d.Object.(*spec.Application).Spec.Output
}

func reader(t testing.TB, app string) *read.Reader {
	t.Helper()
	r, err := read.New(app, output(t, app))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runs(t testing.TB, r *read.Reader, file string) []read.Run {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var all []read.Run
	for run, err := range r.Read(context.Background(), file, in) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, run)
	}
	return all
}

func TestEveryPublishedValue(t *testing.T) {
	dir := studies(t)
	readers := map[string]*read.Reader{}
	values, found, failures, caught, entries := 0, 0, 0, 0, 0
	for file, list := range manifest(t, dir) {
		app := list[0].App
		if readers[app] == nil {
			readers[app] = reader(t, app)
		}
		all := runs(t, readers[app], filepath.Join(dir, file))
		if len(all) != len(list) {
			t.Errorf("%s: got %d runs, want %d", file, len(all), len(list))
		}
		for _, want := range list {
			entries++
			values += len(want.Expected)
			if want.ExpectFailure != nil {
				failures++
			}
			run := pick(all, want)
			if run == nil {
				t.Errorf("%s: no run %v", file, *want.RunID)
				continue
			}
			found += compare(t, *run, want)
			if want.ExpectFailure != nil && run.Status != read.Succeeded && run.Reason != "" {
				caught++
				t.Logf("%s: %s: %s", filepath.Base(file), run.Status, run.Reason)
			} else if want.ExpectFailure != nil {
				t.Errorf("%s: got %s, want a failure: %s", file, run.Status, *want.ExpectFailure)
			} else if run.Status != read.Succeeded {
				t.Logf("%s %s: %s: %s", filepath.Base(file), run.RunID, run.Status, run.Reason)
			}
		}
	}
	fmt.Printf("published values: %d of %d; runs that failed: %d of %d; runs: %d\n", found, values, caught, failures, entries)
}

// pick matches a run of the log with one of the manifest.
func pick(all []read.Run, want published) *read.Run {
	if len(all) == 1 {
		return &all[0]
	}
	for i := range all {
		if want.RunID != nil && all[i].RunID == *want.RunID {
			return &all[i]
		}
	}
	return nil
}

// compare counts the values that agree and reports the others.
func compare(t *testing.T, run read.Run, want published) (found int) {
	name := filepath.Base(want.File) + " " + run.RunID
	for metric, e := range want.Expected {
		switch err := agree(run, want, metric, e); err {
		case nil:
			found++
		default:
			t.Errorf("%s: %s: %v (%s)", name, metric, err, e.Truth)
		}
	}
	launched := strings.HasPrefix(want.Format, "flux-")
	if want.RunID != nil && run.RunID != *want.RunID {
		t.Errorf("%s: run id: got %q, want %q", name, run.RunID, *want.RunID)
	}
	// One run is named mt-gemm-64-iter- without a number, and its iteration in
	// the manifest is a part of its file's name.
	if want.Iteration != nil && launched && !strings.HasSuffix(run.RunID, "-") && (run.Iteration == nil || *run.Iteration != *want.Iteration) {
		t.Errorf("%s: iteration: got %v, want %d", name, run.Iteration, *want.Iteration)
	}
	if want.Command != nil && launched && run.Command != *want.Command {
		t.Errorf("%s: command: got %q, want %q", name, run.Command, *want.Command)
	}
	if want.Tasks != nil && launched && run.Tasks != *want.Tasks {
		t.Errorf("%s: tasks: got %d, want %d", name, run.Tasks, *want.Tasks)
	}
	return found
}

// tolerance is relative. The published values are what a log prints, or a
// double computed from a few such numbers in an order that may differ from
// ours: ten digits below any printed precision, and far above a double's own.
const tolerance = 1e-9

func agree(run read.Run, want published, metric string, e expectation) error {
	switch metric {
	case "series":
		return agreeSeries(run.Series[seriesName(want.MetricFamily)], run, e)
	case "jobs", "pulls":
		return agreeTable(run.Tables[metric], e)
	}
	var x float64
	if err := json.Unmarshal(e.Value, &x); err != nil {
		return err
	}
	got, ok := run.Metrics[metric]
	switch {
	case !ok:
		return errors.New("missing")
	case !close(got.Value, x):
		return fmt.Errorf("got %v, want %v", got.Value, x)
	case got.Unit != e.Unit:
		return fmt.Errorf("got the unit %q, want %q", got.Unit, e.Unit)
	}
	return nil
}

// seriesName is a benchmark's name; the manifest also has all_reduce.
func seriesName(family string) string {
	return "osu_" + strings.ReplaceAll(strings.TrimPrefix(family, "osu_"), "all_reduce", "allreduce")
}

func close(a, b float64) bool { return math.Abs(a-b) <= tolerance*math.Abs(b) }

func agreeSeries(s read.Series, run read.Run, e expectation) error {
	var want [][2]float64
	if err := json.Unmarshal(e.Value, &want); err != nil {
		return err
	}
	if len(s.Points) != len(want) {
		return fmt.Errorf("got %d points, want %d; the run has %d series", len(s.Points), len(want), len(run.Series))
	}
	for i, p := range s.Points {
		if p != want[i] {
			return fmt.Errorf("point %d: got %v, want %v", i, p, want[i])
		}
	}
	if unit := fmt.Sprint(s.Unit); unit != fmt.Sprint(e.Unit) {
		return fmt.Errorf("got the units %v, want %v", s.Unit, e.Unit)
	}
	return nil
}

func agreeTable(got read.Table, e expectation) error {
	b, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var have, want []map[string]any
	if err := errors.Join(json.Unmarshal(b, &have), json.Unmarshal(e.Value, &want)); err != nil {
		return err
	}
	if len(have) != len(want) {
		return fmt.Errorf("got %d rows, want %d", len(have), len(want))
	}
	for i, row := range want {
		if len(row) != len(have[i]) {
			return fmt.Errorf("row %d: got %v, want %v", i, have[i], row)
		}
		for column, w := range row {
			g := have[i][column]
			x, isNumber := w.(float64)
			y, isToo := g.(float64)
			if isNumber && isToo && close(y, x) || !isNumber && g == w {
				continue
			}
			return fmt.Errorf("row %d, %s: got %v, want %v", i, column, g, w)
		}
	}
	return nil
}
