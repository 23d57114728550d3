// SPDX-License-Identifier: MIT

package ensemble

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/converged-computing/ensemble/spec"
)

// A rule is one of the file, compiled, with what became of it.
type rule struct {
	*spec.EnsembleRule
	at                        spec.Path // in the file
	when, count, grow, shrink *expression
	parameters                map[string]*expression
	reads                     []string // metrics

	came   bool            // an event of the rule did
	held   bool            // and its condition
	fired  int             // how often it was carried out
	last   time.Time       // when it was
	passes int             // events to let pass
	jobs   map[string]bool // that it was carried out for, where once is enough
	err    error           // why it was not carried out when it last could be
	broken bool            // its action cannot be carried out
}

// compileRule compiles a rule; groups are all that there are.
func compileRule(r *spec.EnsembleRule, at spec.Path, groups []string) (*rule, []spec.Fault) {
	out := &rule{EnsembleRule: r, at: at}
	var faults []spec.Fault
	compile := func(at spec.Path, text string, want *cel.Type) *expression {
		if text == "" {
			return nil
		}
		x, problems := compileExpression(text, want, groups)
		if x != nil {
			x.at = at
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
	r.came = true
	if r.when != nil {
		holds, err := r.when.holds(v)
		if r.err = err; !holds {
			return false
		}
	}
	r.held = true
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

// tried notes how it went to carry the rule out, and says whether it was. An action
// that depends on what has no value yet is not due.
func (r *rule) tried(err error, o *occurrence) bool {
	if err != nil {
		r.err, r.broken = err, !errors.Is(err, errNone)
		return false
	}
	r.err = nil
	r.carriedOut(o)
	return true
}

// faulty says that the rule cannot do what the file says: its action is refused, or
// its condition could not be evaluated when it was last asked.
func (r *rule) faulty() bool { return r.broken || r.err != nil && !errors.Is(r.err, errNone) }

// ending says why a rule was not carried out as often as it may be, or nothing.
func (r *rule) ending() string {
	switch {
	case r.broken:
		return fmt.Sprintf("rule %s cannot be carried out: %v", r.Name, r.err)
	case r.fired > 0 && r.faulty():
		return fmt.Sprintf("rule %s could not be asked in the end: %v", r.Name, r.err)
	case r.fired > 0:
		return ""
	case r.err != nil:
		return fmt.Sprintf("rule %s was never carried out: %v", r.Name, r.err)
	}
	why := "a check was at it"
	switch {
	case !r.came && r.Group != "":
		why = fmt.Sprintf("no %s of %s came", r.On, r.Group)
	case !r.came:
		why = fmt.Sprintf("no %s came", r.On)
	case !r.held:
		why = "its condition never held"
	}
	return fmt.Sprintf("rule %s was never carried out: %s", r.Name, why)
}

// refused puts an error of the maker, which is one of the group, where the rule has
// the parameter.
func (r *rule) refused(err error) error {
	do := r.at.Key("do")
	var file *spec.FileError
	if !errors.As(err, &file) {
		return fmt.Errorf("%s: %w", do, err)
	}
	var errs []error
	for _, f := range file.Faults {
		at := f.Path
		for name := range r.Do.Parameters {
			if strings.HasSuffix(string(at), string(spec.Path(".parameters").Key(name))) {
				at = do.Key("parameters").Key(name)
			}
		}
		errs = append(errs, fmt.Errorf("%s: %s", cmp.Or(at, do), f.Message))
	}
	return errors.Join(errs...)
}
