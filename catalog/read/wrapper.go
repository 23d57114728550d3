// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"fmt"
	"slices"
)

// machine is the wrapper layer: it cuts a log into segments, each with the
// facts of one launch, and hands lines to the application layer.
//
//	text ── START OF JOBSPEC, FLUX-JOB-JOBSPEC START ──> jobspec ──┐
//	  ^  ── FLUX-JOB-RESOURCES START ──────────────────> resources ┤
//	  │  ── START OF EVENTLOG, FLUX-JOB-EVENTLOG START ──> events ─┤
//	  └─────────── any line that is not JSON ──────────────────────┘
//
// In text a segment is open. It closes at the next FLUX-RUN START or END, at
// the second start time of a batch script, at text below an eventlog, and at
// the end of the file. Output outside FLUX-RUN marks is noise once there are
// marks.
type machine struct {
	app, file string
	rules     *rules
	lines     func() lineReader // nil for rules alone
	whole     bool              // one run of ours: no wrappers, no cuts
	from      string            // the pattern of the file, where whole
	emit      func(Run) bool
	stopped   bool
	emitted   int

	mode    mode
	current *segment
	marked  []*segment // closed runs between marks, until their jobs are known
	jobs    []*fluxJob // in a pod's log
	job     *fluxJob   // whose sections are being read
	err     error

	b     []byte // the block
	start int    // of the line in b
	noted int    // up to where the text of b was noted
	ids   []int32
	todo  []int32
	stamp []uint32
	memo  memo
}

type mode int

const (
	modeText mode = iota
	modeJobspec
	modeResources
	modeEvents
)

// segment is one launch.
type segment struct {
	id         string
	marked     bool // between FLUX-RUN marks
	ended      bool // the end mark was there
	start, end float64
	job        *fluxJob
	attached   bool // the job's eventlog follows the output
	tail       bool // text below an eventlog
	command    []string
	runs       []*collector
}

func newMachine(app, file string, r *rules, lines func() lineReader, emit func(Run) bool) *machine {
	m := &machine{app: app, file: file, rules: r, lines: lines, emit: emit, stamp: make([]uint32, len(r.all)), memo: newMemo(len(r.all))}
	m.current = m.open()
	return m
}

func (m *machine) open() *segment { return &segment{runs: []*collector{m.collector()}} }

func (m *machine) collector() *collector {
	if m.lines == nil {
		return newCollector(m.rules, nil)
	}
	return newCollector(m.rules, m.lines())
}

// run is the run that lines belong to.
func (s *segment) run() *collector { return s.runs[len(s.runs)-1] }

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
		switch r := &m.rules.all[id]; {
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
func (m *machine) begin(r *rule, line []byte) {
	c := m.current.run()
	if !r.re.match(line) {
		return
	}
	if c.begun[r.index] && !m.whole {
		if c.produced() || c.lines != nil {
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

// data takes a line of a job's sections; it gives false for a line that is none
// of them, which is text again.
func (m *machine) data(line []byte) bool {
	b := bytes.TrimSpace(line)
	if len(b) == 0 {
		return true
	}
	mode := m.mode
	if b[0] == '{' && m.job != nil {
		switch mode {
		case modeJobspec:
			m.mode = modeText
			return m.job.jobspec(b)
		case modeResources:
			m.mode = modeText
			m.job.resources(b)
			return true
		case modeEvents:
			if m.job.event(b) {
				return true
			}
		}
	}
	m.mode = modeText
	if mode == modeEvents && m.current.attached {
		if _, ok := findMarking(line); !ok {
			m.close()
			m.current.tail = true
		}
	}
	return false
}

// handle takes a wrapper's mark.
func (m *machine) handle(k marking) {
	if len(bytes.TrimSpace(k.prefix)) > 0 {
		m.search(k.prefix)
		m.text(k.prefix)
		m.current.run().text(k.prefix)
	}
	switch k.mark {
	case markRunStart:
		m.endMarked(false)
		if len(m.jobs) > 0 {
			m.giveMarked() // another pod's log begins
		}
		m.current.id, m.current.marked = k.args[0], true
	case markRunEnd:
		if m.current.marked && m.current.id == k.args[0] {
			m.endMarked(true)
		}
	case markJobStart:
		m.job = &fluxJob{id: k.args[0]}
		if len(k.args) > 1 && k.args[1] != "null" {
			m.job.studyID = k.args[1]
		}
		if m.jobs = append(m.jobs, m.job); len(m.jobs) > MaxRuns {
			m.tooMany("jobs")
		}
	case markJobspec:
		m.mode = modeJobspec
	case markResources:
		m.mode = modeResources
	case markEvents:
		m.mode = modeEvents
	case markAttachJobspec:
		m.attach()
		m.mode = modeJobspec
	case markAttachEvents:
		if m.current.job == nil {
			m.attach()
		}
		m.mode = modeEvents
	case markSlurmStart:
		if m.current.start > 0 {
			m.close()
		}
		m.current.start = k.moment
	case markSlurmEnd:
		m.current.end = k.moment
	case markCommand:
		if c := m.current; c.command == nil && !c.run().seen() {
			c.command = k.args
		}
	}
}

// attach binds a job to the output above it.
func (m *machine) attach() {
	if m.current.job != nil {
		m.close()
	}
	m.job = &fluxJob{}
	m.current.job, m.current.attached, m.current.tail = m.job, true, false
}

// endMarked closes what is open at a FLUX-RUN mark.
func (m *machine) endMarked(ended bool) {
	if m.current.marked {
		m.current.ended = ended
		if m.marked = append(m.marked, m.current); len(m.marked) > MaxRuns {
			m.tooMany("runs")
		}
	}
	m.current = m.open()
}

// close gives out a segment that needs nothing from the rest of the file.
func (m *machine) close() {
	m.give(m.current)
	m.current = m.open()
}
