// SPDX-License-Identifier: MIT

package read

import (
	"fmt"
	"strings"
	"syscall"
)

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
