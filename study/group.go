// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// Maker makes the jobs of an ensemble's groups. A group of an application is a
// sweep of one point, and its jobs are repetitions of that trial.
//
// A maker is a function of what it is given: that a run is cancelled is no error of
// a parameter.
func Maker(ctx context.Context, e *spec.Ensemble) ensemble.Maker {
	ctx = context.WithoutCancel(ctx)
	return func(g *spec.Group, parameters map[string]spec.Value, serial, count int) ([]*ensemble.Job, error) {
		if g.App == "" {
			return commandJobs(e, g, serial, count), nil
		}
		jobs, err := trialJobs(ctx, e, g, parameters, serial, count)
		for _, j := range jobs {
			j.Partition = g.Partition
		}
		return jobs, ofGroup(err, e, g)
	}
}

// ofGroup puts the faults of a sweep of one point where the file has the group.
func ofGroup(err error, e *spec.Ensemble, g *spec.Group) error {
	var wrong *spec.FileError
	if !errors.As(err, &wrong) {
		return err
	}
	k := slices.IndexFunc(e.Spec.Groups, func(other spec.Group) bool { return other.Name == g.Name })
	at := spec.Path("spec").Key("groups").Index(k)
	out := &spec.FileError{File: wrong.File}
	for _, f := range wrong.Faults {
		rest := strings.TrimPrefix(string(f.Path), "spec.study.sweeps[0]")
		rest = strings.Replace(strings.Replace(rest, ".apps", ".app", 1), ".variants", ".variant", 1)
		f.Path = at + spec.Path(rest)
		out.Faults = append(out.Faults, f)
	}
	return out
}

func trialJobs(ctx context.Context, e *spec.Ensemble, g *spec.Group, parameters map[string]spec.Value, serial, count int) ([]*ensemble.Job, error) {
	p, err := New(ctx, &spec.EnsembleSpec{Applications: e.Spec.Applications, Study: sweepOf(e, g, parameters)}, "")
	if err != nil {
		return nil, err
	}
	s := p.sweeps[0]
	row := make([]int, len(s.factors))
	if !s.point(0, row) {
		return nil, fmt.Errorf("group %s has no trial", g.Name)
	}
	var m maker
	jobs := make([]*ensemble.Job, count)
	for i := range jobs {
		t := m.trial(s, row, serial+i+1)
		if jobs[i], err = newJob(e.Metadata.Name, &t, s.apps[0].def, s.policy); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// sweepOf is a study of one point.
func sweepOf(e *spec.Ensemble, g *spec.Group, parameters map[string]spec.Value) spec.StudySpec {
	one := func(v any) *spec.Axis { return &spec.Axis{Values: []spec.Value{spec.Of(v)}} }
	w := spec.Sweep{Name: g.Name, Apps: *one(g.App), Run: g.Run}
	if g.Variant != "" {
		w.Variants = one(g.Variant)
	}
	w.Nodes, w.Tasks, w.Threads, w.CoresPerTask = one(g.Nodes), one(g.Tasks), one(g.Threads), one(g.CoresPerTask)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if w.Parameters == nil {
			w.Parameters = map[string]spec.Axis{}
		}
		w.Parameters[name] = spec.Axis{Values: []spec.Value{parameters[name]}}
	}
	return spec.StudySpec{Run: e.Spec.Run, Sweeps: []spec.Sweep{w}}
}

// commandJobs are those of a plain command.
func commandJobs(e *spec.Ensemble, g *spec.Group, serial, count int) []*ensemble.Job {
	policy := merge(e.Spec.Run, g.Run)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(g.Env)) {
		env = append(env, name+"="+g.Env[name])
	}
	jobs := make([]*ensemble.Job, count)
	for i := range jobs {
		what := []any{g.Name, list(g.Command), env, g.MPI, g.Nodes, g.Tasks, g.Threads, g.CoresPerTask,
			list(policy.BeforeJob), list(policy.AfterJob), serial + i + 1}
		if g.Workdir != "" { // jobs without one have the IDs that they had
			what = append(what, g.Workdir)
		}
		id := sha256.Sum256([]byte(digest(what...)))
		jobs[i] = &ensemble.Job{
			ID: hex.EncodeToString(id[:8]), Ensemble: e.Metadata.Name, Group: g.Name, Repetition: serial + i + 1, Partition: g.Partition,
			Shape: ensemble.Shape{Nodes: g.Nodes, Tasks: g.Tasks, Threads: g.Threads, CoresPerTask: g.CoresPerTask},
			Launch: ensemble.Launch{
				MPI: g.MPI, Profile: profileOf(policy, g.MPI, serial+i+1), Command: g.Command, Workdir: g.Workdir,
				Before: policy.BeforeJob, After: policy.AfterJob, Env: env,
			},
			Policy: policyOf(policy),
		}
	}
	return jobs
}

// checkSteering lists what is wrong with the groups and the rules of an ensemble
// beyond what its file alone tells.
func checkSteering(ctx context.Context, e *spec.Ensemble) ([]spec.Fault, error) {
	make := Maker(ctx, e)
	_, faults := ensemble.NewEngine(&e.Spec, make)
	for i := range e.Spec.Groups {
		g, at := &e.Spec.Groups[i], spec.Path("spec").Key("groups").Index(i)
		var wrong *spec.FileError
		switch _, err := make(g, g.Parameters, 0, 1); {
		case errors.As(err, &wrong):
			faults = append(faults, wrong.Faults...)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			faults = append(faults, spec.Faultf(at, "%v", err))
		}
	}
	apps := map[string]*spec.Application{}
	for i := range e.Spec.Applications {
		apps[e.Spec.Applications[i].Metadata.Name] = &e.Spec.Applications[i]
	}
	for i := range e.Spec.Rules {
		do := &e.Spec.Rules[i].Do
		k := slices.IndexFunc(e.Spec.Groups, func(g spec.Group) bool { return g.Name == do.Submit })
		if k < 0 || apps[e.Spec.Groups[k].App] == nil {
			continue
		}
		app := apps[e.Spec.Groups[k].App]
		for _, name := range slices.Sorted(maps.Keys(do.Parameters)) {
			if _, ok := app.Spec.Parameters[name]; !ok {
				faults = append(faults, spec.Faultf(spec.Path("spec").Key("rules").Index(i).Key("do").Key("parameters").Key(name),
					"%s", spec.Unknown("parameter of "+app.Metadata.Name, name, slices.Sorted(maps.Keys(app.Spec.Parameters)))))
			}
		}
	}
	return faults, nil
}
