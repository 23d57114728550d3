// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// The defaults of an ensemble's limits.
const (
	defaultTime = 24 * time.Hour
	defaultJobs = 100_000
)

// Maker makes the jobs of a submission. serial is how many jobs the group had
// before, which tells jobs apart that are alike. An error is one of the parameters.
type Maker func(group *spec.Group, parameters map[string]spec.Value, serial, count int) ([]*Job, error)

// Engine decides what an ensemble does: events in, actions out. It has no clock
// but the times of events, and the same events give the same actions, so that a
// journal tells what was decided.
//
// It is not safe for concurrent use.
type Engine struct {
	spec    *spec.EnsembleSpec
	make    Maker
	groups  map[string]*spec.Group
	rules   []*rule
	tallies map[string]*tally
	follows map[string]*follow // jobs that are not done with

	waiting []*spec.Group // that come after others
	stopped map[string]bool
	nodes   int // of the member
	began   time.Time
	last    time.Time     // of the events so far
	gaps    time.Duration // between sessions
	beaten  time.Time     // the last heartbeat
	beat    int
	jobs    int
	used    usage
	ended   spec.Outcome
	why     string
}

// usage adds up node-seconds: those of jobs that ended, and of those that run by
// the sums of their nodes and of nodes times their start.
type usage struct{ done, nodes, starts float64 }

func (u usage) until(seconds float64) float64 { return u.done + u.nodes*seconds - u.starts }

// An Action is what is to be done, by a rule or because a group is ready.
type Action struct {
	// Rule is its name; empty where none decided.
	Rule string
	// Submit are jobs to submit, in order.
	Submit []*Job
	// Cancel are jobs to cancel: one that was not submitted never will be.
	Cancel []string
	// Grow is how many nodes to add; below zero it is how many to give back.
	Grow int
	// Urgency is that of pending jobs of a group; nil changes none.
	Urgency *spec.Urgency
	// Note tells the action in words.
	Note string
}

// NewEngine makes the engine of an ensemble whose file is at the path spec. Groups
// that sweeps of a study make can be named by rules like any other.
func NewEngine(e *spec.EnsembleSpec, maker Maker) (*Engine, []spec.Fault) {
	g := &Engine{nodes: 1, spec: e, make: maker, groups: map[string]*spec.Group{}, tallies: map[string]*tally{},
		follows: map[string]*follow{}, stopped: map[string]bool{}}
	var names []string
	for i := range e.Groups {
		group := &e.Groups[i]
		g.groups[group.Name] = group
		names = append(names, group.Name)
	}
	for i := range e.Study.Sweeps {
		names = append(names, e.Study.Sweeps[i].Name)
	}
	for _, name := range names {
		g.tallies[name] = &tally{}
	}
	var faults []spec.Fault
	for i := range e.Rules {
		r, wrong := compileRule(&e.Rules[i], spec.Path("spec").Key("rules").Index(i), names)
		g.rules, faults = append(g.rules, r), append(faults, wrong...)
	}
	return g, faults
}

// occurrence is an event with what it means.
type occurrence struct {
	time     time.Time // of the event
	now      time.Time // the latest of any so far
	triggers []spec.Trigger
	job      string
	group    string
	status   Status
	metrics  map[string]float64

	ran, waited          bool
	runTime, pendingTime float64 // in seconds
}

func (o *occurrence) is(t spec.Trigger) bool { return slices.Contains(o.triggers, t) }

// Apply takes in an event and decides. Events of one run have to come in the order
// of its journal.
func (g *Engine) Apply(e Event) []Action {
	o, first := g.take(e)
	if o == nil || g.ended != "" {
		return nil
	}
	if why := g.exceeded(o.now); why != "" {
		return []Action{g.end(spec.Failure, why, "")}
	}
	var actions []Action
	if first {
		actions = g.ready(o, true)
	}
	v := &view{Engine: g, event: o}
	for _, r := range g.rules {
		if g.ended != "" || !r.due(v) {
			continue
		}
		if a := g.carryOut(r, v); a != nil {
			actions = append(actions, *a)
		}
	}
	if g.ended == "" {
		actions = append(actions, g.ready(o, false)...)
	}
	return actions
}

// take brings the counts up to date; nil is an event that no rule is about.
func (g *Engine) take(e Event) (o *occurrence, first bool) {
	// Events of jobs that end side by side can be a moment out of order: the clock
	// of rules does not go back.
	last := g.last
	if e.Time.After(last) {
		g.last = e.Time
	}
	o = &occurrence{time: e.Time, now: g.last, job: e.Job, metrics: e.Metrics, status: e.Status}
	switch e.Name {
	case RunStart, Resize:
		if e.Nodes > 0 || e.Name == Resize {
			g.nodes = e.Nodes
		}
	}
	switch e.Name {
	case RunStart:
		if first = g.began.IsZero(); !first {
			g.resume(max(0, e.Time.Sub(last)))
			return nil, false
		}
		g.began, g.beaten = e.Time, e.Time
		o.triggers = []spec.Trigger{spec.OnStart}
		return o, true
	case Heartbeat:
		g.beat++
		g.beaten = e.Time
		o.triggers = []spec.Trigger{spec.OnHeartbeat, spec.OnMetric}
		return o, false
	case Resize:
		o.triggers = []spec.Trigger{spec.OnMetric}
		return o, false
	}
	f := g.follows[e.Job]
	if f == nil && e.Name == Submit && e.Group != "" && g.tallies[e.Group] != nil { // a trial of the study
		f = g.follow(e.Job, e.Group, e.Nodes, e.Time)
	}
	if f == nil {
		return nil, false
	}
	o.group = f.group
	switch e.Name {
	case Submit:
		o.triggers = []spec.Trigger{spec.OnSubmit, spec.OnMetric}
	case Start:
		g.started(f, o)
	case Finish:
		g.finished(f, o)
	case Omit:
		g.drop(f, o)
		g.tallies[f.group].cancelled++
		o.status, o.triggers = Cancelled, []spec.Trigger{spec.OnFinish, spec.OnMetric}
	}
	return o, false
}

// resume goes on behind a gap between sessions, in which nobody knows yet whether
// jobs ran: one that is found lost did not, and one that ended otherwise did.
func (g *Engine) resume(gap time.Duration) {
	g.gaps += gap
	g.used.starts += g.used.nodes * gap.Seconds()
	for _, f := range g.follows {
		if f.running {
			f.gaps += gap
		}
	}
}

// follow begins to follow a job.
func (g *Engine) follow(job, group string, nodes int, asked time.Time) *follow {
	f := &follow{group: group, nodes: max(nodes, 1), asked: asked}
	g.follows[job] = f
	t := g.tallies[group]
	t.submitted++
	t.pending++
	g.jobs++
	return f
}

func (g *Engine) started(f *follow, o *occurrence) {
	t := g.tallies[f.group]
	t.pending--
	t.running++
	f.running, f.started = true, o.time
	o.pendingTime, o.waited = max(0, o.time.Sub(f.asked).Seconds()), true
	t.pendingTime.Add(o.pendingTime)
	g.used.nodes += float64(f.nodes)
	g.used.starts += float64(f.nodes) * o.time.Sub(g.began).Seconds()
	o.triggers = []spec.Trigger{spec.OnJobStart, spec.OnMetric}
}

// halt brings the counts of a job that ran, or did not, to where it does not.
func (g *Engine) halt(f *follow, o *occurrence) {
	t := g.tallies[f.group]
	if !f.running {
		t.pending--
		return
	}
	t.running--
	f.running = false
	o.runTime, o.ran = max(0, o.time.Sub(f.started).Seconds()), true
	g.used.nodes -= float64(f.nodes)
	g.used.starts -= float64(f.nodes) * (f.started.Sub(g.began) + f.gaps).Seconds()
	if o.status == Lost {
		o.runTime = max(0, o.runTime-f.gaps.Seconds())
	}
	g.used.done += float64(f.nodes) * o.runTime
	f.gaps = 0
}

// drop ceases to follow a job.
func (g *Engine) drop(f *follow, o *occurrence) {
	g.halt(f, o)
	delete(g.follows, o.job)
}

func (g *Engine) finished(f *follow, o *occurrence) {
	t := g.tallies[f.group]
	if o.status.Settles() {
		f.tries++
	}
	if o.status != Succeeded && (!o.status.Settles() || f.tries <= g.retries(f.group)) {
		g.halt(f, o) // it is tried again
		t.pending++
		f.asked = o.time
		return
	}
	g.drop(f, o)
	t.finished++
	if o.ran {
		t.runTime.Add(o.runTime)
	}
	for name, x := range o.metrics {
		t.metric(name).Add(x)
	}
	o.triggers = []spec.Trigger{spec.OnFinish, spec.OnFail, spec.OnMetric}
	if o.status == Succeeded {
		t.succeeded++
		o.triggers[1] = spec.OnSucceed
	} else {
		t.failed++
	}
}

func (g *Engine) retries(group string) int {
	policy := g.spec.Run
	if own := g.groups[group]; own != nil {
		if own.Run.Retries != nil {
			return *own.Run.Retries
		}
	} else {
		policy = g.spec.Study.Run
		for i := range g.spec.Study.Sweeps {
			if w := &g.spec.Study.Sweeps[i]; w.Name == group && w.Run.Retries != nil {
				return *w.Run.Retries
			}
		}
	}
	if policy.Retries != nil {
		return *policy.Retries
	}
	return 0
}

// carryOut makes the action of a rule; nil is none, of a rule that is broken or
// whose action has no value yet.
func (g *Engine) carryOut(r *rule, v *view) *Action {
	a := &Action{Rule: r.Name}
	do := &r.Do
	var err error
	switch {
	case do.Check != "" && g.tallies[do.Check].open() > 0:
		return nil // one at a time is enough
	case do.Submits() != "":
		err = g.ruleSubmits(r, v, a)
	case do.Cancel != "" || do.Stop != "":
		group := do.Cancel + do.Stop
		g.stopped[group] = g.stopped[group] || do.Stop != ""
		a.Cancel = g.open(group)
		a.Note = fmt.Sprintf("cancel %s of %s", plural(len(a.Cancel), "job"), group)
		if do.Stop != "" {
			a.Note = fmt.Sprintf("stop %s, with %s", group, plural(len(a.Cancel), "job"))
		}
	case r.grow != nil:
		a.Grow, err = whole(r.grow, v)
		a.Note = fmt.Sprintf("grow by %s", plural(a.Grow, "node"))
	case r.shrink != nil:
		a.Grow, err = whole(r.shrink, v)
		a.Note, a.Grow = fmt.Sprintf("shrink by %s", plural(a.Grow, "node")), -a.Grow
	case do.Urgency != nil:
		a.Urgency = do.Urgency
		a.Note = fmt.Sprintf("urgency %d for %s", do.Urgency.Value, do.Urgency.Group)
	case do.Finish != "":
		end := g.end(do.Finish, "rule "+r.Name, r.Name)
		a = &end
	}
	if !r.tried(err, v.event) {
		return nil
	}
	return a
}

// whole evaluates an expression for a number of nodes or jobs.
func whole(x *expression, v *view) (int, error) {
	n, err := x.number(v)
	switch {
	case err != nil:
	case n != math.Trunc(n) || n < 0:
		err = x.wrong("%s gives %v, want a whole number of 0 or more", x.text, n)
	case n > math.MaxInt32:
		err = x.wrong("%s gives %v, want %d at most", x.text, n, math.MaxInt32)
	}
	return int(n), err
}

func (g *Engine) ruleSubmits(r *rule, v *view, a *Action) error {
	group := g.groups[r.Do.Submits()]
	count := group.Count
	if r.count != nil {
		var err error
		if count, err = whole(r.count, v); err != nil {
			return err
		}
	}
	parameters := maps.Clone(group.Parameters)
	var said []string
	for _, name := range slices.Sorted(maps.Keys(r.parameters)) {
		x, err := r.parameters[name].value(v)
		if err != nil {
			return err
		}
		if parameters == nil {
			parameters = map[string]spec.Value{}
		}
		parameters[name] = x
		said = append(said, " "+name+"="+x.String())
	}
	if g.stopped[group.Name] {
		a.Note = fmt.Sprintf("submit nothing of %s, which was stopped", group.Name)
		return nil
	}
	if err := g.submit(group, parameters, count, v.event, strings.Join(said, ""), a); err != nil {
		return r.refused(err)
	}
	if r.Do.Check != "" && g.ended == "" {
		a.Note = fmt.Sprintf("check %s, with %s", group.Name, plural(count, "job"))
	}
	return nil
}

// submit makes jobs, or ends the run where they are too many.
func (g *Engine) submit(group *spec.Group, parameters map[string]spec.Value, count int, o *occurrence, said string, a *Action) error {
	if most := g.mostJobs(); count > most-g.jobs {
		*a = g.end(spec.Failure, fmt.Sprintf("the limit of %s", plural(most, "job")), a.Rule)
		return nil
	}
	jobs, err := g.make(group, parameters, g.tallies[group.Name].submitted, count)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		g.follow(j.ID, group.Name, j.Shape.Nodes, o.time)
	}
	a.Submit = jobs
	a.Note = fmt.Sprintf("submit %s of %s%s", plural(count, "job"), group.Name, said)
	return nil
}

func (g *Engine) mostJobs() int {
	if g.spec.Limits.Jobs > 0 {
		return g.spec.Limits.Jobs
	}
	return defaultJobs
}

func (g *Engine) mostTime() time.Duration {
	if d := time.Duration(g.spec.Limits.Time); d > 0 {
		return d
	}
	return defaultTime
}

// ready submits the groups that no rule submits: at the start those that come
// after nothing, and then others when they can.
func (g *Engine) ready(o *occurrence, start bool) (actions []Action) {
	candidates := g.waiting
	if g.waiting = nil; start {
		for i := range g.spec.Groups {
			if group := &g.spec.Groups[i]; !g.byRule(group.Name) {
				candidates = append(candidates, group)
			}
		}
	}
	for _, group := range candidates {
		if slices.ContainsFunc(group.After, func(name string) bool { return !g.succeeded(name) }) {
			g.waiting = append(g.waiting, group)
			continue
		}
		if g.ended != "" || g.stopped[group.Name] {
			continue
		}
		a := Action{}
		if err := g.submit(group, group.Parameters, group.Count, o, "", &a); err != nil {
			a = g.end(spec.Failure, err.Error(), "") // it was checked with the file
		}
		actions = append(actions, a)
	}
	return actions
}

// byRule says whether a rule submits a group.
func (g *Engine) byRule(group string) bool {
	return slices.ContainsFunc(g.rules, func(r *rule) bool { return r.Do.Submits() == group })
}

// succeeded says whether a group was submitted and all its jobs succeeded.
func (g *Engine) succeeded(group string) bool {
	t := g.tallies[group]
	return t.submitted > 0 && t.succeeded == t.submitted
}

// open lists the jobs of a group that are not done with; of no group, all.
func (g *Engine) open(group string) (ids []string) {
	for id, f := range g.follows {
		if group == "" || f.group == group {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// end ends the run.
func (g *Engine) end(outcome spec.Outcome, why, rule string) Action {
	g.ended, g.why = outcome, why
	a := Action{Rule: rule, Cancel: g.open(""), Note: "finish with " + string(outcome)}
	if why != "rule "+rule {
		a.Note += ": " + why
	}
	return a
}

// exceeded names a limit that the run is beyond.
func (g *Engine) exceeded(now time.Time) string {
	if most := g.mostTime(); g.elapsed(now) >= most {
		return fmt.Sprintf("the limit of %v", most)
	}
	if most := g.mostJobs(); g.jobs > most { // by trials of a study
		return fmt.Sprintf("the limit of %s", plural(most, "job"))
	}
	if most := g.spec.Limits.NodeHours; most > 0 && g.used.until(now.Sub(g.began).Seconds()) >= most*3600 {
		return fmt.Sprintf("the limit of %v node-hours", most)
	}
	return ""
}

// elapsed is how long the run has taken; between sessions it does not go on.
func (g *Engine) elapsed(now time.Time) time.Duration { return now.Sub(g.began) - g.gaps }

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
