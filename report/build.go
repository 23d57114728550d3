// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// Options say how to build a report.
type Options struct {
	// Level is the confidence level of intervals as a fraction. The default is
	// 0.95.
	Level float64
}

// The flags that decide how a record is counted.
const (
	flagNoisy     = "noisy"
	flagNotNeeded = "not-needed"
)

// Build groups records into a report. apps has the applications by name; one
// that is missing is taken to scale strongly, to have no time of its own and no
// figure of merit.
func Build(records []measure.Record, apps map[string]*spec.Application, opts Options) *Report {
	if opts.Level == 0 {
		opts.Level = stats.DefaultLevel
	}
	records = slices.Clone(records)
	for i := range records { // a plain command is told by its group
		records[i].App = cmp.Or(records[i].App, records[i].Group)
	}
	slices.SortStableFunc(records, compareRecords)
	r := &Report{Level: opts.Level}
	recovered := r.count(records)

	byApp := map[string][]*measure.Record{}
	for i := range records {
		rec := &records[i]
		for _, f := range flags(rec) {
			if r.Counts.Flags == nil {
				r.Counts.Flags = map[string]int{}
			}
			r.Counts.Flags[f]++
		}
		if rec.Status == ensemble.Succeeded {
			byApp[rec.App] = append(byApp[rec.App], rec)
		} else if !slices.Contains(rec.Flags, flagNotNeeded) {
			r.Failures = append(r.Failures, failure(rec, recovered[i]))
		}
		if !rec.Times.Start.IsZero() && rec.Times.Finish.After(rec.Times.Start) {
			r.Jobs = append(r.Jobs, job(rec))
		}
	}
	slices.SortStableFunc(r.Jobs, func(a, b Job) int { return a.Start.Compare(b.Start) })
	for _, name := range slices.Sorted(maps.Keys(byApp)) {
		r.Applications = append(r.Applications, newBuilder(name, apps[name], byApp[name], opts).build())
	}
	return r
}

// compareRecords orders records by what they are, so that the order in which
// they were read does not matter.
func compareRecords(a, b measure.Record) int {
	return cmp.Or(
		cmp.Compare(a.App, b.App), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Environment, b.Environment),
		cmp.Compare(a.Problem, b.Problem), cmp.Compare(a.Tasks, b.Tasks), cmp.Compare(a.Nodes, b.Nodes),
		cmp.Compare(repetition(&a), repetition(&b)), cmp.Compare(a.Job, b.Job),
		moment(&a).Compare(moment(&b)), cmp.Compare(a.Attempt, b.Attempt),
		cmp.Compare(a.File, b.File), cmp.Compare(a.RunID, b.RunID),
	)
}

// moment is when the attempt was under way, as well as the record can tell.
func moment(rec *measure.Record) time.Time {
	for _, t := range []time.Time{rec.Times.Start, rec.Times.Submit} {
		if !t.IsZero() {
			return t
		}
	}
	return rec.Times.Finish
}

func repetition(rec *measure.Record) int {
	if rec.Iteration == nil {
		return 0
	}
	return *rec.Iteration
}

// count fills in the sums and tells for each record whether a later attempt of
// its trial succeeded. The attempts of a trial have rising numbers; the same
// number again is the trial in another run.
func (r *Report) count(records []measure.Record) (recovered []bool) {
	type trial struct {
		attempts  []int // indices of records
		last      int
		succeeded bool
	}
	var trials []*trial
	open := map[string]*trial{}
	for i := range records {
		rec := &records[i]
		t := open[rec.Job]
		if t == nil || rec.Job == "" || rec.Attempt <= t.last {
			t = &trial{}
			trials = append(trials, t)
			open[rec.Job] = t
		}
		t.attempts, t.last = append(t.attempts, i), rec.Attempt
		if rec.Status == ensemble.Succeeded {
			t.succeeded = true
			if slices.Contains(rec.Flags, flagNoisy) {
				r.Counts.Noisy++
			}
		}
	}
	recovered = make([]bool, len(records))
	for _, t := range trials {
		for _, i := range t.attempts {
			recovered[i] = t.succeeded
		}
		switch last := records[t.attempts[len(t.attempts)-1]]; {
		case t.succeeded:
			r.Counts.Succeeded++
		case slices.Contains(last.Flags, flagNotNeeded):
			r.Counts.Unneeded++
		case last.Status.Settles():
			r.Counts.Failed++
		default:
			r.Counts.Unfinished++
		}
	}
	r.Counts.Trials, r.Counts.Attempts = len(trials), len(records)
	return recovered
}

func failure(rec *measure.Record, recovered bool) Failure {
	return Failure{
		App: rec.App, Variant: rec.Variant, Environment: rec.Environment, Problem: rec.Problem,
		Nodes: rec.Nodes, Ranks: rec.Tasks, Trial: trialID(rec), Attempt: rec.Attempt,
		Status: rec.Status, Reason: rec.Reason, ExitCode: rec.ExitCode, Flags: flags(rec), Recovered: recovered,
	}
}

// fruitless are the applications that ran and never succeeded.
func (r *Report) fruitless() (names []string) {
	for _, f := range r.Failures { // by application
		known := slices.ContainsFunc(r.Applications, func(a Application) bool { return a.Name == f.App })
		if f.App != "" && !known && !slices.Contains(names, f.App) {
			names = append(names, f.App)
		}
	}
	return names
}

func job(rec *measure.Record) Job {
	return Job{
		App: rec.App, Variant: rec.Variant, Environment: rec.Environment, Problem: rec.Problem,
		Nodes: rec.Nodes, Ranks: rec.Tasks, Trial: trialID(rec), Attempt: rec.Attempt,
		Status: rec.Status, Reason: rec.Reason, Flags: flags(rec),
		Start: rec.Times.Start, Finish: rec.Times.Finish,
	}
}

// flags are those of a record, each once, in order.
func flags(rec *measure.Record) []string {
	return slices.Compact(slices.Sorted(slices.Values(rec.Flags)))
}

// trialID names the trial as well as the record can.
func trialID(rec *measure.Record) string {
	return cmp.Or(rec.Trial, rec.Job, rec.RunID, rec.File)
}

// builder makes one application's part of a report.
type builder struct {
	app     Application
	spec    *spec.ApplicationSpec
	records []*measure.Record
	level   float64
}

func newBuilder(name string, app *spec.Application, records []*measure.Record, opts Options) *builder {
	b := &builder{app: Application{Name: name, Scaling: spec.ScalingStrong}, spec: &spec.ApplicationSpec{}, records: records, level: opts.Level}
	if app != nil {
		b.spec = &app.Spec
	}
	if b.spec.Scaling != "" {
		b.app.Scaling = b.spec.Scaling
	}
	return b
}

func (b *builder) build() Application {
	b.chooseTime()
	b.chooseMerits()
	groups := b.group()
	settings := make([]Setting, len(groups))
	for i, g := range groups {
		settings[i] = g.setting
	}
	label(settings)
	for i, g := range groups {
		b.app.Series = append(b.app.Series, b.series(settings[i], g))
	}
	b.warnOfBases()
	b.app.Curves = curves(groups, settings)
	return b.app
}

// chooseTime decides which time the application is measured by: its own where
// any record holds it, else the launcher's.
func (b *builder) chooseTime() {
	b.app.Time = Quantity{Name: WallTime, Unit: "s", Better: spec.BetterLower}
	i := slices.IndexFunc(b.spec.Output.Metrics, func(m spec.Metric) bool { return m.Role == spec.RoleApplicationTime })
	if i < 0 {
		return
	}
	m := b.spec.Output.Metrics[i]
	for _, rec := range b.records {
		if v, ok := rec.Metrics[m.Name]; ok {
			b.app.Time.Name = m.Name
			if _, ok := measure.Seconds(v); !ok {
				b.app.Time.Unit = v.Unit
			}
			return
		}
	}
	b.app.Warnings = append(b.app.Warnings, fmt.Sprintf("no record holds %s, the application's own time: the launcher's wall time is shown", m.Name))
}

// chooseMerits lists the figures of merit that some record holds. The unit is
// that of the first record.
func (b *builder) chooseMerits() {
	for _, m := range b.spec.Output.Metrics {
		if m.Role != spec.RoleFigureOfMerit || slices.ContainsFunc(b.app.Merits, func(q Quantity) bool { return q.Name == m.Name }) {
			continue
		}
		for _, rec := range b.records {
			if v, ok := rec.Metrics[m.Name]; ok {
				b.app.Merits = append(b.app.Merits, Quantity{Name: m.Name, Unit: v.Unit, Better: m.Better})
				break
			}
		}
	}
}

// time gives the record's time in the unit of the application's Time.
func (b *builder) time(rec *measure.Record) (float64, bool) {
	if b.app.Time.Name == WallTime {
		return rec.WallTime()
	}
	v, ok := rec.Metrics[b.app.Time.Name]
	if !ok {
		return 0, false
	}
	if b.app.Time.Unit == "s" {
		return measure.Seconds(v)
	}
	return v.Value, stats.Usable(v.Value) && v.Unit == b.app.Time.Unit
}
