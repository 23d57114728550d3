// SPDX-License-Identifier: MIT

package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/converged-computing/ensemble/forecast"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/spf13/cobra"
)

func newPlan(e *env) *cobra.Command {
	var format, environment string
	var all bool
	var f forecastFlags
	var finish func()
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the trials of a study, what they cost and what they leave out",
		Long: `Show the trials of a study, what they cost and what they leave out. Nothing is
run.

The table has the first trials; --all has every one. The other formats have them
all; with -o jsonl they are streamed, one a line.

With --from RUN, or any other flag of the simulated member, the ensemble is played
there many times: makespan, node-hours and money have medians and intervals. Where
the runs cannot carry a prediction there is none, with the reason.

With --policy the FILE is a RUN, and what its journal recorded is replayed: on N
nodes all the time, on N to M by demand (N-M), or by the rules of an Ensemble file
that grow and shrink (FILE, or FILE@N-M).`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			finish()
			if len(f.policies) > 0 {
				return e.replay(ctx, args[0], format, &f)
			}
			ens, locate, err := e.resolve(ctx, args[0])
			if err != nil {
				return err
			}
			p, err := study.New(ctx, &ens.Spec, environment)
			if err != nil {
				return input(locate(err))
			}
			played, err := e.forecast(ctx, ens, environment, &f)
			if err != nil {
				return locate(err)
			}
			if played != nil && (format == "csv" || format == "jsonl") {
				return input(errors.New("a forecast is no row: it goes with -o table, json and yaml"))
			}
			w := bufio.NewWriter(e.stdout)
			if len(ens.Spec.Study.Sweeps) > 0 {
				err = writePlan(ctx, w, p, played, format, all)
			} else {
				l := groupListing(&ens.Spec)
				if played != nil {
					l.value = struct {
						Groups   any                `json:"groups"`
						Forecast *forecast.Forecast `json:"forecast"`
					}{l.value, played}
				}
				err = l.write(w, format)
			}
			if err == nil && played != nil && format == "table" {
				err = writeForecast(w, played)
			}
			if err != nil {
				return err
			}
			return w.Flush()
		},
	}
	outputFlag(c, &format, "jsonl")
	finish = f.add(c)
	c.Flags().BoolVar(&all, "all", false, "list every trial in the table")
	c.Flags().StringVar(&environment, "environment", "", "only the trials of the environment of that `NAME`")
	e.registryFlags(c)
	return c
}

// groupListing shows groups, of an ensemble without a study, and what has them
// submitted.
func groupListing(e *spec.EnsembleSpec) *listing {
	l := &listing{header: []string{"group", "runs", "count", "nodes", "tasks", "cores", "submitted"}, value: e.Groups}
	for i := range e.Groups {
		g := &e.Groups[i]
		runs := strings.TrimSpace(g.App + " " + g.Variant)
		if g.App == "" {
			runs = strings.Join(g.Command, " ")
		}
		when := "at the start"
		if len(g.After) > 0 {
			when = "after " + strings.Join(g.After, ", ")
		}
		var rules []string
		for _, r := range e.Rules {
			if r.Do.Submits() == g.Name {
				rules = append(rules, r.Name)
			}
		}
		if len(rules) > 0 {
			when = "by " + strings.Join(rules, ", ")
		}
		l.rows = append(l.rows, []string{g.Name, runs, strconv.Itoa(g.Count), strconv.Itoa(g.Nodes), strconv.Itoa(g.Tasks),
			strconv.Itoa(g.Tasks * g.CoresPerTask), when})
	}
	return l
}

// maxListed is how many trials the table shows without --all.
const maxListed = 20

func writePlan(ctx context.Context, w io.Writer, p *study.Plan, played *forecast.Forecast, format string, all bool) error {
	switch format {
	case "jsonl":
		enc := json.NewEncoder(w)
		for t := range p.Trials() {
			if err := errors.Join(ctx.Err(), enc.Encode(t)); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		cw := csv.NewWriter(w)
		if err := cw.Write(trialHeader); err != nil {
			return err
		}
		for t := range p.Trials() {
			if err := errors.Join(ctx.Err(), cw.Write(trialRow(&t))); err != nil {
				return err
			}
		}
		cw.Flush()
		return cw.Error()
	}
	sum, err := p.Summary(ctx)
	if err != nil {
		return err
	}
	if format != "table" {
		v := struct {
			Summary  *study.Summary     `json:"summary"`
			Trials   []study.Trial      `json:"trials"`
			Forecast *forecast.Forecast `json:"forecast,omitempty"`
		}{sum, []study.Trial{}, played}
		for t := range p.Trials() {
			if err := ctx.Err(); err != nil {
				return err
			}
			v.Trials = append(v.Trials, t)
		}
		return (&listing{value: v}).write(w, format)
	}
	l := &listing{header: trialHeader}
	for t := range p.Trials() {
		if len(l.rows) == maxListed && !all {
			break
		}
		l.rows = append(l.rows, trialRow(&t))
	}
	if err := l.write(w, "table"); err != nil {
		return err
	}
	if more := p.Len() - len(l.rows); more > 0 {
		fmt.Fprintf(w, "… and %d more (--all)\n", more)
	}
	return writeSummary(w, sum)
}

var trialHeader = []string{"trial", "group", "app", "variant", "environment", "nodes", "tasks", "threads", "cores", "map", "bind", "rep", "parameters"}

func trialRow(t *study.Trial) []string {
	return []string{t.ID, t.Group, t.App, t.Variant, t.Environment, strconv.Itoa(t.Nodes), strconv.Itoa(t.Tasks),
		strconv.Itoa(t.Threads), strconv.Itoa(t.Tasks * t.CoresPerTask), t.MapBy, t.BindTo, strconv.Itoa(t.Repetition), parameterText(t.Parameters)}
}

// writeSummary says what the plan has and what it has not.
func writeSummary(w io.Writer, s *study.Summary) error {
	most := ""
	if slices.ContainsFunc(s.Sweeps, func(sw study.SweepSummary) bool { return sw.Until != nil }) {
		most = "at most "
	}
	fmt.Fprintf(w, "\n%s%s%s\n", most, plural(s.Cost.Trials, "trial"), costText(s.Cost))
	if s.Cut.Trials > 0 {
		fmt.Fprintf(w, "the budget (%s) leaves out %s%s\n", strings.Join(s.Limits, ", "), plural(s.Cut.Trials, "trial"), costText(s.Cut))
	}
	for _, env := range s.Environments {
		fmt.Fprintf(w, "  in %s: %s%s\n", env.Name, plural(env.Cost.Trials, "trial"), costText(env.Cost))
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SWEEP\tPOINTS\tREMOVED\tSAMPLER\tSAMPLED\tREPETITIONS\tTRIALS\tCOVERAGE")
	for _, sw := range s.Sweeps {
		points := "∞"
		if sw.Points != nil {
			points = sw.Points.String()
		}
		removed := 0
		for _, r := range sw.Removed {
			removed += r.Points
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%s\t%d\t%s\n", sw.Name, points, removed, sw.Sampler, sw.Sampled, repetitionsText(sw), sw.Cost.Trials, coverageText(sw.Coverage))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, sw := range s.Sweeps {
		for _, r := range sw.Removed {
			if r.Points > 0 {
				fmt.Fprintf(w, "%s: %d points removed by %s\n", sw.Name, r.Points, r.Rule)
			}
		}
		c := sw.Coverage
		if c == nil || len(c.Missing) == 0 {
			continue
		}
		for _, m := range c.Missing {
			fmt.Fprintf(w, "%s: not covered: %s\n", sw.Name, parameterText(m))
		}
		if n := c.Total - c.Covered - len(c.Missing); n > 0 {
			fmt.Fprintf(w, "%s: … and %d more %d-way combinations are not covered\n", sw.Name, n, c.Strength)
		}
	}
	return nil
}

// repetitionsText says how often each point of a sweep runs.
func repetitionsText(sw study.SweepSummary) string {
	if sw.Until != nil {
		return fmt.Sprintf("≤ %d, until ±%s", sw.Repetitions, sw.Until.Interval)
	}
	return strconv.Itoa(sw.Repetitions)
}

// coverageText puts a coverage into words.
func coverageText(c *study.Coverage) string {
	switch {
	case c == nil:
		return "-"
	case c.Note != "":
		return fmt.Sprintf("%d-way: %s", c.Strength, c.Note)
	}
	return fmt.Sprintf("%d-way %d/%d", c.Strength, c.Covered, c.Total)
}

// parameterText writes values by name, in order of the names.
func parameterText(m map[string]spec.Value) string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s = append(s, name+"="+m[name].String())
	}
	return strings.Join(s, " ")
}

// costText puts a cost into words; nothing where nothing is known of it.
func costText(c study.Cost) string {
	var s []string
	if c.CoreHours > 0 {
		s = append(s, fmt.Sprintf("%.4g core-hours", c.CoreHours), fmt.Sprintf("%.4g node-hours", c.NodeHours))
	}
	for _, currency := range slices.Sorted(maps.Keys(c.Money)) {
		s = append(s, fmt.Sprintf("%.2f %s", c.Money[currency], currency))
	}
	if c.Untimed > 0 && c.CoreHours > 0 {
		s = append(s, fmt.Sprintf("%d of them without an expected time", c.Untimed))
	}
	if len(s) == 0 {
		return ""
	}
	return ", expected " + strings.Join(s, ", ")
}
