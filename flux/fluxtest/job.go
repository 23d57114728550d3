// SPDX-License-Identifier: MIT

package fluxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

// job is a job and all that is kept of it.
type job struct {
	id       flux.JobID
	j        string          // as it was signed
	raw      json.RawMessage // the jobspec without its environment
	spec     *flux.Jobspec
	urgency  int
	flags    flux.SubmitFlags
	state    flux.State
	ended    bool // by an exception of severity 0
	result   flux.Result
	needs    []*need // dependencies that are not met
	others   []*job  // that depend on it
	got      []slice // what it holds
	r        json.RawMessage
	waited   bool
	logs     map[string][]flux.Event // by name: eventlog, guest.output, ...
	watchers []*watcher
	cancel   context.CancelCauseFunc // of its tasks
}

// slice is what a job holds of a node.
type slice struct {
	rank  int
	cores flux.IDSet
}

// watcher is somebody who follows a log.
type watcher struct {
	*request
	log string
}

// killed is why tasks are ended.
type killed syscall.Signal

func (k killed) Error() string { return syscall.Signal(k).String() }

// post puts an event into the job's log and tells who listens.
func (b *Broker) post(j *job, name string, context any) {
	e, err := flux.NewEvent(b.now(), name, context)
	if err != nil {
		panic(err)
	}
	message := map[string]any{"id": j.id, "events": []flux.Event{e}}
	switch name {
	case "submit":
		message["jobspec"] = j.raw
	case "alloc":
		message["R"] = j.r
	}
	for _, l := range b.listeners {
		if l.wants(e.Name) {
			l.answer(message)
		}
	}
	if name == "annotations" || name == "invalidate" {
		return // kept nowhere
	}
	j.state = j.state.After(e)
	if status, ok := e.Finish(); ok {
		j.result.Ran, j.result.Status = true, status
	}
	b.log(j, "eventlog", e)
}

// log puts an event into a log and tells who follows it.
func (b *Broker) log(j *job, name string, e flux.Event) {
	j.logs[name] = append(j.logs[name], e)
	for _, w := range j.watchers {
		if w.log == name {
			w.answer(map[string]string{"event": e.String() + "\n"})
		}
	}
}

// guest puts an event into a log that the job writes.
func (b *Broker) guest(j *job, log, name string, context any) {
	e, err := flux.NewEvent(b.now(), name, context)
	if err != nil {
		panic(err)
	}
	b.log(j, "guest."+log, e)
}

// submit takes a job, or says why not.
func (b *Broker) submit(signed string, urgency int, flags flux.SubmitFlags) (*job, error) {
	text, err := unwrap(signed, b.owner)
	if err != nil {
		return nil, refuse(syscall.EINVAL, err.Error())
	}
	spec, err := flux.ParseJobspec(text)
	if err != nil {
		return nil, refuse(syscall.EPERM, err.Error()) // so it is when the validator says no
	}
	if urgency < 0 || urgency > 31 {
		return nil, refuse(syscall.EINVAL, "urgency range is [0:31]")
	}
	j := &job{id: b.newID(), j: signed, spec: spec, urgency: urgency, flags: flags, logs: map[string][]flux.Event{}}
	redacted := *spec
	redacted.Attributes.System.Environment = nil
	if j.raw, err = json.Marshal(&redacted); err != nil {
		return nil, err
	}
	if j.needs, err = b.needsOf(j); err != nil {
		return nil, refuse(syscall.EINVAL, err.Error())
	}
	for _, n := range j.needs {
		if n.on != nil {
			n.on.others = append(n.on.others, j)
		}
	}
	b.jobs[j.id] = j
	b.order = append(b.order, j)
	b.post(j, "submit", pairs("userid", b.owner, "urgency", urgency, "flags", int(flags), "version", 1))
	for _, n := range j.needs {
		b.post(j, "dependency-add", pairs("description", n.text))
	}
	b.post(j, "validate", nil)
	return j, nil
}

// advance takes a job as far as it goes.
func (b *Broker) advance(j *job) {
	if j.state != flux.Depend || !b.meet(j) {
		return
	}
	b.post(j, "depend", nil)
	b.post(j, "priority", pairs("priority", j.urgency))
	b.enqueue(j)
	b.schedule()
}

// raise raises an exception.
func (b *Broker) raise(j *job, kind string, severity int, note string) {
	was := j.state
	b.post(j, "exception", pairs("type", kind, "severity", severity, "note", note, "userid", b.owner))
	if severity > 0 || j.ended {
		return
	}
	j.ended = true
	e := j.logs["eventlog"]
	j.result.Exception, _ = e[len(e)-1].Exception()
	if was == flux.Run {
		sig := syscall.SIGTERM
		if kind == "timeout" {
			sig = syscall.SIGALRM
		}
		j.cancel(killed(sig))
		return // its tasks end, and then the job
	}
	b.queue = slices.DeleteFunc(b.queue, func(q *job) bool { return q == j })
	b.clean(j)
}

// clean ends a job.
func (b *Broker) clean(j *job) {
	b.post(j, "clean", nil)
	j.state = flux.Inactive
	for _, w := range j.watchers {
		w.end()
	}
	j.watchers = nil
	delete(b.watched, j)
	if j.flags&flux.FlagWaitable != 0 && len(b.waiters) > 0 {
		r := b.waiters[0]
		b.waiters = b.waiters[1:]
		b.tellEnd(r, j)
	}
	b.released(j)
	b.schedule()
}

// tellEnd answers who waited for a job.
func (b *Broker) tellEnd(r *request, j *job) {
	j.waited = true
	text := ""
	switch {
	case j.result.Exception != nil:
		text = "Fatal exception type=" + j.result.Exception.Type + " " + j.result.Exception.Note
	case j.result.Status != 0:
		text = fmt.Sprintf("task(s) exited with exit code %d", j.result.Status.ExitCode())
	}
	r.answer(map[string]any{"id": j.id, "success": j.result.Success(), "errstr": text})
}

// run starts the tasks of a job that has its resources.
func (b *Broker) run(j *job) {
	ctx, cancel := context.WithCancelCause(b.ctx)
	j.cancel = cancel
	b.post(j, "start", nil)
	b.released(j)
	limit := j.spec.Attributes.System.Duration
	if limit > 0 {
		timer := time.AfterFunc(time.Duration(limit*float64(time.Second)), func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if j.state == flux.Run && !j.ended && b.ctx.Err() == nil {
				b.raise(j, "timeout", 0, "resource allocation expired")
			}
		})
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
	r := &Running{b: b, j: j, ID: j.id, Jobspec: j.spec}
	if !mocked(j) {
		b.guest(j, "exec.eventlog", "init", nil)
		b.guest(j, "exec.eventlog", "starting", nil)
		b.guest(j, "exec.eventlog", "shell.init", pairs("service", fmt.Sprintf("%d-shell-%s", b.owner, j.id.Plain()), "leader-rank", j.got[0].rank, "size", len(j.got)))
		n := r.Tasks()
		b.guest(j, "output", "header", json.RawMessage(fmt.Sprintf(
			`{"version":1,"encoding":{"stdout":"UTF-8","stderr":"UTF-8"},"count":{"stdout":%d,"stderr":%d},"options":{}}`, n, n)))
		b.redirect(j)
	}
	b.work.Go(func() {
		status := b.opts.Run(ctx, r)
		var sig killed
		ended := errors.As(context.Cause(ctx), &sig)
		cancel(nil)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.ctx.Err() != nil {
			return // the broker is gone, and with it who would tell of the end
		}
		if ended && mocked(j) {
			status = flux.WaitStatus(sig) // there is no shell to make an exit code of it
		} else if ended {
			status = flux.ExitStatus(128 + int(sig))
		}
		b.finish(j, r, status)
	})
}

// mocked says whether a job only seems to run.
func mocked(j *job) bool { return j.spec.Attributes.System.Exec["test"] != nil }

// finish ends a job whose tasks are over.
func (b *Broker) finish(j *job, r *Running, status flux.WaitStatus) {
	for _, stream := range r.open {
		b.guest(j, "output", "data", pairs("stream", stream.name, "rank", fmt.Sprint(stream.rank), "eof", true))
	}
	if len(j.logs["guest.exec.eventlog"]) > 0 {
		b.guest(j, "exec.eventlog", "shell-exit", pairs("rank", j.got[0].rank, "wait_status", int(status)))
		b.guest(j, "exec.eventlog", "complete", pairs("status", int(status)))
		b.guest(j, "exec.eventlog", "done", nil)
	}
	b.post(j, "finish", pairs("status", int(status)))
	b.post(j, "release", pairs("ranks", "all", "final", true))
	for _, s := range j.got {
		b.free[s.rank] = b.free[s.rank].Union(s.cores)
	}
	j.got = nil
	b.post(j, "free", nil)
	b.clean(j)
}

// redirect tells of streams that go into files.
func (b *Broker) redirect(j *job) {
	shell := j.spec.Attributes.System.Shell
	if shell == nil {
		return
	}
	output, _ := shell.Options["output"].(map[string]any)
	for _, name := range []string{"stdout", "stderr"} {
		to, _ := output[name].(map[string]any)
		if path, ok := to["path"].(string); ok {
			path = strings.ReplaceAll(path, "{{id}}", j.id.String())
			b.guest(j, "output", "redirect", pairs("stream", name, "rank", "0", "path", path))
		}
	}
}
