// SPDX-License-Identifier: MIT

package forecast

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
	"gonum.org/v1/gonum/stat/distuv"
)

// Times are what tells how long jobs take. They are data, so that a rehearsal can
// keep them.
type Times struct {
	// Table is what somebody says, as [sim.ReadTable] reads it. It goes first.
	Table string `json:"table,omitempty"`
	// Runs are those that were measured.
	Runs []Run `json:"runs,omitempty"`
}

// Run is what one attempt took that succeeded, with what tells its configuration.
type Run struct {
	App         string                `json:"app,omitempty"`
	Variant     string                `json:"variant,omitempty"`
	Environment string                `json:"environment,omitempty"`
	Problem     string                `json:"problem,omitempty"`
	Parameters  map[string]spec.Value `json:"parameters,omitempty"`
	Command     string                `json:"command,omitempty"` // of a plain command
	Nodes       int                   `json:"nodes"`
	Tasks       int                   `json:"tasks"`
	Threads     int                   `json:"threads"`
	// Seconds are the launcher's, from its start to its finish.
	Seconds float64            `json:"seconds"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// FromRecords keeps the records that tell a time: those that succeeded and are not
// simulated themselves.
func FromRecords(records []measure.Record) (runs []Run) {
	for i := range records {
		r := &records[i]
		wall, ok := r.WallTime()
		if r.Status != ensemble.Succeeded || r.Simulated() || !ok {
			continue
		}
		one := Run{
			App: r.App, Variant: r.Variant, Environment: r.Environment, Problem: r.Problem, Parameters: r.Parameters,
			Nodes: r.Nodes, Tasks: r.Tasks, Threads: r.Threads, Seconds: wall,
		}
		if r.App == "" {
			one.Command = r.Command
		}
		for name, v := range r.Metrics {
			if one.Metrics == nil {
				one.Metrics = map[string]float64{}
			}
			one.Metrics[name] = v.Value
		}
		runs = append(runs, one)
	}
	return runs
}

// Source answers how long jobs take. It is not safe for concurrent use.
type Source struct {
	table string
	runs  []Run
	apps  map[string]*spec.Application
	known map[string]*answer // by configuration
}

// answer is what is known of a configuration.
type answer struct {
	seen []*Run // runs of the same
	// law names what the prediction comes from; all of one law err together.
	law        string
	prediction *pattern.Prediction
	err        error
}

// Source reads the times. apps has the applications of the jobs, by name. The error
// is one of the table, and has a [sim.LineError] for each line that is wrong.
func (t *Times) Source(apps map[string]*spec.Application) (*Source, error) {
	s := &Source{table: t.Table, runs: t.Runs, apps: apps, known: map[string]*answer{}}
	_, err := sim.ReadTable(strings.NewReader(t.Table), 0)
	return s, err
}

// Model draws from what is known by a seed. The table goes first, then commands that
// tell their time, then runs of the same configuration, then the pattern of the
// others.
func (s *Source) Model(seed uint64) sim.Model {
	table, _ := sim.ReadTable(strings.NewReader(s.table), seed) // it was read before
	others := sim.Commands(func(job *ensemble.Job, attempt int) (sim.Outcome, error) { return s.draw(job, attempt, seed) })
	return func(job *ensemble.Job, attempt int) (sim.Outcome, error) {
		if o, err := table(job, attempt); err == nil {
			return o, nil
		}
		return others(job, attempt)
	}
}

// Predicted says whether any answer so far is a prediction.
func (s *Source) Predicted() bool {
	for _, a := range s.known {
		if a.prediction != nil {
			return true
		}
	}
	return false
}

func (s *Source) draw(job *ensemble.Job, attempt int, seed uint64) (sim.Outcome, error) {
	key := configuration(job)
	a := s.known[key]
	if a == nil {
		a = s.find(job)
		s.known[key] = a
	}
	switch {
	case a.err != nil:
		return sim.Outcome{}, a.err
	case a.prediction != nil:
		return sim.Outcome{Time: seconds(place(a.prediction, chance(seed, a.law, 0).NormFloat64()))}, nil
	}
	r := a.seen[chance(seed, job.ID, attempt).IntN(len(a.seen))]
	return sim.Outcome{Time: seconds(r.Seconds), Metrics: r.Metrics}, nil
}

// place is the value of a lognormal distribution with the interval of the prediction,
// z standard deviations from its median.
func place(p *pattern.Prediction, z float64) float64 {
	if !(p.Low > 0) || !(p.High > p.Low) {
		return p.Value
	}
	wide := distuv.UnitNormal.Quantile((1 + p.Level) / 2)
	up, down := math.Log(p.High/p.Value)/wide, math.Log(p.Value/p.Low)/wide
	if z > 0 {
		return p.Value * math.Exp(up*z)
	}
	return p.Value * math.Exp(down*z)
}

func chance(seed uint64, what string, attempt int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(what))
	return rand.New(rand.NewPCG(seed, h.Sum64()+uint64(attempt)))
}

func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(s * 1e9)
}

// configuration is equal for jobs that take the same time but for noise.
func configuration(job *ensemble.Job) string {
	return fmt.Sprintf("%q %q %q %q %d %d %d %s %q", job.App, job.Variant, job.Environment, job.Problem, job.Shape.Nodes, job.Shape.Tasks, job.Shape.Threads,
		text(job.Parameters), commandOf(job))
}

// commandOf is the command of a plain one.
func commandOf(job *ensemble.Job) string {
	if job.App != "" {
		return ""
	}
	return strings.Join(job.Launch.Command, " ")
}

func text(parameters map[string]spec.Value) string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		s = append(s, name+"="+parameters[name].String())
	}
	return strings.Join(s, " ")
}

// find looks for runs of the job's configuration, or else for a law of those of
// other sizes.
func (s *Source) find(job *ensemble.Job) *answer {
	a := &answer{}
	places := map[string]bool{}
	var alike []*Run // but for the size
	for i := range s.runs {
		r := &s.runs[i]
		if !s.alike(r, job) {
			continue
		}
		alike = append(alike, r)
		places[r.Environment] = true
		if r.Nodes == job.Shape.Nodes && r.Tasks == job.Shape.Tasks && text(r.Parameters) == text(job.Parameters) {
			a.seen = append(a.seen, r)
		}
	}
	switch {
	case len(places) > 1 && job.Environment == "":
		a.err = fmt.Errorf("how long %s takes is known from several environments (%s): give runs of one", name(job), strings.Join(slices.Sorted(maps.Keys(places)), ", "))
	case len(a.seen) > 0:
	case len(alike) == 0:
		a.err = fmt.Errorf("nothing says how long %s takes: give a run of it (--from RUN), or a line for it in a file of times (--times FILE)", name(job))
	default:
		s.fit(a, job, alike)
	}
	return a
}

// alike says whether a run is of the job's application and problem, whatever the
// size of either where the problem grows with the machine.
func (s *Source) alike(r *Run, job *ensemble.Job) bool {
	if r.App != job.App || r.Variant != job.Variant || r.Threads != job.Shape.Threads || r.Command != commandOf(job) ||
		r.Environment != "" && job.Environment != "" && r.Environment != job.Environment {
		return false
	}
	app := s.apps[job.App]
	for _, m := range []map[string]spec.Value{r.Parameters, job.Parameters} {
		for name := range m {
			if !s.grows(app, name) && r.Parameters[name].String() != job.Parameters[name].String() {
				return false
			}
		}
	}
	return true
}

// grows says whether a parameter follows from the size of the machine.
func (s *Source) grows(app *spec.Application, parameter string) bool {
	if app == nil {
		return false
	}
	role := app.Spec.Parameters[parameter].Role
	return role == spec.RoleProcessGrid || role == spec.RoleProblemSize && app.Spec.Scaling == spec.ScalingWeak
}

// fit asks for a law over nodes, of runs with as many ranks on a node, and then
// over ranks, of runs on as many nodes.
func (s *Source) fit(a *answer, job *ensemble.Job, alike []*Run) {
	shape := job.Shape
	var why []string
	for _, along := range []struct {
		axis pattern.Axis
		n    int
		has  func(*Run) bool
	}{
		{pattern.Nodes, shape.Nodes, func(r *Run) bool { return r.Tasks*shape.Nodes == shape.Tasks*r.Nodes }},
		{pattern.Ranks, shape.Tasks, func(r *Run) bool { return r.Nodes == shape.Nodes }},
	} {
		var seen []pattern.Observation
		for _, r := range alike {
			if along.has(r) {
				seen = append(seen, r.observation())
			}
		}
		for _, series := range pattern.Group(seen, s.apps, pattern.Selection{Metrics: []string{pattern.WallTime}, Axes: []pattern.Axis{along.axis}}) {
			got := series.Fit(pattern.DefaultLevel).At(float64(along.n))
			if got.Prediction != nil && !got.Measured {
				a.prediction = got.Prediction
				a.law = fmt.Sprintf("%q %q %q %q %s", job.App, job.Variant, job.Environment, commandOf(job), along.axis)
				return
			}
			why = append(why, fmt.Sprintf("over %s: %s", along.axis, cmp.Or(got.Refused, "several configurations are mixed")))
		}
	}
	if len(why) == 0 {
		why = []string{"no run has as many ranks on a node, or as many nodes"}
	}
	a.err = fmt.Errorf("how long %s takes cannot be predicted from the runs: %s; give a run of it (--from RUN), or a line for it in a file of times (--times FILE)", name(job), strings.Join(why, "; "))
}

func (r *Run) observation() pattern.Observation {
	return pattern.Observation{
		App: r.App, Variant: r.Variant, Environment: r.Environment, Problem: r.Problem, Parameters: r.Parameters,
		Nodes: r.Nodes, Tasks: r.Tasks, Threads: r.Threads,
		Numbers: map[string]pattern.Number{pattern.WallTime: {Value: r.Seconds, Unit: "s"}},
	}
}

// name says which job it is.
func name(job *ensemble.Job) string {
	at := fmt.Sprintf("on %s with %s", plural(job.Shape.Nodes, "node"), plural(job.Shape.Tasks, "task"))
	if job.App == "" {
		return fmt.Sprintf("%q of group %s %s", commandOf(job), job.Group, at)
	}
	return strings.Join(slices.DeleteFunc([]string{job.App, job.Variant, text(job.Parameters), at}, func(s string) bool { return s == "" }), " ")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
