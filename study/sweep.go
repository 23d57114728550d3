// SPDX-License-Identifier: MIT

package study

import (
	"fmt"
	"math/big"

	"github.com/converged-computing/ensemble/spec"
)

// A slot is one property of a trial that an axis can give.
type slot int

// The slots that every sweep has; those of parameters follow, in the order of
// sweep.params.
const (
	slotApp slot = iota
	slotVariant
	slotEnvironment
	slotNodes
	slotTasks
	slotPerNode
	slotThreads
	slotCores
	slotMapBy
	slotBindTo
	slotParameter
)

// slots are the axes of a sweep by the name they have in a file.
var slots = map[string]slot{
	"variants": slotVariant, "environments": slotEnvironment, "nodes": slotNodes, "tasks": slotTasks,
	"tasksPerNode": slotPerNode, "threads": slotThreads, "coresPerTask": slotCores,
	"mapBy": slotMapBy, "bindTo": slotBindTo,
}

// An axis is one column of a factor.
type axis struct {
	name   string // as in the file: nodes, parameters.cells
	slot   slot
	at     spec.Path
	values []spec.Value // by level
}

// A factor is one dimension of a product: an axis, or a zip of several.
type factor struct {
	axes []axis
	n    int // levels; of an interval, as many as were sampled

	interval *spec.Range // an axis without levels: a sampler takes values from it
	integer  bool        // the values of the interval are rounded
}

// A place is where a slot's values are: a factor and one of its axes.
type place struct{ factor, axis int }

// A sweep is a compiled spec.Sweep.
type sweep struct {
	name         string
	at           spec.Path
	spec         *spec.Sweep
	policy       spec.RunPolicy
	policyDigest string
	hours        float64 // what one trial is expected to last; NaN if unknown
	seed         uint64

	apps         []*application
	params       []string // names of the parameters that axes give, sorted
	environments []spec.NamedEnvironment

	factors  []factor
	places   []place           // by slot; factor -1 where no axis gives it
	variants [][]*spec.Variant // by application and level; nil where it has none of that name
	envOf    []int             // by level of the environments axis: index in environments
	allEnvs  bool              // every environment gets all points: the axis was not given
	rules    []*rule
	sound    bool     // nothing is wrong with it, and rules can be asked
	points   *big.Int // of the product; 0 with an interval
	drawn    points
}

// value gives the value of a slot that an axis gives. An interval has none
// before it is sampled; then the zero Value stands in, which no rule reads.
func (s *sweep) value(row []int, at slot) spec.Value {
	p := s.places[at]
	values := s.factors[p.factor].axes[p.axis].values
	if l := row[p.factor]; l < len(values) {
		return values[l]
	}
	return spec.Value{}
}

// gives says whether an axis of the sweep gives a slot.
func (s *sweep) gives(at slot) bool { return s.places[at].factor >= 0 }

// describe names a point by its axes and their values.
func (s *sweep) describe(row []int) string {
	text := s.apps[row[0]].def.Metadata.Name
	for f := 1; f < len(s.factors); f++ {
		for _, a := range s.factors[f].axes {
			text += fmt.Sprintf(" %s=%s", a.name, s.value(row, a.slot))
		}
	}
	return text
}
