// SPDX-License-Identifier: MIT

package forecast

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
)

// Recorded is an attempt that a journal has: when it was submitted, from the begin
// of the run, and how long it ran.
type Recorded struct {
	Job    *ensemble.Job
	Number int
	At     time.Duration
	Time   time.Duration
	Status ensemble.Status
}

// Policy says how many nodes there are: Nodes from the begin and Most at most. Where
// Most is more than Nodes and there are no rules, there are as many as the jobs ask
// for that wait and run.
type Policy struct {
	Name        string
	Nodes, Most int
	// Rules are those of an ensemble; of what they do, growing and shrinking count.
	Rules     []spec.EnsembleRule
	Heartbeat spec.Duration
}

// ParsePolicy reads N, which is as many nodes all the time, and N-M, which is N from
// the begin and as many as jobs ask for, up to M.
func ParsePolicy(text string) (Policy, error) {
	low, high, ranged := strings.Cut(text, "-")
	n, err := strconv.Atoi(low)
	most := n
	if ranged && err == nil {
		most, err = strconv.Atoi(high)
	}
	if err != nil || n < 1 || most < n {
		return Policy{}, fmt.Errorf("policy %q: want N nodes, N-M nodes by demand, or the FILE of an Ensemble with rules that grow and shrink", text)
	}
	name := "static " + low
	if ranged {
		name = "demand " + text
	}
	return Policy{Name: name, Nodes: n, Most: most}, nil
}

// Replay plays recorded attempts under a policy, each submitted when it was: what
// would have been submitted at another time, because something ended at another, is
// not known. m has all but the nodes.
func Replay(ctx context.Context, recorded []Recorded, p Policy, m Machine) (Result, error) {
	m.Nodes, m.Most, m.Lost = p.Nodes, p.Most, nil
	e := &spec.EnsembleSpec{Heartbeat: p.Heartbeat, Limits: spec.Limits{Time: spec.Duration(1 << 62), Jobs: 1 << 40}}
	of := map[string]*Recorded{}
	var arrivals []arrival
	groups := map[string]bool{}
	for i := range recorded {
		r := &recorded[i]
		job := *r.Job
		job.ID = fmt.Sprintf("%s.%d", job.ID, r.Number)
		job.Policy.Retries = 0
		of[job.ID] = r
		arrivals = append(arrivals, arrival{r.At, &job})
		groups[job.Group] = true
	}
	for _, r := range p.Rules {
		groups[r.Group] = true
		if r.Do.Grow != "" || r.Do.Shrink != "" {
			e.Rules = append(e.Rules, r)
		}
	}
	for g := range groups {
		if g != "" {
			e.Study.Sweeps = append(e.Study.Sweeps, spec.Sweep{Name: g})
		}
	}
	slices.SortFunc(e.Study.Sweeps, func(a, b spec.Sweep) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(min(max(a.at-b.at, -1), 1)) })
	engine, faults := ensemble.NewEngine(e, nil)
	if len(faults) > 0 {
		return Result{}, fmt.Errorf("policy %s: %w", p.Name, &spec.FileError{File: p.Name, Faults: faults})
	}
	model := func(job *ensemble.Job, _ int) (sim.Outcome, error) {
		r := of[job.ID]
		return sim.Outcome{Time: r.Time, Status: r.Status}, nil
	}
	pl, err := newPlayer(engine, &m, model)
	if err != nil {
		return Result{}, err
	}
	pl.arrivals = arrivals
	pl.demand = len(p.Rules) == 0 && p.Most > p.Nodes
	pl.target = p.Nodes
	r, err := pl.play(ctx, func(func(*ensemble.Job, error) bool) {})
	return r, err
}

// arrival is a job that is submitted at its time.
type arrival struct {
	at  time.Duration
	job *ensemble.Job
}

// scale has as many nodes as jobs ask for.
func (p *player) scale() {
	if !p.demand {
		return
	}
	wanted := 0
	for _, a := range p.open {
		wanted += a.job.Shape.Nodes
	}
	wanted = min(max(wanted, p.machine.Nodes), p.machine.Most)
	switch found := p.cluster.Resize(wanted-p.target, p.machine.Growth); {
	case wanted > p.target:
		p.target += found
	case wanted < p.target:
		p.target -= found
	}
}
