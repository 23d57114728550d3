// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/forecast"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// simFlags describe a simulated member and how long jobs take there.
type simFlags struct {
	nodes, cores, most int
	scheduler          string
	launch, growth     time.Duration
	lose               []time.Duration
	seed               uint64
	from               []string
	times              string

	given []string // those that the user gave
}

// add adds the flags to a command. finish has to be called once they are read.
func (s *simFlags) add(c *cobra.Command) (finish func()) {
	own := []string{"nodes", "cores", "max-nodes", "scheduler", "launch", "growth", "lose", "seed", "from", "times"}
	f := c.Flags()
	f.IntVar(&s.nodes, "nodes", 0, "simulated nodes (default those of the environment, or of the largest job)")
	f.IntVar(&s.cores, "cores", 0, "cores of a simulated node (default those of the environment, or what jobs ask of one)")
	f.IntVar(&s.most, "max-nodes", 0, "simulated nodes at most, where rules have the member grow (default --nodes)")
	f.StringVar(&s.scheduler, "scheduler", schedulers[0], "the simulated scheduler: "+strings.Join(schedulers, ", "))
	f.DurationVar(&s.launch, "launch", 0, "what launching a job takes on the simulated member")
	f.DurationVar(&s.growth, "growth", 0, "how long simulated nodes take to come that are asked for")
	f.DurationSliceVar(&s.lose, "lose", nil, "lose a simulated node at this `TIME` from the begin; may be repeated")
	f.Uint64Var(&s.seed, "seed", 0, "the seed that times are drawn by")
	f.StringArrayVar(&s.from, "from", nil, "take the times of jobs from an earlier `RUN`; may be repeated")
	f.StringVar(&s.times, "times", "", "take the times of jobs from a `FILE` of lines NAME SECONDS [STATUS]")
	return func() {
		s.given = slices.DeleteFunc(own, func(name string) bool { return !f.Changed(name) })
	}
}

// schedulers are what --scheduler takes, the default first: fifo and backfill are those
// of flux-core, fcfs and easy those of flux-sched, and simple the sched-simple of
// flux-core before 0.84.
var schedulers = []string{"fifo", "backfill", "fcfs", "easy", "simple"}

// simulation is what simulation.json holds: all that decides a rehearsal beside the
// ensemble.
type simulation struct {
	Nodes       int            `json:"nodes"`
	MaxNodes    int            `json:"max_nodes,omitempty"`
	Cores       int            `json:"cores"`
	Scheduler   string         `json:"scheduler"`
	Launch      float64        `json:"launch_s,omitempty"`
	Growth      float64        `json:"growth_s,omitempty"`
	LostSeconds []float64      `json:"lost_s,omitempty"`
	Seed        uint64         `json:"seed"`
	Times       forecast.Times `json:"times"`
}

// simulationFile names it in a run directory; it tells a rehearsal from a run.
const simulationFile = "simulation.json"

// simulationOf reads that of a run directory; nil where it is no rehearsal.
func simulationOf(dir run.Dir) (*simulation, error) {
	var s simulation
	err := run.ReadJSON(dir.Path(simulationFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &s, err
}

// simulation makes that of the flags, for the jobs of a run.
func (s *simFlags) simulation(ctx context.Context, e *env, r *prepared) (*simulation, error) {
	x := &simulation{Nodes: s.nodes, MaxNodes: s.most, Cores: s.cores, Scheduler: s.scheduler, Seed: s.seed, Launch: s.launch.Seconds(), Growth: s.growth.Seconds()}
	if !slices.Contains(schedulers, s.scheduler) {
		return nil, input(errors.New(spec.Unknown("scheduler", s.scheduler, schedulers)))
	}
	for _, d := range append([]time.Duration{s.launch, s.growth}, s.lose...) {
		if d < 0 {
			return nil, input(fmt.Errorf("got %v, want no time below zero", d))
		}
	}
	for _, d := range s.lose {
		x.LostSeconds = append(x.LostSeconds, d.Seconds())
	}
	if err := x.size(r); err != nil {
		return nil, input(err)
	}
	m := x.machine()
	if _, err := m.Config(); err != nil {
		return nil, input(err)
	}
	var err error
	x.Times, err = s.read(ctx, e)
	return x, err
}

// size fills in what the flags leave open: what the environment has, or what the
// jobs ask for.
func (x *simulation) size(r *prepared) error {
	for _, n := range r.ensemble.Spec.Study.Environments {
		if n.Name == r.environment {
			x.Nodes, x.Cores = orElse(x.Nodes, n.Nodes), orElse(x.Cores, n.CoresPerNode)
		}
	}
	nodes, cores := 1, 1
	if x.Nodes == 0 || x.Cores == 0 {
		for job, err := range r.samples() {
			if err != nil {
				return r.locate(err)
			}
			s := job.Shape
			nodes = max(nodes, s.Nodes)
			if !job.Policy.Oversubscribe {
				cores = max(cores, (s.Tasks+s.Nodes-1)/s.Nodes*s.CoresPerTask)
			}
		}
	}
	x.Nodes, x.Cores = orElse(x.Nodes, nodes), orElse(x.Cores, cores)
	return nil
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// read reads what tells the times of jobs.
func (s *simFlags) read(ctx context.Context, e *env) (t forecast.Times, err error) {
	if s.times != "" {
		if t.Table, err = e.readTable(s.times); err != nil {
			return t, err
		}
	}
	if len(s.from) == 0 {
		return t, nil
	}
	g, err := e.gather(ctx, s.from)
	if err != nil {
		return t, err
	}
	if t.Runs = forecast.FromRecords(g.records); len(t.Runs) == 0 {
		return t, input(fmt.Errorf("%s: no record tells a time: none succeeded that was not simulated", strings.Join(s.from, ", ")))
	}
	return t, nil
}

// readTable reads a table of times and checks it.
func (e *env) readTable(file string) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(e.stdin)
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", input(fmt.Errorf("reading times: %w", err))
	}
	if _, err = sim.ReadTable(strings.NewReader(string(b)), 0); err == nil {
		return string(b), nil
	}
	wrong := &spec.FileError{File: file}
	for _, err := range unjoin(err) {
		var line *sim.LineError
		if !errors.As(err, &line) {
			return "", input(fmt.Errorf("reading %s: %w", file, err))
		}
		wrong.Faults = append(wrong.Faults, spec.Fault{Line: line.Line, Column: 1, Message: line.Err.Error()})
	}
	return "", input(wrong)
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// machine is the member that is simulated.
func (x *simulation) machine() *forecast.Machine {
	m := &forecast.Machine{
		Nodes: x.Nodes, Most: x.MaxNodes, Cores: x.Cores, Launch: secondsOf(x.Launch), Growth: secondsOf(x.Growth),
		Scheduler: map[string]sim.Scheduler{"fifo": sim.FIFO, "backfill": sim.Backfill, "fcfs": sim.Fluxion, "easy": sim.Easy, "simple": sim.Simple}[x.Scheduler],
	}
	for _, s := range x.LostSeconds {
		m.Lost = append(m.Lost, secondsOf(s))
	}
	return m
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// simulated is the member of a rehearsal.
type simulated struct {
	*sim.Executor
	*simulation
	model sim.Model
}

func (simulated) Name() string { return "the simulated member" }

// Cores are those of all nodes that are there from the begin.
func (x simulated) Cores() int { return x.simulation.Nodes * x.simulation.Cores }

// Nodes are those that are there now.
func (x simulated) Nodes() int { return x.Executor.Nodes() }

// environment is what takes the place of the machine's.
func (x simulated) environment() *run.Environment {
	return &run.Environment{
		Time: sim.Begin, OS: fmt.Sprintf("simulated: %s of %s, scheduler %s", plural(x.simulation.Nodes, "node"), plural(x.simulation.Cores, "core"), x.Scheduler),
		Architecture: run.Simulated, Processors: x.Cores(), Cores: x.Cores(),
	}
}

// onSim simulates: the member of an earlier session, or that of the flags.
func onSim(ctx context.Context, r *prepared) (member, error) {
	x := r.simulation
	if x == nil {
		var err error
		if x, err = r.sim.simulation(ctx, r.env, r); err != nil {
			return nil, err
		}
		r.simulation = x
	}
	source, err := x.Times.Source(appsByName(r.ensemble))
	if err != nil {
		return nil, input(fmt.Errorf("reading %s: %w", simulationFile, err))
	}
	m := x.machine()
	c, err := m.Config()
	if err != nil {
		return nil, input(err)
	}
	model := source.Model(x.Seed)
	executor, err := sim.NewExecutor(c, sim.Options{Model: model, Before: sim.Constant(m.Launch), Growth: m.Growth})
	return simulated{executor, x, model}, err
}

// rehearsal makes sure that a run goes on as it began: simulated or not.
func (r *prepared) rehearsal(e *env, o runOptions) (err error) {
	r.env, r.sim = e, o.sim
	if o.on != "sim" && len(o.sim.given) > 0 {
		return input(fmt.Errorf("--%s is for --on sim", o.sim.given[0]))
	}
	if r.dir == "" {
		return nil
	}
	if r.simulation, err = simulationOf(r.dir); err != nil {
		return input(err)
	}
	switch {
	case r.simulation != nil && o.on != "sim":
		return input(fmt.Errorf("%s is a rehearsal: it goes on with --on sim only", r.path))
	case r.simulation == nil && o.on == "sim":
		return input(fmt.Errorf("%s is no rehearsal: it cannot go on with --on sim", r.path))
	case r.simulation != nil && len(o.sim.given) > 0:
		return input(fmt.Errorf("--%s: %s has what its simulation began with; leave it out", o.sim.given[0], r.path))
	}
	return nil
}

// simulable looks at every job: whether it is known how long it takes, which is
// a matter of the input, and whether it fits.
func (c *check) simulable(r *prepared, x simulated) (n int, err error) {
	c.titles = titles{}
	var unknown []error
	for job, err := range r.samples() {
		if err == nil {
			err = job.Check()
		}
		if err != nil {
			return 0, input(err)
		}
		n++
		c.titles.add(job)
		if _, err := x.model(job, 1); err != nil {
			unknown = append(unknown, err)
			continue
		}
		c.at("the simulation").lack(x.Check(job))
	}
	if unknown = distinct(unknown); len(unknown) > maxLacks {
		unknown = append(unknown[:maxLacks], fmt.Errorf("… and %d more", len(unknown)-maxLacks))
	}
	return n, input(errors.Join(unknown...))
}
