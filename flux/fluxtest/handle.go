// SPDX-License-Identifier: MIT

package fluxtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/wire"
)

// listener is somebody who reads the journal.
type listener struct {
	*request
	Full        bool
	Allow, Deny map[string]int
}

func (l *listener) wants(name string) bool {
	if _, ok := l.Allow[name]; l.Allow != nil && !ok {
		return false
	}
	_, denied := l.Deny[name]
	return !denied
}

// handle carries a request out, or refuses it.
func (b *Broker) handle(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.strike(r.m.Topic, true); f != nil {
		if !f.Silent {
			r.fail(refuse(f.Errno, f.Text))
		}
		return
	}
	if err := b.serve(r); err != nil {
		r.fail(err)
	}
}

// drop forgets those whom nobody answers any more.
func (b *Broker) drop(gone func(*request) bool) {
	b.listeners = slices.DeleteFunc(b.listeners, func(l *listener) bool { return gone(l.request) })
	b.waiters = slices.DeleteFunc(b.waiters, gone)
	for j := range b.watched {
		j.watchers = slices.DeleteFunc(j.watchers, func(w *watcher) bool { return gone(w.request) })
		if len(j.watchers) == 0 {
			delete(b.watched, j)
		}
	}
}

// serve answers, now or later, or returns why it does not.
func (b *Broker) serve(r *request) error {
	var in struct {
		ID       flux.JobID
		Name     string
		J        string
		Urgency  int
		Flags    int
		Type     string
		Severity int
		Note     string
		Signum   int
		Matchtag uint32
		Keys     []string
		Path     string
		Memo     map[string]any
		Targets  string
		Reason   string
		Start    bool
	}
	topic := r.m.Topic
	if r.m.Flags&wire.HasPayload != 0 && topic != "job-manager.events-journal" {
		if err := r.in(&in); err != nil {
			return err
		}
	}
	switch topic {
	case "attr.get":
		value, ok := b.attribute(in.Name)
		if !ok {
			return refuse(syscall.ENOENT, "")
		}
		r.answer(map[string]any{"value": value, "flags": 1})
	case "broker.ping":
		r.answer(map[string]any{"userid": b.owner, "rolemask": 5, "rank": 0})
	case "job-ingest.submit":
		return b.ingest(r, in.J, in.Urgency, flux.SubmitFlags(in.Flags))
	case "job-manager.events-journal":
		return b.journal(r)
	case "job-manager.events-journal-cancel", "job-info.eventlog-watch-cancel":
		b.drop(func(o *request) bool {
			if !o.is(r.c, in.Matchtag) || o.m.Topic+"-cancel" != topic {
				return false
			}
			o.end()
			return true
		})
	case "job-info.eventlog-watch":
		return b.watch(r, in.ID, in.Path)
	case "job-info.lookup":
		return b.lookup(r, in.ID, in.Keys)
	case "job-manager.wait":
		return b.wait(r, in.ID)
	case "job-manager.raise", "job-manager.urgency", "job-manager.memo":
		j := b.jobs[in.ID]
		if j == nil {
			return refuse(syscall.ENOENT, "unknown job id")
		} else if j.state == flux.Inactive {
			return refuse(syscall.ENOENT, "job is inactive")
		}
		r.answer(nil)
		switch topic {
		case "job-manager.raise":
			b.raise(j, in.Type, in.Severity, in.Note)
		case "job-manager.memo":
			b.post(j, "memo", in.Memo)
		default:
			b.reprioritize(j, in.Urgency)
		}
	case "job-manager.kill":
		j := b.jobs[in.ID]
		switch {
		case j == nil:
			return refuse(syscall.EINVAL, "unknown job id")
		case j.state == flux.Inactive:
			return refuse(syscall.EINVAL, "job is inactive")
		case j.state != flux.Run:
			return refuse(syscall.EINVAL, "job is not running")
		}
		if !mocked(j) { // else there is nothing to be killed
			j.cancel(killed(in.Signum))
		}
		r.answer(nil)
	default:
		return b.serveInstance(r, in.Targets, in.Reason, in.Start)
	}
	return nil
}

func (b *Broker) attribute(name string) (string, bool) {
	hosts := make([]string, b.opts.Nodes)
	for i := range hosts {
		hosts[i] = b.host(i)
	}
	value, ok := map[string]string{"version": b.opts.Version, "size": strconv.Itoa(b.opts.Nodes), "rank": "0",
		"security.owner": strconv.Itoa(b.owner), "instance-level": "0", "hostlist": flux.Hosts(hosts...).String(),
		"broker.uuid": fmt.Sprintf("fake-%d", b.born.UnixNano()), "local-uri": b.URI()}[name]
	return value, ok
}

func (b *Broker) ingest(r *request, signed string, urgency int, flags flux.SubmitFlags) error {
	take := func() error {
		j, err := b.submit(signed, urgency, flags)
		if err != nil {
			return err
		}
		r.answer(map[string]flux.JobID{"id": j.id})
		b.advance(j)
		return nil
	}
	if b.warm || b.opts.Validate == 0 {
		return take()
	}
	b.later(b.opts.Validate, func() {
		b.warm = true
		if err := take(); err != nil {
			r.fail(err)
		}
	})
	return nil
}

func (b *Broker) journal(r *request) error {
	l := &listener{request: r}
	if err := r.in(l); err != nil {
		return err
	}
	if r.m.Flags&wire.Streaming == 0 {
		return refuse(syscall.EPROTO, "job-manager.events requires streaming RPC flag")
	}
	for _, over := range []bool{true, false} { // as a real one, those that are over first
		for _, j := range b.order {
			if (j.state == flux.Inactive) != over || over && !l.Full {
				continue
			}
			events := slices.DeleteFunc(slices.Clone(j.logs["eventlog"]), func(e flux.Event) bool { return !l.wants(e.Name) })
			if events == nil {
				events = []flux.Event{}
			}
			message := map[string]any{"id": j.id, "events": events, "jobspec": j.raw}
			if j.r != nil {
				message["R"] = j.r
			}
			r.answer(message)
		}
	}
	r.answer(map[string]any{"id": -1, "events": []int{}})
	b.listeners = append(b.listeners, l)
	return nil
}

func (b *Broker) watch(r *request, id flux.JobID, log string) error {
	j := b.jobs[id]
	if j == nil {
		return refuse(syscall.ENOENT, "")
	}
	if j.state == flux.Inactive && j.logs[log] == nil && !strings.HasPrefix(log, "guest.") {
		return refuse(syscall.ENOENT, "")
	}
	for _, e := range j.logs[log] {
		r.answer(map[string]string{"event": e.String() + "\n"})
	}
	if j.state == flux.Inactive {
		r.end()
		return nil
	}
	j.watchers = append(j.watchers, &watcher{r, log})
	b.watched[j] = struct{}{}
	return nil
}

func (b *Broker) lookup(r *request, id flux.JobID, keys []string) error {
	j := b.jobs[id]
	if j == nil {
		return refuse(syscall.ENOENT, "")
	}
	out := map[string]any{"id": id}
	for _, key := range keys {
		switch {
		case key == "J":
			out[key] = j.j
		case key == "jobspec":
			out[key] = string(j.raw)
		case key == "R" && j.r != nil:
			out[key] = string(j.r)
		case j.logs[key] != nil:
			var log strings.Builder
			for _, e := range j.logs[key] {
				log.WriteString(e.String() + "\n")
			}
			out[key] = log.String()
		default:
			return refuse(syscall.ENOENT, key+": key not found")
		}
	}
	r.answer(out)
	return nil
}

func (b *Broker) wait(r *request, id flux.JobID) error {
	waitable := false
	for _, j := range b.order {
		if j.flags&flux.FlagWaitable == 0 || j.waited || id != flux.AnyJob && j.id != id {
			continue
		}
		if waitable = true; j.state == flux.Inactive {
			b.tellEnd(r, j)
			return nil
		}
	}
	if !waitable || id != flux.AnyJob {
		return refuse(syscall.ECHILD, "there are no more waitable jobs")
	}
	b.waiters = append(b.waiters, r)
	return nil
}

func (b *Broker) reprioritize(j *job, urgency int) {
	j.urgency = urgency
	b.post(j, "urgency", pairs("userid", b.owner, "urgency", urgency))
	if i := slices.Index(b.queue, j); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
		b.post(j, "priority", pairs("priority", urgency))
		b.enqueue(j)
		b.schedule()
	}
}
