// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study/sample"
)

// A Summary says what a plan has and what it has not.
type Summary struct {
	// Cost is that of the plan's trials, and Cut that of the trials that the
	// budget leaves out; both are of the plan's environments only.
	Cost Cost `json:"cost"`
	Cut  Cost `json:"cut"`
	// Limits are those of the budget that ended the plan, as in the file: money
	// for environments with a price, another for all. There is none where the
	// plan is complete.
	Limits []string `json:"limits,omitempty"`
	// Environments divides cost and cut by environment; empty where the study
	// declares none.
	Environments []EnvironmentSummary `json:"environments,omitempty"`
	// Sweeps are in the order of the file.
	Sweeps []SweepSummary `json:"sweeps"`
}

// An EnvironmentSummary is the part of a plan in one environment.
type EnvironmentSummary struct {
	Name string `json:"name"`
	Cost Cost   `json:"cost"`
	Cut  Cost   `json:"cut"`
}

// A SweepSummary counts the points of one sweep. Points, samples and coverage
// are those of the study, in all its environments; cost and cut are those of
// the plan's.
type SweepSummary struct {
	// Name is the group, and Apps are its applications.
	Name string   `json:"name"`
	Apps []string `json:"apps"`
	// Axes are the factors of the product that have a choice.
	Axes []AxisSummary `json:"axes,omitempty"`
	// Points is the size of the product; nil where an axis is an interval.
	Points *big.Int `json:"points,omitempty"`
	// Removed says how many points each rule removes that no earlier one did.
	// It is nil where the product is too large to go through.
	Removed []Removal `json:"removed,omitempty"`
	// Sampler is how points were chosen, Asked how many were asked for in each
	// environment, and Sampled how many there are in all.
	Sampler spec.SamplerKind `json:"sampler"`
	Asked   int              `json:"asked,omitempty"`
	Sampled int              `json:"sampled"`
	// Repetitions is how often each point runs; with Until it is the most, and
	// costs are those of the most.
	Repetitions int         `json:"repetitions"`
	Until       *spec.Until `json:"until,omitempty"`
	// Cost is that of the trials, and Cut that of those left out.
	Cost Cost `json:"cost"`
	Cut  Cost `json:"cut"`
	// Coverage is the t-way coverage of the points that run at least once; nil
	// where no axis has a choice.
	Coverage *Coverage `json:"coverage,omitempty"`
}

// An AxisSummary is one dimension of a product.
type AxisSummary struct {
	// Name is the axis as in the file; those of a zip are joined by "+".
	Name string `json:"name"`
	// Levels is the number of its values; 0 for an interval.
	Levels int `json:"levels,omitempty"`
}

// A Removal is what a rule removes.
type Removal struct {
	// Rule is the constraint, or what a rule of the planner demands.
	Rule string `json:"rule"`
	// Points it removes.
	Points int `json:"points"`
}

// A Coverage counts combinations of values of any t axes of a sweep. Axes with
// one value and intervals do not count.
type Coverage struct {
	// Strength is t: that of a covering array, and else 2, for pairs; or all
	// axes where these are fewer.
	Strength int `json:"strength"`
	// Covered of Total combinations that the rules allow occur in a trial.
	Covered int `json:"covered"`
	Total   int `json:"total"`
	// Missing are some of those that do not.
	Missing []map[string]spec.Value `json:"missing,omitempty"`
	// Note says why nothing was counted.
	Note string `json:"note,omitempty"`
}

// Bounds on coverage: the examples of what is missing, the combinations that
// are counted, and the points that are held against them.
const (
	maxMissing      = 5
	maxTuples       = 1 << 23
	maxCoverageRows = 1 << 20
)

// Summary counts. The error is ctx.Err().
func (p *Plan) Summary(ctx context.Context) (*Summary, error) {
	sum := &Summary{Limits: p.limits}
	for _, e := range p.study.Environments {
		sum.Environments = append(sum.Environments, EnvironmentSummary{Name: e.Name})
	}
	run, err := p.points(ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range p.sweeps {
		one := s.summary()
		for env, b := range p.bills[i] {
			if p.environment >= 0 && p.environment != env {
				continue
			}
			one.Cost.add(b.kept)
			one.Cut.add(b.cut)
			if len(sum.Environments) > 0 {
				sum.Environments[env].Cost.add(b.kept)
				sum.Environments[env].Cut.add(b.cut)
			}
		}
		sum.Cost.add(one.Cost)
		sum.Cut.add(one.Cut)
		if one.Coverage, err = s.coverage(ctx, run[i]); err != nil {
			return nil, err
		}
		sum.Sweeps = append(sum.Sweeps, one)
	}
	if p.environment >= 0 {
		sum.Environments = sum.Environments[p.environment : p.environment+1]
	}
	return sum, nil
}

// points marks, by sweep, the indices of the points that run at least once.
func (p *Plan) points(ctx context.Context) ([]bitset, error) {
	run := map[*sweep]bitset{}
	all := make([]bitset, len(p.sweeps))
	for i, s := range p.sweeps {
		all[i] = newBitset(s.drawn.n)
		run[s] = all[i]
	}
	n := 0
	p.planned(func(s *sweep, _ []int, index, _ int) bool {
		run[s].add(index)
		n++
		return n&0xfff > 0 || ctx.Err() == nil
	})
	return all, ctx.Err()
}

// summary counts points.
func (s *sweep) summary() SweepSummary {
	sum := SweepSummary{
		Name: s.name, Sampler: s.spec.Sampler.Kind, Asked: s.spec.Sampler.Count,
		Sampled: s.drawn.sampled, Repetitions: s.spec.Repetitions.Most(), Until: s.spec.Repetitions.Until,
	}
	for _, app := range s.apps {
		sum.Apps = append(sum.Apps, app.def.Metadata.Name)
	}
	for _, f := range s.factors {
		a := AxisSummary{Name: f.name(), Levels: f.n}
		if f.interval != nil {
			a.Levels = 0
		} else if f.n == 1 {
			continue
		}
		sum.Axes = append(sum.Axes, a)
	}
	if !s.hasInterval() {
		sum.Points = new(big.Int).Set(s.points)
	}
	for i, n := range s.drawn.removed {
		sum.Removed = append(sum.Removed, Removal{Rule: s.rules[i].name, Points: n})
	}
	return sum
}

// name joins the names of a factor's axes.
func (f *factor) name() string {
	name := f.axes[0].name
	for _, a := range f.axes[1:] {
		name += "+" + a.name
	}
	return name
}

// coverage counts what the points that run cover.
func (s *sweep) coverage(ctx context.Context, run bitset) (*Coverage, error) {
	r, err := s.reduce(ctx, -1, s.rules...)
	if err != nil {
		return nil, fmt.Errorf("counting coverage: %w", err)
	}
	t := 2
	if s.spec.Sampler.Kind == spec.SampleCovering {
		t = s.spec.Sampler.Strength
	}
	if t = min(t, len(r.factors)); t == 0 {
		return nil, nil
	}
	c := &Coverage{Strength: t}
	n := run.len()
	complete := s.spec.Sampler.Kind == spec.SampleFull && n == s.drawn.sampled
	if count := s.tuples(r.factors, t); count.Cmp(big.NewInt(maxTuples)) > 0 {
		c.Note = fmt.Sprintf("not counted: there are %s combinations", count)
		return c, nil
	}
	if complete {
		n = 0 // it has every combination that the rules allow
	}
	if n > maxCoverageRows {
		c.Note = fmt.Sprintf("not counted: there are %d points", n)
		return c, nil
	}
	rows := make([][]int, 0, n)
	row := make([]int, len(s.factors))
	for i := range s.drawn.n {
		if len(rows) < n && run.has(i) && s.point(i, row) {
			rows = append(rows, r.contract(row))
		}
	}
	got, err := sample.Coverage(ctx, r.space, t, rows)
	switch {
	case errors.Is(err, sample.ErrTooLarge):
		c.Note = "not counted: " + err.Error()
	case err != nil:
		return nil, fmt.Errorf("counting coverage: %w", err)
	case complete:
		c.Covered, c.Total = got.Total, got.Total
	default:
		c.Covered, c.Total = got.Covered, got.Total
		c.Missing = s.missing(got, r.factors)
	}
	return c, nil
}

// missing gives examples of combinations that no point has, by names of axes.
func (s *sweep) missing(got *sample.TupleCoverage, factors []int) (examples []map[string]spec.Value) {
	for t := range got.Uncovered() {
		if len(examples) == maxMissing {
			break
		}
		one := map[string]spec.Value{}
		for i, f := range t.Factors {
			for _, a := range s.factors[factors[f]].axes {
				one[a.name] = a.values[t.Levels[i]]
			}
		}
		examples = append(examples, one)
	}
	return examples
}

// tuples counts combinations of values of any t of the factors, without regard
// to rules: the t-th elementary symmetric polynomial of their levels.
func (s *sweep) tuples(factors []int, t int) *big.Int {
	sums := make([]*big.Int, t+1)
	for i := range sums {
		sums[i] = new(big.Int)
	}
	sums[0].SetInt64(1)
	for _, f := range factors {
		n := big.NewInt(int64(s.factors[f].n))
		for i := t; i > 0; i-- {
			sums[i].Add(sums[i], new(big.Int).Mul(sums[i-1], n))
		}
	}
	return sums[t]
}
