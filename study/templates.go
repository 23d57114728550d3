// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// tryTemplates lists the templates that fail for a trial of the plan: what is
// wrong for every value is found when an application is loaded, and this is
// the rest, a division by a parameter that is zero say. A template is tried
// once for the values of what it reads.
func (p *Plan) tryTemplates(ctx context.Context, apps []spec.Application) (faults []spec.Fault, err error) {
	triers := make(map[*sweep]*trier, len(p.sweeps))
	for _, s := range p.sweeps {
		triers[s] = &trier{sweep: s, seen: newBitset(s.drawn.n), templates: map[*spec.Variant][]*tried{}}
	}
	n := 0
	p.planned(func(s *sweep, row []int, index, repetition int) bool {
		if n++; n&0x3ff == 0 && ctx.Err() != nil {
			return false
		}
		if t := triers[s]; !t.seen.has(index) {
			t.seen.add(index)
			t.try(row, repetition)
		}
		return true
	})
	for _, s := range p.sweeps {
		for _, t := range triers[s].failed {
			i := slices.IndexFunc(apps, func(a spec.Application) bool { return a.Metadata.Name == t.first.App })
			more := ""
			if t.failures > 1 {
				more = fmt.Sprintf(", and %d more", t.failures-1)
			}
			at := applicationsPath.Index(i) + "." + t.Path
			faults = append(faults, spec.Faultf(at, "%v (trial %s of sweep %q: %s%s)", t.err, t.first.ID, s.name, t.point, more))
		}
	}
	return faults, ctx.Err()
}

// A trier tries the templates of the points of a sweep.
type trier struct {
	*sweep
	maker     maker
	seen      bitset                     // indices of points
	templates map[*spec.Variant][]*tried // of a variant's own pointer, so of its application too
	failed    []*tried
}

// A tried template knows for which values it has been tried.
type tried struct {
	*catalog.Template
	factors  []int // that decide what it reads
	known    bitset
	failures int
	err      error // the first one
	first    Trial
	point    string
}

// try tries the templates of one point.
func (t *trier) try(row []int, repetition int) {
	c := &t.maker.config
	t.resolve(row, c)
	variant := c.variant
	all, ok := t.templates[variant]
	if !ok {
		all = t.prepare(t.apps[c.app], variant)
		t.templates[variant] = all
	}
	for _, x := range all {
		if x.known != nil {
			at := 0
			for _, f := range x.factors {
				at = at*t.factors[f].n + row[f]
			}
			if x.known.has(at) {
				continue
			}
			x.known.add(at)
		}
		trial := t.maker.trial(t.sweep, row, repetition)
		err := x.Try(trial.Config())
		if err == nil {
			continue
		}
		if x.failures++; x.failures == 1 {
			x.err, x.first, x.point = err, trial, t.describe(row)
			t.failed = append(t.failed, x)
		}
	}
}

// prepare gives the templates of a variant. Those that do not parse have been
// reported when the application was checked.
func (t *trier) prepare(app *application, v *spec.Variant) (all []*tried) {
	templates, _ := catalog.Templates(app.def, v)
	for _, x := range templates {
		one := &tried{Template: x, factors: t.readBy(app, x.Names)}
		size := 1
		for _, f := range one.factors {
			if n := t.factors[f].n; size > 0 && n <= maxMemo/size {
				size *= n
			} else {
				size = 0 // too many to remember
			}
		}
		if size > 0 {
			one.known = newBitset(size)
		}
		all = append(all, one)
	}
	return all
}

// readBy gives the factors that decide the values of names in templates.
func (s *sweep) readBy(app *application, names []string) (factors []int) {
	for _, name := range names {
		if at, ok := slots[name]; ok {
			factors = append(factors, s.reads(at)...)
		} else if j, ok := app.byName[name]; ok && app.params[j].slot >= 0 {
			factors = append(factors, s.places[app.params[j].slot].factor)
		}
	}
	return union(factors)
}
