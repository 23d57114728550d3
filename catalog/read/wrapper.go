// SPDX-License-Identifier: MIT

package read

import "bytes"

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
	// returns says that there are carriage returns in b.
	returns bool
	ids     []int32 // those of the line
	todo    []int32 // the rules that the line calls for
	memo    memo
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
	// printed is the marked run above, whose collected files a script may print
	// before the next one starts.
	printed *collector
	command []string
	runs    []*collector
}

func newMachine(app, file string, r *rules, lines func() lineReader, emit func(Run) bool) *machine {
	m := &machine{app: app, file: file, rules: r, lines: lines, emit: emit, memo: newMemo(len(r.all))}
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
		m.search(line)
		if _, ok := m.marking(line); !ok {
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
		if c := m.current; c.marked && c.id == k.args[0] {
			m.endMarked(true)
			m.current.printed = c.run()
		}
	case markJobStart:
		m.current.printed = nil
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
