// SPDX-License-Identifier: MIT

// Package session readies the run of a resolved ensemble: what its study and groups are
// compiled to, and the driver that carries them out. The command line and the agent share
// it, so that a file means the same everywhere.
//
// The steps:
//
//	s, err := session.Prepare(ctx, ensemble, environment)
//	d, err := s.Driver(dir, executor, version)
//	summary, err := d.Run(ctx, s.Plan.Jobs(ensemble))
//	good := s.Good(summary)
package session

import (
	"context"
	"slices"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
)

// Session is a run about to begin.
type Session struct {
	Ensemble *spec.Ensemble
	Plan     *study.Plan      // of the study
	Make     ensemble.Maker   // of groups
	Engine   *ensemble.Engine // of groups and rules
}

// Prepare plans the study and readies groups and rules. adjust, unless it is nil, changes
// each job that groups are made of. An error is one of the input.
func Prepare(ctx context.Context, e *spec.Ensemble, environment string, adjust func(*ensemble.Job)) (*Session, error) {
	s := &Session{Ensemble: e}
	var err error
	if s.Plan, err = study.New(ctx, &e.Spec, environment); err != nil {
		return nil, err
	}
	s.Make = study.Maker(ctx, e)
	if adjust != nil {
		s.Make = adjusted(s.Make, adjust)
	}
	var faults []spec.Fault
	if s.Engine, faults = ensemble.NewEngine(&e.Spec, s.Make); len(faults) > 0 {
		return nil, &spec.FileError{File: "ensemble", Faults: faults}
	}
	return s, nil
}

func adjusted(make ensemble.Maker, adjust func(*ensemble.Job)) ensemble.Maker {
	return func(g *spec.Group, parameters map[string]spec.Value, serial, count int) ([]*ensemble.Job, error) {
		jobs, err := make(g, parameters, serial, count)
		for _, j := range jobs {
			adjust(j)
		}
		return jobs, err
	}
}

// Steered says whether anything but the study decides what runs.
func (s *Session) Steered() bool {
	e := &s.Ensemble.Spec
	return len(e.Groups)+len(e.Rules) > 0 || e.Keep || e.Heartbeat > 0 || e.Limits != (spec.Limits{})
}

// Hooks are the commands around the whole run.
func (s *Session) Hooks() (before, after [][]string) {
	study, groups := &s.Ensemble.Spec.Study.Run, &s.Ensemble.Spec.Run
	return slices.Concat(study.BeforeRun, groups.BeforeRun), slices.Concat(study.AfterRun, groups.AfterRun)
}

// Driver makes the driver of the run in a directory. It judges jobs by their output.
func (s *Session) Driver(dir run.Dir, x run.Executor, version string) (d *run.Driver, err error) {
	d = &run.Driver{Dir: dir, Executor: x, Version: version}
	d.Before, d.After = s.Hooks()
	if s.Steered() {
		d.Engine = s.Engine
	}
	if d.Judge, err = run.NewJudge(s.Ensemble.Spec.Applications); err != nil {
		return nil, err
	}
	d.Enough, err = measure.Enough(dir, s.Ensemble)
	return d, err
}

// Good says whether a run did what it was to: as a rule said that ended it, or all jobs
// succeeded that were needed. It did not where a rule is faulty.
func (s *Session) Good(sum run.Summary) bool {
	if s.Engine.Faulty() {
		return false
	}
	switch outcome, _ := s.Engine.Ended(); outcome {
	case spec.Success:
		return true
	case spec.Failure:
		return false
	}
	return sum.Status[ensemble.Succeeded]+sum.Omitted == sum.Jobs
}
