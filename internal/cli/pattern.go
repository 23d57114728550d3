// SPDX-License-Identifier: MIT

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// patternFlags are the flags of the command.
type patternFlags struct {
	format, export, scaling, over string
	at, files, metrics            []string
	level                         float64
}

// exports are the formats of --export.
var exports = []string{"extra-p", "extra-p-jsonl"}

func newPattern(e *env) *cobra.Command {
	var f patternFlags
	c := &cobra.Command{
		Use:   "pattern [RUN...] [--records FILE] [--at nodes=N]",
		Short: "Fit how time grows or falls with nodes and ranks, and predict",
		Long: `Fit how time grows or falls with nodes and ranks, and predict.

For each application, variant, environment and problem there is a law for the
application's time, the launch overhead, the share of MPI, memory and the figures
of merit, each over nodes and over ranks. --at asks for a size: one that was
measured is answered with what was measured, any other with a prediction and its
interval, or with the reason why there is none. A refusal is an answer: the exit
code is 0.

--records takes records from elsewhere: a csv or json file with app, variant,
environment, problem, nodes, tasks, iteration and a column for each metric; - is
standard input. NAME[UNIT] has a unit, and one of work by time, such as GB/s, makes
a rate; NAME_sd and NAME_n beside NAME make it the mean of that many runs.`,
		RunE: func(c *cobra.Command, args []string) error {
			if f.export != "" && c.Flags().Changed("output") {
				return input(errors.New("--export has a format of its own and does not go with -o"))
			}
			return f.run(c.Context(), e, args)
		},
	}
	outputFlag(c, &f.format)
	c.Flags().StringArrayVar(&f.at, "at", nil, "predict at `AXIS=N`: nodes=128 or ranks=512; may be repeated")
	c.Flags().StringArrayVar(&f.files, "records", nil, "a csv or json `FILE` of records; may be repeated")
	c.Flags().StringArrayVar(&f.metrics, "metric", nil, "the `NAME` of a metric to fit; may be repeated")
	c.Flags().StringVar(&f.over, "over", "", "nodes or ranks; the default is both")
	c.Flags().StringVar(&f.scaling, "scaling", "", "strong or weak, for records from elsewhere instead of what the catalog says")
	c.Flags().Float64Var(&f.level, "level", pattern.DefaultLevel, "the probability of intervals")
	c.Flags().StringVar(&f.export, "export", "", "write the series and no laws: "+strings.Join(exports, ", "))
	e.registryFlags(c)
	return c
}

// size is what --at asks for.
type size struct {
	axis pattern.Axis
	n    int
}

func (f *patternFlags) run(ctx context.Context, e *env, args []string) error {
	sizes, want, err := f.selection()
	if err != nil {
		return input(err)
	}
	if len(args)+len(f.files) == 0 {
		return input(errors.New("nothing to fit; want a RUN or --records FILE"))
	}
	observations, apps, err := f.observe(ctx, e, args)
	if err != nil {
		return err
	}
	if len(observations) == 0 {
		return &codeError{exitFailed, errors.New("nothing to fit: no record succeeded")}
	}
	if err := knownMetrics(f.metrics, observations); err != nil {
		return input(err)
	}
	all := pattern.Group(observations, apps, want)
	if len(all) == 0 {
		return input(fmt.Errorf("nothing to fit: no record has a metric that patterns are made of and a number of %s; --metric names another of %s",
			joinAxes(want.Axes), spec.OneOf(metricNames(observations))))
	}
	if f.export != "" {
		return f.write(e.stdout, all)
	}
	var results []patternResult
	for i := range all {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		results = append(results, answers(&all[i], all[i].Fit(f.level), sizes)...)
	}
	w := bufio.NewWriter(e.stdout)
	if err := patternListing(results).write(w, f.format); err != nil {
		return err
	}
	return w.Flush()
}

// selection checks the flags.
func (f *patternFlags) selection() (sizes []size, want pattern.Selection, err error) {
	for _, at := range f.at {
		name, text, _ := strings.Cut(at, "=")
		axis, ok := axisNamed(strings.TrimSpace(name))
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if !ok || err != nil || n < 1 {
			return nil, want, fmt.Errorf("--at %q: want nodes=N or ranks=N with a whole number of 1 or more", at)
		}
		sizes = append(sizes, size{axis, n})
		if !slices.Contains(want.Axes, axis) {
			want.Axes = append(want.Axes, axis)
		}
	}
	if f.over != "" {
		axis, ok := axisNamed(f.over)
		if !ok {
			return nil, want, fmt.Errorf("--over %q: want %s", f.over, spec.OneOf(pattern.Axes))
		}
		if len(want.Axes) > 0 && !slices.Equal(want.Axes, []pattern.Axis{axis}) {
			return nil, want, fmt.Errorf("--over %s does not go with --at %s", axis, strings.Join(f.at, " --at "))
		}
		want.Axes = []pattern.Axis{axis}
	}
	if f.export != "" && len(want.Axes) == 0 {
		want.Axes = []pattern.Axis{pattern.Nodes}
	}
	want.Metrics, want.Scaling = f.metrics, spec.Scaling(f.scaling)
	switch {
	case f.scaling != "" && want.Scaling != spec.ScalingStrong && want.Scaling != spec.ScalingWeak:
		return nil, want, fmt.Errorf("--scaling %q: want strong or weak", f.scaling)
	case f.export != "" && !slices.Contains(exports, f.export):
		return nil, want, errors.New(spec.Unknown("export format", f.export, exports))
	case f.export != "" && len(f.at) > 0:
		return nil, want, errors.New("--export writes what was measured and predicts nothing, so it does not go with --at; --over chooses nodes or ranks")
	case !(f.level > 0 && f.level < 1):
		return nil, want, fmt.Errorf("--level %g: want a number between 0 and 1", f.level)
	case f.level > pattern.MaxLevel:
		return nil, want, fmt.Errorf("--level %g: want %g at most; the bootstrap tells no more", f.level, pattern.MaxLevel)
	}
	return sizes, want, nil
}

// axisNamed knows the axes, and ranks as the tasks that records call them.
func axisNamed(name string) (pattern.Axis, bool) {
	if name == "tasks" {
		return pattern.Ranks, true
	}
	return pattern.Axis(name), slices.Contains(pattern.Axes, pattern.Axis(name))
}

func joinAxes(axes []pattern.Axis) string {
	if len(axes) == 0 {
		axes = pattern.Axes
	}
	var names []string
	for _, a := range axes {
		names = append(names, string(a))
	}
	return strings.Join(names, " or ")
}

// observe gathers what runs and files hold. Of an application that is both in a
// run and in the catalog, the run's definition says what its metrics are.
func (f *patternFlags) observe(ctx context.Context, e *env, runs []string) ([]pattern.Observation, map[string]*spec.Application, error) {
	g, err := e.gather(ctx, runs)
	if err != nil {
		return nil, nil, err
	}
	n := 0
	for i := range g.records {
		if g.records[i].Simulated() {
			n++
		}
	}
	if n > 0 {
		e.say("%s left out: simulated, not measured", plural(n, "record"))
	}
	all := pattern.FromRecords(g.records, g.apps)
	if len(f.files) == 0 {
		return all, g.apps, nil
	}
	cat, err := e.catalog()
	if err != nil {
		return nil, nil, err
	}
	apps := catalogApps(cat, f.scaling)
	maps.Copy(apps, g.apps)
	var errs []error
	for _, file := range f.files {
		found, err := readObservations(ctx, e, file, apps)
		errs = append(errs, err)
		all = append(all, found...)
	}
	return all, apps, errors.Join(errs...)
}

// catalogApps are the applications of the catalog; scaling replaces theirs where
// the user says it.
func catalogApps(cat *catalog.Catalog, scaling string) map[string]*spec.Application {
	apps := map[string]*spec.Application{}
	for _, name := range cat.Names() {
		a, _ := cat.App(name)
		app := *a
		if scaling != "" {
			app.Spec.Scaling = spec.Scaling(scaling)
		}
		apps[name] = &app
	}
	return apps
}

func readObservations(ctx context.Context, e *env, file string, apps map[string]*spec.Application) ([]pattern.Observation, error) {
	if file == "-" {
		return pattern.Read(interruptible(ctx, e.stdin), file, apps)
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, input(fmt.Errorf("reading records: %w", err))
	}
	defer in.Close()
	found, err := pattern.Read(in, file, apps)
	return found, input(err)
}

// knownMetrics refuses a name that no record has.
func knownMetrics(want []string, observations []pattern.Observation) error {
	known := metricNames(observations)
	for _, name := range want {
		if !slices.Contains(known, name) {
			return errors.New(spec.Unknown("metric", name, known))
		}
	}
	return nil
}

func metricNames(observations []pattern.Observation) []string {
	names := map[string]bool{}
	for i := range observations {
		for name := range observations[i].Numbers {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// write exports the series.
func (f *patternFlags) write(w io.Writer, all []pattern.Series) error {
	if f.export == "extra-p-jsonl" {
		return input(pattern.ExtraPLines(w, all))
	}
	err := pattern.ExtraP(w, all)
	if errors.Is(err, pattern.ErrUneven) {
		err = fmt.Errorf("%w; --export extra-p-jsonl takes different sizes, --metric and --over choose", err)
	}
	return input(err)
}
