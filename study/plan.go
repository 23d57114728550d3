// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// A Plan is the trials of a study in the order in which they run. It is
// immutable and safe for concurrent use.
type Plan struct {
	study       *spec.StudySpec
	sweeps      []*sweep
	blocks      []*block
	environment int // index of the one whose trials are given; -1 for all

	// Where, among the trials of all environments in order, the budget ends the
	// plan: for all of them, and for those of environments with a price.
	end, endPriced int
	limits         []string // of the budget, that ended it
	bills          [][]bill // by sweep and environment
}

// maxTrials bounds a plan, so that a file cannot ask for work without end.
const maxTrials = 1 << 30

// New plans an ensemble, as decoded or resolved. The plan has the trials of one
// environment, or of all for the empty name. Samples, order and budget are
// those of the whole study: the plans of its environments are parts of one
// plan.
//
// What is wrong with the ensemble comes as one *spec.FileError, whose faults
// have paths as in an Ensemble's file but no positions; [Locate] adds these. A
// plan without a trial is a fault, which says what leaves none.
// Every point that may be planned is checked, and the templates of every trial
// are tried, so that the trials of a plan have no errors any more. The only other error is ctx.Err().
func New(ctx context.Context, e *spec.EnsembleSpec, environment string) (*Plan, error) {
	study := spec.Study{Spec: e.Study}
	study.Spec.Sweeps = slices.Clone(e.Study.Sweeps)
	study.Spec.Environments = slices.Clone(e.Study.Environments)
	study.Default()
	p := &Plan{study: &study.Spec, environment: -1}
	in := own(e, "")
	var faults []spec.Fault
	if p.sweeps, faults = compile(p.study, in); len(faults) > 0 {
		return nil, fail(faults...)
	}
	if environment != "" {
		p.environment = slices.IndexFunc(p.study.Environments, func(x spec.NamedEnvironment) bool { return x.Name == environment })
		if p.environment < 0 {
			return nil, fail(spec.Faultf(in.at.Key("environments"), "%s", spec.Unknown("environment", environment, p.Environments())))
		}
	}
	trials := 0
	for _, s := range p.sweeps {
		err := s.draw(ctx)
		if f := new(spec.FileError); errors.As(err, &f) {
			faults = append(faults, f.Faults...)
		} else if err != nil {
			return nil, err
		}
		if trials += s.drawn.sampled * s.spec.Repetitions.Most(); trials > maxTrials {
			return nil, fail(spec.Faultf(s.at, "the plan has more than %d trials", maxTrials))
		}
	}
	if len(faults) > 0 {
		return nil, fail(faults...)
	}
	if len(p.sweeps) == 0 { // of an ensemble that has groups only
		return p, nil
	}
	p.blocks = blocks(p.study.Order, p.sweeps)
	if err := p.spend(ctx); err != nil {
		return nil, err
	}
	if faults, err := p.tryTemplates(ctx, e.Applications); err != nil {
		return nil, err
	} else if len(faults) > 0 {
		return nil, fail(faults...)
	}
	return p, p.checkLeft(in.at)
}

// own is the scope of an ensemble's own applications; doc is the path of its
// spec's parent.
func own(e *spec.EnsembleSpec, doc spec.Path) scope {
	in := scope{at: doc.Key("spec").Key("study")}
	byName := map[string]*spec.Application{}
	for i := range e.Applications {
		a := &e.Applications[i]
		byName[a.Metadata.Name] = a
		in.names = append(in.names, a.Metadata.Name)
	}
	slices.Sort(in.names)
	in.app = func(name string) (*spec.Application, bool) {
		a, ok := byName[name]
		return a, ok
	}
	return in
}

// Environments names the environments of the study; a run happens in one of
// them. There is none where the study declares none.
func (p *Plan) Environments() []string {
	var names []string
	for _, e := range p.study.Environments {
		names = append(names, e.Name)
	}
	return names
}

// Policy says how the jobs of a group run: the study's policy with the fields
// that the sweep replaces. It is the study's for an unknown group.
func (p *Plan) Policy(group string) spec.RunPolicy {
	for _, s := range p.sweeps {
		if s.name == group {
			return s.policy
		}
	}
	return p.study.Run
}

// Len is the number of trials.
func (p *Plan) Len() (n int) {
	for _, byEnv := range p.bills {
		for env, b := range byEnv {
			if p.environment < 0 || p.environment == env {
				n += b.kept.Trials
			}
		}
	}
	return n
}

// Trials gives the trials in order. Each call starts anew; memory does not grow
// with their number.
func (p *Plan) Trials() iter.Seq[Trial] {
	return func(yield func(Trial) bool) {
		var m maker
		p.planned(func(s *sweep, row []int, _, repetition int) bool {
			if p.environment >= 0 && s.environment(row) != p.environment {
				return true
			}
			return yield(m.trial(s, row, repetition))
		})
	}
}

// planned is walk without the trials that the budget leaves out.
func (p *Plan) planned(visit func(s *sweep, row []int, index, repetition int) bool) {
	place := 0
	p.walk(func(s *sweep, row []int, index, repetition int) bool {
		if place >= p.end {
			return false
		}
		keep := p.keeps(place, &s.environments[s.environment(row)])
		place++
		return !keep || visit(s, row, index, repetition)
	})
}

// environment gives the index of a point's environment.
func (s *sweep) environment(row []int) int {
	if !s.gives(slotEnvironment) {
		return 0
	}
	return s.envOf[row[s.places[slotEnvironment].factor]]
}

// walk visits the trials of all environments in order, those beyond the budget
// too, until visit says no. The row is used again for the next trial.
func (p *Plan) walk(visit func(s *sweep, row []int, index, repetition int) bool) {
	rows := make(map[*sweep][]int, len(p.sweeps))
	for _, s := range p.sweeps {
		rows[s] = make([]int, len(s.factors))
	}
	for i, b := range p.blocks {
		place := func(i uint64) uint64 { return i }
		if p.study.Order != spec.OrderListed {
			place = newPermutation(b.n(), p.study.Seed, streamOrder<<32|uint64(i)).at
		}
		for j := range b.n() {
			s, index, repetition := b.at(place(j))
			row := rows[s]
			if s.point(index, row) && !visit(s, row, index, repetition) {
				return
			}
		}
	}
}
