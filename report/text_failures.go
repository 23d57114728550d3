// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strings"
)

// maxFailures is how many failures the text shows; the files show all.
const maxFailures = 20

// failures writes the attempts that did not succeed; those alike but for trial
// and attempt are one row, with their number behind the reason.
func (p *printer) failures(failures []Failure) {
	if len(failures) == 0 {
		return
	}
	p.heading("failures")
	rows := alike(failures)
	columns := []column{
		{head: []string{"application"}, left: true}, {head: []string{"variant"}, left: true}, {head: []string{"ranks"}},
		{head: []string{"trial"}, left: true}, {head: []string{"attempt"}}, {head: []string{"status"}, left: true},
	}
	// What the other columns leave of the line, which is 50 characters less.
	nameWidth := min(20, max(len("application"), (p.width-50)*2/5))
	variantWidth := min(28, p.width-50-nameWidth)
	for _, f := range rows[:min(len(rows), maxFailures)] {
		for i, cell := range []string{
			cut(plain(f.App), nameWidth), cut(plain(f.Variant), variantWidth), count(f.Ranks),
			shortID(f.Trial), count(f.Attempt), plain(string(f.Status)),
		} {
			columns[i].add(cell)
		}
	}
	lines := tableLines(columns, 2)
	p.lines(lines[:1])
	rest := len(failures)
	for i, line := range lines[1:] {
		p.lines([]string{line})
		reason := rows[i].because() + rows[i].flagText()
		if k := rows[i].n - 1; k > 0 {
			reason += fmt.Sprintf(" (and %s alike)", plural(k, "more attempt"))
		}
		p.note(6, 2, reason)
		rest -= rows[i].n
	}
	if rest > 0 {
		fmt.Fprintf(p, "  … and %d more\n", rest)
	}
}

// failureRow is a failure and how many there are that differ by nothing but the
// trial and the attempt.
type failureRow struct {
	*Failure
	n int
}

func alike(failures []Failure) (rows []*failureRow) {
	byKey := map[string]*failureRow{}
	for i := range failures {
		f := &failures[i]
		key := fmt.Sprintf("%q %d %d %t", []string{f.App, f.Variant, f.Environment, f.Problem, string(f.Status), f.because(), f.flagText()}, f.Ranks, f.Nodes, f.Recovered)
		if byKey[key] == nil {
			byKey[key] = &failureRow{Failure: f}
			rows = append(rows, byKey[key])
		}
		byKey[key].n++
	}
	return rows
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

// flagText are the flags of a failure in brackets.
func (f *Failure) flagText() string {
	if len(f.Flags) == 0 {
		return ""
	}
	return " [" + plain(strings.Join(f.Flags, ", ")) + "]"
}
