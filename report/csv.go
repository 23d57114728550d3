// SPDX-License-Identifier: MIT

package report

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/stats"
)

// csvWriter writes comma-separated values with quotes as in RFC 4180 and lines
// that end in a line feed alone. Spreadsheets take a cell that begins with one
// of = + - @ for a formula, and a formula can send what a sheet holds anywhere;
// since names and reasons come from outside, such a cell gets an apostrophe in
// front, unless it is a number. Source: OWASP, "CSV Injection". JSON has the
// text as it is.
type csvWriter struct{ *csv.Writer }

func newCSV(w io.Writer) csvWriter { return csvWriter{csv.NewWriter(w)} }

// line writes the cells; Error tells of a failure after Flush.
func (w csvWriter) line(cells []string) {
	for i, s := range cells {
		if s == "" || !strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
			continue
		}
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			cells[i] = "'" + s
		}
	}
	w.Write(cells)
}

// CSV writes a line for each point of each series, with one line of heads and
// all digits. An empty cell is a number that the data do not carry. Times are
// in the unit of the column unit. The columns mpi_… are as in [MPIShare] and
// [ProfileShare], where mpi_profiles is how many trials were profiled and
// mpi_slowdown what those took over what the others did, a ratio. The last columns
// are the figures of merit, merit.NAME[UNIT], by name, as medians. Text that
// spreadsheets would take for a formula has an apostrophe in front.
func CSV(w io.Writer, r *Report) error {
	merits := map[string]Quantity{}
	for _, a := range r.Applications {
		for _, m := range a.Merits {
			merits[m.Name+unitText(m.Unit)] = m
		}
	}
	names := slices.Sorted(maps.Keys(merits))
	head := []string{
		"app", "scaling", "variant", "environment", "problem", "parameters", "threads", "nodes", "ranks", "base",
		"time", "unit", "n", "median", "median_low", "median_high", "mean", "mean_low", "mean_high", "sd", "min", "max",
		"speedup", "speedup_low", "speedup_high", "efficiency", "efficiency_low", "efficiency_high",
		"launch_overhead[s]", "noisy", "mean_without_noisy", "outliers", "flags", "warnings", "grid", "efficiency_without_noisy", "image",
	}
	head = append(head, mpiHeads...)
	for _, name := range names {
		head = append(head, "merit."+name)
	}
	out := newCSV(w)
	out.line(head)
	for i := range r.Applications {
		a := &r.Applications[i]
		for j := range a.Series {
			s := &a.Series[j]
			for k := range s.Points {
				line := csvPoint(a, s, &s.Points[k])
				for _, name := range names {
					m := merits[name]
					v, ok := s.Points[k].Merits[m.Name]
					line = append(line, ifKnown(ok && slices.Contains(a.Merits, m), allDigits(v.Median)))
				}
				out.line(line)
			}
		}
	}
	out.Flush()
	return out.Error()
}

func csvPoint(a *Application, s *Series, p *Point) []string {
	t := p.Time
	number := func(x float64) string { return ifKnown(t.N > 0, allDigits(x)) }
	line := []string{
		a.Name, string(a.Scaling), s.Variant, s.Environment, s.Problem, parameterText(s.Parameters),
		known(s.Threads), known(p.Nodes), known(p.Ranks), strconv.FormatBool(p.Base),
		a.Time.Name, a.Time.Unit, strconv.Itoa(t.N), number(t.Median),
	}
	line = append(line, limits(t.MedianInterval)...)
	line = append(line, number(t.Mean))
	line = append(line, limits(t.MeanInterval)...)
	line = append(line, ifKnown(t.N > 1, allDigits(t.SD)), number(t.Min), number(t.Max))
	line = append(line, estimateCells(p.Speedup)...)
	line = append(line, estimateCells(p.Efficiency)...)
	overhead, quiet, quietEfficiency := "", "", ""
	if p.Overhead != nil {
		overhead = allDigits(p.Overhead.Median)
	}
	if p.Quiet != nil {
		quiet = allDigits(p.Quiet.Mean)
	}
	if p.QuietEfficiency != nil {
		quietEfficiency = allDigits(p.QuietEfficiency.Value)
	}
	var ratio []string
	if p.Efficiency != nil {
		ratio = p.Efficiency.Warnings
	}
	var outliers []string
	for _, t := range p.Trials {
		if t.Outlier != 0 {
			outliers = append(outliers, t.ID)
		}
	}
	line = append(line, overhead, strconv.Itoa(p.Noisy), quiet, strings.Join(outliers, ";"),
		strings.Join(slices.Sorted(maps.Keys(p.Flags)), ";"), strings.Join(slices.Concat(t.Warnings, ratio, p.Warnings, s.Warnings), "; "),
		p.Grid, quietEfficiency, strings.Join(s.Images, ";"))
	return append(line, mpiCells(p.MPI)...)
}

// mpiHeads are the columns that tell of the time in MPI: the first and the last
// of any, the others of points with a profile.
var mpiHeads = []string{
	"mpi_percent",
	"mpi_min_percent", "mpi_mean_percent", "mpi_max_percent", "mpi_imbalance_percent", "mpi_wait_percent", "mpi_cost_percent",
	"mpi_profiles", "mpi_slowdown", "mpi_slowdown_low", "mpi_slowdown_high",
	"mpi_reported_percent",
}

func mpiCells(m *MPIShare) []string {
	if m == nil {
		return make([]string, len(mpiHeads))
	}
	profile := make([]string, len(mpiHeads)-2)
	if f := m.Profile; f != nil {
		profile = []string{
			allDigits(f.Low), allDigits(f.Mean), allDigits(f.High), allDigits(f.Imbalance), digitsOf(f.Waiting), allDigits(f.Cost),
			strconv.Itoa(m.Percent.N),
		}
		profile = append(profile, estimateCells(f.Added)...)
	}
	reported := ""
	if m.Reported != nil {
		reported = allDigits(m.Reported.Median)
	}
	return slices.Concat([]string{allDigits(m.Percent.Median)}, profile, []string{reported})
}

func limits(in *stats.Interval) []string {
	if in == nil {
		return []string{"", ""}
	}
	return []string{allDigits(in.Low), allDigits(in.High)}
}

func estimateCells(e *stats.Estimate) []string {
	if e == nil {
		return []string{"", "", ""}
	}
	return append([]string{allDigits(e.Value)}, limits(e.Interval)...)
}
