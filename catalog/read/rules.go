// SPDX-License-Identifier: MIT

package read

import (
	"errors"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// A rule's kind says what a match means. A line is tried on its rules in the
// order of the kinds: a line that begins a run belongs to the new run, and a
// line that arms a metric does not count for it.
type kind int

const (
	kindBegin kind = iota
	kindMetric
	kindSuccess
	kindFailure
	kindFact
	kindAfter
	kindLauncher
	kindHint
)

// rule is one expression, compiled.
type rule struct {
	kind     kind
	index    int // in the list of its kind
	re       *pattern
	same     int // the first rule with the same expression
	group    int
	text     string // with ${1}; empty for the group or the line
	literals []string
	from     string
}

// rules are those of one application, ready to run.
type rules struct {
	all     []rule // in the order of their kinds
	metrics []metricRule
	// values are the metrics by name, in the order of their first rule.
	values  []spec.Metric
	success []spec.Rule
	facts   []spec.Fact
	begins  int
	// formulas are computed in their order, when all else is known.
	formulas []computed
	// A line is tried on a rule when it has one of the rule's literals, or
	// begins as the rule's matches do, spaces apart.
	search    *searcher
	byLiteral [][]int32
	byHead    [256][]head
	// always are the rules with which every line is tried.
	always []int32
}

// head calls for a rule where a line begins with a text, which may be empty.
type head struct {
	text []byte
	rule int32
}

// computed is a value that a formula gives.
type computed struct {
	name, unit string
	scale      float64
	of         formula
}

// compute adds what the formulas give to a run. A value that the log gave
// stays.
func (c *rules) compute(r *Run) {
	for _, f := range c.formulas {
		if _, ok := r.Metrics[f.name]; ok {
			continue
		}
		switch x, ok := f.of(r.Metrics); {
		case !ok:
		case !finite(x):
			r.flag("not-finite")
		default:
			r.metric(f.name, scaled(x, f.scale), f.unit)
		}
	}
}

// metricRule says where the matches of one spec.Metric go.
type metricRule struct {
	value int // in values
	scale float64
	after bool
	from  string
}

// compile checks every rule and reports all faults at once.
func compile(out spec.Output) (*rules, error) {
	c := &rules{success: out.Success, facts: out.Facts, begins: len(out.Begin)}
	var faults []error
	fault := func(where string, i int, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s[%d]: %w", where, i, err))
		}
	}
	for i, b := range out.Begin {
		fault("begin", i, c.add(kindBegin, i, b, "", ""))
	}
	for i, m := range out.Metrics {
		if err := c.addMetric(i, m, out.Metrics); err != nil {
			faults = append(faults, fmt.Errorf("metrics[%d] %q: %w", i, m.Name, err))
		}
	}
	for i, r := range out.Success {
		fault("success", i, c.add(kindSuccess, i, r.Match, r.Reason, r.From))
	}
	for i, r := range out.Failure {
		fault("failure", i, c.add(kindFailure, i, r.Match, r.Reason, r.From))
	}
	for i, f := range out.Facts {
		fault("facts", i, c.add(kindFact, i, f.Match, f.Text, f.From))
	}
	for i, l := range launchers {
		fault("launchers", i, c.add(kindLauncher, i, l.match, l.reason, ""))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.index()
	return c, nil
}

func (c *rules) add(k kind, index int, expression, text, from string) error {
	re, err := newPattern(expression)
	if err != nil {
		return err
	}
	group := max(re.re.SubexpIndex("value"), min(1, re.re.NumSubexp()))
	c.all = append(c.all, rule{kind: k, index: index, re: re, group: group, text: text, literals: required(expression), from: from})
	return nil
}

func (c *rules) addMetric(i int, m spec.Metric, all []spec.Metric) error {
	value := slices.IndexFunc(c.values, func(v spec.Metric) bool { return v.Name == m.Name })
	if value < 0 {
		value = len(c.values)
		c.values = append(c.values, m)
	}
	first := c.values[value]
	switch {
	case first.Unit != m.Unit || first.Take != m.Take:
		return fmt.Errorf("the alternatives differ: %q %q and %q %q, want one unit and one take", first.Unit, first.Take, m.Unit, m.Take)
	case (m.Match == "") == (m.Formula == ""):
		return errors.New("want either match or formula")
	}
	scale := m.Scale
	if scale == 0 {
		scale = 1
	}
	c.metrics = append(c.metrics, metricRule{value, scale, m.After != "", m.From})
	if m.Formula != "" {
		names := []string{durationWrapper}
		for _, o := range all {
			if !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
		}
		f, err := parseFormula(m.Formula, names)
		c.formulas = append(c.formulas, computed{m.Name, m.Unit, scale, f})
		return err
	}
	if err := c.add(kindMetric, i, m.Match, "", m.From); err != nil {
		return err
	}
	if r := c.all[len(c.all)-1]; r.group == 0 && m.Take != spec.TakeCount {
		return fmt.Errorf("%q has no group: want the value in parentheses", m.Match)
	}
	if m.After != "" {
		return c.add(kindAfter, i, m.After, "", m.From)
	}
	return nil
}

// index puts the rules in order and builds the searcher over all literals, the
// wrapper layer's and those of hints included.
func (c *rules) index() {
	for i, h := range hints {
		c.all = append(c.all, rule{kind: kindHint, index: i, literals: []string{h.text}})
	}
	slices.SortStableFunc(c.all, func(a, b rule) int { return int(a.kind - b.kind) })
	first := map[string]int{}
	for i := range c.all {
		r := &c.all[i]
		if r.same = i; r.re == nil {
			continue
		}
		if same, ok := first[r.re.re.String()]; ok {
			r.same = same
		} else {
			first[r.re.re.String()] = i
		}
	}
	number := map[string]int{}
	var literals []string
	literal := func(l string, rule int32) {
		n, ok := number[l]
		if !ok {
			n = len(literals)
			number[l] = n
			literals = append(literals, l)
			c.byLiteral = append(c.byLiteral, nil)
		}
		if rule >= 0 {
			c.byLiteral[n] = append(c.byLiteral[n], rule)
		}
	}
	for _, m := range markers {
		literal(m.text, -1)
	}
	for i := range c.all {
		if r := &c.all[i]; r.re != nil && c.addHead(r.re, int32(i), shortest(r.literals)) {
			continue
		}
		for _, l := range c.all[i].literals {
			literal(l, int32(i))
		}
		if c.all[i].literals == nil {
			c.always = append(c.always, int32(i))
		}
	}
	c.search = newSearcher(literals)
}

// addHead lists a rule by the bytes with which its matches begin, where that
// looks better than to search for its literals: short ones slow the search down
// for all, and a text that begins a line is seldom found in its middle.
func (c *rules) addHead(p *pattern, rule int32, literal int) bool {
	const window, most = 5, 16
	first, text := p.head()
	n := 0
	for _, in := range first {
		if in {
			n++
		}
	}
	if n == 0 || n > most || literal >= window && text == nil {
		return false
	}
	for b, in := range first {
		if in {
			c.byHead[b] = append(c.byHead[b], head{text, rule})
		}
	}
	return true
}

// expand gives the text of a match: the template's, the group's, or the line.
func (r *rule) expand(line []byte, match []int) string {
	switch {
	case r.text != "":
		return string(r.re.re.Expand(nil, []byte(r.text), line, match))
	case r.group > 0 && match[2*r.group] >= 0:
		return string(line[match[2*r.group]:match[2*r.group+1]])
	}
	return string(line)
}
