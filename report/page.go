// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// page is what the template draws. All text from outside is plain already.
type page struct {
	CSS                template.CSS
	Policy             string
	Title, Description string
	Facts              []string
	Machines           []machineView
	Tiles              []tile
	Apps               []appView
	Timeline           *chart
	TimelineNote       string
	Statuses           []string
	Jobs               *tableView
	Failures           *tableView
	Noise, Outliers    *tableView
	Level              string
	Footer             string
	Strong, Weak, MPI  bool
	// Flags are how many attempts carry each flag, Meanings what flags mean.
	Flags    []chip
	Meanings [][2]string
}

type tile struct{ Label, Value, Class, Note string }

type machineView struct {
	Name  string
	Facts [][2]string
}

type appView struct {
	ID, Name, Description string
	Headlines             []string
	Warnings              []string
	Sets                  []figureSet
	Table                 *tableView
	Repetitions           *tableView
	Curves                []figureSet
	Profiles              []profileView
}

// figureSet are figures with the legend that they share.
type figureSet struct {
	Legend  []legendEntry
	Figures []*chart
	// What the key below the figures has to explain.
	Ideal, Intervals, Beyond, Bands bool
	Trials                          struct{ Plain, Noisy, Outlier bool }
	Table                           *tableView
}

type legendEntry struct {
	S     int
	D     string
	Label string
}

// tableView is a table with groups of rows.
type tableView struct {
	Caption string
	Heads   []head
	Groups  []rowGroup
	More    string
}

type head struct {
	Name, Unit, Help string
	Number           bool
}

// Parts are the name cut behind underscores, where a line may break.
func (h head) Parts() []string { return strings.SplitAfter(h.Name, "_") }

type rowGroup struct {
	Label string
	Entry *legendEntry
	Rows  [][]cell
	Notes []string
	// Images are those that the trials of the group ran in.
	Images []string
}

type cell struct {
	Text, Muted string
	Number      bool
	Chips       []chip
	Class       string
}

type chip struct{ Text, Class string }

func newPage(r *Report, meta Meta) *page {
	p := &page{
		CSS: template.CSS(pageCSS), Policy: policy(), Level: levelText(r.Level),
		Title: plain(cmp.Or(meta.Title, "Report")), Description: plain(meta.Description),
	}
	p.facts(r, meta)
	c := r.Counts
	p.Tiles = []tile{
		{Label: "trials", Value: fmt.Sprint(c.Trials)},
		{Label: "succeeded", Value: fmt.Sprint(c.Succeeded), Class: "good"},
		{Label: "failed", Value: fmt.Sprint(c.Failed), Class: classIf(c.Failed > 0, "bad")},
		{Label: "noisy", Value: fmt.Sprint(c.Noisy), Class: classIf(c.Noisy > 0, "warn"), Note: "measurements"},
	}
	if c.Unneeded > 0 {
		p.Tiles = slices.Insert(p.Tiles, 3, tile{Label: "not needed", Value: fmt.Sprint(c.Unneeded), Note: "cancelled by a rule"})
	}
	if c.Unfinished > 0 {
		p.Tiles = slices.Insert(p.Tiles, 3, tile{Label: "not finished", Value: fmt.Sprint(c.Unfinished), Class: "warn", Note: "cancelled or lost"})
	}
	if c.Attempts != c.Trials {
		p.Tiles[0].Note = fmt.Sprintf("in %d attempts", c.Attempts)
	}
	if c.Trials > 0 {
		p.Tiles[1].Note = fmt.Sprintf("%s %%", shortened(fixed(100*float64(c.Succeeded)/float64(c.Trials), 1)))
	}
	for i := range r.Applications {
		a := &r.Applications[i]
		p.Apps = append(p.Apps, newAppView(r, a, fmt.Sprintf("app-%d", i+1)))
		p.Strong = p.Strong || a.Scaling == spec.ScalingStrong
		p.Weak = p.Weak || a.Scaling == spec.ScalingWeak
		p.MPI = p.MPI || a.hasMPI()
	}
	for _, f := range slices.Sorted(maps.Keys(c.Flags)) {
		p.Flags = append(p.Flags, chip{fmt.Sprintf("%s %d", plain(f), c.Flags[f]), "warn"})
		if s := flagMeaning(f); s != "" {
			p.Meanings = append(p.Meanings, [2]string{plain(f), plain(s)})
		}
	}
	p.timeline(r)
	p.Failures = failureTable(r.Failures)
	p.Noise, p.Outliers = noiseTable(r), outlierTable(r)
	return p
}

func classIf(ok bool, class string) string {
	if ok {
		return class
	}
	return ""
}

// facts are when and where.
func (p *page) facts(r *Report, meta Meta) {
	var from, to time.Time
	for _, j := range r.Jobs {
		if from.IsZero() || j.Start.Before(from) {
			from = j.Start
		}
		if j.Finish.After(to) {
			to = j.Finish
		}
	}
	if !from.IsZero() {
		p.Facts = append(p.Facts, from.UTC().Format("2 January 2006, 15:04 UTC"), "ran for "+durationText(to.Sub(from).Round(time.Second)))
	}
	if n := len(r.Applications); n > 0 {
		p.Facts = append(p.Facts, plural(n, "application"))
	}
	if names := r.fruitless(); len(names) > 0 {
		p.Facts = append(p.Facts, plain("without a result: "+strings.Join(names, ", ")))
	}
	var made []string
	if meta.Generator != "" {
		made = append(made, "made by "+plain(meta.Generator))
	}
	if !meta.Generated.IsZero() {
		made = append(made, "on "+meta.Generated.UTC().Format("2 January 2006 at 15:04 UTC"))
	}
	p.Footer = strings.Join(made, " ")
	for _, m := range meta.Machines {
		p.Machines = append(p.Machines, newMachineView(m))
	}
}

func newMachineView(m Machine) machineView {
	v := machineView{Name: plain(cmp.Or(m.Name, m.Hostname, "machine"))}
	add := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, [2]string{name, plain(value)})
		}
	}
	if m.Name != "" {
		add("host", m.Hostname)
	}
	add("processor", m.CPU)
	switch {
	case m.Cores > 0 && m.Processors > 0:
		add("cores", fmt.Sprintf("%d of %d for jobs", m.Cores, m.Processors))
	case m.Cores+m.Processors > 0:
		add("cores", fmt.Sprint(m.Cores+m.Processors))
	}
	if m.MemoryBytes > 0 {
		add("memory", fmt.Sprintf("%s GiB", sig(float64(m.MemoryBytes)/(1<<30), 3)))
	}
	add("system", joinWords(m.OS, m.Kernel, m.Architecture))
	add("MPI", versionsText(m.MPI))
	add("packages", versionsText(m.Packages))
	return v
}

func versionsText(versions map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		parts = append(parts, name+" "+versions[name])
	}
	return strings.Join(parts, ", ")
}

func (p *page) timeline(r *Report) {
	p.Timeline = timeline(r.Jobs)
	if p.Timeline == nil {
		return
	}
	if n := len(r.Jobs); n > maxBoxes {
		p.TimelineNote = fmt.Sprintf("The first %d of %d jobs are drawn.", maxBoxes, n)
	}
	seen := map[string]bool{}
	for i := range r.Jobs {
		seen[jobClass(&r.Jobs[i])] = true
	}
	for _, class := range []string{"succeeded", "succeeded noisy", "failed", "timeout", "cancelled", "incomplete", "lost"} {
		if seen[class] {
			p.Statuses = append(p.Statuses, class)
		}
	}
	p.Jobs = jobTable(r.Jobs)
}
