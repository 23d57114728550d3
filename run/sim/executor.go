// SPDX-License-Identifier: MIT

package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
)

// Begin is the virtual time at which a rehearsal begins. It is the same for all,
// so that the same rehearsal leaves the same journal, and can be told from a time
// of the real world.
var Begin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Options say how the attempts of an [Executor] go.
type Options struct {
	// Model says how attempts end; nil is Commands(nil).
	Model Model
	// Before and After are the overhead of attempts; nil is none.
	Before, After Draw
	// Growth is how long nodes take to come that are asked for.
	Growth time.Duration
	// Window is how many attempts are open at a time; 0 is 100,000. A driver hands
	// over no more, and in the order of the run. A window that is smaller than what a
	// run submits at once hides jobs from the scheduler.
	Window int
}

// window is the default of Options.Window: one that a driver can hold and the
// backfilling of no scheduler looks beyond.
const window = 100_000

// Executor is a member that is simulated. Its time is virtual and passes when the
// driver waits, so that a rehearsal takes as long as its decisions, its journal and
// its files do. Nothing is executed and no output written; exit.json has the virtual
// times and the flag simulated.
//
// A driver has to leave its Judge nil: there is no output to judge by. The metrics
// that rules read come from the Model.
//
// Where a simulation is cut off, its open attempts are lost with it: the next
// session, whose time goes on from the journal, tries them again.
//
// Its methods are called from one goroutine.
type Executor struct {
	cluster *Cluster
	options Options
	open    map[string]*attempt // by job
	found   []ensemble.Event    // by Recover, and not told yet
	events  chan ensemble.Event // has room for one, which is told next
	alarm   *alarm
}

var (
	_ run.Executor    = (*Executor)(nil)
	_ run.Clock       = (*Executor)(nil)
	_ run.Resizer     = (*Executor)(nil)
	_ run.Prioritizer = (*Executor)(nil)
)

// attempt is one that did not end.
type attempt struct {
	Job
	number  int
	dir     string
	exit    run.Exit
	metrics map[string]float64
}

// alarm is asked for by Wake.
type alarm struct {
	at time.Time
	c  chan time.Time
}

// NewExecutor makes a member. Nodes that are absent are those that Resize can
// bring.
func NewExecutor(c Config, o Options) (*Executor, error) {
	cluster, err := New(c)
	if err != nil {
		return nil, err
	}
	if o.Model == nil {
		o.Model = Commands(nil)
	}
	if o.Window <= 0 {
		o.Window = window
	}
	return &Executor{cluster: cluster, options: o, open: map[string]*attempt{}, events: make(chan ensemble.Event, 1)}, nil
}

// Check says why the job never fits, or why nobody can say how it goes.
func (x *Executor) Check(job *ensemble.Job) error {
	if job.Partition > 0 {
		return fmt.Errorf("group %s asks for a Flux instance of its own, which is not simulated: leave partition out", job.Group)
	}
	_, err := x.attempt(job, 1)
	return err
}

// attempt finds out how an attempt goes.
func (x *Executor) attempt(job *ensemble.Job, number int) (*attempt, error) {
	o, err := x.options.Model(job, number)
	if err != nil {
		return nil, fmt.Errorf("simulating job %s: %w", job.ID, err)
	}
	a := &attempt{number: number, metrics: o.Metrics, exit: run.Exit{Command: job.Launch.Command, Flags: []string{run.Simulated}, Reason: o.Reason}}
	a.Job = o.Job(job)
	if x.options.Before != nil {
		a.Before = exactly(x.options.Before(job, number))
	}
	if x.options.After != nil {
		a.After = exactly(x.options.After(job, number))
	}
	if s := job.Shape; !x.cluster.Fits(&a.Job) {
		return nil, fmt.Errorf("job %s asks for %d nodes and %d tasks of %d cores, which the simulated member never has", job.ID, s.Nodes, s.Tasks, s.CoresPerTask)
	}
	return a, nil
}

// Job is what is submitted to a cluster for an attempt that goes like this, times
// rounded to what a journal keeps.
func (o Outcome) Job(job *ensemble.Job) Job {
	s := job.Shape
	j := Job{
		ID: job.ID, Nodes: s.Nodes, Tasks: s.Tasks, Cores: s.CoresPerTask, Exclusive: !job.Policy.Shared,
		Limit: exactly(job.Policy.Timeout), Run: exactly(o.Time), Status: o.Status,
	}
	if job.Policy.Oversubscribe {
		j.Tasks, j.Cores = s.Nodes, 1 // any cores do
	}
	return j
}

// exactly rounds to what a journal keeps of a time: decisions are the same when
// they are made again from it.
func exactly(d time.Duration) time.Duration { return max(d, 0).Round(time.Microsecond) }

// Room says whether the window has room; that jobs wait for nodes is simulated.
func (x *Executor) Room(*ensemble.Job) bool { return len(x.open) < x.options.Window }

// Submit puts an attempt into the queue.
func (x *Executor) Submit(job *ensemble.Job, number int, dir string) error {
	a, err := x.attempt(job, number)
	if err != nil {
		return err
	}
	if err := x.cluster.Submit(&a.Job); err != nil {
		return err
	}
	a.dir = dir
	x.open[job.ID] = a
	return nil
}

// Cancel ends an attempt.
func (x *Executor) Cancel(job string, number int) {
	if a := x.open[job]; a != nil && a.number == number {
		x.cluster.Cancel(&a.Job)
	}
}

// Urge sets the urgency of a job, from 0, which holds it, to 31.
func (x *Executor) Urge(job string, number, urgency int) error {
	if a := x.open[job]; a != nil && a.number == number {
		x.cluster.Urge(&a.Job, urgency+Held)
	}
	return nil
}

// Resize asks for nodes, which come after a while, or gives nodes back, which go
// when nothing runs there any more. No more come and go than the member has.
func (x *Executor) Resize(nodes int) error {
	x.cluster.Resize(nodes, exactly(x.options.Growth))
	return nil
}

// Nodes is how many nodes there are now.
func (x *Executor) Nodes() int { return x.cluster.Up() }

// Recover reports what exit.json says, and that the attempt is lost where there is
// none.
func (x *Executor) Recover(job *ensemble.Job, number int, phase ensemble.Phase, dir string) error {
	var exit run.Exit
	err := run.ReadJSON(filepath.Join(dir, run.ExitFile), &exit)
	e := ensemble.Event{Name: ensemble.Finish, Job: job.ID, Attempt: number}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Time, e.Status, e.Reason = x.Now(), ensemble.Lost, "the simulation was cut off"
	case err != nil:
		return err
	default:
		if phase == ensemble.Queued && !exit.Start.IsZero() {
			x.found = append(x.found, ensemble.Event{Time: exit.Start, Name: ensemble.Start, Job: job.ID, Attempt: number})
		}
		e.Time, e.Status, e.Reason = exit.End, exit.Status, exit.Reason
	}
	x.found = append(x.found, e)
	return nil
}
