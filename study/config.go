// SPDX-License-Identifier: MIT

package study

import (
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// A config is what a point decides, parameters apart.
type config struct {
	app                                   int           // index in sweep.apps
	variant                               *spec.Variant // nil where the application has none of that name
	env                                   int           // index in sweep.environments
	nodes, tasks, perNode, threads, cores int64
	mapBy, bindTo                         string
}

// resolve fills in what a point gives, derives and leaves to defaults. Where
// the layout does not add up, the division is rounded down and a rule removes
// the point.
func (s *sweep) resolve(row []int, c *config) {
	*c = config{app: row[0], bindTo: "none"}
	level := 0
	if s.gives(slotVariant) {
		level = row[s.places[slotVariant].factor]
	}
	c.variant = s.variants[c.app][level]
	if s.gives(slotEnvironment) {
		c.env = s.envOf[row[s.places[slotEnvironment].factor]]
	}
	c.nodes, c.tasks, c.perNode = layout(s.count(row, slotNodes), s.count(row, slotTasks), s.count(row, slotPerNode))
	c.threads = max(1, s.count(row, slotThreads))
	if c.cores = s.count(row, slotCores); c.cores == 0 {
		c.cores = c.threads
	}
	if s.gives(slotMapBy) {
		c.mapBy = s.value(row, slotMapBy).String()
	}
	if s.gives(slotBindTo) {
		c.bindTo = s.value(row, slotBindTo).String()
	}
}

// count gives a number that an axis gives, or 0.
func (s *sweep) count(row []int, at slot) int64 {
	if !s.gives(at) {
		return 0
	}
	n, _ := s.value(row, at).Int()
	return n
}

// layout derives what is not given, which is 0: two of the three decide the
// third, and what cannot be derived is 1.
func layout(nodes, tasks, perNode int64) (n, t, p int64) {
	switch {
	case nodes > 0 && tasks > 0 && perNode > 0:
		return nodes, tasks, perNode
	case nodes > 0 && tasks > 0:
		return nodes, tasks, tasks / nodes
	case tasks > 0 && perNode > 0:
		return tasks / perNode, tasks, perNode
	case tasks > 0:
		return 1, tasks, tasks
	default:
		nodes, perNode = max(1, nodes), max(1, perNode)
		return nodes, nodes * perNode, perNode
	}
}

// parameter gives the value of the j-th parameter of an application.
func (s *sweep) parameter(row []int, app *application, j int) spec.Value {
	p := &app.params[j]
	if p.slot < 0 {
		return p.value
	}
	return p.typ.Canonical(s.value(row, p.slot))
}

// reads gives the factors that decide the slots, ascending.
func (s *sweep) reads(slots ...slot) []int {
	var factors []int
	for _, at := range slots {
		switch {
		case s.gives(at):
			factors = append(factors, s.places[at].factor)
			if at == slotVariant {
				factors = append(factors, 0)
			}
		case at == slotVariant:
			factors = append(factors, 0)
		case at == slotNodes || at == slotTasks || at == slotPerNode:
			for _, other := range []slot{slotNodes, slotTasks, slotPerNode} {
				if s.gives(other) {
					factors = append(factors, s.places[other].factor)
				}
			}
		case at == slotCores:
			factors = append(factors, s.reads(slotThreads)...)
		}
	}
	slices.Sort(factors)
	return slices.Compact(factors)
}

// readsParameter gives the factors that decide a parameter that all
// applications of the sweep have.
func (s *sweep) readsParameter(name string) []int {
	app := s.apps[0]
	if at := app.params[app.byName[name]].slot; at >= 0 {
		return []int{s.places[at].factor, 0} // 0: its type may differ
	}
	return []int{0}
}
