// SPDX-License-Identifier: MIT

package read

import (
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
	var nodes, slots, perSlot, total int
	var command []string
	var id string
	task := func(d *jsonText) {
		d.object(func(key []byte) {
			switch string(key) {
			case "command":
				d.array(func() { command = append(command, d.text()) })
			case "count":
				d.object(func(key []byte) {
					switch string(key) {
					case "per_slot":
						perSlot = d.count()
					case "total":
						total = d.count()
					}
				})
			}
		})
	}
	d := &jsonText{b: b}
	d.object(func(key []byte) {
		switch string(key) {
		case "resources":
			for _, r := range readResources(d) {
				r.count(1, &nodes, &slots)
			}
		case "tasks":
			first := true
			d.array(func() {
				if first {
					task(d)
				} else {
					d.value()
				}
				first = false
			})
		case "attributes":
			d.object(func(key []byte) {
				if string(key) != "user" {
					return
				}
				d.object(func(key []byte) {
					if string(key) == "study_id" {
						id = d.text()
					}
				})
			})
		}
	})
	if !d.ended() {
		return false
	}
	if id != "" {
		j.studyID = id
	}
	if command == nil {
		return true
	}
	j.command = command
	if total == 0 {
		total = slots * max(perSlot, 1)
	}
	if j.nodes == 0 {
		j.nodes = nodes
	}
	if j.tasks == 0 {
		j.tasks = total
	}
	return true
}

// resource is a vertex of a jobspec's request.
type resource struct {
	kind string
	n    int // of a range the least
	with []resource
}

func readResources(d *jsonText) (all []resource) {
	d.array(func() {
		var r resource
		d.object(func(key []byte) {
			switch string(key) {
			case "type":
				r.kind = d.text()
			case "count":
				if d.peek() != '{' {
					r.n = d.count()
					return
				}
				d.object(func(key []byte) {
					if string(key) == "min" {
						r.n = d.count()
					}
				})
			case "with":
				r.with = readResources(d)
			}
		})
		all = append(all, r)
	})
	return all
}

func (r *resource) count(times int, nodes, slots *int) {
	times *= max(r.n, 1)
	switch r.kind {
	case "node":
		*nodes += times
	case "slot":
		*slots += times
	}
	for i := range r.with {
		r.with[i].count(times, nodes, slots)
	}
}

// resources reads the nodes of a resource set R.
func (j *fluxJob) resources(b []byte) {
	nodes := 0
	d := &jsonText{b: b}
	d.object(func(key []byte) {
		if string(key) != "execution" {
			return
		}
		d.object(func(key []byte) {
			if string(key) != "R_lite" {
				return
			}
			d.array(func() {
				d.object(func(key []byte) {
					if string(key) == "rank" {
						nodes += idsetSize(d.text())
					}
				})
			})
		})
	})
	if nodes > 0 && d.ended() {
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

// event reads one entry of an eventlog.
func (j *fluxJob) event(b []byte) bool {
	var at float64
	var name, context []byte
	d := &jsonText{b: b}
	d.object(func(key []byte) {
		switch string(key) {
		case "timestamp":
			at = d.number()
		case "name":
			name = d.value()
		case "context":
			context = d.value()
		}
	})
	if !d.ended() || len(name) <= len(`""`) || name[0] != '"' {
		return false
	}
	switch string(name[1 : len(name)-1]) {
	case "submit":
		j.submit = at
	case "shell.start":
		j.start = at
		j.taskmap(context)
	case "complete", "finish":
		j.finished = true
		j.waited(context)
	case "done":
		j.done, j.finished = at, true
	case "exception":
		j.excepted(context)
	}
	return true
}

// waited reads the status of wait(2).
func (j *fluxJob) waited(context []byte) {
	d := &jsonText{b: context}
	d.object(func(key []byte) {
		if string(key) == "status" && d.peek() != 'n' {
			status := d.count()
			j.status = &status
		}
	})
}

// excepted reads an exception; the first that ends the job counts.
func (j *fluxJob) excepted(context []byte) {
	var kind, note string
	severity := 0
	d := &jsonText{b: context}
	d.object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.text()
		case "note":
			note = d.text()
		case "severity":
			severity = d.count()
		}
	})
	if severity == 0 && j.exception == "" {
		j.exception = strings.TrimSuffix(kind+": "+note, ": ")
		j.exceptionWas = statusBy(kind)
	}
}

// taskmap counts nodes and tasks of a task map (RFC 34): blocks of first node,
// nodes, tasks of each and repetitions.
func (j *fluxJob) taskmap(context []byte) {
	nodes, tasks := 0, 0
	d := &jsonText{b: context}
	block := func() {
		var m [4]int
		i := 0
		d.array(func() {
			if n := d.count(); i < len(m) {
				m[i] = n
			}
			i++
		})
		nodes = max(nodes, m[0]+m[1])
		tasks += m[1] * m[2] * m[3]
	}
	d.object(func(key []byte) {
		if string(key) != "taskmap" {
			return
		}
		d.object(func(key []byte) {
			if string(key) == "map" {
				d.array(block)
			}
		})
	})
	if nodes > 0 && tasks > 0 && !d.bad {
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
