// SPDX-License-Identifier: MIT

package spec

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
)

// maxPoints bounds one axis, so that a range with a tiny step is an error and
// not a machine out of memory.
const maxPoints = 1_000_000

// axisKind says what the values of an axis have to be.
type axisKind int

const (
	anyAxis   axisKind = iota // a parameter: its own type decides
	countAxis                 // whole numbers of 1 at least
	nameAxis                  // strings
)

// fixedAxes are the axes that every sweep has, by field name.
var fixedAxes = map[string]axisKind{
	"variants": nameAxis, "environments": nameAxis, "mapBy": nameAxis, "bindTo": nameAxis,
	"nodes": countAxis, "tasks": countAxis, "tasksPerNode": countAxis,
	"threads": countAxis, "coresPerTask": countAxis,
}

// placements are the values of mapBy and bindTo.
var placements = map[string][]string{
	"mapBy":  {"core", "socket", "node", "slot", "numa"},
	"bindTo": {"none", "core", "socket", "numa"},
}

// All gives the axes that are set by field name (parameters.NAME for a
// parameter), in a fixed order.
func (a *Axes) All() iter.Seq2[string, *Axis] {
	return func(yield func(string, *Axis) bool) {
		for _, f := range []struct {
			name string
			axis *Axis
		}{
			{"variants", a.Variants}, {"environments", a.Environments}, {"nodes", a.Nodes},
			{"tasks", a.Tasks}, {"tasksPerNode", a.TasksPerNode}, {"threads", a.Threads},
			{"coresPerTask", a.CoresPerTask}, {"mapBy", a.MapBy}, {"bindTo", a.BindTo},
		} {
			if f.axis != nil && !yield(f.name, f.axis) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
			axis := a.Parameters[name]
			if !yield("parameters."+name, &axis) {
				return
			}
		}
	}
}

// Continuous says whether the axis is a range without steps: only samplers of
// the unit cube can take points from it, unless it counts whole numbers.
func (a *Axis) Continuous() bool {
	return a.Range != nil && a.Range.Continuous()
}

// Points gives the values of a list or of a range with steps; of a continuous
// range it gives none.
func (a *Axis) Points() []Value {
	switch r := a.Range; {
	case r == nil:
		return a.Values
	case r.Continuous():
		return nil
	default:
		n := min(r.steps(), maxPoints)
		points := make([]Value, 0, n)
		for i := range n {
			points = append(points, r.at(i))
		}
		return points
	}
}

// Continuous says whether the range has no steps.
func (r *Range) Continuous() bool { return r.By == 0 && r.Times == 0 }

// steps counts the points of a range with steps. The tolerance keeps the last
// point of 0.1 to 1 by 0.1.
func (r *Range) steps() int {
	const eps = 1e-9
	n := 0.0
	if r.By > 0 {
		n = math.Floor((r.To-r.From)/r.By + eps)
	} else {
		n = math.Floor(math.Log(r.To/r.From)/math.Log(r.Times) + eps)
	}
	if math.IsNaN(n) || n < 0 {
		return 0
	}
	return int(math.Min(n, maxPoints)) + 1
}

// at gives a point; it is an integer where the numbers of the range are, and
// else rounded to 15 digits, so that 0.1 to 0.3 by 0.1 ends in 0.3.
func (r *Range) at(i int) Value {
	x := r.From * math.Pow(r.Times, float64(i))
	whole := r.From == math.Trunc(r.From) && r.Times == math.Trunc(r.Times)
	if r.By > 0 {
		x = r.From + float64(i)*r.By
		whole = r.From == math.Trunc(r.From) && r.By == math.Trunc(r.By)
	}
	if whole && math.Abs(x) < 1<<53 {
		return Of(int64(math.Round(x)))
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 15, 64), 64)
	return Of(x)
}

// check lists the faults of the axis of that field name.
func (a *Axis) check(at Path, name string) (faults []Fault) {
	kind := fixedAxes[name]
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	if r := a.Range; r != nil {
		switch {
		case kind == nameAxis:
			add(at, "got a range, want names")
		case kind == countAxis && r.Continuous():
			add(at, "got a range without steps, want by or times")
		case r.By > 0 && r.Times > 0:
			add(at, "by and times do not go together; want one of them")
		case r.To < r.From:
			add(at.Key("to"), "got %g, want %g (from) at least", r.To, r.From)
		case (r.Times > 0 || r.Log) && r.From <= 0:
			add(at.Key("from"), "got %g, want more than 0 for a ratio", r.From)
		case r.Log && !r.Continuous():
			add(at.Key("log"), "log goes with a range without steps")
		case !r.Continuous() && r.steps() > maxPoints:
			add(at, "the range has more than %d points", maxPoints)
		}
		if len(faults) > 0 {
			return faults
		}
	}
	seen := map[Value]bool{}
	for i, v := range a.Points() {
		p := at
		if a.Range == nil && len(a.Values) > 1 {
			p = at.Index(i)
		}
		if seen[v] {
			add(p, "the value %s is given twice", v)
		}
		seen[v] = true
		switch kind {
		case countAxis:
			if n, ok := v.Int(); !ok || n < 1 || n > math.MaxInt32 {
				add(p, "got %s, want a whole number from 1 to %d", describeValue(v), math.MaxInt32)
			}
		case nameAxis:
			if s, ok := v.Any().(string); !ok || s == "" {
				add(p, "got %s, want a name", describeValue(v))
			} else if choices := placements[name]; choices != nil && !slices.Contains(choices, s) {
				add(p, "got %q, want %s", s, OneOf(choices))
			}
		}
	}
	return faults
}
