// SPDX-License-Identifier: MIT

package spec

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

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
		if v.Image != "" {
			faults = append(faults, checkPinned(at.Key("variants").Index(i).Key("image"), v.Image)...)
		}
		if len(v.Command) == 0 && len(s.Command) == 0 {
			add(at.Key("command"), "missing, and the variant %q has none of its own", v.Name)
		}
	}
	for i := range s.Containers {
		c, at := &s.Containers[i], at.Key("containers").Index(i)
		faults = append(faults, c.check(at, s.Decks)...)
		if c.Variant != "" && !seen[c.Variant] {
			add(at.Key("variant"), "%s", Unknown("variant", c.Variant, slices.Sorted(maps.Keys(seen))))
		}
		if len(c.Command) == 0 && len(s.Command) == 0 && c.Variant == "" {
			add(at.Key("command"), "missing, and neither the application nor a variant of the recipe has one")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Smallest)) {
		p, ok := s.Parameters[name]
		if !ok {
			add(at.Key("smallest").Key(name), "%s", Unknown("parameter", name, slices.Sorted(maps.Keys(s.Parameters))))
		} else if err := p.Accepts(s.Smallest[name]); err != nil {
			add(at.Key("smallest").Key(name), "%v", err)
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
		faults = append(faults, e.check(at.Key("environments").Index(i))...)
	}
	faults = append(faults, s.Repetitions.check(at.Key("repetitions"))...)
	faults = append(faults, s.Run.check(at.Key("run"))...)
	names := map[string]bool{}
	for i := range s.Sweeps {
		w, at := &s.Sweeps[i], at.Key("sweeps").Index(i)
		if names[w.Name] {
			add(at, "two sweeps have the name %q; give one of them a name of its own", w.Name)
		}
		names[w.Name] = true
		if w.Repetitions != s.Repetitions { // else they are the study's
			faults = append(faults, w.Repetitions.check(at.Key("repetitions"))...)
		}
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
func (e *Environment) Check() []Fault { return e.Spec.check("spec") }

// check lists the faults of how an environment is reached.
func (e *EnvironmentSpec) check(at Path) (faults []Fault) {
	for _, f := range []struct{ key, value, on string }{{"uri", e.URI, "flux"}, {"context", e.Context, "kubernetes"}, {"namespace", e.Namespace, "kubernetes"}} {
		if f.value != "" && e.On != f.on {
			faults = append(faults, Faultf(at.Key(f.key), "%s goes with on: %s", f.key, f.on))
		}
	}
	return faults
}

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
