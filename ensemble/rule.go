// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/converged-computing/ensemble/spec"
)

// A rule is one of the file, compiled, with what became of it.
type rule struct {
	*spec.EnsembleRule
	when, count, grow, shrink *expression
	parameters                map[string]*expression
	reads                     []string // metrics

	fired  int             // how often it was carried out
	last   time.Time       // when it was
	passes int             // events to let pass
	jobs   map[string]bool // that it was carried out for, where once is enough
	err    error           // why it last did not hold, where its condition cannot be evaluated
	broken bool            // its action cannot be carried out
}

// compileRule compiles a rule; groups are all that there are.
func compileRule(r *spec.EnsembleRule, at spec.Path, groups []string) (*rule, []spec.Fault) {
	out := &rule{EnsembleRule: r}
	var faults []spec.Fault
	compile := func(at spec.Path, text string, want *cel.Type) *expression {
		if text == "" {
			return nil
		}
		x, problems := compileExpression(text, want, groups)
		if x != nil {
			out.reads = append(out.reads, x.metrics...)
		}
		for _, p := range problems {
			faults = append(faults, spec.Faultf(at, "%s", p))
		}
		return x
	}
	out.when = compile(at.Key("when"), r.When, cel.BoolType)
	do := at.Key("do")
	out.count = compile(do.Key("count"), r.Do.Count, cel.DoubleType)
	out.grow = compile(do.Key("grow"), r.Do.Grow, cel.DoubleType)
	out.shrink = compile(do.Key("shrink"), r.Do.Shrink, cel.DoubleType)
	for _, name := range slices.Sorted(maps.Keys(r.Do.Parameters)) {
		if out.parameters == nil {
			out.parameters = map[string]*expression{}
		}
		out.parameters[name] = compile(do.Key("parameters").Key(name), r.Do.Parameters[name], cel.DynType)
	}
	return out, faults
}

// spent says that the rule is never carried out again.
func (r *rule) spent() bool { return r.broken || r.fired >= r.Repetitions }

// due says whether an event is one of the rule's, and whether the rule is to be
// carried out.
func (r *rule) due(v *view) bool {
	o := v.event
	if r.spent() || !o.is(r.On) || r.Group != "" && r.Group != o.group {
		return false
	}
	if r.OncePerJob && r.jobs[o.job] {
		return false
	}
	if r.fired > 0 && o.now.Sub(r.last) < time.Duration(r.CoolDown) {
		return false
	}
	if r.when != nil {
		holds, err := r.when.holds(v)
		if r.err = err; !holds {
			return false
		}
	}
	if r.passes > 0 {
		r.passes--
		return false
	}
	return true
}

// carriedOut notes that the rule was.
func (r *rule) carriedOut(o *occurrence) {
	r.fired, r.last, r.passes = r.fired+1, o.now, r.Backoff
	if r.OncePerJob && o.job != "" {
		if r.jobs == nil {
			r.jobs = map[string]bool{}
		}
		r.jobs[o.job] = true
	}
}

// ending says why a rule was not carried out as often as it may be, or nothing.
func (r *rule) ending() string {
	switch {
	case r.broken:
		return fmt.Sprintf("rule %s cannot be carried out: %v", r.Name, r.err)
	case r.fired > 0:
		return ""
	case r.err != nil:
		return fmt.Sprintf("rule %s was never carried out: %v", r.Name, r.err)
	default:
		return fmt.Sprintf("rule %s was never carried out", r.Name)
	}
}
