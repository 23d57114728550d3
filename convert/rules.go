// SPDX-License-Identifier: MIT

package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// noPython says what to do in place of a function.
const noPython = "custom Python is not run here; want a rule that says it: convert the file without it, then write the condition " +
	"as when, in CEL over counts, statistics and the job, and the action as do (docs/ensemble-python.md)"

// triggers lists the events of rules. An event that is not the same here has a
// note.
var triggers = []struct {
	there string
	here  spec.Trigger
	note  string
}{
	{"start", spec.OnStart, ""},
	{"metric", spec.OnMetric, ""},
	{"job-submit", spec.OnSubmit, ""},
	{"job-depend", spec.OnSubmit, "it becomes job-submit, the event before it"},
	{"job-alloc", spec.OnJobStart, "it becomes job-start, the event behind it"},
	{"job-run", spec.OnJobStart, "it becomes job-start"},
	{"job-start", spec.OnJobStart, ""},
	{"job-finish", spec.OnFinish, ""},
	{"job-success", spec.OnSucceed, "it becomes job-succeed"},
	{"job-fail", spec.OnFail, ""},
	{"job-exception", spec.OnFail, "it becomes job-fail, of a job that ended and did not succeed; an exception there may be of one that goes on"},
	{"job-cleanup", spec.OnFinish, "it becomes job-finish"},
	{"job-release", spec.OnFinish, "it becomes job-finish, the event before it"},
	{"job-free", spec.OnFinish, "it becomes job-finish, the event before it"},
	{"job-clean", spec.OnFinish, "it becomes job-finish, the event before it"},
}

var actions = []string{"submit", "terminate", "grow", "shrink"}

// A rule of the file.
type rule struct {
	at          spec.Path
	on          spec.Trigger
	group       string // whose jobs it is about; empty is all
	when        string
	never       string   // why it is never carried out
	submits     []string // groups
	do          spec.Action
	repetitions int
	backoff     int

	live bool // something can bring it about
}

func (c *converter) readRule(i int, o object) {
	r := rule{at: o.at}
	if o.required("trigger", "start, metric or an event of a job such as job-finish") {
		c.readTrigger(&r, o)
	}
	if o.required("action", "an action, such as {name: submit, label: JOB}") {
		c.readAction(&r, c.object(o.at.Key("action"), o.fields["action"], "name", "label", "value", "repetitions", "backoff"))
	}
	if r.on == spec.OnMetric && r.backoff > 0 {
		c.note(o.at.Key("action").Key("backoff"), "it counts that a job is submitted, starts or ends; there it counts every event of Flux")
	}
	c.rules = append(c.rules, r)
}

func (c *converter) readTrigger(r *rule, o object) {
	var names []string
	trigger := o.text("trigger")
	for _, t := range triggers {
		names = append(names, t.there)
		if t.there != trigger {
			continue
		}
		r.on = t.here
		if t.note != "" {
			c.note(o.at.Key("trigger"), "%s", t.note)
		}
	}
	if r.on == "" && trigger != "" {
		c.fault(o.at.Key("trigger"), "got %q, want %s", trigger, spec.OneOf(names))
	}
	name, at := o.text("name"), o.at.Key("name")
	switch {
	case r.on == spec.OnMetric:
		if !o.required("name", wantMetric) || name == "" {
			return
		}
		if m, ok := c.metric(at, name); ok {
			r.group = m.group
			r.when, r.never = c.condition(o.at.Key("when"), m, o.fields["when"])
		}
		return
	case r.on == spec.OnStart || r.on == "":
	case c.known(name):
		r.group = name
		c.note(at, "only jobs of %s count; there the name of a rule on an event filters nothing", name)
	case name != "":
		c.note(at, "it names no job, so jobs of every group count, as there")
	}
	if o.has("when") {
		c.note(o.at.Key("when"), "it is left out: there only a rule on metric looks at it")
	}
}

func (c *converter) readAction(r *rule, o object) {
	r.repetitions = o.whole("repetitions", 1, 1)
	r.backoff = o.whole("backoff", 0, 0)
	if !o.required("name", spec.OneOf(actions)) {
		return
	}
	switch name := o.text("name"); name {
	case "submit":
		c.readLabel(r, o)
	case "terminate":
		r.do.Finish = spec.Success
		c.note(o.at.Key("name"), "it becomes finish: success, which cancels what still runs; there it goes on in the queue")
	case "grow":
		r.do.Grow = o.nodes()
	case "shrink":
		r.do.Shrink = o.nodes()
	case "custom":
		c.fault(o.at.Key("name"), "%s", noPython)
	case "":
	default:
		c.fault(o.at.Key("name"), "%s; want %s", spec.Unknown("action", name, actions), spec.OneOf(actions))
	}
}

// readLabel finds the groups that a rule submits.
func (c *converter) readLabel(r *rule, o object) {
	label := o.text("label")
	switch {
	case label == "" && len(c.names) > 0:
		r.submits = c.names
		if len(c.names) > 1 {
			c.note(o.at, "without a label it submits every job, so it becomes %d rules", len(c.names))
		}
	case c.known(label):
		r.submits = []string{label}
	case label != "":
		c.fault(o.at.Key("label"), "%s", spec.Unknown("job", label, c.names))
	}
}

// nodes reads how much to grow or to shrink.
func (o object) nodes() string {
	v := o.fields["value"]
	if s, ok := v.(string); ok {
		v = json.Number(strings.TrimSpace(s))
	}
	if v == nil {
		return "1"
	}
	n, _ := v.(json.Number)
	x, err := strconv.ParseInt(n.String(), 10, 32)
	if err != nil || x < 1 {
		o.fault(o.at.Key("value"), "got %s, want a whole number of nodes from 1 on", spec.Describe(o.fields["value"]))
	}
	return strconv.FormatInt(x, 10)
}

// reach finds what can come about, beginning with the start of the run: rules that
// wait for jobs that nothing submits never do.
func (c *converter) reach() (submitted map[string]bool) {
	submitted = map[string]bool{}
	for again := true; again; {
		again = false
		for i := range c.rules {
			r := &c.rules[i]
			waits := r.on != spec.OnStart && len(submitted) == 0 || r.group != "" && !submitted[r.group]
			if r.live || r.never != "" || waits {
				continue
			}
			r.live, again = true, true
			for _, g := range r.submits {
				submitted[g] = true
			}
		}
	}
	return submitted
}

// write writes the groups and the rules that can come about. Rules keep their
// number.
func (c *converter) write() {
	submitted := c.reach()
	for _, j := range c.jobs {
		if !submitted[j.group.Name] {
			c.note(j.at, "it is left out: no rule submits it, and here such a group would begin at once")
			continue
		}
		c.spec.Groups = append(c.spec.Groups, j.group)
	}
	if len(c.spec.Groups) == 0 {
		c.fault("rules", "nothing would ever run; want a rule that submits jobs, such as {trigger: start, action: {name: submit, label: JOB}}")
	}
	for i, r := range c.rules {
		switch {
		case r.never != "":
			c.note(r.at, "it is left out: %s", r.never)
		case r.live:
			c.writeRule(i+1, r)
		case r.group != "":
			c.note(r.at, "it is left out: nothing submits the jobs of %s that it waits for", r.group)
		default:
			c.note(r.at, "it is left out: nothing submits the jobs that it waits for")
		}
	}
	if len(c.spec.Rules) > maxRules {
		c.fault("rules", "they become %d rules and more, want %d at most", len(c.spec.Rules), maxRules)
	}
	if !slices.ContainsFunc(c.spec.Rules, func(r spec.EnsembleRule) bool { return r.Do.Finish != "" }) {
		c.note("rules", "none terminates: the run ends when no job is left and no rule can be carried out; there it goes on without end")
	}
}

func (c *converter) writeRule(number int, r rule) {
	out := spec.EnsembleRule{Name: fmt.Sprintf("rule-%d", number), On: r.on, When: r.when, Do: r.do, Backoff: r.backoff}
	if r.on != spec.OnMetric {
		out.Group = r.group
	}
	if r.repetitions > 1 {
		out.Repetitions = r.repetitions
	}
	add := func(one spec.EnsembleRule) {
		if len(c.spec.Rules) <= maxRules {
			c.spec.Rules, c.ruleAt = append(c.spec.Rules, one), append(c.ruleAt, r.at)
		}
	}
	if len(r.submits) == 0 {
		add(out)
	}
	for _, g := range r.submits {
		one := out
		one.Do.Submit = g
		if len(r.submits) > 1 {
			one.Name += "-" + g
		}
		add(one)
	}
}
