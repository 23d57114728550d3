// SPDX-License-Identifier: MIT

package spec

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Default fills what the file left out.
func (a *Application) Default() {
	s := &a.Spec
	setDefault(&s.Scaling, ScalingStrong)
	setDefault(&s.Ranks.Accept, RanksAny)
	setDefault(&s.Ranks.Min, 1)
	for i := range s.Decks {
		setDefault(&s.Decks[i].Source, s.Decks[i].Path)
	}
	for i := range s.Output.Metrics {
		m := &s.Output.Metrics[i]
		setDefault(&m.Role, RoleDetail)
		setDefault(&m.Take, TakeLast)
		setDefault(&m.Scale, 1)
	}
}

// Default fills what the file left out.
func (s *Study) Default() { s.Spec.setDefaults() }

// Default fills what the file left out.
func (e *Ensemble) Default() {
	for i := range e.Spec.Applications {
		e.Spec.Applications[i].Default()
	}
	e.Spec.Study.setDefaults()
}

// Default fills what the file left out.
func (e *Environment) Default() { e.Spec.setDefaults() }

func (s *StudySpec) setDefaults() {
	setDefault(&s.Repetitions, 1)
	setDefault(&s.Order, OrderBlocked)
	for i := range s.Environments {
		s.Environments[i].setDefaults()
	}
	for i := range s.Sweeps {
		w := &s.Sweeps[i]
		if w.Name == "" && len(w.Apps.Values) == 1 {
			w.Name = w.Apps.Values[0].String()
		}
		setDefault(&w.Name, fmt.Sprintf("sweep-%d", i+1))
		setDefault(&w.Repetitions, s.Repetitions)
		setDefault(&w.Sampler.Kind, SampleFull)
		if w.Sampler.Kind == SampleCovering {
			setDefault(&w.Sampler.Strength, 2)
		}
	}
}

func (e *EnvironmentSpec) setDefaults() {
	if e.PricePerNodeHour > 0 {
		setDefault(&e.Currency, "USD")
	}
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Check lists the faults that the schema cannot express.
func (a *Application) Check() []Fault { return a.check("") }

func (a *Application) check(doc Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	s, at := &a.Spec, doc.Key("spec")

	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		p, at := s.Parameters[name], at.Key("parameters").Key(name)
		if !parameterName.MatchString(name) {
			add(at, "want a name of letters, digits and underscores that starts with a letter")
		}
		if slices.Contains(reserved, name) {
			add(at, "the name is taken by the trial's own %s; want another name", name)
		}
		faults = append(faults, p.check(at)...)
	}
	for i, name := range s.Ranks.Of {
		switch p, ok := s.Parameters[name]; {
		case !ok:
			add(at.Key("ranks").Key("of").Index(i), "%s", Unknown("parameter", name, slices.Sorted(maps.Keys(s.Parameters))))
		case p.Type != TypeInt:
			add(at.Key("ranks").Key("of").Index(i), "the parameter %q is of type %s, want int", name, p.Type)
		}
	}
	if (s.Ranks.Accept == RanksProduct) != (len(s.Ranks.Of) > 0) {
		add(at.Key("ranks"), "accept: product and of: [parameters] go together")
	}
	if s.Ranks.Max > 0 && s.Ranks.Max < s.Ranks.Min {
		add(at.Key("ranks").Key("max"), "got %d, want %d (min) at least", s.Ranks.Max, s.Ranks.Min)
	}
	for i, d := range s.Decks {
		if !filepath.IsLocal(d.Path) {
			add(at.Key("decks").Index(i).Key("path"), "got %q, want a path inside the job's directory", d.Path)
		}
		if !filepath.IsLocal(d.Source) {
			add(at.Key("decks").Index(i).Key("source"), "got %q, want a path inside the application's directory", d.Source)
		}
	}
	faults = append(faults, checkCommands(at.Key("prepare"), s.Prepare)...)
	seen := map[string]bool{}
	for i, v := range s.Variants {
		if seen[v.Name] {
			add(at.Key("variants").Index(i).Key("name"), "the variant %q is given twice", v.Name)
		}
		seen[v.Name] = true
		faults = append(faults, checkCommands(at.Key("variants").Index(i).Key("prepare"), v.Prepare)...)
		if len(v.Command) == 0 && len(s.Command) == 0 {
			add(at.Key("command"), "missing, and the variant %q has none of its own", v.Name)
		}
	}
	return append(faults, s.Output.check(at.Key("output"))...)
}

// checkCommands finds commands without a program.
func checkCommands(at Path, commands [][]string) (faults []Fault) {
	for i, argv := range commands {
		if len(argv) == 0 || argv[0] == "" {
			faults = append(faults, Faultf(at.Index(i), "the command names no program"))
		}
	}
	return faults
}

// check lists the faults of a policy.
func (p *RunPolicy) check(at Path) (faults []Fault) {
	for _, c := range []struct {
		key      string
		commands [][]string
	}{{"beforeJob", p.BeforeJob}, {"afterJob", p.AfterJob}, {"beforeRun", p.BeforeRun}, {"afterRun", p.AfterRun}} {
		faults = append(faults, checkCommands(at.Key(c.key), c.commands)...)
	}
	return faults
}

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// reserved are the names that templates and constraints give to a trial's own
// properties.
var reserved = []string{"nodes", "tasks", "tasksPerNode", "threads", "coresPerTask",
	"app", "variant", "environment", "mapBy", "bindTo", "parameters"}

func (p *Parameter) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	number := p.Type == TypeInt || p.Type == TypeFloat
	if !number && (p.Min != nil || p.Max != nil) {
		add(at, "min and max go with type int or float, not %s", p.Type)
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		add(at.Key("max"), "got %g, want %g (min) at least", *p.Max, *p.Min)
	}
	if (p.Type == TypeEnum) != (len(p.Values) > 0) {
		add(at, "type: enum and values: [choices] go together")
	}
	if p.Pattern != "" && p.Type != TypeString {
		add(at.Key("pattern"), "pattern goes with type string, not %s", p.Type)
	}
	if p.Default != nil && len(faults) == 0 {
		if err := p.Accepts(*p.Default); err != nil {
			add(at.Key("default"), "%v", err)
		}
	}
	return faults
}

// Accepts says what is wrong with a value for the parameter, if anything.
func (p *Parameter) Accepts(v Value) error {
	got := describeValue(v)
	switch p.Type {
	case TypeInt:
		if _, ok := v.Int(); !ok {
			return fmt.Errorf("got %s, want a whole number", got)
		}
	case TypeFloat:
		if _, ok := v.Float(); !ok {
			return fmt.Errorf("got %s, want a number", got)
		}
	case TypeEnum:
		if !slices.Contains(p.Values, v) {
			choices := make([]string, len(p.Values))
			for i, c := range p.Values {
				choices[i] = c.String()
			}
			return fmt.Errorf("got %s, want %s", got, OneOf(choices))
		}
	case TypeString:
		s, ok := v.Any().(string)
		if !ok {
			return fmt.Errorf("got %s, want a string", got)
		}
		if p.Pattern != "" {
			re, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
			if err != nil {
				return err
			}
			if !re.MatchString(s) {
				return fmt.Errorf("got %s, want a match of %s", got, p.Pattern)
			}
		}
	}
	if f, ok := v.Float(); ok {
		if p.Min != nil && f < *p.Min {
			return fmt.Errorf("got %s, want %g at least", got, *p.Min)
		}
		if p.Max != nil && f > *p.Max {
			return fmt.Errorf("got %s, want %g at most", got, *p.Max)
		}
	}
	return nil
}

// Canonical gives a value the type of its parameter: 2.0 becomes 2 for an int,
// and 2 becomes 2.0 for a float. A value that Accepts refuses stays as it is.
func (t ParameterType) Canonical(v Value) Value {
	switch t {
	case TypeInt:
		if i, ok := v.Int(); ok {
			return Of(i)
		}
	case TypeFloat:
		if f, ok := v.Float(); ok {
			return Of(f)
		}
	}
	return v
}

func describeValue(v Value) string {
	if s, ok := v.Any().(string); ok {
		return fmt.Sprintf("the string %q", s)
	}
	return "the value " + v.String()
}

// Check lists the faults that the schema cannot express.
func (s *Study) Check() []Fault { return s.Spec.check("spec") }

func (s *StudySpec) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	environments := map[string]bool{}
	for i, e := range s.Environments {
		if environments[e.Name] {
			add(at.Key("environments").Index(i).Key("name"), "the environment %q is given twice", e.Name)
		}
		environments[e.Name] = true
	}
	faults = append(faults, s.Run.check(at.Key("run"))...)
	names := map[string]bool{}
	for i := range s.Sweeps {
		w, at := &s.Sweeps[i], at.Key("sweeps").Index(i)
		if names[w.Name] {
			add(at, "two sweeps have the name %q; give one of them a name of its own", w.Name)
		}
		names[w.Name] = true
		faults = append(faults, w.check(at)...)
	}
	return faults
}

func (w *Sweep) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	if w.Apps.Range != nil {
		add(at.Key("apps"), "got a range, want names of applications")
	}
	taken := map[string]Path{}
	axes := func(a *Axes, at Path) (lengths []int) {
		for name, axis := range a.All() {
			p := at.Key(name)
			faults = append(faults, axis.check(p, name)...)
			if other, ok := taken[name]; ok {
				add(p, "the axis is given at %s too; want it once", other)
			}
			taken[name] = p
			lengths = append(lengths, len(axis.Points()))
		}
		return lengths
	}
	axes(&w.Axes, at)
	for i := range w.Zip {
		zip := at.Key("zip").Index(i)
		if n := axes(&w.Zip[i], zip); len(n) > 0 && slices.Min(n) != slices.Max(n) {
			add(zip, "axes that advance together have %v values; want the same number of each", n)
		}
	}
	faults = append(faults, w.Run.check(at.Key("run"))...)
	for _, c := range []struct {
		key   string
		given bool
	}{{"beforeRun", w.Run.BeforeRun != nil}, {"afterRun", w.Run.AfterRun != nil}} {
		if c.given {
			add(at.Key("run").Key(c.key), "it is for the whole run, which the sweep is a part of; want it under spec.run, or %s here", strings.Replace(c.key, "Run", "Job", 1))
		}
	}
	s := w.Sampler
	switch s.Kind {
	case SampleRandom, SampleLatinHypercube, SampleSobol:
		if s.Count == 0 {
			add(at.Key("sampler").Key("count"), "missing; the sampler %s wants a number of points", s.Kind)
		}
	default:
		if s.Count != 0 {
			add(at.Key("sampler").Key("count"), "the sampler %s takes as many points as it needs; want no count", s.Kind)
		}
	}
	if s.Strength != 0 && s.Kind != SampleCovering {
		add(at.Key("sampler").Key("strength"), "strength goes with the sampler covering, not %s", s.Kind)
	}
	return faults
}

// Check lists the faults that the schema cannot express.
func (e *Ensemble) Check() (faults []Fault) {
	at := Path("spec").Key("applications")
	seen := map[string]bool{}
	for i := range e.Spec.Applications {
		a := &e.Spec.Applications[i]
		if seen[a.Metadata.Name] {
			faults = append(faults, Faultf(at.Index(i), "the application %q is given twice", a.Metadata.Name))
		}
		seen[a.Metadata.Name] = true
		faults = append(faults, a.check(at.Index(i))...)
	}
	return append(faults, e.Spec.Study.check(Path("spec").Key("study"))...)
}

// Check lists the faults that the schema cannot express: there is none.
func (e *Environment) Check() []Fault { return nil }

// check lists the faults of an application's output rules.
func (o *Output) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	for i, c := range o.Collect {
		if !filepath.IsLocal(c) {
			add(at.Key("collect").Index(i), "got %q, want a path inside the job's directory", c)
		}
		if _, err := filepath.Match(c, ""); err != nil {
			add(at.Key("collect").Index(i), "got %q, want a glob pattern: %v", c, err)
		}
	}
	from := func(p Path, from string) {
		if from != "" && !slices.Contains(o.Collect, from) {
			add(p.Key("from"), "the file %q is not collected; add it to collect", from)
		}
	}
	for i, m := range o.Metrics {
		from(at.Key("metrics").Index(i), m.From)
	}
	for i, r := range o.Success {
		from(at.Key("success").Index(i), r.From)
	}
	for i, r := range o.Failure {
		from(at.Key("failure").Index(i), r.From)
	}
	return faults
}
