// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// fluxJob is what a job's jobspec (RFC 14), resource set (RFC 20) and eventlogs
// (RFC 18) tell.
type fluxJob struct {
	id, studyID  string
	command      []string
	nodes, tasks int
	submit       float64
	start, done  float64 // shell.start and done
	finished     bool
	status       *int // as of wait(2)
	exception    string
	exceptionWas Status
}

// jobspec reads a jobspec; what it cannot read it leaves out.
func (j *fluxJob) jobspec(b []byte) bool {
	var s struct {
		Resources []resource
		Tasks     []struct {
			Command []string
			Count   struct {
				PerSlot int `json:"per_slot"`
				Total   int
			}
		}
		Attributes struct {
			User map[string]any
		}
	}
	if json.Unmarshal(b, &s) != nil {
		return false
	}
	if id, ok := s.Attributes.User["study_id"].(string); ok {
		j.studyID = id
	}
	nodes, slots := 0, 0
	for _, r := range s.Resources {
		r.count(1, &nodes, &slots)
	}
	if len(s.Tasks) == 0 {
		return true
	}
	t := s.Tasks[0]
	j.command = t.Command
	tasks := t.Count.Total
	if tasks == 0 {
		tasks = slots * max(t.Count.PerSlot, 1)
	}
	if j.nodes == 0 {
		j.nodes = nodes
	}
	if j.tasks == 0 {
		j.tasks = tasks
	}
	return true
}

// resource is a vertex of a jobspec's request.
type resource struct {
	Type  string
	Count json.RawMessage // a number, or a range of which the least counts
	With  []resource
}

func (r resource) count(times int, nodes, slots *int) {
	n, err := strconv.Atoi(string(bytes.TrimSpace(r.Count)))
	if err != nil {
		var least struct{ Min int }
		if json.Unmarshal(r.Count, &least) == nil {
			n = least.Min
		}
	}
	times *= max(n, 1)
	switch r.Type {
	case "node":
		*nodes += times
	case "slot":
		*slots += times
	}
	for _, w := range r.With {
		w.count(times, nodes, slots)
	}
}

// resources reads the nodes of a resource set R.
func (j *fluxJob) resources(b []byte) {
	var r struct {
		Execution struct {
			RLite []struct{ Rank string } `json:"R_lite"`
		}
	}
	if json.Unmarshal(b, &r) != nil {
		return
	}
	nodes := 0
	for _, l := range r.Execution.RLite {
		nodes += idsetSize(l.Rank)
	}
	if nodes > 0 {
		j.nodes = nodes
	}
}

// idsetSize counts the members of an idset such as 0-3,7 (RFC 22).
func idsetSize(s string) int {
	n := 0
	for part := range strings.SplitSeq(strings.Trim(s, "[]"), ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			return 0
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(to); err != nil || b < a {
				return 0
			}
		}
		n += b - a + 1
	}
	return n
}

// event is one entry of an eventlog.
type event struct {
	Timestamp float64
	Name      string
	Context   struct {
		Status   *int
		Type     string
		Severity int
		Note     string
		Taskmap  json.RawMessage
	}
}

func (j *fluxJob) event(b []byte) bool {
	var e event
	if json.Unmarshal(b, &e) != nil || e.Name == "" {
		return false
	}
	switch e.Name {
	case "submit":
		j.submit = e.Timestamp
	case "shell.start":
		j.start = e.Timestamp
		j.taskmap(e.Context.Taskmap)
	case "complete", "finish":
		j.finished = true
		if e.Context.Status != nil {
			j.status = e.Context.Status
		}
	case "done":
		j.done, j.finished = e.Timestamp, true
	case "exception":
		if e.Context.Severity == 0 && j.exception == "" {
			j.exception = strings.TrimSuffix(e.Context.Type+": "+e.Context.Note, ": ")
			j.exceptionWas = statusBy(e.Context.Type)
		}
	}
	return true
}

// taskmap counts nodes and tasks of a task map (RFC 34): blocks of first node,
// nodes, tasks of each and repetitions.
func (j *fluxJob) taskmap(b []byte) {
	var t struct{ Map [][4]int }
	if json.Unmarshal(b, &t) != nil {
		return
	}
	nodes, tasks := 0, 0
	for _, m := range t.Map {
		nodes = max(nodes, m[0]+m[1])
		tasks += m[1] * m[2] * m[3]
	}
	if nodes > 0 && tasks > 0 {
		j.nodes, j.tasks = nodes, tasks
	}
}

// ended gives the way in which the job failed, or "".
func (j *fluxJob) ended() (status Status, reason string) {
	if j.exception != "" {
		return j.exceptionWas, j.exception
	}
	if code, ok := j.exitCode(); ok && code != 0 {
		reason = fmt.Sprintf("exit code %d", code)
		if code > 128 && code < 128+65 {
			reason += fmt.Sprintf(" (%s)", syscall.Signal(code-128))
		}
		return Failed, reason
	}
	return "", ""
}

// exited says that tasks ended by themselves: no signal and no exception.
func (j *fluxJob) exited() bool {
	code, ok := j.exitCode()
	return ok && code > 0 && code <= 128 && j.exception == ""
}

// exitCode reads the status of wait(2) as a shell does: 128 and the signal for
// a task that a signal ended.
func (j *fluxJob) exitCode() (int, bool) {
	if j.status == nil {
		return 0, false
	}
	if s := *j.status; s&0x7f != 0 {
		return 128 + s&0x7f, true
	}
	return *j.status >> 8, true
}

// fill puts the job's facts into a run.
func (j *fluxJob) fill(r *Run) {
	if r.RunID == "" {
		r.RunID = j.studyID
	}
	r.Command = strings.Join(j.command, " ")
	r.Nodes, r.Tasks = j.nodes, j.tasks
	r.Times = Times{moment(j.submit), moment(j.start), moment(j.done)}
	if code, ok := j.exitCode(); ok {
		r.ExitCode = &code
	}
	if j.start > 0 && j.done > 0 {
		r.metric(durationWrapper, j.done-j.start, "s")
	}
}
