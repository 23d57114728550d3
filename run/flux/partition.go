// SPDX-License-Identifier: MIT

package flux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
)

// partition is a Flux instance that is a job of this one, for the jobs of one group.
//
//	asked for -> pending -> running, with an executor of its own -> closed
//	                 \________________\___ lost: what is open in it is lost with it, and
//	                                       the next submission asks for another
type partition struct {
	group string
	nodes int
	x     *Executor // around it

	mu    sync.Mutex
	inner *Executor         // nil until the instance runs
	later []func(*Executor) // what it is to do then
	open  map[tag]bool      // attempts that have not ended
	id    flux.JobID        // of the instance
	gone  bool
}

// in gives the partition of a job's group, which it asks for where there is none.
func (x *Executor) in(job *ensemble.Job) *partition {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.partitions[job.Group]
	if p == nil {
		p = &partition{group: job.Group, nodes: job.Partition, x: x, open: map[tag]bool{}}
		x.partitions[job.Group] = p
		x.work.Go(func() {
			if err := p.run(x.ctx); err != nil && x.ctx.Err() == nil {
				p.lose(err)
			}
		})
	}
	return p
}

// add takes in an attempt and what is to be done with it in the instance.
func (p *partition) add(t tag, f func(*Executor)) {
	p.x.mu.Lock()
	p.x.open++
	p.x.mu.Unlock()
	p.mu.Lock()
	p.open[t] = true
	gone := p.gone
	p.mu.Unlock()
	if gone { // between being asked for and now
		p.x.work.Go(func() { p.drop(t, errors.New("it has just ended")) })
		return
	}
	p.do(f)
}

// do has the instance do something, once it runs.
func (p *partition) do(f func(*Executor)) {
	p.mu.Lock()
	inner := p.inner
	if inner == nil {
		p.later = append(p.later, f)
	}
	p.mu.Unlock()
	if inner != nil {
		f(inner)
	}
}

// submit is Submit for a job with a partition.
func (p *partition) submit(job *ensemble.Job, number int, dir string) {
	t := tag{Run: p.x.key, Job: job.ID, Attempt: number}
	p.add(t, func(inner *Executor) {
		if err := inner.Submit(job, number, dir); err != nil {
			p.x.work.Go(func() { p.drop(t, err) })
		}
	})
}

// recover is Recover for a job with a partition.
func (p *partition) recover(job *ensemble.Job, number int, phase ensemble.Phase, dir string) {
	t := tag{Run: p.x.key, Job: job.ID, Attempt: number}
	p.add(t, func(inner *Executor) {
		if err := inner.Recover(job, number, phase, dir); err != nil {
			p.x.fail(err)
		}
	})
}

// drop ends an attempt as lost.
func (p *partition) drop(t tag, why error) {
	if p.settle(t) {
		p.x.send(ensemble.Event{Time: time.Now(), Name: ensemble.Finish, Job: t.Job, Attempt: t.Attempt,
			Status: ensemble.Lost, Reason: fmt.Sprintf("the Flux instance of group %s: %v", p.group, why)})
	}
}

// settle makes room; it says whether the attempt was open.
func (p *partition) settle(t tag) bool {
	p.mu.Lock()
	open := p.open[t]
	delete(p.open, t)
	p.mu.Unlock()
	if open {
		p.x.mu.Lock()
		p.x.open--
		p.x.mu.Unlock()
	}
	return open
}

// partitionOf gives the partition in which an attempt is open; nil is none.
func (x *Executor) partitionOf(t tag) *partition {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.partitions {
		p.mu.Lock()
		open := p.open[t]
		p.mu.Unlock()
		if open {
			return p
		}
	}
	return nil
}

// exists says whether there is a file.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// lose ends a partition whose instance is lost.
func (p *partition) lose(err error) {
	p.x.mu.Lock()
	if p.x.partitions[p.group] == p {
		delete(p.x.partitions, p.group)
	}
	if a := p.x.jobs[p.id]; a != nil {
		a.over = true // or is about to be
	}
	p.x.mu.Unlock()
	p.mu.Lock()
	p.gone = true
	open := slices.Collect(maps.Keys(p.open))
	id := p.id
	p.mu.Unlock()
	if id != 0 {
		p.x.raise(id)
	}
	for _, t := range open {
		p.drop(t, err)
	}
}

// run has the instance started, or finds the one of an earlier session, and hands
// its events on.
func (p *partition) run(ctx context.Context) error {
	id, err := p.x.instance(ctx, p)
	if err != nil {
		return err
	}
	p.x.mu.Lock()
	p.mu.Lock()
	p.id = id
	p.mu.Unlock()
	p.x.mu.Unlock()
	host, uri, err := whereabouts(ctx, p.x.client, id)
	if err != nil {
		return err
	}
	client, end, err := reach(ctx, host, uri)
	if err != nil {
		return err
	}
	defer end()
	inner, err := New(ctx, client, p.x.options)
	if err != nil {
		return err
	}
	defer inner.Close()
	inner.nested, inner.preloads = true, p.x.preloads // complete: all jobs were checked
	if err := inner.follows(ctx, p.x.key, true); err != nil {
		return err
	}
	p.mu.Lock()
	for len(p.later) > 0 { // in their order, before anything newer
		later := p.later
		p.later = nil
		p.mu.Unlock()
		for _, f := range later {
			f(inner)
		}
		p.mu.Lock()
	}
	p.inner = inner
	p.mu.Unlock()
	for {
		select {
		case e := <-inner.events:
			if e.Name == ensemble.Finish {
				p.settle(tag{Run: p.x.key, Job: e.Job, Attempt: e.Attempt})
			}
			p.x.send(e)
		case err := <-inner.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close ends the instance, unless something is open in it for the next session to
// find.
func (p *partition) close(ctx context.Context) {
	p.mu.Lock()
	id, open := p.id, len(p.open)
	p.mu.Unlock()
	if id != 0 && open == 0 {
		_ = p.x.client.Cancel(ctx, id, "its group is done") // lost otherwise, and all with it
	}
}

// instance gives the job that is the instance of a group: one of an earlier session, or
// a new one.
func (x *Executor) instance(ctx context.Context, p *partition) (flux.JobID, error) {
	x.mu.Lock()
	number := 0
	for t, a := range x.attempts {
		if t.Partition != p.group {
			continue
		}
		if !a.over && a.exception == nil && a.id != 0 {
			x.mu.Unlock()
			return a.id, nil
		}
		number = max(number, t.Attempt)
	}
	t := tag{Run: x.key, Partition: p.group, Attempt: number + 1}
	x.attempts[t] = &attempt{tag: t} // whose events nobody is told of
	x.mu.Unlock()
	js, err := (&flux.Job{
		Command: []string{"flux", "start", "-Slog-stderr-level=2", "sh", "-c", ready},
		Nodes:   p.nodes, TasksPerNode: 1, Exclusive: true, Name: p.group, Dir: "/", Env: x.env,
		User: map[string]any{"ensemble": t},
	}).Jobspec()
	if err != nil {
		return 0, err
	}
	return x.client.Submit(ctx, flux.Submission{Jobspec: js})
}

// ready is what an instance runs when it can take jobs: it says where it listens.
const ready = `echo "$(uname -n) $FLUX_URI"; exec sleep inf`

// whereabouts waits until an instance says on which host and where it listens.
func whereabouts(ctx context.Context, c *flux.Client, id flux.JobID) (host, uri string, err error) {
	if _, err := c.WaitEvent(ctx, id, "start"); errors.Is(err, io.EOF) {
		return "", "", errors.New("it ended before it ran")
	} else if err != nil {
		return "", "", err
	}
	out, err := c.Output(ctx, id)
	if err != nil {
		return "", "", err
	}
	var said strings.Builder
	for chunk, err := range out.All() {
		if err != nil {
			return "", "", err
		}
		if host, uri, ok := strings.Cut(strings.TrimSpace(string(chunk.Data)), " "); ok && chunk.Stream == "stdout" {
			return host, uri, nil
		}
		said.Write(chunk.Data)
	}
	return "", "", fmt.Errorf("it ended before it ran: %s", strings.TrimSpace(said.String()))
}

// reach connects to an instance on a host: to its socket where that is this one, and
// elsewhere through flux proxy, which needs ssh.
func reach(ctx context.Context, host, uri string) (c *flux.Client, end func(), err error) {
	stop := func() {}
	if here, _ := os.Hostname(); host != here {
		path, err := flux.SocketOf(uri)
		if err != nil {
			return nil, nil, err
		}
		if uri, stop, err = proxy(ctx, "ssh://"+host+path); err != nil {
			return nil, nil, err
		}
	}
	if c, err = flux.Dial(ctx, uri); err != nil {
		stop()
		return nil, nil, err
	}
	return c, func() { c.Close(); stop() }, nil
}

// proxy has flux proxy bring a far instance to a socket here. It ends with this
// process.
func proxy(ctx context.Context, uri string) (local string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, "flux", "proxy", uri, "echo $FLUX_URI; cat") // it has a shell run this
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	var words strings.Builder
	cmd.Stderr = &words
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("reaching %s: %w", uri, err)
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("reaching %s with flux proxy: %s", uri, strings.TrimSpace(words.String()))
	}
	return strings.TrimSpace(line), stop, nil
}
