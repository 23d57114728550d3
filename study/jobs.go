// SPDX-License-Identifier: MIT

package study

import (
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// The defaults of a run policy.
const (
	defaultBusy = 0.1
	defaultWait = 30 * time.Second
)

// Jobs renders the trials of a plan into jobs, in their order.
func (p *Plan) Jobs(e *spec.Ensemble) iter.Seq2[*ensemble.Job, error] {
	apps := map[string]*spec.Application{}
	for i := range e.Spec.Applications {
		a := &e.Spec.Applications[i]
		apps[a.Metadata.Name] = a
	}
	return func(yield func(*ensemble.Job, error) bool) {
		for t := range p.Trials() {
			job, err := newJob(e.Metadata.Name, &t, apps[t.App], p.Policy(t.Group))
			if !yield(job, err) || err != nil {
				return
			}
		}
	}
}

// newJob resolves one trial.
func newJob(name string, t *Trial, app *spec.Application, policy spec.RunPolicy) (*ensemble.Job, error) {
	v, err := catalog.Variant(app, t.Variant)
	if err != nil {
		return nil, err
	}
	r, err := catalog.Render(app, v, t.Config())
	if err != nil {
		return nil, fmt.Errorf("trial %s: %w", t.ID, err)
	}
	return &ensemble.Job{
		ID: t.ID, Ensemble: name, Group: t.Group,
		App: t.App, Variant: t.Variant, Environment: t.Environment,
		Problem: r.Problem, Parameters: t.Parameters, Repetition: t.Repetition, Cell: t.Cell, Until: t.Until,
		Shape: ensemble.Shape{
			Nodes: t.Nodes, Tasks: t.Tasks, Threads: t.Threads, CoresPerTask: t.CoresPerTask,
			MapBy: t.MapBy, BindTo: t.BindTo,
		},
		Launch: ensemble.Launch{
			MPI: v.MPI, Profile: profileOf(policy, v.MPI, t.Repetition), Image: v.Image, Command: r.Command, Before: policy.BeforeJob, Prepare: r.Prepare, After: policy.AfterJob,
			Services: r.Services, Env: r.Env, Files: r.Files, Collect: app.Spec.Output.Collect,
		},
		Policy: policyOf(policy),
	}, nil
}

// policyOf fills in what a file leaves out.
func policyOf(p spec.RunPolicy) ensemble.Policy {
	out := ensemble.Policy{
		Timeout: time.Duration(p.Timeout), Sample: time.Duration(p.Sample),
		Busy: defaultBusy, IdleWait: defaultWait,
	}
	if p.Retries != nil {
		out.Retries = *p.Retries
	}
	if p.Shared != nil {
		out.Shared = *p.Shared
	}
	if p.Oversubscribe != nil {
		out.Oversubscribe = *p.Oversubscribe
	}
	if p.Noise.Busy > 0 {
		out.Busy = p.Noise.Busy
	}
	if p.Noise.Wait != nil {
		out.IdleWait = time.Duration(*p.Noise.Wait)
	}
	return out
}

// profileOf says what is measured inside of one repetition, counted from 1. Those
// that are profiled are spread evenly, the last of them always among them: the
// first often finds cold caches.
func profileOf(p spec.RunPolicy, mpi spec.MPI, repetition int) spec.Profile {
	share := p.ProfileShare
	if share == 0 {
		share = 1
	}
	n := float64(max(repetition, 1))
	if p.Profile != spec.ProfileMPI || mpi == spec.NoMPI || math.Floor(n*share+1e-9) == math.Floor((n-1)*share+1e-9) {
		return ""
	}
	return spec.ProfileMPI
}
