// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// Options are choices that have a useful zero value.
type Options struct {
	// Window is how many attempts are open at a time: in Flux's queue, running, or
	// being read. 0 is 10,000.
	Window int
	// Mock has Flux only seem to run a job: it is scheduled and has all events, and
	// nothing is executed. nil, and a nil *flux.Mock, run it.
	Mock func(*ensemble.Job) *flux.Mock
	// Image says that the nodes are in the image of the jobs, as in a MiniCluster.
	// Otherwise jobs with an image are refused.
	Image bool
}

const (
	// window is the default of Options.Window.
	window = 10_000
	// readers is how many attempts that ended are read at a time.
	readers = 8
	// underway is how long a submission may take to show in the journal whose driver
	// died: Flux reads it from the dead driver's connection, and starts its validator
	// for the first one, which takes about a second.
	underway = 3 * time.Second
)

// Executor runs attempts in a Flux instance. Its methods are called from one
// goroutine.
type Executor struct {
	client   *flux.Client
	key      string // of the run
	again    bool   // an earlier session submitted to this instance
	options  Options
	machine  machine
	preloads map[spec.MPI]flux.File // profiling libraries by MPI
	env      map[string]string      // of all jobs

	events  chan ensemble.Event
	failed  chan error
	pending chan submission
	reading chan struct{} // has room for readers
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu       sync.Mutex
	attempts map[tag]*attempt        // that are open, and those of an earlier driver
	jobs     map[flux.JobID]*attempt // the same
	unwanted map[tag]bool            // that were given up before Flux told of them
	open     int                     // that the driver waits for
	// partitions are the instances for groups of their own; nested says that this is
	// one.
	partitions map[string]*partition
	nested     bool
	broken     bool // the reason is sent
}

var (
	_ run.Executor    = (*Executor)(nil)
	_ run.Prioritizer = (*Executor)(nil)
	_ run.Failing     = (*Executor)(nil)
	_ run.Opener      = (*Executor)(nil)
	_ run.Sizer       = (*Executor)(nil)
)

// submission is one that Flux has not answered.
type submission struct {
	tag    tag
	answer *flux.Pending
}

// New makes an executor for the instance that the client is connected to, which stays
// the caller's. It can check jobs; Open readies it for a run.
func New(ctx context.Context, client *flux.Client, o Options) (*Executor, error) {
	if o.Window <= 0 {
		o.Window = window
	}
	m, err := look(ctx, client)
	if err != nil {
		return nil, lost(client, err)
	}
	x := &Executor{
		client: client, options: o, machine: m, preloads: map[spec.MPI]flux.File{}, env: environ(),
		events: make(chan ensemble.Event), failed: make(chan error, 1),
		pending: make(chan submission, o.Window), reading: make(chan struct{}, readers),
		attempts: map[tag]*attempt{}, jobs: map[flux.JobID]*attempt{}, unwanted: map[tag]bool{}, partitions: map[string]*partition{},
	}
	x.ctx, x.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return x, nil
}

// Open readies the executor for a run. It returns when it knows of every job that an
// earlier session of the run left in the instance.
func (x *Executor) Open(ctx context.Context, dir run.Dir) error {
	key, again, err := runKey(dir, x.client)
	if err != nil {
		return err
	}
	return x.follows(ctx, key, again)
}

// follows begins to follow the journal, from what an earlier session submitted on.
func (x *Executor) follows(ctx context.Context, key string, again bool) error {
	x.key, x.again = key, again
	journal, err := x.client.Journal(x.ctx, flux.JournalOptions{Full: x.again, Deny: []string{"annotations", "memo"}})
	if err != nil {
		return lost(x.client, err)
	}
	for e, err := journal.Next(); ; e, err = journal.Next() {
		if err != nil {
			err = lost(x.client, err)
		} else if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			journal.Close()
			return err
		}
		if e.CaughtUp() {
			break
		}
		x.follow(e)
	}
	x.work.Go(func() {
		defer journal.Close()
		for {
			e, err := journal.Next()
			if err != nil {
				x.fail(lost(x.client, err))
				return
			}
			x.follow(e)
		}
	})
	x.work.Go(x.answers)
	return nil
}

// Close ends the executor; jobs go on in Flux.
func (x *Executor) Close() {
	x.mu.Lock()
	partitions := slices.Collect(maps.Values(x.partitions))
	x.mu.Unlock()
	for _, p := range partitions {
		p.close(x.ctx)
	}
	x.cancel()
	x.work.Wait()
}

// lost says that the instance cannot be talked to.
func lost(c *flux.Client, err error) error {
	return &run.MemberError{Member: "the Flux instance at " + c.URI(), Err: err}
}

// fail ends the session of the driver. Only the first reason is told.
func (x *Executor) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.broken && x.ctx.Err() == nil {
		x.broken = true
		x.failed <- err
	}
}

// Failed has the reason when the instance is lost, or what attempts left cannot be
// kept.
func (x *Executor) Failed() <-chan error { return x.failed }

// Events is where events come from.
func (x *Executor) Events() <-chan ensemble.Event { return x.events }

// send tells the driver an event, as long as there is one who listens.
func (x *Executor) send(e ensemble.Event) {
	select {
	case x.events <- e:
	case <-x.ctx.Done():
	}
}

// Room says whether the window has room: Flux has a queue of its own.
func (x *Executor) Room(*ensemble.Job) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open < x.options.Window
}

// Submit hands an attempt to Flux and does not wait for its answer: a job that Flux
// refuses ends as failed.
func (x *Executor) Submit(job *ensemble.Job, number int, dir string) error {
	if job.Partition > 0 && !x.nested {
		x.in(job).submit(job, number, dir)
		return nil
	}
	t := tag{Run: x.key, Job: job.ID, Attempt: number}
	js, err := x.jobspec(job, t)
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.attempts[t] = &attempt{tag: t, job: job, dir: dir}
	x.open++
	x.mu.Unlock()
	p, err := x.client.SubmitStart(x.ctx, flux.Submission{Jobspec: js})
	if err != nil {
		x.mu.Lock()
		delete(x.attempts, t)
		x.open--
		x.mu.Unlock()
		return lost(x.client, err)
	}
	select {
	case x.pending <- submission{t, p}:
	case <-x.ctx.Done():
	}
	return nil
}

// answers takes Flux's answers in. IDs come with the journal as well.
func (x *Executor) answers() {
	for {
		select {
		case <-x.ctx.Done():
			return
		case s := <-x.pending:
			_, err := s.answer.Wait(x.ctx)
			var refused *flux.Error
			if !errors.As(err, &refused) {
				continue // it is accepted, or the journal says that Flux is lost
			}
			x.mu.Lock()
			a := x.attempts[s.tag]
			x.mu.Unlock()
			if a != nil {
				x.settle(a, fmt.Sprintf("Flux refuses the job: %v", err))
			}
		}
	}
}

// Cancel ends an attempt.
func (x *Executor) Cancel(job string, number int) {
	t := tag{Run: x.key, Job: job, Attempt: number}
	if p := x.partitionOf(t); p != nil {
		p.do(func(inner *Executor) { inner.Cancel(job, number) })
		return
	}
	x.mu.Lock()
	a := x.attempts[t]
	var id flux.JobID
	if a != nil {
		a.cancel, id = true, a.id
	}
	x.mu.Unlock()
	if id != 0 {
		x.raise(id)
	} // else follow does it, when Flux has told the ID
}

// raise cancels a job of Flux.
func (x *Executor) raise(id flux.JobID) {
	x.work.Go(func() {
		if err := x.client.Cancel(x.ctx, id, ""); err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EINVAL) {
			x.fail(lost(x.client, err))
		}
	})
}

// Urge sets the urgency of a job that waits.
func (x *Executor) Urge(job string, number, urgency int) error {
	t := tag{Run: x.key, Job: job, Attempt: number}
	if p := x.partitionOf(t); p != nil {
		p.do(func(inner *Executor) {
			if err := inner.Urge(job, number, urgency); err != nil {
				x.fail(err)
			}
		})
		return nil
	}
	x.mu.Lock()
	a := x.attempts[t]
	var id flux.JobID
	if a != nil {
		a.urgency, id = &urgency, a.id
	}
	x.mu.Unlock()
	if id != 0 {
		x.urge(id, urgency)
	}
	return nil
}

// urge changes an urgency in Flux. A job that runs or is over has none.
func (x *Executor) urge(id flux.JobID, urgency int) {
	x.work.Go(func() {
		var refused *flux.Error
		if err := x.client.SetUrgency(x.ctx, id, urgency); err != nil && !errors.As(err, &refused) {
			x.fail(lost(x.client, err))
		}
	})
}

// memory is what RUN/flux.json keeps.
type memory struct {
	// Key is by what jobs name the run, and Instance the one that has them, last.
	Key      string `json:"key"`
	Instance string `json:"instance"`
	URI      string `json:"uri"`
	Version  string `json:"version"` // of flux-core
}

// File is the name of what a run directory keeps of Flux.
const File = "flux.json"

// URI is where the instance of an earlier session of a run listened; "" where there
// was none.
func URI(dir run.Dir) string {
	var m memory
	if run.ReadJSON(dir.Path(File), &m) != nil {
		return ""
	}
	return m.URI
}

// runKey gives the key of a run, and whether an earlier session submitted jobs to
// this instance.
func runKey(dir run.Dir, c *flux.Client) (key string, again bool, err error) {
	path := dir.Path(File)
	var m memory
	switch err := run.ReadJSON(path, &m); {
	case errors.Is(err, errNone):
		m.Key = newKey()
	case err != nil:
		return "", false, err
	}
	i := c.Info()
	now := memory{Key: m.Key, Instance: i.Instance, URI: c.URI(), Version: i.Version}
	if now == m {
		return m.Key, true, nil
	}
	again = m.Instance == now.Instance
	return m.Key, again, run.WriteJSON(path, now)
}

// exitPath is where the exit of an attempt is kept.
func exitPath(dir string) string { return filepath.Join(dir, run.ExitFile) }
