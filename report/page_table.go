// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// seriesTable is all points of an application, a group of rows for each series.
// scaled shows what compares numbers of ranks, and the series' markers as in
// the figures.
func seriesTable(r *Report, a *Application, scaled bool) *tableView {
	t := &tableView{Caption: plain(a.Name) + ": all points"}
	inMPI := a.hasMPI()
	nodes, grid, speedup, efficiency, overhead, flags := false, false, scaled && a.Scaling != spec.ScalingWeak, scaled, a.hasOverhead(), false
	for _, s := range a.Series {
		for _, p := range s.Points {
			nodes = nodes || p.Nodes > 1
			grid = grid || p.Grid != ""
			flags = flags || p.flagText() != ""
		}
	}
	unit := plain(a.Time.Unit)
	add := func(use bool, h head) {
		if use {
			t.Heads = append(t.Heads, h)
		}
	}
	add(nodes, head{Name: "nodes", Number: true})
	add(true, head{Name: "ranks", Number: true})
	add(grid, head{Name: "grid"})
	add(true, head{Name: "n", Number: true, Help: "trials that succeeded"})
	add(true, head{Name: "median", Unit: unit, Number: true})
	add(true, head{Name: "mean", Unit: unit, Number: true})
	add(true, head{Name: levelText(r.Level) + " interval of the mean", Unit: unit, Number: true})
	add(speedup, head{Name: "speed-up", Number: true, Help: "with its " + levelText(r.Level) + " interval"})
	add(efficiency, head{Name: "efficiency", Number: true, Help: "with its " + levelText(r.Level) + " interval"})
	add(inMPI, head{Name: "in MPI", Unit: "%", Number: true, Help: "median share of the time"})
	for _, m := range a.Merits {
		add(true, head{Name: plain(m.Name), Unit: plain(m.Unit), Number: true, Help: "median, and from the smallest to the largest"})
	}
	add(overhead, head{Name: "overhead", Unit: "s", Number: true, Help: "median of the launcher's wall time less the application's own"})
	add(flags, head{Name: "flags"})
	for i := range a.Series {
		s := &a.Series[i]
		g := rowGroup{Label: plain(s.title())}
		if scaled {
			e := newLegendEntry(i, s.Label)
			g.Entry = &e
		}
		for j := range s.Points {
			p := &s.Points[j]
			g.Rows = append(g.Rows, pointRow(a, p, use{nodes, grid, speedup, efficiency, inMPI, overhead, flags}))
			for _, w := range p.cautions() { // outliers and noise have a section of their own
				g.Notes = append(g.Notes, plain(p.place()+": "+w))
			}
		}
		for _, w := range s.Warnings {
			g.Notes = append(g.Notes, plain(w))
		}
		for _, image := range s.Images {
			g.Images = append(g.Images, plain(image))
		}
		t.Groups = append(t.Groups, g)
	}
	return t
}

// use says which columns a table has that not every one has.
type use struct{ nodes, grid, speedup, efficiency, inMPI, overhead, flags bool }

func pointRow(a *Application, p *Point, has use) (cells []cell) {
	add := func(use bool, text, muted string) {
		if use {
			cells = append(cells, cell{Text: text, Muted: muted, Number: true})
		}
	}
	row := summaryRow(p.Time)
	add(has.nodes, count(p.Nodes), "")
	add(true, count(p.Ranks), "")
	if has.grid {
		cells = append(cells, cell{Text: plain(p.Grid)})
	}
	add(true, fmt.Sprint(len(p.Trials)), "")
	add(true, row.Median, "")
	add(true, row.Mean, "")
	add(true, row.Interval, "")
	value, in, _ := strings.Cut(estimateText(p.Speedup, p.Base), " ")
	add(has.speedup, value, in)
	value, in, found := strings.Cut(percentText(p.Efficiency, p.Base), " %")
	if found {
		value += " %"
	}
	add(has.efficiency, value, strings.TrimSpace(in))
	add(has.inMPI, p.shareText(), "")
	for _, m := range a.Merits {
		spread := ""
		if v := p.Merits[m.Name]; v.N > 1 {
			spread = sig(v.Min, digits) + " … " + sig(v.Max, digits)
		}
		add(true, meritText(p, m), spread)
	}
	launch := ""
	if p.Overhead != nil {
		launch = sig(p.Overhead.Median, 3)
	}
	add(has.overhead, launch, "")
	if !has.flags {
		return cells
	}
	flags := cell{Class: "flags"}
	for _, f := range p.flagList() {
		flags.Chips = append(flags.Chips, chip{f, "warn"})
	}
	if p.Outliers > 0 {
		flags.Chips = append(flags.Chips, chip{plural(p.Outliers, "outlier"), "note"})
	}
	return append(cells, flags)
}

func flagChips(flags []string) (chips []chip) {
	for _, f := range flags {
		chips = append(chips, chip{plain(f), "warn"})
	}
	return chips
}

func failureTable(failures []Failure) *tableView {
	if len(failures) == 0 {
		return nil
	}
	t := &tableView{Caption: "Attempts that did not succeed", Heads: []head{
		{Name: "application"}, {Name: "variant"}, {Name: "ranks", Number: true}, {Name: "trial"}, {Name: "attempt", Number: true},
		{Name: "status"}, {Name: "reason"},
	}}
	var rows [][]cell
	for _, f := range failures {
		class := "bad"
		if f.Recovered {
			class = "warn"
		}
		rows = append(rows, []cell{
			{Text: plain(f.App), Class: "name"}, {Text: plain(f.Variant), Class: "name"}, {Text: count(f.Ranks), Number: true},
			{Text: shortID(f.Trial), Class: "id"}, {Text: count(f.Attempt), Number: true},
			{Chips: append([]chip{{plain(string(f.Status)), class}}, flagChips(f.Flags)...)}, {Text: f.because(), Class: "reason"},
		})
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

// maxJobRows bounds the table below the time line.
const maxJobRows = 500

func jobTable(jobs []Job) *tableView {
	t := &tableView{Caption: "Jobs by start", Heads: []head{
		{Name: "application"}, {Name: "variant"}, {Name: "ranks", Number: true}, {Name: "trial"}, {Name: "attempt", Number: true},
		{Name: "start", Unit: "UTC"}, {Name: "took", Number: true}, {Name: "status"},
	}}
	var rows [][]cell
	for _, j := range jobs[:min(len(jobs), maxJobRows)] {
		status := []chip{{plain(string(j.Status)), "bad"}}
		if j.Status == ensemble.Succeeded {
			status[0].Class = "good"
		}
		status = append(status, flagChips(j.Flags)...)
		rows = append(rows, []cell{
			{Text: plain(j.App), Class: "name"}, {Text: plain(j.Variant), Class: "name"}, {Text: count(j.Ranks), Number: true},
			{Text: shortID(j.Trial), Class: "id"}, {Text: count(j.Attempt), Number: true},
			{Text: j.Start.UTC().Format("2006-01-02 15:04:05")}, {Text: durationText(j.Finish.Sub(j.Start)), Number: true}, {Chips: status},
		})
	}
	if n := len(jobs); n > maxJobRows {
		t.More = fmt.Sprintf("The first %d of %d jobs.", maxJobRows, n)
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

// noiseTable says how the mean changes without the trials flagged noisy.
func noiseTable(r *Report) *tableView {
	t := &tableView{Caption: "Means with and without the noisy trials", Heads: []head{
		{Name: "where"}, {Name: "noisy", Number: true}, {Name: "mean of all", Number: true}, {Name: "mean without", Number: true}, {Name: "change", Number: true},
		{Name: "efficiency of all", Number: true}, {Name: "efficiency without", Number: true, Help: "here and at the base"},
	}}
	var rows [][]cell
	r.eachPoint(func(a *Application, s *Series, p *Point) {
		if p.Noisy == 0 && p.QuietEfficiency == nil {
			return
		}
		without, change := "none is quiet", ""
		switch {
		case p.Noisy == 0:
			without = "" // the base is noisy
		case p.Quiet != nil:
			without = meanText(*p.Quiet, a.Time.Unit)
			if p.Time.Mean != 0 {
				change = signed(100*(p.Quiet.Mean-p.Time.Mean)/p.Time.Mean) + " %"
			}
		}
		rows = append(rows, []cell{
			{Text: plain(joinWords(a.Name, s.Label, p.place())), Class: "name"},
			{Text: fmt.Sprintf("%d of %d", p.Noisy, len(p.Trials)), Number: true},
			{Text: plain(meanText(p.Time, a.Time.Unit)), Number: true}, {Text: plain(without), Number: true}, {Text: change, Number: true},
			{Text: percentText(p.Efficiency, p.Base), Number: true}, {Text: percentText(p.QuietEfficiency, false), Number: true},
		})
	})
	if len(rows) == 0 {
		return nil
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

func outlierTable(r *Report) *tableView {
	t := &tableView{Caption: "Outliers", Heads: []head{
		{Name: "where"}, {Name: "trial"}, {Name: "time", Number: true}, {Name: "median", Number: true}, {Name: "score", Number: true, Help: "modified z-score"}, {Name: "flags"},
	}}
	var rows [][]cell
	r.eachPoint(func(a *Application, s *Series, p *Point) {
		for _, trial := range p.Trials {
			if trial.Outlier == 0 {
				continue
			}
			flags := cell{Class: "flags", Chips: flagChips(trial.Flags)}
			rows = append(rows, []cell{
				{Text: plain(joinWords(a.Name, s.Label, p.place())), Class: "name"}, {Text: shortID(trial.ID), Class: "id"},
				{Text: plain(withUnit(sig(*trial.Time, digits), a.Time.Unit)), Number: true},
				{Text: plain(withUnit(sig(p.Time.Median, digits), a.Time.Unit)), Number: true},
				{Text: scoreText(trial.Outlier), Number: true}, flags,
			})
		}
	})
	if len(rows) == 0 {
		return nil
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

func (r *Report) eachPoint(visit func(*Application, *Series, *Point)) {
	for i := range r.Applications {
		a := &r.Applications[i]
		for j := range a.Series {
			s := &a.Series[j]
			for k := range s.Points {
				visit(a, s, &s.Points[k])
			}
		}
	}
}
