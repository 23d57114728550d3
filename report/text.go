// SPDX-License-Identifier: MIT

package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// TextOptions say how to write a report as text.
type TextOptions struct {
	// Width is that of the terminal in characters. The default is 100; fewer
	// than 72 count as 72.
	Width int
}

// Text writes the report as tables for a terminal. A table that is too wide
// goes on in another below it. Text from outside is made printable.
func Text(w io.Writer, r *Report, opts TextOptions) error {
	p := &printer{bufio.NewWriter(w), max(cmp.Or(opts.Width, 100), 72)}
	p.note(0, 2, r.Counts.text())
	if s := r.Counts.flagText(); s != "" {
		p.note(0, 2, "Flagged attempts: "+s)
	}
	if names := r.fruitless(); len(names) > 0 {
		p.note(0, 2, "Without a result: "+plain(strings.Join(names, ", ")))
	}
	if slices.ContainsFunc(r.Applications, func(a Application) bool { return a.hasProfile() }) {
		p.note(0, 2, mpiLegend)
	}
	for i := range r.Applications {
		p.application(r, &r.Applications[i])
	}
	p.failures(r.Failures)
	return p.Flush()
}

func (c Counts) text() string {
	s := plural(c.Trials, "trial")
	if c.Attempts != c.Trials {
		s += fmt.Sprintf(" in %d attempts", c.Attempts)
	}
	s += fmt.Sprintf(": %d succeeded, %d failed", c.Succeeded, c.Failed)
	if c.Unneeded > 0 {
		s += fmt.Sprintf(", %d not needed", c.Unneeded)
	}
	if c.Unfinished > 0 {
		s += fmt.Sprintf(", %d not finished", c.Unfinished)
	}
	return s
}

// flagText is how many attempts carry each flag: noisy on 3, shared on 1.
func (c Counts) flagText() string {
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(c.Flags)) {
		parts = append(parts, fmt.Sprintf("%s on %d", plain(f), c.Flags[f]))
	}
	return strings.Join(parts, ", ")
}

func (p *printer) application(r *Report, a *Application) {
	p.heading(plain(cmp.Or(a.Name, "without a name")))
	p.note(0, 2, plain(a.describe()))
	for _, s := range a.Warnings {
		p.note(0, 2, "! "+plain(s))
	}
	for i := range a.Series {
		p.series(r, a, &a.Series[i])
	}
	p.curves(a.Curves)
}

func (p *printer) heading(s string) {
	s = cut(s, p.width)
	fmt.Fprintf(p, "\n%s\n%s\n", s, strings.Repeat("─", utf8.RuneCountInString(s)))
}

// describe says in one sentence what the numbers are.
func (a *Application) describe() string {
	parts := []string{string(a.Scaling) + " scaling"} // ASCII
	if a.oneSize() {
		parts[0] = "one number of ranks"
	}
	if a.Time.Name == WallTime {
		parts = append(parts, "time is the launcher's wall time, launch overhead included")
	} else {
		parts = append(parts, "time is "+a.Time.Name+" as the application reports it")
	}
	if a.hasOverhead() {
		parts = append(parts, "overhead is the launcher's wall time less that")
	}
	for i, m := range a.Merits {
		name := "figure of merit"
		if len(a.Merits) > 1 {
			name = fmt.Sprintf("figure of merit %d", i+1)
		}
		s := name + " is " + m.Name
		if m.Unit != "" {
			s += " [" + m.Unit + "]"
		}
		if m.Better != "" {
			s += ", " + string(m.Better) + " is better"
		}
		parts = append(parts, s)
	}
	s := strings.Join(parts, "; ") + "."
	return strings.ToUpper(s[:1]) + s[1:]
}

// title names a series in full.
func (s Setting) title() string {
	parts := []string{}
	for _, part := range []string{s.Variant, s.Environment, s.Problem, s.Differs} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if s.Threads > 1 {
		parts = append(parts, plural(s.Threads, "thread")+" a rank")
	}
	return cmp.Or(strings.Join(parts, " · "), "all trials")
}

func (p *printer) series(r *Report, a *Application, s *Series) {
	p.WriteByte('\n')
	p.note(2, 2, plain(s.title()))
	columns, keys := seriesColumns(r, a, s)
	if tableWidth(columns, 4) > p.width {
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.spare })
	}
	flags := columns[len(columns)-1]
	columns = columns[:len(columns)-1]
	var notes []string
	switch {
	case flags.empty():
	case tableWidth(append(columns, flags), 4) <= p.width:
		columns = append(columns, flags)
	default: // the flags are the widest column and can stand below
		for i := range s.Points {
			if flags := s.Points[i].flagList(); len(flags) > 0 {
				notes = append(notes, s.Points[i].place()+": "+strings.Join(flags, ", "))
			}
		}
	}
	p.table(columns, keys, 4)
	for i := range s.Points {
		for _, note := range s.Points[i].notes(a) {
			notes = append(notes, s.Points[i].place()+": "+note)
		}
	}
	for _, note := range append(notes, s.Warnings...) {
		p.note(4, 2, "! "+plain(note))
	}
	for _, image := range s.Images {
		p.note(4, 2, "image "+plain(image))
	}
	p.repetitions(s)
	p.mpi(s)
}

// seriesColumns are the columns of a series; those without a value are left
// out. The first, keys of them, say where a point was measured, and the flags
// are the last.
func seriesColumns(r *Report, a *Application, s *Series) (columns []column, keys int) {
	unit := unitText(a.Time.Unit)
	nodes, ranks, n := column{head: []string{"nodes"}}, column{head: []string{"ranks"}}, column{head: []string{"n"}}
	grid := column{head: []string{"grid"}, left: true}
	median, mean := column{head: []string{"median", unit}}, column{head: []string{"mean", unit}}
	interval := column{head: []string{levelText(r.Level) + " interval", strings.TrimSpace("of the mean " + unit)}, left: true}
	speedup, efficiency := column{head: []string{"speed-up"}, left: true, apart: true}, column{head: []string{"efficiency"}, left: true, apart: true}
	overhead, flags := column{head: []string{"overhead", "[s]"}, apart: true}, column{head: []string{"flags"}, left: true}
	inMPI := column{head: []string{"in MPI", "[%]"}, spare: true} // it has a table of its own
	merits := make([]column, len(a.Merits))
	for i, m := range a.Merits {
		merits[i].apart = true
		merits[i].head = []string{"merit", unitText(plain(m.Unit))}
		if len(a.Merits) > 1 {
			merits[i].head[0] = fmt.Sprintf("merit %d", i+1)
		}
	}
	manyNodes := false
	for i := range s.Points {
		p := &s.Points[i]
		manyNodes = manyNodes || p.Nodes > 1
		grid.add(plain(p.Grid))
		row := summaryRow(p.Time)
		nodes.add(count(p.Nodes))
		ranks.add(count(p.Ranks))
		n.add(fmt.Sprint(len(p.Trials)))
		median.add(row.Median)
		mean.add(row.Mean)
		interval.add(row.Interval)
		if len(s.Points) > 1 {
			speedup.add(estimateText(p.Speedup, p.Base))
			efficiency.add(percentText(p.Efficiency, p.Base))
		}
		inMPI.add(p.shareText())
		for i, m := range a.Merits {
			merits[i].add(meritText(p, m))
		}
		over := ""
		if p.Overhead != nil {
			over = sig(p.Overhead.Median, 3)
		}
		overhead.add(over)
		flags.add(p.flagText())
	}
	if manyNodes {
		columns = append(columns, nodes)
	}
	columns = append(columns, ranks)
	if !grid.empty() {
		columns = append(columns, grid)
	}
	keys = len(columns)
	for _, c := range append(append([]column{n, median, mean, interval, speedup, efficiency, inMPI}, merits...), overhead) {
		if !c.empty() {
			columns = append(columns, c)
		}
	}
	return append(columns, flags), keys
}

func (c *column) add(cell string) { c.cells = append(c.cells, cell) }

// count is a number of nodes or ranks.
func count(n int) string {
	if n == 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

func meritText(p *Point, m Quantity) string {
	if s, ok := p.Merits[m.Name]; ok {
		return sig(s.Median, digits)
	}
	return ""
}

// place names a point within its series.
func (p *Point) place() string {
	s := plural(p.Ranks, "rank")
	if p.Ranks == 0 {
		s = "unknown ranks"
	}
	if p.Nodes > 1 {
		s += " on " + plural(p.Nodes, "node")
	}
	if p.Grid != "" {
		s += " as " + p.Grid
	}
	return s
}

func (p *printer) curves(curves []Curve) {
	for _, c := range curves {
		p.WriteByte('\n')
		p.note(2, 2, plain(fmt.Sprintf("%s %s over %s, medians", c.Name, unitText(c.Unit[1]), cmp.Or(unitText(c.Unit[0]), "x"))))
		label, n := column{head: []string{"series"}, left: true}, column{head: []string{"n"}}
		x, y := column{head: []string{"from … to"}, left: true}, column{head: []string{"first … last"}, left: true}
		low, high := column{head: []string{"min"}}, column{head: []string{"max"}}
		for _, l := range c.Lines {
			first, last := l.Points[0], l.Points[len(l.Points)-1]
			bottom, top := first.Median, first.Median
			for _, p := range l.Points {
				bottom, top = min(bottom, p.Median), max(top, p.Median)
			}
			label.add(cut(plain(l.Label), max(16, p.width-60)))
			n.add(fmt.Sprint(l.N))
			x.add(short(first.X) + " … " + short(last.X))
			y.add(sig(first.Median, digits) + " … " + sig(last.Median, digits))
			low.add(sig(bottom, digits))
			high.add(sig(top, digits))
		}
		p.table([]column{label, n, x, y, low, high}, 1, 4)
	}
}
