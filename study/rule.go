// SPDX-License-Identifier: MIT

package study

import (
	"fmt"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// A rule says which points can run.
type rule struct {
	name    string    // what summaries and errors call it
	at      spec.Path // what to change if it removes too much
	factors []int     // that it reads, ascending
	holds   func(v *view) (bool, error)
}

// A view is one point as rules see it.
type view struct {
	*sweep
	row []int
	config
	steps uint64 // that constraints have taken so far
}

// bindCore is the value of bindTo with which a rank cannot leave its cores.
const bindCore = "core"

// addRules adds the rules that every study has.
func (c *compiler) addRules() {
	s := c.sweep
	add := func(name string, at spec.Path, factors []int, holds func(v *view) bool) {
		s.rules = append(s.rules, &rule{name, at, factors, func(v *view) (bool, error) { return holds(v), nil }})
	}
	if s.gives(slotVariant) && slices.ContainsFunc(s.variants, func(v []*spec.Variant) bool { return slices.Contains(v, nil) }) {
		add("the application has the variant", s.at.Key("variants"), s.reads(slotVariant),
			func(v *view) bool { return v.variant != nil })
	}
	if s.gives(slotTasks) && (s.gives(slotNodes) || s.gives(slotPerNode)) {
		add("tasks = nodes × tasksPerNode", s.at.Key("tasks"), s.reads(slotNodes, slotTasks, slotPerNode),
			func(v *view) bool { return v.tasks == v.nodes*v.perNode })
	}
	for i, app := range s.apps {
		if what, factors := s.ranks(app); what != "" {
			add(fmt.Sprintf("%s accepts %s", app.def.Metadata.Name, what), s.at, factors,
				func(v *view) bool { return v.app != i || v.accepts() })
		}
	}
	if s.hasVariant(func(v *spec.Variant) bool { return v.MPI == spec.NoMPI }) && len(s.reads(slotTasks)) > 0 {
		add("a variant without MPI runs as one task", s.at, union(s.reads(slotVariant, slotTasks)),
			func(v *view) bool { return v.variant == nil || v.variant.MPI != spec.NoMPI || v.tasks == 1 })
	}
	if slices.ContainsFunc(s.environments, func(e spec.NamedEnvironment) bool { return e.Nodes > 0 }) {
		add("the environment has the nodes", s.at, s.reads(slotEnvironment, slotNodes),
			func(v *view) bool { e := v.environments[v.env]; return e.Nodes == 0 || v.nodes <= int64(e.Nodes) })
	}
	oversubscribe := s.policy.Oversubscribe != nil && *s.policy.Oversubscribe
	if !oversubscribe && slices.ContainsFunc(s.environments, func(e spec.NamedEnvironment) bool { return e.CoresPerNode > 0 }) {
		add("a node of the environment has the cores", s.at, s.reads(slotEnvironment, slotPerNode, slotCores),
			func(v *view) bool {
				have := int64(v.environments[v.env].CoresPerNode)
				return have == 0 || v.perNode <= have && v.cores <= have && v.perNode*v.cores <= have
			})
	}
	if !oversubscribe && s.gives(slotBindTo) && s.gives(slotCores) {
		add("threads ≤ coresPerTask where ranks are bound to cores", s.at.Key("coresPerTask"), s.reads(slotBindTo, slotThreads, slotCores),
			func(v *view) bool { return v.bindTo != bindCore || v.threads <= v.cores })
	}
}

// hasVariant says whether some point may have a variant of that kind.
func (s *sweep) hasVariant(is func(*spec.Variant) bool) bool {
	for _, byLevel := range s.variants {
		if slices.ContainsFunc(byLevel, func(v *spec.Variant) bool { return v != nil && is(v) }) {
			return true
		}
	}
	return false
}

// ranks says in words which numbers of ranks an application accepts, and which
// factors decide it; nothing where it accepts any.
func (s *sweep) ranks(app *application) (what string, factors []int) {
	r := app.def.Spec.Ranks
	var parts []string
	switch r.Accept {
	case spec.RanksPowersOfTwo:
		parts = append(parts, "powers of two of ranks")
	case spec.RanksSquares:
		parts = append(parts, "squares of ranks")
	case spec.RanksCubes:
		parts = append(parts, "cubes of ranks")
	case spec.RanksProduct:
		parts = append(parts, strings.Join(r.Of, " × ")+" ranks")
	}
	if r.Min > 1 {
		parts = append(parts, fmt.Sprintf("%d ranks at least", r.Min))
	}
	if r.Max > 0 {
		parts = append(parts, fmt.Sprintf("%d ranks at most", r.Max))
	}
	factors = append(s.reads(slotTasks), 0)
	for _, name := range r.Of {
		if p := app.params[app.byName[name]]; p.slot >= 0 {
			factors = append(factors, s.places[p.slot].factor)
		}
	}
	return strings.Join(parts, ", "), union(factors)
}

// accepts asks the application about the ranks of a point.
func (v *view) accepts() bool {
	app := v.apps[v.app]
	given := catalog.Config{Tasks: int(v.tasks), Parameters: map[string]spec.Value{}}
	for _, name := range app.def.Spec.Ranks.Of {
		given.Parameters[name] = v.parameter(v.row, app, app.byName[name])
	}
	return catalog.Accepts(app.def, given) == nil
}

// union sorts factors and drops those given twice.
func union(factors []int) []int {
	slices.Sort(factors)
	return slices.Compact(factors)
}

// maxMemo bounds the answers of one rule that are remembered, a byte each.
const maxMemo = 1 << 18

// A checker asks the rules of a sweep about points and remembers what they
// answered, since most read only some of the factors. It is not safe for
// concurrent use.
type checker struct {
	*sweep
	view    view
	answers [][]answer
	strides [][]int
}

type answer byte

const (
	unasked answer = iota
	yes
	no
	failed
)

func newChecker(s *sweep) *checker {
	k := &checker{sweep: s, view: view{sweep: s}}
	for _, r := range s.rules {
		size := 1
		strides := make([]int, len(r.factors))
		for i, f := range r.factors {
			strides[i] = size
			if x := s.factors[f]; x.interval != nil || x.n > maxMemo/size {
				size, strides = 0, nil // too many
				break
			}
			size *= s.factors[f].n
		}
		k.answers = append(k.answers, make([]answer, size))
		k.strides = append(k.strides, strides)
	}
	return k
}

// broken gives the index of the first rule that the point breaks, or -1. The
// error is that of a rule that cannot be evaluated at a point that no other
// rule removes.
func (k *checker) broken(row []int) (int, error) {
	var failure error
	resolved := false
	for i, r := range k.rules {
		at := -1
		if k.strides[i] != nil {
			at = 0
			for j, f := range r.factors {
				at += row[f] * k.strides[i][j]
			}
			switch k.answers[i][at] {
			case yes:
				continue
			case no:
				return i, nil
			}
		}
		if !resolved {
			k.resolve(row, &k.view.config)
			k.view.row = row
			resolved = true
		}
		ok, err := r.holds(&k.view)
		a := no
		switch {
		case err != nil:
			a = failed
			if failure == nil {
				failure = &ruleError{r, k.describe(row), err}
			}
		case ok:
			a = yes
		}
		if at >= 0 {
			k.answers[i][at] = a
		}
		if a == no {
			return i, nil
		}
	}
	return -1, failure
}

// A ruleError is a rule that cannot be evaluated at a point.
type ruleError struct {
	rule  *rule
	point string
	err   error
}

func (e *ruleError) Error() string { return e.fault().Message }
func (e *ruleError) Unwrap() error { return e.err }

func (e *ruleError) fault() spec.Fault {
	return spec.Faultf(e.rule.at, "evaluating the constraint for %s: %v", e.point, e.err)
}
