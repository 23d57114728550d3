// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/stats"
)

// samplePrefix begins the names of what measure samples while a job runs. Those
// series belong to one attempt each and have no x in common.
const samplePrefix = "sample_"

// curves collects what the records measured over something other than ranks: a
// curve for each name and pair of units, a line for each setting and number of
// ranks.
func curves(groups []group, settings []Setting) []Curve {
	type curveKey struct {
		name string
		unit [2]string
	}
	byKey := map[curveKey][]Line{}
	for i, g := range groups {
		type lineKey struct {
			curveKey
			ranks, nodes int
		}
		lines := map[lineKey][]read.Series{}
		for _, rec := range g.records {
			for name, s := range rec.Series {
				if len(s.Points) == 0 || strings.HasPrefix(name, samplePrefix) {
					continue
				}
				key := lineKey{curveKey{name, s.Unit}, rec.Tasks, rec.Nodes}
				lines[key] = append(lines[key], s)
			}
		}
		for key, all := range lines {
			byKey[key.curveKey] = append(byKey[key.curveKey], Line{
				Setting: settings[i], Ranks: key.ranks, Nodes: key.nodes, N: len(all), Points: medians(all),
			})
		}
	}
	var out []Curve
	for key, lines := range byKey {
		slices.SortStableFunc(lines, func(a, b Line) int {
			return cmp.Or(
				compareNames(a.Variant, b.Variant), compareNames(a.Environment, b.Environment),
				compareParameters(a.Parameters, b.Parameters), cmp.Compare(a.Threads, b.Threads),
				cmp.Compare(a.Problem, b.Problem), cmp.Compare(a.Ranks, b.Ranks), cmp.Compare(a.Nodes, b.Nodes),
			)
		})
		labelLines(lines)
		out = append(out, Curve{Name: key.name, Unit: key.unit, Lines: lines})
	}
	slices.SortFunc(out, func(a, b Curve) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Unit[:], b.Unit[:]))
	})
	return out
}

// labelLines tells lines apart by setting, and by ranks where those differ.
func labelLines(lines []Line) {
	settings := make([]Setting, len(lines))
	for i, l := range lines {
		settings[i] = l.Setting
	}
	label(settings)
	ranks := slices.ContainsFunc(lines, func(l Line) bool { return l.Ranks != lines[0].Ranks })
	nodes := slices.ContainsFunc(lines, func(l Line) bool { return l.Nodes != lines[0].Nodes })
	for i := range lines {
		l := &lines[i]
		l.Label = settings[i].Label
		if ranks {
			l.Label = joinWords(l.Label, plural(l.Ranks, "rank"))
		}
		if nodes {
			l.Label = joinWords(l.Label, plural(l.Nodes, "node"))
		}
	}
}

// medians takes the middle of all trials at each x.
func medians(all []read.Series) []LinePoint {
	byX := map[float64][]float64{}
	for _, s := range all {
		for _, p := range s.Points {
			if stats.Usable(p[0]) && stats.Usable(p[1]) {
				byX[p[0]] = append(byX[p[0]], p[1])
			}
		}
	}
	var out []LinePoint
	for _, x := range slices.Sorted(maps.Keys(byX)) {
		ys := byX[x]
		out = append(out, LinePoint{X: x, N: len(ys), Median: stats.Median(ys), Min: slices.Min(ys), Max: slices.Max(ys)})
	}
	return out
}
