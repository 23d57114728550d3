// SPDX-License-Identifier: MIT

package convert

import (
	"bytes"
	"cmp"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// IsEnsemblePython says whether a file looks like one of ensemble-python: it has
// jobs and rules, and no apiVersion.
func IsEnsemblePython(data []byte) bool {
	v, _, err := spec.Parse("", data)
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return false
	}
	_, jobs := m["jobs"]
	_, rules := m["rules"]
	_, own := m["apiVersion"]
	return jobs && rules && !own
}

// EnsemblePython converts a file of ensemble-python into an ensemble that means
// the same, without defaults filled in. It is named after the file. The notes say
// what is not as it was, each with its place.
//
// The error is a *spec.FileError with everything that is wrong.
func EnsemblePython(file string, data []byte) (*spec.Ensemble, []string, error) {
	value, doc, err := spec.Parse(file, data)
	if err != nil {
		return nil, nil, err
	}
	c := &converter{groups: map[string]int{}}
	e := c.convert(nameOf(file), value)
	if len(c.wrong) == 0 {
		c.hold(e)
	}
	if err := doc.Fail(c.wrong); err != nil {
		return nil, nil, err
	}
	return e, c.notes(doc), nil
}

// A converter goes through one file.
type converter struct {
	faults
	names  []string // of jobs
	groups map[string]int
	jobs   []job
	rules  []rule
	spec   spec.EnsembleSpec
	ruleAt []spec.Path // where each of its rules comes from
}

// A job of the file is a group here.
type job struct {
	at    spec.Path
	group spec.Group
}

func (c *converter) known(group string) bool {
	_, ok := c.groups[group]
	return ok
}

func (c *converter) convert(name string, v any) *spec.Ensemble {
	e := &spec.Ensemble{Header: spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: name}}}
	top := c.object("", v, "jobs", "rules", "logging", "custom")
	for i, v := range top.list("jobs", "a list of jobs, each with a name and a command") {
		c.readJob(c.object(spec.Path("jobs").Index(i), v, "name", "command", "workdir", "count", "nodes", "tasks", "duration"))
	}
	for i, v := range top.list("rules", "a list of rules, each with a trigger and an action") {
		c.readRule(i, c.object(spec.Path("rules").Index(i), v, "name", "trigger", "when", "action"))
	}
	if top.has("custom") {
		c.fault("custom", "%s", noPython)
	}
	c.readLogging(top)
	if len(c.wrong) == 0 {
		c.write()
	}
	// Jobs ran side by side, and nobody looked at what else the machine did.
	shared := true
	c.spec.Run = spec.RunPolicy{Shared: &shared, Noise: spec.Noise{Busy: 1}}
	e.Spec = c.spec
	return e
}

func (c *converter) readJob(o object) {
	g := spec.Group{Name: o.text("name")}
	if o.required("name", "a name") && o.fields["name"] == "" {
		o.fault(o.at.Key("name"), "it is empty; want a name")
	}
	if g.Name != "" {
		if first, twice := c.groups[g.Name]; twice {
			o.fault(o.at.Key("name"), "%s has the name %q too, and there both are one group; want a name of its own, and rules that submit it", c.jobs[first].at, g.Name)
		} else {
			c.groups[g.Name] = len(c.jobs)
			c.names = append(c.names, g.Name)
		}
	}
	if o.required("command", "a command, such as sleep 10") {
		var err error
		g.Command, err = words(o.text("command"))
		switch {
		case err != nil:
			o.fault(o.at.Key("command"), "%v", err)
		case len(g.Command) == 0 || g.Command[0] == "":
			o.fault(o.at.Key("command"), "the command names no program")
		}
	}
	g.Count = o.whole("count", 1, 0)
	g.Nodes = o.whole("nodes", 0, 0)
	g.Tasks = o.whole("tasks", 0, 0)
	if g.Tasks <= max(g.Nodes, 1) {
		g.Tasks = 0 // one on each node
	}
	g.Run.Timeout = o.seconds("duration")
	if dir := o.text("workdir"); filepath.IsAbs(dir) {
		g.Workdir = dir
	} else if dir != "" {
		o.fault(o.at.Key("workdir"), "got %q, want an absolute path: a relative one is there of where the file is run, and here of where it is", dir)
	}
	c.jobs = append(c.jobs, job{o.at, g})
}

// heartbeatOfScaling is the interval there where the file has none and a rule
// grows or shrinks, in seconds. Source: the README of ensemble-python.
const heartbeatOfScaling = 60

func (c *converter) readLogging(top object) {
	at := spec.Path("logging")
	scales := slices.ContainsFunc(c.rules, func(r rule) bool { return r.do.Grow != "" || r.do.Shrink != "" })
	if top.has("logging") {
		o := c.object(at, top.fields["logging"], "debug", "heartbeat")
		if o.flag("debug") {
			c.note(at.Key("debug"), "every event is in journal.jsonl of the run directory")
		}
		c.spec.Heartbeat = o.seconds("heartbeat")
	}
	if scales && c.spec.Heartbeat == 0 {
		c.spec.Heartbeat = heartbeatOfScaling * 1e9
		c.note(at.Key("heartbeat"), "it is %d s, as there where a rule grows or shrinks", heartbeatOfScaling)
	}
	if c.spec.Heartbeat > 0 && slices.ContainsFunc(c.rules, func(r rule) bool { return r.on == spec.OnMetric }) {
		c.note(at.Key("heartbeat"), "the pending time of a job counts once it starts; there a heartbeat adds what jobs have waited so far, which is waiting here")
	}
}

// hold finds what spec has against the ensemble, and where it comes from.
func (c *converter) hold(e *spec.Ensemble) {
	var text bytes.Buffer
	if err := spec.Encode(&text, e); err != nil {
		c.fault("", "%v", err)
		return
	}
	_, err := spec.Decode("", text.Bytes())
	if err == nil {
		return
	}
	var wrong *spec.FileError
	if !errors.As(err, &wrong) {
		c.fault("", "%v", err)
		return
	}
	for _, f := range wrong.Faults {
		// A group with a fault is one that rules cannot name either.
		if at := c.origin(f.Path); len(c.wrong) == 0 || !strings.HasPrefix(string(at), "rules") {
			c.fault(at, "%s", f.Message)
		}
	}
}

// origin says where in the file that was given a value of the ensemble comes from.
func (c *converter) origin(p spec.Path) spec.Path {
	for i := range c.spec.Groups {
		if rest, ok := strings.CutPrefix(string(p), string(spec.Path("spec.groups").Index(i))); ok {
			return c.jobs[c.groups[c.spec.Groups[i].Name]].at + spec.Path(rest)
		}
	}
	for i := range c.spec.Rules {
		if strings.HasPrefix(string(p), string(spec.Path("spec.rules").Index(i))) {
			return c.ruleAt[i]
		}
	}
	return ""
}

// notes puts places on the notes, in the order of the file.
func (c *converter) notes(doc *spec.Document) (notes []string) {
	for i := range c.said {
		c.said[i].Line, c.said[i].Column = doc.At(c.said[i].Path)
	}
	slices.SortStableFunc(c.said, func(a, b spec.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for i := range c.said {
		notes = append(notes, (&spec.FileError{File: doc.File, Faults: c.said[i : i+1]}).Error())
	}
	return notes
}

var notOfName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// nameOf makes a name of that of a file.
func nameOf(file string) string {
	base := filepath.Base(file)
	name := notOfName.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "-")
	name = strings.Trim(name[:min(len(name), 63)], "._-")
	return cmp.Or(name, "ensemble")
}
