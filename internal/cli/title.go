// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
)

// titles name jobs for a person: by what tells the jobs of an application apart
// in this run, and by the number of ranks.
type titles map[string]*variety // by application

// variety is what differs between the jobs of one application.
type variety struct {
	first  map[string]string // the first text of each feature
	varies map[string]bool
	// values are those of each parameter by problem, and untold the parameters
	// that differ between jobs of one problem: its name does not tell them.
	values map[[2]string]string
	untold map[string]bool
}

// manyValues bounds what is kept: in a large study the first of its problems show
// what their names do not tell.
const manyValues = 1 << 14

// feature is one thing that a title can say of a job; the text of what goes
// without saying is empty.
type feature struct{ name, text string }

// features lists them in the order in which they are said.
func features(job *ensemble.Job) (all []feature) {
	s := job.Shape
	say := func(name, text string, said bool) {
		if !said {
			text = ""
		}
		all = append(all, feature{name, text})
	}
	say("nodes", plural(s.Nodes, "node"), true)
	say("tasks", plural(s.Tasks, "rank"), true)
	say("threads", plural(s.Threads, "thread"), true)
	say("cores", plural(s.CoresPerTask, "core")+" per rank", s.CoresPerTask != s.Threads)
	say("map", "mapped by "+s.MapBy, s.MapBy != "")
	say("bind", "bound to "+s.BindTo, s.BindTo != "" && s.BindTo != "none")
	say("group", "in "+job.Group, job.Group != "" && job.App != "")
	say("repetition", fmt.Sprintf("repetition %d", job.Repetition), job.Repetition > 0)
	return all
}

// add takes in one job of the run.
func (t titles) add(job *ensemble.Job) {
	v := t[job.App]
	if v == nil {
		v = &variety{first: map[string]string{}, varies: map[string]bool{}, values: map[[2]string]string{}, untold: map[string]bool{}}
		t[job.App] = v
	}
	all := features(job)
	for name, value := range job.Parameters {
		all = append(all, feature{"parameter " + name, value.String()})
		at := [2]string{job.Problem, name}
		if text, ok := v.values[at]; ok && text != value.String() {
			v.untold[name] = true
		} else if !ok && len(v.values) < manyValues {
			v.values[at] = value.String()
		}
	}
	for _, f := range all {
		if first, ok := v.first[f.name]; ok && first != f.text {
			v.varies[f.name] = true
		} else if !ok {
			v.first[f.name] = f.text
		}
	}
}

// of gives the title of a job. That of one that was not added says all there is.
func (t titles) of(job *ensemble.Job) string {
	v := t[job.App]
	head := []string{job.App, job.Variant, job.Problem}
	if job.App == "" {
		head[0] = cmp.Or(job.Group, job.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(job.Parameters)) {
		if v == nil || v.untold[name] || job.Problem == "" && v.varies["parameter "+name] {
			head = append(head, name+"="+job.Parameters[name].String())
		}
	}
	said := []string{strings.Join(slices.DeleteFunc(head, func(s string) bool { return s == "" }), " ")}
	for _, f := range features(job) {
		if f.text != "" && (v == nil || f.name == "tasks" || v.varies[f.name]) {
			said = append(said, f.text)
		}
	}
	return strings.Join(said, ", ")
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
