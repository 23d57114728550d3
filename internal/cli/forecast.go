// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/forecast"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// forecastFlags are those of plan that have it play what it shows.
type forecastFlags struct {
	sim      simFlags
	plays    int
	price    float64
	policies []string
	given    bool
}

// add adds the flags to plan.
func (f *forecastFlags) add(c *cobra.Command) (finish func()) {
	done := f.sim.add(c)
	c.Flags().IntVar(&f.plays, "plays", forecast.DefaultPlays, "how often to play the ensemble for a forecast")
	c.Flags().Float64Var(&f.price, "price", 0, "what a node costs in an hour (default that of the environment)")
	c.Flags().StringArrayVar(&f.policies, "policy", nil, "replay a RUN on `N` nodes, on N-M by demand, or by the rules of a FILE that grow and shrink; may be repeated")
	return func() {
		done()
		f.given = len(f.sim.given) > 0 || c.Flags().Changed("plays") || c.Flags().Changed("price")
	}
}

// forecast plays an ensemble; nil where nothing asks for it.
func (e *env) forecast(ctx context.Context, ens *spec.Ensemble, environment string, f *forecastFlags) (*forecast.Forecast, error) {
	if !f.given {
		return nil, nil
	}
	if f.plays < 1 {
		return nil, input(fmt.Errorf("--plays %d: want 1 at least", f.plays))
	}
	r := &prepared{ensemble: ens, environment: environment, locate: func(err error) error { return err }}
	if err := r.choose(); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, input(err)
	}
	x, err := f.sim.simulation(ctx, e, r)
	if err != nil {
		return nil, err
	}
	source, err := x.Times.Source(appsByName(ens))
	if err != nil {
		return nil, input(err)
	}
	fresh := func() (forecast.Ensemble, error) {
		engine, _ := ensemble.NewEngine(&ens.Spec, r.Make) // it was made before
		return forecast.Ensemble{Engine: engine, Jobs: r.Plan.Jobs(ens)}, nil
	}
	result, err := forecast.Many(ctx, fresh, x.machine(), source, f.priceIn(ens, r.environment), f.plays)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, input(fmt.Errorf("no forecast: %w", err))
	}
	if slices.ContainsFunc(ens.Spec.Study.Sweeps, func(w spec.Sweep) bool { return w.Repetitions.Until != nil }) {
		result.Warnings = append(result.Warnings, "repetitions that end by their interval are all played: the forecast is the most that it takes")
	}
	return result, nil
}

func (f *forecastFlags) priceIn(ens *spec.Ensemble, environment string) forecast.Price {
	p := forecast.Price{PerNodeHour: f.price, Currency: "USD"}
	for _, n := range ens.Spec.Study.Environments {
		if n.Name == environment && n.PricePerNodeHour > 0 {
			p.Currency = n.Currency
			if f.price == 0 {
				p.PerNodeHour = n.PricePerNodeHour
			}
		}
	}
	return p
}

// writeForecast shows a forecast below a plan.
func writeForecast(w io.Writer, f *forecast.Forecast) error {
	fmt.Fprintf(w, "\nforecast: medians of %s, with intervals of %g %%; simulated\n", plural(f.Plays, "play"), 100*f.Level)
	l := &listing{header: []string{"number", "median", "low", "high", "unit"}}
	add := func(name string, r forecast.Range, unit string, scale float64) {
		l.rows = append(l.rows, []string{name, short(r.Median * scale), short(r.Low * scale), short(r.High * scale), unit})
	}
	add("makespan", f.Makespan, "s", 1)
	add("node-hours", f.NodeHours, "h", 1)
	if f.Money != nil {
		add("money", *f.Money, f.Currency, 1)
	}
	add("utilization", f.Utilization, "%", 100)
	add("pending time", f.Wait, "s", 1)
	add("jobs", f.Jobs, "", 1)
	if f.Failed.High > 0 {
		add("failed", f.Failed, "", 1)
	}
	if err := l.write(w, "table"); err != nil {
		return err
	}
	for _, warning := range f.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	return nil
}

// replayed is one row of a comparison of policies.
type replayed struct {
	Policy        string   `json:"policy"`
	Makespan      float64  `json:"makespan_s"`
	NodeHours     float64  `json:"node_hours"`
	BusyNodeHours float64  `json:"busy_node_hours"`
	Utilization   float64  `json:"utilization"`
	Wait          float64  `json:"wait_s"`
	Peak          int      `json:"peak_nodes"`
	Money         *float64 `json:"money,omitempty"`
	Currency      string   `json:"currency,omitempty"`
}

// replay plays what a run recorded under policies.
func (e *env) replay(ctx context.Context, path, format string, f *forecastFlags) error {
	dir, ens, err := run.Open(path)
	if err != nil {
		return input(err)
	}
	for _, name := range f.sim.given {
		if name != "cores" && name != "scheduler" && name != "growth" && name != "launch" {
			return input(fmt.Errorf("--%s does not go with --policy, whose times and nodes are those of the run and the policies", name))
		}
	}
	if !slices.Contains(schedulers, f.sim.scheduler) {
		return input(errors.New(spec.Unknown("scheduler", f.sim.scheduler, schedulers)))
	}
	recorded, cores, nodes, err := recordedIn(dir)
	if err != nil {
		return err
	}
	if len(recorded) == 0 {
		return input(fmt.Errorf("%s: no attempt of it started and ended", path))
	}
	m := (&simulation{Cores: orElse(f.sim.cores, cores), Scheduler: f.sim.scheduler, Launch: f.sim.launch.Seconds(), Growth: f.sim.growth.Seconds()}).machine()
	environment := recorded[0].Job.Environment
	price := f.priceIn(ens, environment)
	all := []replayed{}
	for _, text := range f.policies {
		p, err := e.policy(ctx, text, nodes)
		if err != nil {
			return err
		}
		r, err := forecast.Replay(ctx, recorded, p, *m)
		if err != nil {
			return input(fmt.Errorf("policy %s: %w", text, err))
		}
		row := replayed{Policy: p.Name, Makespan: r.Makespan.Seconds(), NodeHours: r.NodeHours, BusyNodeHours: r.Busy, Utilization: r.Utilization(), Wait: r.Wait, Peak: r.Peak}
		if price.PerNodeHour > 0 {
			money := r.NodeHours * price.PerNodeHour
			row.Money, row.Currency = &money, price.Currency
		}
		all = append(all, row)
	}
	l := &listing{header: []string{"policy", "peak nodes", "makespan [s]", "node-hours", "money", "utilization [%]", "pending [s]"}, value: all}
	for _, r := range all {
		money := ""
		if r.Money != nil {
			money = short(*r.Money) + " " + r.Currency
		}
		l.rows = append(l.rows, []string{r.Policy, fmt.Sprint(r.Peak), short(r.Makespan), short(r.NodeHours), money, short(100 * r.Utilization), short(r.Wait)})
	}
	x, err := simulationOf(dir)
	if err != nil {
		return input(err)
	}
	if x != nil {
		e.say("%s is a rehearsal: its times are simulated", path)
	}
	return l.write(e.stdout, format)
}

// policy reads a policy: numbers of nodes, or a file with rules. most is how far
// rules can grow.
func (e *env) policy(ctx context.Context, text string, nodes int) (forecast.Policy, error) {
	file, sizes, ok := strings.Cut(text, "@")
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		p, err := forecast.ParsePolicy(text)
		return p, input(err)
	}
	ens, _, err := e.resolve(ctx, file)
	if err != nil {
		return forecast.Policy{}, err
	}
	p := forecast.Policy{Nodes: nodes, Most: 2 * nodes}
	if ok {
		if p, err = forecast.ParsePolicy(sizes); err != nil {
			return p, input(err)
		}
	}
	p.Name, p.Rules, p.Heartbeat = fmt.Sprintf("%s %d-%d", filepath.Base(file), p.Nodes, p.Most), ens.Spec.Rules, ens.Spec.Heartbeat
	if !slices.ContainsFunc(p.Rules, func(r spec.EnsembleRule) bool { return r.Do.Grow != "" || r.Do.Shrink != "" }) {
		return p, input(fmt.Errorf("%s has no rule that grows or shrinks", file))
	}
	return p, nil
}

// recordedIn reads the attempts of a journal that started and ended by themselves,
// and how many cores on a node and how many nodes the largest asks for.
func recordedIn(dir run.Dir) (all []forecast.Recorded, cores, nodes int, err error) {
	type open struct{ submit, start time.Time }
	at := map[string]open{}
	var begin time.Time
	err = dir.Events(func(ev ensemble.Event) error {
		switch ev.Name {
		case ensemble.RunStart:
			if begin.IsZero() {
				begin = ev.Time
			}
		case ensemble.Submit:
			at[ev.Job] = open{submit: ev.Time}
		case ensemble.Start:
			at[ev.Job] = open{at[ev.Job].submit, ev.Time}
		case ensemble.Finish:
			o := at[ev.Job]
			if o.start.IsZero() || !ev.Status.Settles() {
				return nil
			}
			if err := ensemble.CheckID(ev.Job); err != nil {
				return err
			}
			job := new(ensemble.Job)
			if err := run.ReadJSON(filepath.Join(dir.Attempt(ev.Job, ev.Attempt), run.JobFile), job); err != nil {
				return err
			}
			job.Policy.Timeout = 0 // what it took has it in it
			s := job.Shape
			nodes = max(nodes, s.Nodes)
			cores = max(cores, (s.Tasks+s.Nodes-1)/max(s.Nodes, 1)*s.CoresPerTask)
			all = append(all, forecast.Recorded{Job: job, Number: ev.Attempt, At: o.submit.Sub(begin), Time: ev.Time.Sub(o.start), Status: ev.Status})
		}
		return nil
	})
	return all, cores, nodes, err
}
