// SPDX-License-Identifier: MIT

package report

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/run"
)

// RecordsCSV writes records as comma-separated values in the order given, with
// one line of heads and quotes as in RFC 4180. After the columns that every
// record has come a column parameter.NAME for each parameter and metric.NAME[UNIT] for each
// metric, by name; a metric that was read in two units has two columns. An empty
// cell is a value that is not known. Times are RFC 3339, in UTC; flags are
// separated by semicolons; loads are shares of the machine. mpi_percent is the
// share of the time in MPI; the columns mpi_… behind it are of jobs that were
// profiled: the smallest, the mean and the largest share of a rank, the imbalance
// of computing, the part of collective calls that was waiting, and what counting
// cost, as [mpi.Summary] defines them. Text that spreadsheets would take for a
// formula has an apostrophe in front. Series, tables and the calls of profiles do
// not fit a table of records and are left out; JSON has them.
func RecordsCSV(w io.Writer, records []measure.Record) error {
	parameters := map[string]bool{}
	type column struct{ name, unit string }
	metrics := map[column]bool{}
	for i := range records {
		for name := range records[i].Parameters {
			parameters[name] = true
		}
		for name, v := range records[i].Metrics {
			metrics[column{name, v.Unit}] = true
		}
	}
	names := slices.Sorted(maps.Keys(parameters))
	columns := slices.SortedFunc(maps.Keys(metrics), func(a, b column) int {
		return strings.Compare(a.name+"\x00"+a.unit, b.name+"\x00"+b.unit)
	})

	out := newCSV(w)
	var head []string
	for _, f := range recordFields {
		head = append(head, f.name)
	}
	for _, name := range names {
		head = append(head, "parameter."+name)
	}
	for _, c := range columns {
		head = append(head, "metric."+c.name+unitText(c.unit))
	}
	out.line(head)
	for i := range records {
		rec := &records[i]
		line := make([]string, 0, len(head))
		for _, f := range recordFields {
			line = append(line, f.text(rec))
		}
		for _, name := range names {
			v, ok := rec.Parameters[name]
			line = append(line, ifKnown(ok, v.String()))
		}
		for _, c := range columns {
			v, ok := rec.Metrics[c.name]
			line = append(line, ifKnown(ok && v.Unit == c.unit, allDigits(v.Value)))
		}
		out.line(line)
	}
	out.Flush()
	return out.Error()
}

// recordFields are the columns that every file of records has, in order. New
// ones are added at the end only.
var recordFields = []struct {
	name string
	text func(*measure.Record) string
}{
	{"app", func(r *measure.Record) string { return r.App }},
	{"variant", func(r *measure.Record) string { return r.Variant }},
	{"environment", func(r *measure.Record) string { return r.Environment }},
	{"problem", func(r *measure.Record) string { return r.Problem }},
	{"ensemble", func(r *measure.Record) string { return r.Ensemble }},
	{"group", func(r *measure.Record) string { return r.Group }},
	{"trial", func(r *measure.Record) string { return r.Trial }},
	{"job", func(r *measure.Record) string { return r.Job }},
	{"attempt", func(r *measure.Record) string { return known(r.Attempt) }},
	{"file", func(r *measure.Record) string { return r.File }},
	{"run_id", func(r *measure.Record) string { return r.RunID }},
	{"iteration", func(r *measure.Record) string { return pointer(r.Iteration) }},
	{"nodes", func(r *measure.Record) string { return known(r.Nodes) }},
	{"tasks", func(r *measure.Record) string { return known(r.Tasks) }},
	{"threads", func(r *measure.Record) string { return known(r.Threads) }},
	{"command", func(r *measure.Record) string { return r.Command }},
	{"image", func(r *measure.Record) string { return r.Image }},
	{"status", func(r *measure.Record) string { return string(r.Status) }},
	{"reason", func(r *measure.Record) string { return r.Reason }},
	{"exit_code", func(r *measure.Record) string { return pointer(r.ExitCode) }},
	{"flags", func(r *measure.Record) string { return strings.Join(r.Flags, ";") }},
	{"submit", func(r *measure.Record) string { return timeText(r.Times.Submit) }},
	{"start", func(r *measure.Record) string { return timeText(r.Times.Start) }},
	{"finish", func(r *measure.Record) string { return timeText(r.Times.Finish) }},
	{"load_before", ofLoad(func(l *run.Load) string { return allDigits(l.Before) })},
	{"load_during", ofLoad(func(l *run.Load) string { return allDigits(l.During) })},
	{"user[s]", ofResources(func(u *run.Resources) string { return allDigits(u.UserSeconds) })},
	{"system[s]", ofResources(func(u *run.Resources) string { return allDigits(u.SystemSeconds) })},
	{"max_rss[B]", ofResources(func(u *run.Resources) string { return known(int(u.MaxRSSBytes)) })},
	{"queue[s]", ofFlux(func(f *run.FluxJob) string { return between(f.Submit, f.Alloc) })},
	{"launch[s]", func(r *measure.Record) string {
		if r.Flux == nil {
			return ""
		}
		return between(r.Flux.Alloc, r.Times.Start)
	}},
	{"mpi_percent", func(r *measure.Record) string {
		if r.MPI == nil {
			return ""
		}
		return allDigits(r.MPI.Percent)
	}},
	{"mpi_min_percent", ofProfile(func(s *mpi.Summary) string { return allDigits(s.MinPercent) })},
	{"mpi_mean_percent", ofProfile(func(s *mpi.Summary) string { return allDigits(s.MeanPercent) })},
	{"mpi_max_percent", ofProfile(func(s *mpi.Summary) string { return allDigits(s.MaxPercent) })},
	{"mpi_imbalance_percent", ofProfile(func(s *mpi.Summary) string { return allDigits(s.Imbalance) })},
	{"mpi_wait_percent", ofProfile(func(s *mpi.Summary) string { return digitsOf(s.WaitPercent) })},
	{"mpi_cost_percent", ofProfile(func(s *mpi.Summary) string { return allDigits(s.CostPercent) })},
}

// ofFlux is the text of what only Flux tells.
func ofFlux(text func(*run.FluxJob) string) func(*measure.Record) string {
	return func(r *measure.Record) string {
		if r.Flux == nil {
			return ""
		}
		return text(r.Flux)
	}
}

// between is a time in seconds between two events that came.
func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return allDigits(to.Sub(from).Seconds())
}

// ofProfile is the text of a number that only profiled jobs have.
func ofProfile(text func(*mpi.Summary) string) func(*measure.Record) string {
	return func(r *measure.Record) string {
		if !r.MPI.Profiled() {
			return ""
		}
		return text(r.MPI)
	}
}

func ofResources(text func(*run.Resources) string) func(*measure.Record) string {
	return func(r *measure.Record) string {
		if r.Resources == nil {
			return ""
		}
		return text(r.Resources)
	}
}

func ofLoad(text func(*run.Load) string) func(*measure.Record) string {
	return func(r *measure.Record) string {
		if r.Load == nil {
			return ""
		}
		return text(r.Load)
	}
}

func ifKnown(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

// known is a count, and nothing for zero.
func known(n int) string { return ifKnown(n != 0, strconv.Itoa(n)) }

func pointer(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func timeText(t time.Time) string {
	return ifKnown(!t.IsZero(), t.UTC().Format(time.RFC3339Nano))
}

// digitsOf is allDigits of a number, and nothing for none.
func digitsOf(x *float64) string {
	if x == nil {
		return ""
	}
	return allDigits(*x)
}

// allDigits is the shortest text that reads back as the same number.
func allDigits(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
