// SPDX-License-Identifier: MIT

package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxFailures is how many failures the text shows; the files show all.
const maxFailures = 20

// Text writes the report as tables for a terminal of 100 columns. Text from
// outside is made printable.
func Text(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, r.Counts.text())
	for i := range r.Applications {
		textApplication(b, r, &r.Applications[i])
	}
	textFailures(b, r.Failures)
	return b.Flush()
}

func (c Counts) text() string {
	s := plural(c.Trials, "trial")
	if c.Attempts != c.Trials {
		s += fmt.Sprintf(" in %d attempts", c.Attempts)
	}
	s += fmt.Sprintf(": %d succeeded, %d failed", c.Succeeded, c.Failed)
	if c.Noisy > 0 {
		s += fmt.Sprintf("; %d of the measurements are flagged noisy", c.Noisy)
	}
	return s
}

func textApplication(b *bufio.Writer, r *Report, a *Application) {
	heading(b, plain(a.Name))
	writeNote(b, 0, 2, plain(a.describe()))
	for _, s := range a.Warnings {
		writeNote(b, 0, 2, "! "+plain(s))
	}
	for i := range a.Series {
		textSeries(b, r, a, &a.Series[i])
	}
	textCurves(b, a.Curves)
}

func heading(b *bufio.Writer, s string) {
	s = cut(s, textWidth)
	fmt.Fprintf(b, "\n%s\n%s\n", s, strings.Repeat("─", utf8.RuneCountInString(s)))
}

// describe says in one sentence what the numbers are.
func (a *Application) describe() string {
	parts := []string{string(a.Scaling) + " scaling"} // ASCII
	if a.Time.Name == WallTime {
		parts = append(parts, "time is the launcher's wall time, launch overhead included")
	} else {
		parts = append(parts, "time is "+a.Time.Name+" as the application reports it")
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
	for _, part := range []string{s.Variant, s.Environment, s.Problem} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if s.Threads > 1 {
		parts = append(parts, plural(s.Threads, "thread")+" a rank")
	}
	return cmp.Or(strings.Join(parts, " · "), "all trials")
}

func textSeries(b *bufio.Writer, r *Report, a *Application, s *Series) {
	b.WriteByte('\n')
	writeNote(b, 2, 2, plain(s.title()))
	columns := seriesColumns(r, a, s)
	var notes []string
	if tableWidth(columns, 4) > textWidth {
		// The flags are the widest column and can stand below.
		columns = columns[:len(columns)-1]
		for i := range s.Points {
			if flags := s.Points[i].flagList(); len(flags) > 0 {
				notes = append(notes, s.Points[i].place()+": "+strings.Join(flags, ", "))
			}
		}
	}
	writeLines(b, tableLines(columns, 4))
	for i := range s.Points {
		for _, note := range s.Points[i].notes(a) {
			notes = append(notes, s.Points[i].place()+": "+note)
		}
	}
	for _, note := range append(notes, s.Warnings...) {
		writeNote(b, 4, 2, "! "+plain(note))
	}
}

// seriesColumns are the columns of a series; those without a value are left
// out. The flags are the last.
func seriesColumns(r *Report, a *Application, s *Series) []column {
	unit := unitText(a.Time.Unit)
	nodes, ranks, n := column{head: []string{"nodes"}}, column{head: []string{"ranks"}}, column{head: []string{"n"}}
	median, mean := column{head: []string{"median", unit}}, column{head: []string{"mean", unit}}
	interval := column{head: []string{levelText(r.Level) + " interval", unit}, left: true}
	speedup, efficiency := column{head: []string{"speed-up"}, left: true}, column{head: []string{"efficiency"}, left: true}
	overhead, flags := column{head: []string{"launch", "[s]"}}, column{head: []string{"flags"}, left: true}
	merits := make([]column, len(a.Merits))
	for i, m := range a.Merits {
		merits[i].head = []string{"merit", unitText(plain(m.Unit))}
		if len(a.Merits) > 1 {
			merits[i].head[0] = fmt.Sprintf("merit %d", i+1)
		}
	}
	manyNodes := false
	for i := range s.Points {
		p := &s.Points[i]
		manyNodes = manyNodes || p.Nodes > 1
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
	var columns []column
	if manyNodes {
		columns = append(columns, nodes)
	}
	for _, c := range append(append([]column{ranks, n, median, mean, interval, speedup, efficiency}, merits...), overhead) {
		if !c.empty() {
			columns = append(columns, c)
		}
	}
	return append(columns, flags)
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
	return s
}

func textCurves(b *bufio.Writer, curves []Curve) {
	for _, c := range curves {
		fmt.Fprintf(b, "\n  %s\n", plain(fmt.Sprintf("%s %s over %s", c.Name, unitText(c.Unit[1]), cmp.Or(unitText(c.Unit[0]), "x"))))
		label, n := column{head: []string{"series"}, left: true}, column{head: []string{"n"}}
		x, y := column{head: []string{"from … to"}, left: true}, column{head: []string{"first … last"}, left: true}
		low, high := column{head: []string{"min"}}, column{head: []string{"max"}}
		for _, l := range c.Lines {
			first, last := l.Points[0], l.Points[len(l.Points)-1]
			bottom, top := first.Median, first.Median
			for _, p := range l.Points {
				bottom, top = min(bottom, p.Median), max(top, p.Median)
			}
			label.add(cut(plain(l.Label), 40))
			n.add(fmt.Sprint(l.N))
			x.add(short(first.X) + " … " + short(last.X))
			y.add(sig(first.Median, digits) + " … " + sig(last.Median, digits))
			low.add(sig(bottom, digits))
			high.add(sig(top, digits))
		}
		writeLines(b, tableLines([]column{label, n, x, y, low, high}, 4))
	}
}

func textFailures(b *bufio.Writer, failures []Failure) {
	if len(failures) == 0 {
		return
	}
	heading(b, "failures")
	columns := []column{
		{head: []string{"application"}, left: true}, {head: []string{"variant"}, left: true}, {head: []string{"ranks"}},
		{head: []string{"trial"}, left: true}, {head: []string{"attempt"}}, {head: []string{"status"}, left: true},
	}
	shown := failures[:min(len(failures), maxFailures)]
	for _, f := range shown {
		for i, cell := range []string{
			cut(plain(f.App), 20), cut(plain(f.Variant), 28), count(f.Ranks),
			shortID(f.Trial), count(f.Attempt), plain(string(f.Status)),
		} {
			columns[i].add(cell)
		}
	}
	lines := tableLines(columns, 2)
	fmt.Fprintln(b, lines[0])
	for i, f := range shown {
		fmt.Fprintln(b, lines[i+1])
		writeNote(b, 6, 2, f.because())
	}
	if k := len(failures) - len(shown); k > 0 {
		fmt.Fprintf(b, "  … and %d more\n", k)
	}
}

// because is the reason of a failure with what became of the trial.
func (f *Failure) because() string {
	s := plain(f.Reason)
	if s == "" && f.ExitCode != nil {
		s = fmt.Sprintf("exit code %d", *f.ExitCode)
	}
	if s == "" {
		s = "no reason is known"
	}
	if f.Recovered {
		s += " (a later attempt succeeded)"
	}
	return s
}
