// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
)

// group are the records of one series.
type group struct {
	setting  Setting
	records  []*measure.Record
	warnings []string
}

// group sorts the records into series. A series has one variant, environment
// and number of threads, and equal parameters but for the grid of ranks. A
// record without parameters is told by its problem's name instead.
//
// Under weak scaling the problem grows with the ranks, so parameters of the
// problem's size may differ within a series, unless two sizes were measured on
// the same number of ranks: then it cannot be told which belongs to which, and
// the sizes make series of their own.
func (b *builder) group() []group {
	if b.app.Scaling != spec.ScalingWeak {
		return b.groupBy(b.records, false)
	}
	var all []group
	for _, g := range b.groupBy(b.records, true) {
		if b.oneSizePerRanks(g.records) {
			all = append(all, g)
			continue
		}
		for _, one := range b.groupBy(g.records, false) {
			one.warnings = append(one.warnings, "several sizes of the problem ran on the same number of ranks: each size is a series of its own")
			all = append(all, one)
		}
	}
	return all
}

// groupBy groups with the size of the problem left out of the key, or in it.
func (b *builder) groupBy(records []*measure.Record, anySize bool) []group {
	byKey := map[string]*group{}
	for _, rec := range records {
		s := b.settingOf(rec, anySize)
		key := fmt.Sprintf("%q %q %06d %q", s.Variant, s.Environment, s.Threads, parameterText(s.Parameters))
		if len(rec.Parameters) == 0 && !anySize {
			key += fmt.Sprintf(" %q", rec.Problem)
		}
		g := byKey[key]
		if g == nil {
			g = &group{setting: s}
			byKey[key] = g
		} else if s.Problem != g.setting.Problem {
			g.setting.Problem = ""
		}
		g.records = append(g.records, rec)
	}
	var all []group
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		g := byKey[key]
		if g.setting.Problem == "" {
			g.setting.Problem = parameterText(g.setting.Parameters)
		}
		all = append(all, *g)
	}
	slices.SortStableFunc(all, func(a, b group) int {
		return cmp.Or(
			compareNames(a.setting.Variant, b.setting.Variant), compareNames(a.setting.Environment, b.setting.Environment),
			compareParameters(a.setting.Parameters, b.setting.Parameters), cmp.Compare(a.setting.Threads, b.setting.Threads),
		)
	})
	return all
}

func (b *builder) settingOf(rec *measure.Record, anySize bool) Setting {
	s := Setting{Variant: rec.Variant, Environment: rec.Environment, Problem: rec.Problem, Threads: rec.Threads}
	for name, v := range rec.Parameters {
		role := b.spec.Parameters[name].Role
		if role == spec.RoleProcessGrid || anySize && role == spec.RoleProblemSize {
			continue
		}
		if s.Parameters == nil {
			s.Parameters = map[string]spec.Value{}
		}
		s.Parameters[name] = v
	}
	return s
}

func (b *builder) oneSizePerRanks(records []*measure.Record) bool {
	sizes := map[[2]int]string{}
	for _, rec := range records {
		size := rec.Problem
		if len(rec.Parameters) > 0 {
			size = parameterText(b.settingOf(rec, false).Parameters)
		}
		at := [2]int{rec.Tasks, rec.Nodes}
		if have, ok := sizes[at]; ok && have != size {
			return false
		}
		sizes[at] = size
	}
	return true
}

// parameterText is the parameters in the order of their names: cells=20 steps=100.
func parameterText(p map[string]spec.Value) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, name+"="+p[name].String())
	}
	return strings.Join(parts, " ")
}

// compareParameters orders numbers by size and the rest as text.
func compareParameters(a, b map[string]spec.Value) int {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		x, y := a[name], b[name]
		fx, okx := x.Float()
		fy, oky := y.Float()
		c := cmp.Compare(x.String(), y.String())
		if okx && oky {
			c = cmp.Compare(fx, fy)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(parameterText(a), parameterText(b))
}

// compareNames orders names as people do: base-2 before base-10.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		textA, numberA, restA := splitNumber(a)
		textB, numberB, restB := splitNumber(b)
		// Of equal length, digits compare as text; without zeros in front, the
		// longer number is the larger one.
		if c := cmp.Or(cmp.Compare(textA, textB), cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB)); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(a, b)
}

// splitNumber cuts a name behind its first number, which is given without zeros
// in front.
func splitNumber(s string) (text, number, rest string) {
	i := strings.IndexAny(s, "0123456789")
	if i < 0 {
		return s, "", ""
	}
	rest = strings.TrimLeft(s[i:], "0123456789")
	return s[:i], strings.TrimLeft(s[i:len(s)-len(rest)], "0"), rest
}

// label gives each setting the shortest text that tells it from the others: the
// parts that differ among them.
func label(settings []Setting) {
	differ := func(part func(Setting) string) bool {
		for _, s := range settings {
			if part(s) != part(settings[0]) {
				return true
			}
		}
		return false
	}
	variant := func(s Setting) string { return s.Variant }
	environment := func(s Setting) string { return s.Environment }
	problem := func(s Setting) string { return s.Problem }
	threads := func(s Setting) string { return fmt.Sprint(s.Threads) }

	byVariant, byEnvironment, byProblem, byThreads := differ(variant), differ(environment), differ(problem), differ(threads)
	for i, s := range settings {
		var parts []string
		add := func(use bool, text string) {
			if use && text != "" {
				parts = append(parts, text)
			}
		}
		add(byVariant, s.Variant)
		add(byEnvironment, s.Environment)
		add(byProblem, s.Problem)
		add(byThreads, plural(s.Threads, "thread"))
		settings[i].Label = strings.Join(parts, ", ")
	}
	// The same words for different parameters: say those that differ.
	alike := map[string][]map[string]spec.Value{}
	for _, s := range settings {
		alike[s.Label] = append(alike[s.Label], s.Parameters)
	}
	for i := range settings {
		s := &settings[i]
		if s.Differs = parameterText(differing(s.Parameters, alike[s.Label])); s.Differs != "" {
			s.Label = joinWords(s.Label, s.Differs)
		}
		if s.Label == "" {
			s.Label = cmp.Or(s.Variant, s.Problem, s.Environment, "all trials")
		}
	}
}

// differing are the parameters that others have with another value, or not at all.
func differing(own map[string]spec.Value, others []map[string]spec.Value) map[string]spec.Value {
	out := map[string]spec.Value{}
	for name, v := range own {
		if slices.ContainsFunc(others, func(o map[string]spec.Value) bool { w, ok := o[name]; return !ok || w != v }) {
			out[name] = v
		}
	}
	return out
}

func joinWords(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
