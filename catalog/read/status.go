// SPDX-License-Identifier: MIT

package read

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// end gives out what is left at the end of the file.
func (m *machine) end() {
	if m.current.marked {
		m.endMarked(false)
	}
	switch {
	case len(m.marked) > 0:
		m.giveMarked()
	case len(m.jobs) > 0:
		m.bindUnmarked()
		m.give(m.current)
	case !m.current.tail || m.current.run().seen():
		m.give(m.current)
	}
}

// giveMarked gives out the runs between marks, with their jobs.
func (m *machine) giveMarked() {
	m.bind()
	for _, s := range m.marked {
		m.give(s)
	}
	m.marked, m.jobs, m.job = nil, nil, nil
}

// bind gives every marked run its job by name. Where a name was run several
// times, the jobs in the order of their start belong to the runs in the order
// of the log.
func (m *machine) bind() {
	m.sortJobs()
	byID := map[string][]*fluxJob{}
	for _, j := range m.jobs {
		byID[j.studyID] = append(byID[j.studyID], j)
	}
	for _, s := range m.marked {
		if jobs := byID[s.id]; len(jobs) > 0 {
			s.job, byID[s.id] = jobs[0], jobs[1:]
		}
	}
}

// bindUnmarked is for a log whose runs have no marks: one job has the whole
// output, and as many runs as jobs go together in their order.
func (m *machine) bindUnmarked() {
	m.sortJobs()
	runs := m.current.runs
	if len(m.jobs) != len(runs) {
		return
	}
	for i, c := range runs {
		s := &segment{job: m.jobs[i], runs: []*collector{c}}
		if i == len(runs)-1 {
			m.current = s
		} else {
			m.give(s)
		}
	}
}

func (m *machine) sortJobs() {
	slices.SortStableFunc(m.jobs, func(a, b *fluxJob) int { return cmp.Compare(a.start, b.start) })
}

// give turns a segment into its runs.
func (m *machine) give(s *segment) {
	for i := range s.runs {
		m.giveRun(s, i)
	}
}

func (m *machine) giveRun(s *segment, i int) {
	if m.stopped {
		return
	}
	c := s.runs[i]
	r := Run{App: m.app, File: m.file, RunID: s.id}
	c.room(&r)
	s.fill(&r)
	missing := c.fill(&r)
	if _, ok := r.Metrics[durationWrapper]; ok && len(s.runs) > 1 {
		r.flag("shared-wrapper")
	}
	r.Iteration = iteration(r.RunID)
	m.rules.compute(&r)
	r.Status, r.Reason = decide(s, c, missing, i == len(s.runs)-1)
	m.emitted++
	m.stopped = !m.emit(r)
}

// fill puts the launch's facts into a run.
func (s *segment) fill(r *Run) {
	if s.job != nil {
		s.job.fill(r)
	}
	if s.command != nil && r.Command == "" {
		r.Command = strings.Join(s.command, " ")
		r.Nodes = cmp.Or(r.Nodes, option(s.command, "-N", "--nodes"))
		r.Tasks = cmp.Or(r.Tasks, option(s.command, "-n", "-np", "--ntasks"))
	}
	if s.start > 0 {
		r.Times.Start = moment(s.start)
		if s.end >= s.start {
			r.Times.Finish = moment(s.end)
			r.metric(durationWrapper, s.end-s.start, "s")
		}
	}
}

// option gives the number that follows one of the names in a launcher's
// command line, or 0.
func option(args []string, names ...string) int {
	for i, a := range args {
		name, value, joined := strings.Cut(a, "=")
		for _, n := range names {
			switch {
			case a == n && i+1 < len(args):
				value = args[i+1]
			case joined && name == n:
			case len(n) == 2 && strings.HasPrefix(a, n):
				value = a[2:]
			default:
				continue
			}
			if x, err := strconv.Atoi(value); err == nil {
				return x
			}
		}
	}
	return 0
}

// iteration gives the number at the end of a name such as lammps-iter-3.
func iteration(id string) *int {
	const joints = "-_."
	name := strings.TrimRight(id, "0123456789")
	n, err := strconv.Atoi(id[len(name):])
	if err != nil || len(id)-len(name) > 9 {
		return nil
	}
	if name != "" && strings.ContainsRune(joints, rune(name[len(name)-1])) {
		name = name[:len(name)-1]
	}
	name, ok := strings.CutSuffix(strings.TrimSuffix(name, "ation"), "iter")
	if !ok || name != "" && !strings.ContainsRune(joints, rune(name[len(name)-1])) {
		return nil
	}
	return &n
}

// finished says whether the wrapper reached its end; known is false without a
// wrapper.
func (s *segment) finished() (finished, known bool) {
	switch {
	case s.job != nil && (s.job.finished || !s.ended):
		return s.job.finished, true
	case s.marked:
		return s.ended, true
	case s.start > 0 || s.end > 0:
		return s.end > 0, true
	}
	return false, false
}

// decide gives a run its status. What the launcher says comes first, then the
// application's failures, then what is missing. But where the launcher has no
// more than an exit code to tell, the application's words are the reason.
func decide(s *segment, c *collector, missing []string, last bool) (Status, string) {
	finished, known := s.finished()
	if last && s.job != nil {
		if status, reason := s.job.ended(); status != "" {
			switch {
			case c.failure != "" && s.job.exited() && (c.launched == "" || c.generic):
				reason = c.failure
			case c.launched != "" && (status == Failed || c.launchedStatus == status):
				status, reason = c.launchedStatus, c.launched
			case c.failure != "" && status == Failed:
				reason += "; " + c.failure
			case c.hint != "" && status == Failed:
				reason += `; the log says: ` + c.hint
			}
			return status, reason
		}
	}
	switch {
	case c.launched != "" && (c.failure == "" || !c.generic):
		return c.launchedStatus, c.launched
	case c.failure != "":
		return Failed, c.failure
	case len(missing) > 0 && (finished || !last):
		return Failed, strings.Join(missing, ", ") + "; " + c.evidence()
	case len(missing) > 0:
		return Incomplete, strings.Join(missing, ", ") + "; " + c.evidence()
	case last && known && !finished:
		return Incomplete, "the launcher's start is in the log but not its end; " + c.evidence()
	}
	return Succeeded, ""
}

// evidence quotes the log.
func (c *collector) evidence() string {
	switch {
	case c.hint != "":
		return "the log says: " + c.hint
	case c.last != "":
		return "the log ends with: " + c.last
	}
	return "nothing was printed"
}
