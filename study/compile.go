// SPDX-License-Identifier: MIT

package study

import (
	"math"
	"math/big"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// A scope is where the applications of a study are found, and where the study
// stands in its document.
type scope struct {
	at    spec.Path
	app   func(name string) (*spec.Application, bool)
	names []string
}

// maxRepetitions bounds the repetitions of a sweep, and maxConstraints its
// constraints, each of which costs a compilation.
const (
	maxRepetitions = 1_000_000
	maxConstraints = 100
)

// compile builds the sweeps of a study that has its defaults. The faults are
// all that is wrong as far as it can be seen without looking at points.
func compile(study *spec.StudySpec, in scope) (sweeps []*sweep, faults []spec.Fault) {
	environments := study.Environments
	if len(environments) == 0 {
		environments = []spec.NamedEnvironment{{}}
	}
	for i := range study.Sweeps {
		w := &study.Sweeps[i]
		c := compiler{scope: in, sweep: &sweep{
			name: w.Name, at: in.at.Key("sweeps").Index(i), spec: w,
			policy: merge(study.Run, w.Run), environments: environments,
			seed: mix(study.Seed, w.Name), points: new(big.Int),
		}}
		c.hours = expectedHours(study.Budget, c.policy.Timeout)
		c.policyDigest = digest(list(c.policy.BeforeJob), list(c.policy.AfterJob))
		c.compile()
		sweeps = append(sweeps, c.sweep)
		faults = append(faults, c.faults...)
	}
	return sweeps, append(faults, checkBudget(study, in.at, sweeps)...)
}

// A compiler builds one sweep.
type compiler struct {
	*sweep
	scope
	faults []spec.Fault
}

func (c *compiler) fault(at spec.Path, format string, args ...any) {
	c.faults = append(c.faults, spec.Faultf(at, format, args...))
}

func (c *compiler) compile() {
	w := c.spec
	if w.Repetitions.Most() > maxRepetitions {
		c.fault(c.sweep.at, "got %d repetitions, want %d at most", w.Repetitions.Most(), maxRepetitions)
	}
	if most := maxRows / len(c.environments); w.Sampler.Count > most {
		c.fault(c.sweep.at.Key("sampler").Key("count"), "got %d, want %d at most", w.Sampler.Count, most)
	}
	c.findApps()
	if len(c.apps) == 0 {
		return // nothing to hold the rest against
	}
	c.nameParameters()
	c.places = make([]place, int(slotParameter)+len(c.params))
	for i := range c.places {
		c.places[i] = place{-1, -1}
	}
	names := make([]spec.Value, len(c.apps))
	for i, a := range c.apps {
		names[i] = spec.Of(a.def.Metadata.Name)
	}
	c.add(factor{n: len(names), axes: []axis{{name: "apps", slot: slotApp, at: c.sweep.at.Key("apps"), values: names}}})
	c.spreadEnvironments()
	for name, a := range w.All() {
		if f, ok := c.factor(name, a, c.sweep.at.Key(name), false); ok {
			c.add(f)
		}
	}
	for i := range w.Zip {
		c.zip(&w.Zip[i], c.sweep.at.Key("zip").Index(i))
	}
	c.settleParameters()
	c.chooseVariants()
	if len(c.faults) == 0 {
		c.addRules()
	}
	c.addConstraints() // last: they are written for points that add up
	c.sound = len(c.faults) == 0
	c.points.SetInt64(1)
	for _, f := range c.factors {
		c.points.Mul(c.points, big.NewInt(int64(f.n)))
	}
}

// add appends a factor and notes which slots it gives.
func (c *compiler) add(f factor) {
	for i, a := range f.axes {
		c.places[a.slot] = place{len(c.factors), i}
	}
	c.factors = append(c.factors, f)
}

// spreadEnvironments makes every environment a level where the sweep does not
// say which of them it wants.
func (c *compiler) spreadEnvironments() {
	given := c.spec.Environments != nil
	for i := range c.spec.Zip {
		given = given || c.spec.Zip[i].Environments != nil
	}
	if given || len(c.environments) == 1 {
		return
	}
	f := factor{n: len(c.environments), axes: []axis{{name: "environments", slot: slotEnvironment, at: c.sweep.at}}}
	for i, e := range c.environments {
		f.axes[0].values = append(f.axes[0].values, spec.Of(e.Name))
		c.envOf = append(c.envOf, i)
	}
	c.allEnvs = true
	c.add(f)
}

// zip makes one factor of axes that advance together.
func (c *compiler) zip(axes *spec.Axes, at spec.Path) {
	var z factor
	for name, a := range axes.All() {
		f, ok := c.factor(name, a, at.Key(name), true)
		if !ok {
			return
		}
		z.n = f.n
		z.axes = append(z.axes, f.axes...)
	}
	if len(z.axes) > 0 {
		c.add(z)
	}
}

// factor makes a factor of one axis and checks its values.
func (c *compiler) factor(name string, a *spec.Axis, at spec.Path, zipped bool) (factor, bool) {
	before := len(c.faults)
	x := axis{name: name, at: at, values: a.Points()}
	s, fixed := slots[name]
	if x.slot = s; !fixed {
		x.slot = c.parameterSlot(name)
		f := c.parameterFactor(x, a, zipped)
		return f, len(c.faults) == before
	}
	switch s {
	case slotVariant:
		if x.values = c.checkVariants(x, a); len(x.values) == 0 {
			return factor{}, false // reported where the first variant is missed
		}
	case slotEnvironment:
		c.checkEnvironments(x, a)
	case slotMapBy, slotBindTo:
	default:
		x.values = slices.Clone(x.values)
		for i, v := range x.values {
			n, _ := v.Int()
			x.values[i] = spec.Of(n)
		}
		c.checkTwice(x, a)
	}
	if s == slotTasks && a.Range == nil {
		c.checkRanks(x, a)
	}
	return factor{axes: []axis{x}, n: len(x.values)}, len(c.faults) == before
}

// element gives the path of a value of an axis.
func element(at spec.Path, a *spec.Axis, i int) spec.Path {
	if a.Range == nil && len(a.Values) > 1 {
		return at.Index(i)
	}
	return at
}

// checkTwice finds values that are the same once they have their type, such as
// 2 and 2.0 for an int. Ranges have none.
func (c *compiler) checkTwice(x axis, a *spec.Axis) {
	if a.Range != nil {
		return
	}
	seen := make(map[spec.Value]bool, len(x.values))
	for i, v := range x.values {
		if seen[v] {
			c.fault(element(x.at, a, i), "the value %s is given twice", v)
		}
		seen[v] = true
	}
}

// checkEnvironments looks up the names of an environments axis.
func (c *compiler) checkEnvironments(x axis, a *spec.Axis) {
	var names []string
	for _, e := range c.environments {
		if e.Name != "" {
			names = append(names, e.Name)
		}
	}
	c.envOf = nil
	for i, v := range x.values {
		at := slices.Index(names, v.String())
		if at < 0 {
			c.fault(element(x.at, a, i), "%s", spec.Unknown("environment", v.String(), names))
		}
		c.envOf = append(c.envOf, at)
	}
}

// wholeNumbers counts the whole numbers of an interval; too many to count are
// more than maxLevels.
func wholeNumbers(r *spec.Range) int64 {
	from, to := math.Ceil(r.From), math.Floor(r.To)
	if to-from >= maxLevels || math.Abs(from) > 1<<53 || math.Abs(to) > 1<<53 {
		return maxLevels + 1
	}
	return int64(to-from) + 1
}

// maxLevels bounds the levels that an interval of whole numbers is turned into.
const maxLevels = 1_000_000
