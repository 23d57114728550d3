// SPDX-License-Identifier: MIT

package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// maxFaults bounds how many faults of a file are told.
const maxFaults = 20

// Read reads observations from a file: comma-separated values with a line of
// heads, or JSON objects, in an array or one after another. The content decides
// which. Semicolons or tabs will do where the heads have no comma, and lines that
// begin with # are passed over.
//
// Columns, or fields of the objects, are app, variant, environment, problem,
// nodes, tasks, threads, iteration, status, flags, parameter.NAME, and any number
// of metrics: NAME, or NAME[UNIT] with the unit. NAME_sd and NAME_n beside a
// NAME make it a mean with the standard deviation of that many runs. An empty
// cell is a value that is not known, and tasks are ranks. Where a status is not
// succeeded the line is passed over. What the records command writes, as csv or
// as json, is read as well. apps has the applications that are known, by name;
// they give units and roles.
//
// What is wrong with the content is a [spec.FileError] that has all faults with
// their lines; file names it.
func Read(r io.Reader, file string, apps map[string]*spec.Application) ([]Observation, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", file, err)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	t := &reading{file: file, apps: apps}
	if head := bytes.TrimSpace(b); len(head) > 0 && (head[0] == '[' || head[0] == '{') {
		t.json(b)
	} else {
		t.csv(b)
	}
	if len(t.faults) == 0 && len(t.found) == 0 && !t.passed {
		t.fault(1, 1, "", "the file has no records")
	}
	if len(t.faults) > 0 {
		return nil, &spec.FileError{File: file, Faults: t.faults}
	}
	return t.found, nil
}

// reading is a file that is being read.
type reading struct {
	file   string
	apps   map[string]*spec.Application
	found  []Observation
	passed bool // a record that did not succeed
	faults []spec.Fault
}

func (t *reading) fault(line, column int, path spec.Path, format string, args ...any) {
	switch n := len(t.faults); {
	case n < maxFaults:
		f := spec.Faultf(path, format, args...)
		f.Line, f.Column = line, column
		t.faults = append(t.faults, f)
	case n == maxFaults:
		t.faults = append(t.faults, spec.Fault{Line: line, Column: column, Message: "and more"})
	}
}

// about are the columns that say what was measured; the others are metrics.
var about = []string{"app", "variant", "environment", "problem", "nodes", "tasks", "threads", "iteration"}

// passedOver are further columns of records, which no pattern needs.
var passedOver = []string{
	"ensemble", "group", "trial", "job", "attempt", "file", "run_id", "command", "image", "reason", "exit_code",
	"submit", "start", "finish", "load_before", "load_during", "user[s]", "system[s]",
	"mpi_min_percent", "mpi_mean_percent", "mpi_max_percent", "mpi_imbalance_percent", "mpi_wait_percent", "mpi_cost_percent",
}

// row is one record as text, by the name of the column or field.
type row struct {
	line  int
	cells map[string]cellText
	// base has the columns by the names of their metrics, without units.
	base map[string]string
}

type cellText struct {
	text   string
	column int
}

// add turns a row into an observation. metrics are the columns that hold one.
func (t *reading) add(r row, metrics []string) {
	bad := len(t.faults)
	text := func(name string) string { return unquoteFormula(r.cells[name].text) }
	if status := text("status"); status != "" && status != string(ensemble.Succeeded) {
		t.passed = true
		return
	}
	flags := strings.Split(text("flags"), ";")
	if slices.Contains(flags, simulated) {
		t.passed = true
		return
	}
	o := Observation{
		App: text("app"), Variant: text("variant"), Environment: text("environment"), Problem: text("problem"),
		Nodes: t.count(r, "nodes"), Tasks: t.count(r, "tasks"), Threads: t.count(r, "threads"),
		Noisy: slices.Contains(flags, "noisy"), Numbers: map[string]Number{},
	}
	if c := r.cells["iteration"]; c.text != "" {
		if _, err := strconv.ParseFloat(c.text, 64); err != nil {
			t.fault(r.line, c.column, "iteration", "got %q, want a number", c.text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.cells)) {
		if parameter, ok := strings.CutPrefix(name, "parameter."); ok && r.cells[name].text != "" {
			if o.Parameters == nil {
				o.Parameters = map[string]spec.Value{}
			}
			o.Parameters[parameter] = spec.Of(text(name))
		}
	}
	r.base = map[string]string{}
	for column := range r.cells {
		name, _ := splitUnit(column)
		r.base[name] = column
	}
	for _, column := range metrics {
		t.number(r, column, &o)
	}
	if len(t.faults) > bad {
		return
	}
	if o.Nodes == 0 && o.Tasks == 0 {
		t.fault(r.line, 1, "", "nodes and tasks are missing; want one of them at least")
		return
	}
	if wall, ok := o.Numbers[WallTime]; ok {
		if own, ok := o.Numbers[ownTime(t.apps[o.App])]; ok && own.N == 0 && wall.N == 0 && own.Unit == "s" && wall.Unit == "s" {
			o.Numbers[LaunchOverhead] = Number{Value: wall.Value - own.Value, Unit: "s"}
		}
	}
	t.found = append(t.found, o)
}

// unquoteFormula takes the apostrophe away that keeps spreadsheets from taking
// text for a formula.
func unquoteFormula(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(s[1])) {
		return s[1:]
	}
	return s
}

func (t *reading) count(r row, name string) int {
	c := r.cells[name]
	if c.text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(c.text, 64)
	if err == nil && n > math.MaxInt32 {
		t.fault(r.line, c.column, spec.Path(name), "got %q, want %d at most", c.text, math.MaxInt32)
		return 0
	}
	if err != nil || n != math.Trunc(n) || !(n >= 1) {
		t.fault(r.line, c.column, spec.Path(name), "got %q, want a whole number of 1 or more", c.text)
		return 0
	}
	return int(n)
}

// number reads the metric of a column into the observation.
func (t *reading) number(r row, column string, o *Observation) {
	v, ok := t.value(r, column)
	if !ok {
		return
	}
	name, unit := splitUnit(column)
	n := Number{Value: v, Unit: unit}
	if unit == "" {
		n.Unit = t.unit(o.App, name)
	}
	sd, hasSD := t.value(r, r.base[name+"_sd"])
	count, hasN := t.value(r, r.base[name+"_n"])
	if hasN && (count < 1 || count != math.Trunc(count) || count > math.MaxInt32) {
		t.fault(r.line, r.cells[r.base[name+"_n"]].column, spec.Path(name+"_n"), "got %g, want a whole number of 1 or more", count)
		return
	}
	if hasSD && sd < 0 {
		t.fault(r.line, r.cells[r.base[name+"_sd"]].column, spec.Path(name+"_sd"), "got %g, want 0 or more", sd)
		return
	}
	if hasSD || hasN {
		n.SD, n.N = sd, max(1, int(count))
		if hasSD && sd > 0 && !hasN {
			t.fault(r.line, r.cells[r.base[name+"_sd"]].column, spec.Path(name+"_sd"), "a standard deviation wants the number of runs beside it, in %s_n", name)
		}
	}
	if s, ok := measure.Seconds(valueOf(n)); ok && n.Unit != "s" {
		n.SD, n.Value, n.Unit = n.SD*s/n.Value, s, "s"
	}
	if name == mpiPercent {
		name = MPIShare
		if _, ok := o.Numbers[name]; ok && strings.HasPrefix(column, "metric.") {
			return // what the application says itself, beside a profile
		}
	}
	if name == "duration_wrapper" {
		o.Numbers[WallTime] = n
	}
	o.Numbers[name] = n
}

// value is the number in a column; false where there is none.
func (t *reading) value(r row, column string) (float64, bool) {
	c := r.cells[column]
	if strings.TrimSpace(c.text) == "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(c.text), 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && !stats.Usable(v):
		t.fault(r.line, c.column, spec.Path(column), "got %q, want a number below 1e150 in size, or nothing where nothing was measured", c.text)
	case err != nil && strings.Count(c.text, ",") == 1:
		t.fault(r.line, c.column, spec.Path(column), "got %q, want a number with a point for its fraction", c.text)
	case err != nil:
		t.fault(r.line, c.column, spec.Path(column), "got %q, want a number; columns that are no metric are %s, status, flags and parameter.NAME", c.text, spec.OneOf(about))
	default:
		return v, true
	}
	return 0, false
}
