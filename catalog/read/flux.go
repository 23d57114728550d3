// SPDX-License-Identifier: MIT

package read

import (
	"strconv"
	"strings"
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
