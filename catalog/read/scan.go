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
	every := m.lines != nil || len(m.rules.always) > 0
	m.b, m.noted = b, 0
	for i := 0; i < len(b) && m.err == nil && !m.stopped; {
		from := i
		if m.mode == modeText && !every {
			from, m.ids = m.rules.search.next(b, i, m.ids[:0])
			if from == len(b) {
				break
			}
		}
		m.start = bytes.LastIndexByte(b[i:from], '\n') + 1 + i
		end := len(b)
		if n := bytes.IndexByte(b[from:], '\n'); n >= 0 {
			end = from + n
		}
		line := b[m.start:end]
		i = end + 1
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

// note tells the run about the text of the block up to an offset.
func (m *machine) note(to int) {
	if m.noted < to {
		m.current.run().text(m.b[m.noted:to])
		m.noted = to
	}
}

// search lists the literals of a line in ids.
func (m *machine) search(line []byte) {
	m.ids = m.ids[:0]
	for i := 0; i < len(line); i++ {
		i, m.ids = m.rules.search.next(line, i, m.ids)
		if i >= len(line) {
			return
		}
	}
}

// marking gives the wrapper's mark in a line, if there is one.
func (m *machine) marking(line []byte) (marking, bool) {
	if m.whole || !slices.ContainsFunc(m.ids, func(id int32) bool { return int(id) < len(markers) }) {
		return marking{}, false
	}
	return findMarking(line)
}

// text hands a line to the application's rules. A carriage return overwrites
// what a terminal shows: the parts are lines of their own.
func (m *machine) text(line []byte) {
	line = bytes.TrimRight(line, "\r")
	if bytes.IndexByte(line, '\r') < 0 {
		m.apply(line)
		return
	}
	for part := range bytes.SplitSeq(line, []byte("\r")) {
		m.apply(part)
	}
}

// apply runs the rules that the line's literals call for, in their order.
func (m *machine) apply(line []byte) {
	m.memo.turn++
	m.todo = append(m.todo[:0], m.rules.always...)
	for _, id := range m.ids {
		for _, r := range m.rules.byLiteral[id] {
			if m.stamp[r] != m.memo.turn {
				m.stamp[r] = m.memo.turn
				m.todo = append(m.todo, r)
			}
		}
	}
	slices.SortFunc(m.todo, func(a, b int32) int {
		if d := m.rules.all[a].kind - m.rules.all[b].kind; d != 0 {
			return int(d)
		}
		return int(a - b)
	})
	for _, id := range m.todo {
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

// begin cuts where the application begins again after it has shown a result.
// Between marks nothing is cut: the script said that it is one run.
func (m *machine) begin(r *rule, line []byte) {
	c := m.current.run()
	if !r.re.match(line) {
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

// giveEarly gives out the first run of a launch that holds too many to wait.
func (m *machine) giveEarly() {
	s := m.current
	if len(s.runs) <= held {
		return
	}
	first := *s
	first.runs = []*collector{s.runs[0], s.runs[1]}
	m.giveRun(&first, 0)
	s.runs = slices.Delete(s.runs, 0, 1)
}

func (m *machine) tooMany(what string) {
	m.err = fmt.Errorf("it holds more than %d %s; want it in parts", MaxRuns, what)
}
