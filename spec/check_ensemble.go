// SPDX-License-Identifier: MIT

package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// minHeartbeat keeps a run from being busy with its heart.
const minHeartbeat = Duration(time.Millisecond)

// Check lists the faults that the schema cannot express.
func (e *Ensemble) Check() (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	s, spec := &e.Spec, Path("spec")
	at := spec.Key("applications")
	seen := map[string]bool{}
	for i := range s.Applications {
		a := &s.Applications[i]
		if seen[a.Metadata.Name] {
			add(at.Index(i), "the application %q is given twice", a.Metadata.Name)
		}
		seen[a.Metadata.Name] = true
		faults = append(faults, a.check(at.Index(i))...)
	}
	if len(s.Study.Sweeps) > 0 {
		faults = append(faults, s.Study.check(spec.Key("study"))...)
	} else if len(s.Groups) == 0 {
		add(spec.Key("groups"), "missing; want groups, or a study")
	}
	if 0 < s.Heartbeat && s.Heartbeat < minHeartbeat || s.Heartbeat < 0 {
		add(spec.Key("heartbeat"), "got %v, want 1ms at least", time.Duration(s.Heartbeat))
	}
	faults = append(faults, s.Run.check(spec.Key("run"))...)
	names, own := s.groupNames()
	at = spec.Key("groups")
	taken := map[string]bool{}
	for i := range s.Study.Sweeps {
		taken[s.Study.Sweeps[i].Name] = true
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		if taken[g.Name] {
			add(at.Index(i).Key("name"), "two groups have the name %q", g.Name)
		}
		taken[g.Name] = true
		faults = append(faults, g.check(at.Index(i), own)...)
	}
	faults = append(faults, s.checkCycles(at)...)
	rules := map[string]bool{}
	for i := range s.Rules {
		r, at := &s.Rules[i], spec.Key("rules").Index(i)
		if rules[r.Name] {
			add(at, "two rules have the name %q; give one of them a name of its own", r.Name)
		}
		rules[r.Name] = true
		faults = append(faults, r.check(at, s, names, own)...)
	}
	return append(faults, s.checkMembers(spec, names)...)
}

// groupNames lists the sweeps of the study and the groups, and the groups by
// themselves: only these can be submitted, and come one after another.
func (s *EnsembleSpec) groupNames() (all, own []string) {
	for i := range s.Study.Sweeps {
		all = append(all, s.Study.Sweeps[i].Name)
	}
	for i := range s.Groups {
		if name := s.Groups[i].Name; !slices.Contains(own, name) {
			own = append(own, name)
		}
	}
	return append(all, own...), own
}

func (g *Group) check(at Path, names []string) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	switch {
	case g.App == "" && len(g.Command) == 0:
		add(at, "want an app, or a command")
	case g.App != "" && len(g.Command) > 0:
		add(at.Key("command"), "the application %q has its own; want an app or a command", g.App)
	case g.App != "" && (len(g.Env) > 0 || g.MPI != ""):
		add(at, "env and mpi are those of the application's variant; want them for a command only")
	case g.App != "" && g.Workdir != "":
		add(at.Key("workdir"), "an application works in a directory of the job's own, where its decks are; want it for a command only")
	case g.App == "" && (g.Variant != "" || len(g.Parameters) > 0):
		add(at, "variant and parameters are those of an application; want an app")
	}
	if len(g.Command) > 0 && g.Command[0] == "" {
		add(at.Key("command"), "the command names no program")
	}
	if strings.ContainsRune(g.Workdir, 0) {
		add(at.Key("workdir"), "got %q, want the path of a directory", g.Workdir)
	}
	if g.Tasks > 0 && g.Nodes > 0 && g.Tasks%g.Nodes != 0 {
		add(at.Key("tasks"), "got %d tasks on %d nodes, want as many on each node", g.Tasks, g.Nodes)
	}
	if g.Partition > 0 && g.Nodes > g.Partition {
		add(at.Key("nodes"), "got %d nodes for a job in a partition of %d, want as many at most", g.Nodes, g.Partition)
	}
	for i, name := range g.After {
		if !slices.Contains(names, name) {
			add(at.Key("after").Index(i), "%s", Unknown("group", name, names))
		}
	}
	faults = append(faults, g.Run.check(at.Key("run"))...)
	if g.Run.BeforeRun != nil || g.Run.AfterRun != nil {
		add(at.Key("run"), "beforeRun and afterRun are for the whole run; want them under spec.run")
	}
	return faults
}

// checkCycles finds groups that come after themselves.
func (s *EnsembleSpec) checkCycles(at Path) (faults []Fault) {
	after := map[string][]string{}
	for i := range s.Groups {
		after[s.Groups[i].Name] = s.Groups[i].After
	}
	for i := range s.Groups {
		name := s.Groups[i].Name
		seen := map[string]bool{}
		for next := slices.Clone(after[name]); len(next) > 0; next = next[1:] {
			if next[0] == name {
				faults = append(faults, Faultf(at.Index(i).Key("after"), "the group %q comes after itself", name))
				break
			}
			if !seen[next[0]] {
				seen[next[0]] = true
				next = append(next, after[next[0]]...)
			}
		}
	}
	return faults
}

func (r *EnsembleRule) check(at Path, s *EnsembleSpec, names, groups []string) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	if r.Group != "" && !slices.Contains(names, r.Group) {
		add(at.Key("group"), "%s", Unknown("group", r.Group, names))
	}
	ofJob := strings.HasPrefix(string(r.On), "job-") || r.On == OnMetric // or of a beat
	if !ofJob && (r.Group != "" || r.OncePerJob) {
		add(at.Key("on"), "%s is no event of a job, which group and oncePerJob are about", r.On)
	}
	if r.On == OnMetric && r.When == "" {
		add(at.Key("when"), "missing; a rule on metric wants a condition")
	}
	if r.On == OnHeartbeat && s.Heartbeat <= 0 {
		add(at.Key("on"), "the ensemble has no heartbeat; give its interval as spec.heartbeat")
	}
	d, do := &r.Do, at.Key("do")
	var given []string
	for _, f := range []struct {
		key   string
		given bool
		group string
	}{
		{"submit", d.Submit != "", ""}, {"check", d.Check != "", ""}, {"cancel", d.Cancel != "", d.Cancel}, {"stop", d.Stop != "", d.Stop}, {"grow", d.Grow != "", ""},
		{"shrink", d.Shrink != "", ""}, {"urgency", d.Urgency != nil, ""}, {"finish", d.Finish != "", ""},
	} {
		if f.given {
			given = append(given, f.key)
		}
		if f.group != "" && !slices.Contains(names, f.group) {
			add(do.Key(f.key), "%s", Unknown("group", f.group, names))
		}
	}
	if len(given) != 1 {
		got := "nothing"
		if len(given) > 0 {
			got = strings.Join(given, " and ")
		}
		add(do, "got %s, want one of submit, check, cancel, stop, grow, shrink, urgency and finish", got)
	}
	if d.Submit != "" && !slices.Contains(groups, d.Submit) {
		add(do.Key("submit"), "%s", Unknown("group", d.Submit, groups))
	}
	if d.Check != "" && !slices.Contains(groups, d.Check) {
		add(do.Key("check"), "%s", Unknown("group", d.Check, groups))
	}
	if d.Submit == "" && (d.Count != "" || len(d.Parameters) > 0) {
		add(do, "count and parameters go with submit")
	}
	if d.Urgency != nil && !slices.Contains(names, d.Urgency.Group) {
		add(do.Key("urgency").Key("group"), "%s", Unknown("group", d.Urgency.Group, names))
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Name != d.Submits() {
			continue
		}
		if len(g.After) > 0 {
			add(do.Key(given[0]), "the group %q comes after others by itself; want no after, or no rule that submits it", g.Name)
		}
		if len(d.Parameters) > 0 && g.App == "" {
			add(do.Key("parameters"), "the group %q runs a command, which has no parameters", g.Name)
		}
	}
	return faults
}

// setDefaults fills what the file left out.
func (s *EnsembleSpec) setDefaults() {
	for i := range s.Applications {
		s.Applications[i].Default()
	}
	if len(s.Study.Sweeps) > 0 {
		s.Study.setDefaults()
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		setDefault(&g.Count, 1)
		setDefault(&g.Nodes, 1)
		setDefault(&g.Tasks, g.Nodes)
		setDefault(&g.Threads, 1)
		setDefault(&g.CoresPerTask, g.Threads)
		if g.App == "" {
			setDefault(&g.MPI, NoMPI)
		}
	}
	for i := range s.Rules {
		setDefault(&s.Rules[i].Name, fmt.Sprintf("rule-%d", i+1))
		setDefault(&s.Rules[i].Repetitions, 1)
	}
	for i := range s.Members {
		n := &s.Members[i].Nodes
		setDefault(&n.Min, n.Size)
		setDefault(&n.Max, n.Size)
	}
	if len(s.Members) > 0 {
		setDefault(&s.Retain.When, RetainNever)
	}
}
