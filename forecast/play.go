// SPDX-License-Identifier: MIT

package forecast

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run/sim"
)

// Machine is a simulated member of alike nodes.
type Machine struct {
	// Nodes are there from the begin, each with Cores.
	Nodes, Cores int
	// Most is how many nodes there are when the member has grown as far as it can; 0
	// is Nodes.
	Most      int
	Scheduler sim.Scheduler
	// Launch is what launching a job takes, and Growth how long nodes take to come.
	Launch, Growth time.Duration
	// Lost are the times at which nodes are lost, one each, from the highest number
	// that is there from the begin.
	Lost []time.Duration
}

// Config is the machine as the simulator wants it.
func (m *Machine) Config() (sim.Config, error) {
	if m.Nodes < 1 || m.Cores < 1 {
		return sim.Config{}, fmt.Errorf("got %d nodes of %d cores, want 1 of each at least", m.Nodes, m.Cores)
	}
	if m.Most > 0 && m.Most < m.Nodes {
		return sim.Config{}, fmt.Errorf("got %d nodes at most and %d from the begin, want no fewer", m.Most, m.Nodes)
	}
	if len(m.Lost) > m.Nodes {
		return sim.Config{}, fmt.Errorf("%d nodes are lost of %d", len(m.Lost), m.Nodes)
	}
	nodes := sim.Nodes(max(m.Nodes, m.Most), m.Cores)
	for i := m.Nodes; i < len(nodes); i++ {
		nodes[i].Absent = true
	}
	for i, at := range m.Lost {
		nodes[m.Nodes-1-i].Changes = []time.Duration{at}
	}
	return sim.Config{Nodes: nodes, Scheduler: m.Scheduler}, nil
}

// Ensemble is what is played: an engine, fresh for each time, and the jobs of a
// study. The engine is never nil.
type Ensemble struct {
	Engine *ensemble.Engine
	Jobs   iter.Seq2[*ensemble.Job, error]
}

// Result is how one play went.
type Result struct {
	// Makespan is from the begin until nothing runs any more.
	Makespan time.Duration
	// Jobs is how many were submitted; Failed is how many of them settled without
	// success, and Cancelled how many were.
	Jobs, Failed, Cancelled int
	// NodeHours are those of the nodes that are there, and Busy those that jobs have,
	// by cores.
	NodeHours, Busy float64
	// Wait is the mean time [s] from the submission of an attempt to its nodes.
	Wait float64
	// Peak is how many nodes were there at most.
	Peak int
}

// Utilization is the part of the node-hours that jobs have.
func (r *Result) Utilization() float64 {
	if r.NodeHours == 0 {
		return 0
	}
	return r.Busy / r.NodeHours
}

// lossLimit is how often a job is tried whose attempts settle nothing, as of the
// driver.
const lossLimit = 3

// player carries an ensemble out as the driver of package run does, without its
// files.
type player struct {
	engine  *ensemble.Engine
	machine *Machine
	model   sim.Model
	cluster *sim.Cluster
	meter   meter

	open      map[string]*attempt
	news      []ensemble.Event
	asked     []*ensemble.Job
	retries   []*ensemble.Job
	cancelled map[string]bool
	tries     map[string]*try
	result    Result
	gaveUp    bool
	stopping  bool

	nodes    int       // that rules were told of
	arrivals []arrival // of a replay, those to come
	demand   bool      // whether there are as many nodes as jobs ask for
	target   int       // nodes that there are to be; 0 of what is no replay
}

type attempt struct {
	sim.Job
	job    *ensemble.Job
	number int
	at     time.Duration
	metric map[string]float64
	status ensemble.Status
}

// try counts the attempts at a job.
type try struct{ attempts, settled, losses int }

// Play plays an ensemble once.
func Play(ctx context.Context, e Ensemble, m *Machine, model sim.Model) (Result, error) {
	p, err := newPlayer(e.Engine, m, model)
	if err != nil {
		return Result{}, err
	}
	return p.play(ctx, e.Jobs)
}

func newPlayer(engine *ensemble.Engine, m *Machine, model sim.Model) (*player, error) {
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	p := &player{engine: engine, machine: m, model: model, open: map[string]*attempt{}, cancelled: map[string]bool{}, tries: map[string]*try{}}
	if p.cluster, err = sim.New(c); err != nil {
		return nil, err
	}
	p.meter = newMeter(p.cluster, m.Cores)
	return p, nil
}

func (p *player) play(ctx context.Context, jobs iter.Seq2[*ensemble.Job, error]) (Result, error) {
	next, stop := iter.Pull2(jobs)
	defer stop()
	p.nodes = p.cluster.Up()
	p.tell(ensemble.Event{Name: ensemble.RunStart, Nodes: p.nodes})
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		p.steer()
		if outcome, _ := p.engine.Ended(); outcome != "" && !p.stopping {
			p.stop()
		}
		if p.stopping {
			if len(p.open) == 0 {
				break
			}
			p.step()
			continue
		}
		job, err := p.take(next)
		switch {
		case err != nil:
			return Result{}, err
		case job != nil:
			if err := p.submit(job); err != nil {
				return Result{}, err
			}
		case len(p.open)+len(p.arrivals) > 0 || !p.gaveUp && p.engine.Waits():
			p.scale()
			p.step()
		default:
			return p.done(), nil
		}
	}
	return p.done(), nil
}

func (p *player) tell(e ensemble.Event) {
	e.Time = sim.Begin.Add(p.cluster.Now())
	p.news = append(p.news, e)
}

// steer has the engine decide on what happened.
func (p *player) steer() {
	for len(p.news) > 0 {
		e := p.news[0]
		p.news = p.news[1:]
		for _, a := range p.engine.Apply(e) {
			p.asked = append(p.asked, a.Submit...)
			if a.Grow != 0 {
				p.cluster.Resize(a.Grow, p.machine.Growth)
				p.resized()
			}
			for _, id := range a.Cancel {
				p.cancelled[id] = true
				if o := p.open[id]; o != nil {
					p.cluster.Cancel(&o.Job)
				}
			}
			if a.Urgency != nil {
				for _, o := range p.open {
					if o.job.Group == a.Urgency.Group {
						p.cluster.Urge(&o.Job, a.Urgency.Value+sim.Held)
					}
				}
			}
		}
	}
}

// resized has rules see that there are more nodes or fewer.
func (p *player) resized() {
	if up := p.cluster.Up(); up != p.nodes {
		p.nodes = up
		p.tell(ensemble.Event{Name: ensemble.Resize, Nodes: up})
	}
}

// stop ends everything: a rule or a limit ended the run.
func (p *player) stop() {
	p.stopping = true
	for _, o := range p.open {
		p.cluster.Cancel(&o.Job)
	}
}

// take gives the next job to submit; nil is none at present.
func (p *player) take(next func() (*ensemble.Job, error, bool)) (job *ensemble.Job, err error) {
	for {
		switch {
		case len(p.retries) > 0:
			job, p.retries = p.retries[0], p.retries[1:]
		case len(p.asked) > 0:
			job, p.asked = p.asked[0], p.asked[1:]
		case len(p.arrivals) > 0 && p.arrivals[0].at <= p.cluster.Now():
			job, p.arrivals = p.arrivals[0].job, p.arrivals[1:]
		default:
			var ok bool
			if job, err, ok = next(); !ok || err != nil {
				return nil, err
			}
		}
		if !p.cancelled[job.ID] && (p.tries[job.ID] != nil || !p.engine.Stopped(job.Group)) {
			return job, nil
		}
		p.result.Cancelled++
		p.tell(ensemble.Event{Name: ensemble.Omit, Job: job.ID})
		p.steer()
	}
}

func (p *player) submit(job *ensemble.Job) error {
	if job.Partition > 0 {
		return fmt.Errorf("group %s asks for a Flux instance of its own, which is not simulated: leave partition out", job.Group)
	}
	t := p.tries[job.ID]
	if t == nil {
		t = &try{}
		p.tries[job.ID] = t
		p.result.Jobs++
	}
	t.attempts++
	o, err := p.model(job, t.attempts)
	if err != nil {
		return err
	}
	a := &attempt{Job: o.Job(job), job: job, number: t.attempts, at: p.cluster.Now(), metric: o.Metrics}
	a.Before = p.machine.Launch.Round(time.Microsecond)
	if !p.cluster.Fits(&a.Job) {
		return &FitError{Job: job}
	}
	p.tell(ensemble.Event{Name: ensemble.Submit, Job: job.ID, Attempt: a.number, Group: job.Group, Nodes: job.Shape.Nodes})
	p.open[job.ID] = a
	return p.cluster.Submit(&a.Job)
}

// FitError says that a job is too large for the machine.
type FitError struct{ Job *ensemble.Job }

func (e *FitError) Error() string {
	s := e.Job.Shape
	return fmt.Sprintf("job %s asks for %d nodes and %d tasks of %d cores, which the simulated member never has", e.Job.ID, s.Nodes, s.Tasks, s.CoresPerTask)
}

// step lets time pass to the next thing that the engine hears of, or to a
// heartbeat.
func (p *player) step() {
	at, ok := p.cluster.Next()
	wake := p.engine.Wake().Sub(sim.Begin).Truncate(time.Microsecond)
	if due := sim.Begin.Add(wake); due.Before(p.engine.Wake()) {
		wake += time.Microsecond
	}
	if len(p.arrivals) > 0 && !p.stopping && (!ok || at >= p.arrivals[0].at) && wake >= p.arrivals[0].at {
		next := max(p.arrivals[0].at, p.cluster.Now())
		p.meter.until(next)
		p.cluster.Advance(next)
		return
	}
	switch {
	case !p.stopping && (!ok || at > wake):
		p.meter.until(max(wake, p.cluster.Now()))
		p.cluster.Advance(wake)
		p.tell(ensemble.Event{Name: ensemble.Heartbeat})
	case ok:
		p.meter.until(at)
		e, _ := p.cluster.Step()
		p.hear(e)
	case !p.cluster.GiveUp():
		clear(p.open) // nothing is left that could end
	}
}

func (p *player) hear(e sim.Event) {
	p.meter.take(e)
	if e.Job == nil {
		p.resized()
		return
	}
	a := p.open[e.Job.ID]
	if a == nil {
		return
	}
	switch e.Kind {
	case sim.Alloc:
		p.meter.waited(e.At - a.at)
	case sim.Start:
		p.tell(ensemble.Event{Name: ensemble.Start, Job: a.ID, Attempt: a.number})
	case sim.Finish:
		a.status = e.Status
		if e.Reason != "" {
			a.metric = nil
		}
		if len(a.Shares()) == 0 {
			p.end(a)
		}
	case sim.Free:
		p.end(a)
	}
}

// end settles an attempt, or has the job tried again.
func (p *player) end(a *attempt) {
	delete(p.open, a.ID)
	p.tell(ensemble.Event{Name: ensemble.Finish, Job: a.ID, Attempt: a.number, Status: a.status, Metrics: p.engine.Reads(a.metric)})
	t := p.tries[a.ID]
	p.result.Makespan = p.cluster.Now()
	switch {
	case a.status == ensemble.Succeeded:
		return
	case a.status.Settles():
		if t.settled++; t.settled > a.job.Policy.Retries {
			p.result.Failed++
			return
		}
	case p.cancelled[a.ID] || p.stopping:
		p.result.Cancelled++
		p.tell(ensemble.Event{Name: ensemble.Omit, Job: a.ID})
		return
	default:
		if t.losses++; t.losses >= lossLimit {
			p.gaveUp = true
			p.result.Failed++
			return
		}
	}
	p.retries = append(p.retries, a.job)
}

func (p *player) done() Result {
	p.result.Makespan = p.cluster.Now()
	p.meter.fill(&p.result)
	return p.result
}

// meter adds up what nodes do.
type meter struct {
	cluster *sim.Cluster
	cores   float64 // of a node
	last    time.Duration
	using   float64 // cores that jobs have
	there   float64 // node-seconds
	busy    float64 // core-seconds
	wait    float64
	waits   int
	peak    int
}

func newMeter(c *sim.Cluster, cores int) meter {
	return meter{cluster: c, cores: float64(cores), peak: c.Up()}
}

// until counts the time up to an event that comes next.
func (m *meter) until(at time.Duration) {
	d := (at - m.last).Seconds()
	m.there += d * float64(m.cluster.Up())
	m.busy += d * m.using
	m.last = at
}

func (m *meter) take(e sim.Event) {
	m.peak = max(m.peak, m.cluster.Up())
	if e.Job == nil || e.Kind != sim.Alloc && e.Kind != sim.Free {
		return
	}
	sum := 0.0
	for _, s := range e.Job.Shares() {
		sum += float64(s.Cores)
	}
	if e.Kind == sim.Free {
		sum = -sum
	}
	m.using += sum
}

func (m *meter) waited(d time.Duration) {
	m.wait += d.Seconds()
	m.waits++
}

func (m *meter) fill(r *Result) {
	r.NodeHours, r.Busy, r.Peak = m.there/3600, m.busy/m.cores/3600, m.peak
	if m.waits > 0 {
		r.Wait = m.wait / float64(m.waits)
	}
}
