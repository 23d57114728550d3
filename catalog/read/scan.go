// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"fmt"
	"slices"
)

// block takes whole lines.
func (m *machine) block(b []byte, long bool) {
	if long {
		m.current.run().flag("long-lines")
	}
	m.b, m.noted, m.returns = b, 0, bytes.IndexByte(b, '\r') >= 0
	for i := 0; i < len(b) && m.err == nil && !m.stopped; {
		m.start = i
		end := lineEnd(b, i)
		line := b[i:end]
		i = min(end+1, len(b))
		if m.mode != modeText && m.data(line) {
			m.noted = i
			continue
		}
		m.search(line)
		if mark, ok := m.marking(line); ok {
			m.note(m.start)
			m.noted = i
			m.handle(mark)
			continue
		}
		m.text(line)
	}
	if m.mode == modeText {
		m.note(len(b))
	}
}

// lineEnd gives the end of the line that holds the place i.
func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}

// note tells the run about the text of the block up to an offset.
func (m *machine) note(to int) {
	if m.noted < to {
		m.current.run().text(m.b[m.noted:to])
		m.noted = to
	}
}

// search finds the literals of a line.
func (m *machine) search(line []byte) { m.ids = m.rules.search.find(line, m.ids[:0]) }

// marking gives the wrapper's mark in a line, if there is one.
func (m *machine) marking(line []byte) (marking, bool) {
	if m.whole || !slices.ContainsFunc(m.ids, func(id int32) bool { return int(id) < len(markers) }) {
		return marking{}, false
	}
	return findMarking(line, m.ids)
}

// text hands a line to the application's rules. A carriage return overwrites
// what a terminal shows: the parts are lines of their own.
func (m *machine) text(line []byte) {
	if !m.returns || bytes.IndexByte(line, '\r') < 0 {
		m.apply(line)
		return
	}
	for part := range bytes.SplitSeq(bytes.TrimRight(line, "\r"), []byte("\r")) {
		m.apply(part)
	}
}

// apply runs the rules that the line's literals and its head call for, in their
// order. Most lines call for none.
func (m *machine) apply(line []byte) {
	m.call(line)
	if len(m.todo) > 0 {
		m.memo.turn++
	}
	if !slices.IsSorted(m.todo) {
		slices.Sort(m.todo)
	}
	last := int32(-1)
	for _, id := range m.todo {
		if id == last {
			continue // two literals called for it
		}
		last = id
		r := &m.rules.all[id]
		if p := m.current.printed; p != nil && r.from != "" {
			p.try(r, line, &m.memo)
		}
		switch {
		case m.whole && r.from != m.from:
		case r.kind == kindBegin:
			m.begin(r, line)
		default:
			m.current.run().try(r, line, &m.memo)
		}
	}
	if c := m.current.run(); c.lines != nil {
		c.lines.line(line)
	}
}

// call lists the rules that a line calls for in todo.
func (m *machine) call(line []byte) {
	m.todo = append(m.todo[:0], m.rules.always...)
	for _, id := range m.ids {
		m.todo = append(m.todo, m.rules.byLiteral[id]...)
	}
	i := 0
	for i < len(line) && isSpace[line[i]] {
		i++
	}
	if i == len(line) {
		return
	}
	for _, h := range m.rules.byHead[line[i]] {
		if bytes.HasPrefix(line[i:], h.text) {
			m.todo = append(m.todo, h.rule)
		}
	}
}

// begin cuts where the application begins again after it has shown a result.
// Between marks nothing is cut: the script said that it is one run.
func (m *machine) begin(r *rule, line []byte) {
	c := m.current.run()
	if m.memo.find(r, line) == nil {
		return
	}
	if c.begun[r.index] && !m.whole {
		if (c.produced() || c.lines != nil) && !m.current.marked {
			m.note(m.start)
			c = m.collector()
			m.current.runs = append(m.current.runs, c)
			m.giveEarly()
		} else {
			c.flag("restarted")
		}
	}
	c.begun[r.index] = true
}

// held is how many runs of one launch wait for what the launch's end tells.
const held = 1 << 10

// giveEarly gives out half of the runs of a launch that holds too many to wait.
func (m *machine) giveEarly() {
	s := m.current
	if len(s.runs) < held {
		return
	}
	for i := range held / 2 {
		m.giveRun(s, i)
	}
	s.runs = slices.Delete(s.runs, 0, held/2)
}

func (m *machine) tooMany(what string) {
	m.err = fmt.Errorf("it holds more than %d %s; want it in parts", MaxRuns, what)
}
