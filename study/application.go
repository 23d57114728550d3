// SPDX-License-Identifier: MIT

package study

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// An application is one application of a sweep.
type application struct {
	def    *spec.Application
	at     spec.Path   // where the sweep names it
	params []parameter // all it has, sorted by name
	byName map[string]int
	// definitions has, by variant, the digest of what is executed.
	definitions map[*spec.Variant]string
}

// A parameter is one parameter of an application of a sweep.
type parameter struct {
	name  string
	typ   spec.ParameterType
	slot  slot       // of the axis that gives it; -1 if none does
	value spec.Value // the default, where no axis gives it
}

// findApps looks up the applications of the sweep.
func (c *compiler) findApps() {
	seen := map[string]bool{}
	for i, v := range c.spec.Apps.Values {
		at := element(c.sweep.at.Key("apps"), &c.spec.Apps, i)
		name, ok := v.Any().(string)
		if !ok {
			c.fault(at, "got the value %s, want the name of an application", v)
			continue
		}
		def, ok := c.app(name)
		switch {
		case !ok:
			c.fault(at, "%s", spec.Unknown("application", name, c.names))
		case seen[name]:
			c.fault(at, "the application %q is given twice", name)
		default:
			c.apps = append(c.apps, newApplication(def, at))
		}
		seen[name] = true
	}
}

func newApplication(def *spec.Application, at spec.Path) *application {
	a := &application{def: def, at: at, byName: map[string]int{}, definitions: map[*spec.Variant]string{}}
	for i, name := range slices.Sorted(maps.Keys(def.Spec.Parameters)) {
		a.params = append(a.params, parameter{name: name, typ: def.Spec.Parameters[name].Type, slot: -1})
		a.byName[name] = i
	}
	for i := range def.Spec.Variants {
		v := &def.Spec.Variants[i]
		a.definitions[v] = definition(&def.Spec, v)
	}
	return a
}

// nameParameters lists the parameters that axes of the sweep give.
func (c *compiler) nameParameters() {
	names := map[string]bool{}
	for name := range c.spec.Parameters {
		names[name] = true
	}
	for i := range c.spec.Zip {
		for name := range c.spec.Zip[i].Parameters {
			names[name] = true
		}
	}
	c.params = slices.Sorted(maps.Keys(names))
}

func (c *compiler) parameterSlot(axis string) slot {
	i, _ := slices.BinarySearch(c.params, strings.TrimPrefix(axis, "parameters."))
	return slotParameter + slot(i)
}

// parameterFactor makes a factor of a parameter's axis. Every application of
// the sweep has to have the parameter and to accept the values.
func (c *compiler) parameterFactor(x axis, a *spec.Axis, zipped bool) factor {
	name := strings.TrimPrefix(x.name, "parameters.")
	f := factor{integer: true}
	for _, app := range c.apps {
		p, ok := app.def.Spec.Parameters[name]
		if !ok {
			c.lacks(app, name, x.at)
			continue
		}
		f.integer = f.integer && p.Type == spec.TypeInt
		if !c.checkInterval(app, name, x, a) {
			return f
		}
	}
	if a.Continuous() {
		whole := f.integer && !(a.Range.Log && c.takesIntervals()) && wholeNumbers(a.Range) <= maxLevels
		switch {
		case zipped:
			c.fault(x.at, "got a range without steps, want by or times where axes advance together")
		case whole:
			for n := range wholeNumbers(a.Range) {
				x.values = append(x.values, spec.Of(int64(math.Ceil(a.Range.From))+n))
			}
		case !c.takesIntervals():
			c.fault(x.at, "got a range without steps; the sampler %s wants by or times (random, latin-hypercube and sobol take points from the interval)", c.spec.Sampler.Kind)
		default:
			f.interval = a.Range
		}
	}
	if f.integer {
		x.values = slices.Clone(x.values)
		for i, v := range x.values {
			x.values[i] = spec.TypeInt.Canonical(v)
		}
	}
	c.checkValues(name, x, a)
	f.axes, f.n = []axis{x}, len(x.values)
	return f
}

// takesIntervals says whether the sampler takes points from intervals.
func (s *sweep) takesIntervals() bool {
	switch s.spec.Sampler.Kind {
	case spec.SampleRandom, spec.SampleLatinHypercube, spec.SampleSobol:
		return true
	}
	return false
}

// lacks reports that an application has no parameter of that name.
func (c *compiler) lacks(app *application, name string, at spec.Path) {
	for _, other := range c.apps {
		if _, ok := other.byName[name]; ok {
			c.fault(at, "the application %q has no parameter %q, as %q has; a sweep gives only parameters that all its applications have",
				app.def.Metadata.Name, name, other.def.Metadata.Name)
			return
		}
	}
	known := make([]string, len(app.params))
	for i, p := range app.params {
		known[i] = p.name
	}
	c.fault(at, "%s", spec.Unknown("parameter of "+app.def.Metadata.Name, name, known))
}

// checkInterval checks the type and the ends of a range without steps.
func (c *compiler) checkInterval(app *application, name string, x axis, a *spec.Axis) bool {
	if !a.Continuous() {
		return true
	}
	p := app.def.Spec.Parameters[name]
	if p.Type != spec.TypeInt && p.Type != spec.TypeFloat {
		c.fault(x.at, "got a range, but the parameter %q of %s is of type %s", name, app.def.Metadata.Name, p.Type)
		return false
	}
	before := len(c.faults)
	for _, end := range []struct {
		key   string
		value float64
	}{{"from", a.Range.From}, {"to", a.Range.To}} {
		if err := p.Accepts(spec.Of(end.value)); err != nil {
			c.fault(x.at.Key(end.key), "the parameter %q of %s: %v", name, app.def.Metadata.Name, err)
		}
	}
	return len(c.faults) == before
}

// checkValues holds every value against the parameter of every application. Of
// a range, the first wrong value is enough.
func (c *compiler) checkValues(name string, x axis, a *spec.Axis) {
	values := make([]spec.Value, len(x.values))
	for i, v := range x.values {
		values[i] = v
		for _, app := range c.apps {
			p, ok := app.def.Spec.Parameters[name]
			if !ok {
				continue
			}
			if err := p.Accepts(v); err != nil {
				c.fault(element(x.at, a, i), "the parameter %q of %s: %v", name, app.def.Metadata.Name, err)
				if a.Range != nil {
					return
				}
				break
			}
			values[i] = p.Type.Canonical(v)
		}
	}
	x.values = values
	c.checkTwice(x, a)
}

// settleParameters gives every parameter of every application its axis or its
// default.
func (c *compiler) settleParameters() {
	for _, app := range c.apps {
		for i := range app.params {
			p := &app.params[i]
			if at, ok := slices.BinarySearch(c.params, p.name); ok {
				p.slot = slotParameter + slot(at)
				continue
			}
			value := app.def.Spec.Parameters[p.name].Default
			if value == nil {
				c.fault(c.sweep.at, "the parameter %q of %s has no default; give it under parameters", p.name, app.def.Metadata.Name)
				continue
			}
			p.value = p.typ.Canonical(*value)
		}
	}
}

// allVariants is the name that stands for every variant of each application.
const allVariants = "*"

// checkVariants looks up the names of a variants axis; one of the applications
// at least has to have each.
func (c *compiler) checkVariants(x axis, a *spec.Axis) []spec.Value {
	var known []string
	for _, app := range c.apps {
		for _, v := range app.def.Spec.Variants {
			if !slices.Contains(known, v.Name) {
				known = append(known, v.Name)
			}
		}
	}
	if len(x.values) == 1 && x.values[0] == spec.Of(allVariants) {
		all := make([]spec.Value, len(known))
		for i, name := range known {
			all[i] = spec.Of(name)
		}
		return all
	}
	names := make([]string, len(c.apps))
	for i, app := range c.apps {
		names[i] = app.def.Metadata.Name
	}
	for i, v := range x.values {
		if !slices.Contains(known, v.String()) {
			c.fault(element(x.at, a, i), "%s", spec.Unknown("variant of "+strings.Join(names, ", "), v.String(), known))
		}
	}
	return x.values
}

// chooseVariants finds the variant of every application at every level.
func (c *compiler) chooseVariants() {
	if !c.gives(slotVariant) {
		c.chooseFirst()
		return
	}
	p := c.places[slotVariant]
	for _, app := range c.apps {
		var byLevel []*spec.Variant
		for _, v := range c.factors[p.factor].axes[p.axis].values {
			i := slices.IndexFunc(app.def.Spec.Variants, func(x spec.Variant) bool { return x.Name == v.String() })
			if i < 0 {
				byLevel = append(byLevel, nil)
				continue
			}
			byLevel = append(byLevel, &app.def.Spec.Variants[i])
		}
		c.variants = append(c.variants, byLevel)
	}
}

// chooseFirst takes the first variant of every application.
func (c *compiler) chooseFirst() {
	for _, app := range c.apps {
		v, err := catalog.Variant(app.def, "")
		if err != nil {
			c.fault(app.at, "%v", err)
			continue
		}
		c.variants = append(c.variants, []*spec.Variant{v})
	}
}

// checkRanks finds numbers of tasks, written one by one, that none of the
// applications ever accepts. Those of ranges are left to the rules.
func (c *compiler) checkRanks(x axis, a *spec.Axis) {
	for i, v := range x.values {
		n, _ := v.Int()
		var reason error
		for _, app := range c.apps {
			if app.def.Spec.Ranks.Accept == spec.RanksProduct {
				reason = nil // depends on parameters
				break
			}
			if reason = catalog.Accepts(app.def, catalog.Config{Tasks: int(n)}); reason == nil {
				break
			}
		}
		if reason != nil {
			c.fault(element(x.at, a, i), "%v", reason)
		}
	}
}
