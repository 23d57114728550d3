// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
	"golang.org/x/perf/benchfmt"
)

// RecordsBenchmark writes the records that succeeded in the Go benchmark format
// (https://go.dev/design/14313-benchmark-format), which benchstat and
// golang.org/x/perf read:
//
//	Unit loop_time-sec better=lower
//	environment: laptop
//
//	BenchmarkLammps/variant=debian-openmpi/cells=20/tasks=2 1 14.62 loop_time-sec
//
// The name holds the variant, the parameters, and nodes, threads and tasks; in
// keys and values, white space and the characters / = % and - before digits are
// written as %XX. The values are the application's own time and its figures of
// merit, each with the metric's name before its unit, since a record may hold
// two in the same one, and the launcher's wall time. An application that apps
// does not have gets all its metrics. Environment, image and flags are
// configuration lines, so that benchstat keeps noisy measurements in a table of
// their own.
func RecordsBenchmark(w io.Writer, records []measure.Record, apps map[string]*spec.Application) error {
	out := benchfmt.NewWriter(w)
	var results []*benchfmt.Result
	better := map[string]spec.Better{}
	for i := range records {
		rec := &records[i]
		if rec.Status != ensemble.Succeeded {
			continue
		}
		var app *spec.ApplicationSpec
		if a := apps[rec.App]; a != nil {
			app = &a.Spec
		}
		res := &benchfmt.Result{Name: benchmarkName(rec), Iters: 1, Config: benchmarkConfig(rec)}
		for _, v := range benchmarkValues(rec, app) {
			if have, ok := better[v.unit]; ok && have != v.better {
				v.better = "" // two applications disagree: neither is said
			}
			better[v.unit] = v.better
			res.Values = append(res.Values, benchfmt.Value{Value: v.value, Unit: v.unit})
		}
		if len(res.Values) > 0 {
			results = append(results, res)
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(better)) {
		if better[unit] == "" {
			continue
		}
		m := &benchfmt.UnitMetadata{OrigUnit: unit, Value: string(better[unit])}
		m.Key = "better"
		if err := out.Write(m); err != nil {
			return err
		}
	}
	for _, res := range results {
		if err := out.Write(res); err != nil {
			return err
		}
	}
	return nil
}

type benchmarkValue struct {
	value  float64
	unit   string
	better spec.Better
}

func benchmarkValues(rec *measure.Record, app *spec.ApplicationSpec) (values []benchmarkValue) {
	seen := map[string]bool{}
	add := func(name string, better spec.Better) {
		v, ok := rec.Metrics[name]
		if !ok || seen[name] || !stats.Usable(v.Value) {
			return
		}
		seen[name] = true
		x, unit := v.Value, v.Unit
		if s, ok := measure.Seconds(v); ok {
			x, unit = s, "sec"
		}
		values = append(values, benchmarkValue{x, benchmarkUnit(name, unit), better})
	}
	if app == nil {
		for _, name := range slices.Sorted(maps.Keys(rec.Metrics)) {
			add(name, "")
		}
	} else {
		for _, role := range []spec.MetricRole{spec.RoleApplicationTime, spec.RoleFigureOfMerit} {
			for _, m := range app.Output.Metrics {
				if m.Role == role {
					add(m.Name, m.Better)
				}
			}
		}
	}
	if rec.MPI.Profiled() {
		values = append(values, benchmarkValue{rec.MPI.Percent, benchmarkUnit("mpi", "%"), spec.BetterLower})
	} else {
		add(measure.MPIPercent, spec.BetterLower) // of another definition
	}
	if wall, ok := rec.WallTime(); ok {
		values = append(values, benchmarkValue{wall, benchmarkUnit(WallTime, "sec"), spec.BetterLower})
	}
	return values
}

// benchmarkUnit is the metric's name and unit in one word, which the format
// wants: a metric without either is called value. Readers turn ns into seconds
// wherever it stands above a fraction's line; ns/day is spelled out to stay what
// it is.
func benchmarkUnit(name, unit string) string {
	if rest, ok := strings.CutPrefix(unit, "ns/"); ok {
		unit = "nanosec/" + rest
	}
	s := name
	if unit != "" {
		s += "-" + unit
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, cmp.Or(s, "value"))
}

func benchmarkName(rec *measure.Record) benchfmt.Name {
	var b strings.Builder
	app := cmp.Or(rec.App, "unknown")
	first, n := utf8.DecodeRuneInString(app)
	b.WriteString(escapeName(string(unicode.ToUpper(first)) + app[n:]))
	add := func(key, value string) {
		if value != "" {
			b.WriteString("/" + escapeName(key) + "=" + escapeName(value))
		}
	}
	add("variant", rec.Variant)
	if len(rec.Parameters) == 0 {
		add("problem", rec.Problem)
	}
	for _, name := range slices.Sorted(maps.Keys(rec.Parameters)) {
		add(name, rec.Parameters[name].String())
	}
	if rec.Nodes > 1 {
		add("nodes", known(rec.Nodes))
	}
	if rec.Threads > 1 {
		add("threads", known(rec.Threads))
	}
	add("tasks", known(rec.Tasks))
	return benchfmt.Name(b.String())
}

// escapeName keeps text from being taken for the syntax of names. A dash before
// a number at the end would be taken for GOMAXPROCS.
func escapeName(s string) string {
	digits := len(s) - len(strings.TrimRight(s, "0123456789"))
	var b strings.Builder
	for i, r := range s {
		dash := r == '-' && digits > 0 && i == len(s)-digits-1
		if dash || unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("/=%", r) {
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func benchmarkConfig(rec *measure.Record) (config []benchfmt.Config) {
	for _, c := range [][2]string{
		{"environment", rec.Environment}, {"image", rec.Image},
		{"flags", strings.Join(slices.Compact(slices.Sorted(slices.Values(rec.Flags))), ",")},
	} {
		if v := plain(c[1]); v != "" {
			config = append(config, benchfmt.Config{Key: c[0], Value: []byte(v), File: true})
		}
	}
	return config
}
