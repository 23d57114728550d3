// SPDX-License-Identifier: MIT

package pattern

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// Axis is what a size counts.
type Axis string

// The axes.
const (
	Nodes Axis = "nodes"
	Ranks Axis = "ranks"
)

// Axes are all of them.
var Axes = []Axis{Nodes, Ranks}

// of is the size of an observation, 0 where it is not known.
func (a Axis) of(o *Observation) int {
	if a == Ranks {
		return o.Tasks
	}
	return o.Nodes
}

// Series are the points of one application, variant, environment and problem,
// in one metric over one axis.
type Series struct {
	App, Variant, Environment, Problem string
	// Parameters and Threads are set where they alone tell two series apart.
	Parameters map[string]spec.Value
	Threads    int
	Metric     string
	Axis       Axis
	Unit       string
	Form       Form
	// Scaling is that of a time or of a figure of merit; of other metrics nothing
	// is expected.
	Scaling  spec.Scaling
	Points   []Point
	Warnings []string
}

// Fit fits the series; level is the probability of intervals.
func (s *Series) Fit(level float64) *Pattern {
	p := Fit(s.Points, Options{Axis: string(s.Axis), Unit: s.Unit, Form: s.Form, Scaling: s.Scaling, Level: level})
	p.Warnings = append(slices.Clone(s.Warnings), p.Warnings...)
	return p
}

// Selection says which series to make.
type Selection struct {
	// Metrics are their names. Without any, each application has its time, the
	// launch overhead, the share of MPI, memory, and its figures of merit; one
	// that is not known, or has none of those, has all its metrics.
	Metrics []string
	// Axes are the axes. Without any, both, but for one along which nothing
	// varies.
	Axes []Axis
	// Scaling is that of applications that are not known.
	Scaling spec.Scaling
}

// Group makes series of observations, in a fixed order. apps has the
// applications by name.
func Group(observations []Observation, apps map[string]*spec.Application, want Selection) (all []Series) {
	groups := map[string][]*Observation{}
	for i := range observations {
		o := &observations[i]
		key := groupKey(o, apps[o.App], true)
		groups[key] = append(groups[key], o)
	}
	for key, g := range groups {
		if app := apps[g[0].App]; weak(app) && !oneProblem(g) {
			delete(groups, key)
			for _, o := range g {
				key := groupKey(o, app, false)
				groups[key] = append(groups[key], o)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		app := apps[g[0].App]
		for _, name := range metrics(g, app, want.Metrics) {
			for _, axis := range axes(g, name, want.Axes) {
				all = append(all, series(g, app, name, axis, want.Scaling))
			}
		}
	}
	tellApart(all)
	return all
}

// groupKey is equal for observations of one series. Under weak scaling the
// problem grows with the size, and so do the parameters of its size.
func groupKey(o *Observation, app *spec.Application, grows bool) string {
	problem := o.Problem
	if grows = grows && weak(app) && len(o.Parameters) > 0; grows {
		problem = ""
	}
	return fmt.Sprintf("%q %q %q %q %06d %q %v", o.App, o.Variant, o.Environment, problem, o.Threads, parameterText(o, app, grows), grows)
}

// parameterText is the parameters but for the grid of ranks, and for the size
// of the problem where that grows.
func parameterText(o *Observation, app *spec.Application, grows bool) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		role := roleOf(app, name)
		if role == spec.RoleProcessGrid || grows && role == spec.RoleProblemSize {
			continue
		}
		parts = append(parts, name+"="+o.Parameters[name].String())
	}
	return strings.Join(parts, " ")
}

func roleOf(app *spec.Application, parameter string) spec.ParameterRole {
	if app == nil {
		return ""
	}
	return app.Spec.Parameters[parameter].Role
}

func weak(app *spec.Application) bool { return app != nil && app.Spec.Scaling == spec.ScalingWeak }

// oneProblem says whether every place has one size of the problem only, so that
// the sizes belong together.
func oneProblem(g []*Observation) bool {
	sizes := map[[2]int]string{}
	for _, o := range g {
		at, size := [2]int{o.Nodes, o.Tasks}, parameterText(o, nil, false)
		if have, ok := sizes[at]; ok && have != size {
			return false
		}
		sizes[at] = size
	}
	return true
}

// metrics lists the metrics of a group, those that some observation has.
func metrics(g []*Observation, app *spec.Application, want []string) []string {
	has := map[string]bool{}
	for _, o := range g {
		for name := range o.Numbers {
			has[name] = true
		}
	}
	asked := len(want) > 0
	if !asked && app != nil {
		if own := ownTime(app); has[own] {
			want = append(want, own)
		} else {
			want = append(want, WallTime)
		}
		want = append(want, LaunchOverhead, MPIShare, Memory)
		for _, m := range app.Spec.Output.Metrics {
			if m.Role == spec.RoleFigureOfMerit && !slices.Contains(want, m.Name) {
				want = append(want, m.Name)
			}
		}
	}
	found := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return !has[name] })
	if len(found) == 0 && !asked {
		return slices.Sorted(maps.Keys(has))
	}
	return found
}

// axes lists the axes of a group, those along which some size is known.
func axes(g []*Observation, metric string, want []Axis) (found []Axis) {
	count := map[Axis]int{}
	for _, axis := range Axes {
		sizes := map[int]bool{}
		for _, o := range g {
			if n := axis.of(o); n > 0 {
				sizes[n] = true
			}
		}
		count[axis] = len(sizes)
	}
	for _, axis := range Axes {
		switch asked := slices.Contains(want, axis); {
		case count[axis] == 0, len(want) > 0 && !asked:
		case metric == MPIShare && axis == Nodes && count[Ranks] > 0: // ranks are what waits
		case !asked && count[axis] == 1 && max(count[Nodes], count[Ranks]) > 1:
		default:
			found = append(found, axis)
		}
	}
	return found
}

// series makes the points of one metric over one axis.
func series(g []*Observation, app *spec.Application, metric string, axis Axis, scaling spec.Scaling) Series {
	first := g[0]
	s := Series{
		App: first.App, Variant: first.Variant, Environment: first.Environment, Problem: first.Problem,
		Parameters: first.Parameters, Threads: first.Threads, Metric: metric, Axis: axis,
	}
	s.describe(g, app, scaling)
	at := map[int][]*Observation{}
	others, elsewhere := 0, 0
	for _, o := range g {
		if o.Problem != s.Problem {
			s.Problem = ""
		}
		v, ok := o.Numbers[metric]
		switch n := axis.of(o); {
		case !ok:
		case v.Unit != s.Unit:
			others++
		case n == 0:
			elsewhere++
		default:
			at[n] = append(at[n], o)
		}
	}
	if others > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d values are left out, which are not %s as the first is", others, in(s.Unit)))
	}
	if elsewhere > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d values without a number of %s are left out", elsewhere, axis))
	}
	for _, n := range slices.Sorted(maps.Keys(at)) {
		s.add(n, at[n], app)
	}
	s.warnOfDensity(at)
	return s
}

// describe finds out what the metric is.
func (s *Series) describe(g []*Observation, app *spec.Application, scaling spec.Scaling) {
	for _, o := range g {
		if v, ok := o.Numbers[s.Metric]; ok {
			s.Unit = v.Unit
			break
		}
	}
	if app != nil {
		scaling = cmp.Or(app.Spec.Scaling, spec.ScalingStrong)
		for _, m := range app.Spec.Output.Metrics {
			if m.Name == s.Metric && m.Better == spec.BetterHigher {
				s.Form = Rate
			}
		}
	}
	switch {
	case s.Unit == "%":
		s.Form = Share
	case app == nil && isRate(s.Unit):
		s.Form = Rate
	}
	if s.Form == Rate || s.Form == Amount && s.Metric != LaunchOverhead && (s.Unit == "s" || s.Unit == "") {
		s.Scaling = scaling
	}
}

// isRate says whether a unit is work by time, as GB/s, ns/day and GFLOPS are.
func isRate(unit string) bool {
	unit = strings.ToLower(unit)
	if strings.HasSuffix(unit, "flops") || strings.HasSuffix(unit, "teps") {
		return true
	}
	i := strings.LastIndexByte(unit, '/')
	return i >= 0 && slices.Contains(timeUnits, strings.Trim(unit[i+1:], "() "))
}

// timeUnits are those that rates are told by.
var timeUnits = []string{"s", "sec", "second", "ms", "us", "ns", "min", "minute", "h", "hour", "d", "day"}

func in(unit string) string {
	if unit == "" {
		return "without a unit"
	}
	return "in " + unit
}

// tellApart keeps parameters and threads only where series have nothing else
// that differs.
func tellApart(all []Series) {
	key := func(s *Series) string {
		return fmt.Sprintf("%q %q %q %q %q %q", s.App, s.Variant, s.Environment, s.Problem, s.Metric, s.Axis)
	}
	count := map[string]int{}
	for i := range all {
		count[key(&all[i])]++
	}
	for i := range all {
		if s := &all[i]; count[key(s)] == 1 {
			s.Parameters, s.Threads = nil, 0
		}
	}
}
