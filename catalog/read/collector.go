// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// A lineReader reads a format that rules cannot express. It sees every line of
// the application's output.
type lineReader interface {
	line(b []byte)
	// finish puts what was read into the run and says what is missing, if
	// anything is.
	finish(*Run) (missing string)
}

// collector is the application layer's state of one run.
type collector struct {
	rules   *rules
	lines   lineReader // nil for rules alone
	values  []tally
	armed   []bool // metrics whose After has matched
	begun   []bool
	success []bool
	facts   []string
	failure string // the reason of the first rule of failure
	// launched is what the launcher said of a bad end.
	launched       string
	launchedStatus Status
	generic        bool // launched says no cause
	hint           string
	hintRank       int
	last           string // the last line that is not blank
	flags          []string
}

func newCollector(r *rules, lines lineReader) *collector {
	marks := make([]bool, len(r.metrics)+r.begins+len(r.success))
	take := func(n int) (taken []bool) {
		taken, marks = marks[:n:n], marks[n:]
		return taken
	}
	return &collector{
		rules:    r,
		lines:    lines,
		values:   make([]tally, len(r.values)),
		armed:    take(len(r.metrics)),
		begun:    take(r.begins),
		success:  take(len(r.success)),
		facts:    make([]string, len(r.facts)),
		hintRank: len(hints),
	}
}

// produced says whether the run has shown a result or a failure, so that
// another banner is another run.
func (c *collector) produced() bool {
	return c.failure != "" || c.launched != "" || slices.ContainsFunc(c.values, func(t tally) bool { return t.n > 0 })
}

// seen says whether there is any sign of the application.
func (c *collector) seen() bool {
	return c.produced() || slices.Contains(c.begun, true) || slices.Contains(c.success, true)
}

func (c *collector) flag(f string) {
	if !slices.Contains(c.flags, f) {
		c.flags = append(c.flags, f)
	}
}

// try runs one rule on a line that may be its.
func (c *collector) try(r *rule, line []byte, found *memo) {
	switch r.kind {
	case kindHint:
		if r.index < c.hintRank {
			c.hint, c.hintRank = clip(line), r.index
		}
		return
	case kindSuccess:
		if c.success[r.index] {
			return
		}
	case kindFailure:
		if c.failure != "" {
			return
		}
	case kindMetric:
		if m := &c.rules.metrics[r.index]; m.after && !c.armed[r.index] {
			return
		}
	case kindAfter:
		if c.armed[r.index] {
			return
		}
	}
	match := found.find(r, line)
	if match == nil {
		return
	}
	switch r.kind {
	case kindMetric:
		c.add(&c.rules.metrics[r.index], r, line, match, found)
	case kindSuccess:
		c.success[r.index] = true
	case kindFailure:
		c.failure = clip([]byte(r.expand(line, match)))
	case kindFact:
		c.facts[r.index] = clip([]byte(r.expand(line, match)))
	case kindAfter:
		c.armed[r.index] = true
	case kindLauncher:
		c.launcher(r, line, match)
	}
}

func (c *collector) launcher(r *rule, line []byte, match []int) {
	l := launchers[r.index]
	reason := clip([]byte(r.expand(line, match)))
	status := l.status
	if status == "" {
		status = statusBy(reason)
	}
	// The first word counts, but a cause outranks what says none, and a
	// cancellation or a time limit explains the exits that follow and precede it.
	if c.launched == "" || c.generic && !l.generic || c.launchedStatus == Failed && status != Failed {
		c.launched, c.launchedStatus, c.generic = reason, status, l.generic
	}
}

func (c *collector) add(m *metricRule, r *rule, line []byte, match []int, found *memo) {
	v := &c.rules.values[m.value]
	if v.Take == spec.TakeCount {
		c.values[m.value].add(v.Take, 0)
		return
	}
	if match[2*r.group] < 0 {
		return
	}
	x, ok := found.number(r, line, match)
	if !ok {
		return
	}
	if !finite(x) {
		c.flag("not-finite")
		return
	}
	c.values[m.value].add(v.Take, scaled(x, m.scale))
	if len(c.values[m.value].list) == MaxPoints {
		c.flag("truncated")
	}
}

// text notes what was printed, for the last line of a run that broke off.
func (c *collector) text(b []byte) {
	for len(b) > 0 {
		i := bytes.LastIndexByte(b, '\n')
		if line := bytes.TrimSpace(b[i+1:]); len(line) > 0 {
			c.last = clip(line)
			return
		}
		b = b[:max(i, 0)]
	}
}

// room makes room for the metrics of a run, if there are any: a map that grows
// is a good part of a short run's cost.
func (c *collector) room(r *Run) {
	n := 0
	for i := range c.values {
		n += min(c.values[i].n, 1)
	}
	if n > 0 {
		r.Metrics = make(map[string]Value, n+len(c.rules.formulas)+1)
	}
}

// fill puts values and facts into a run. The launcher's facts, already there,
// outrank the application's.
func (c *collector) fill(r *Run) (missing []string) {
	for i := range c.rules.values {
		v := &c.rules.values[i]
		if x, ok := c.values[i].result(v.Take); ok {
			r.metric(v.Name, x, v.Unit)
		}
	}
	for i, f := range c.rules.facts {
		if c.facts[i] != "" {
			c.fact(r, f.Name, c.facts[i])
		}
	}
	for _, f := range c.flags {
		r.flag(f)
	}
	if c.lines != nil {
		if m := c.lines.finish(r); m != "" {
			missing = append(missing, m)
		}
	}
	for i, s := range c.rules.success {
		if !c.success[i] {
			missing = append(missing, missingText(s))
		}
	}
	return missing
}

func missingText(s spec.Rule) string {
	if s.Reason != "" {
		return s.Reason
	}
	return "no line matches " + strconv.Quote(s.Match)
}

func (c *collector) fact(r *Run, name spec.FactName, text string) {
	count := func(p *int) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n <= 0:
		case *p == 0:
			*p = n
		case *p != n && name == spec.FactTasks:
			r.flag("tasks-differ")
		}
	}
	switch name {
	case spec.FactProblem:
		r.Problem = text
	case spec.FactCommand:
		if r.Command == "" {
			r.Command = text
		}
	case spec.FactNodes:
		count(&r.Nodes)
	case spec.FactTasks:
		count(&r.Tasks)
	case spec.FactThreads:
		count(&r.Threads)
	}
}

// clip makes a line fit for a reason: valid, printable and not long.
func clip(line []byte) string {
	const most = 240
	line = bytes.TrimSpace(line)
	cut := len(line) > most
	if cut {
		line = line[:most]
	}
	if !cut && !slices.ContainsFunc(line, func(b byte) bool { return b < ' ' || b > '~' }) {
		return string(line)
	}
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(line), "\uFFFD"))
	if cut {
		s += "…"
	}
	return s
}
