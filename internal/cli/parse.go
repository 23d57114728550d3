// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
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
	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

func newParse(e *env) *cobra.Command {
	var format, app string
	c := &cobra.Command{
		Use:   "parse --app NAME LOG...",
		Short: "Read logs of an application into records",
		Long: `Read logs of an application into records: one for every run that a log holds.

The shape of a log is told from its content: the output of the application
alone, a Slurm wrapper, an attached Flux job, a pod's log with many runs. A log
named - is standard input. A run that failed is a record; the exit code is 2
where a log cannot be read.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cat, err := e.catalog()
			if err != nil {
				return err
			}
			r, err := reader(cat, app)
			if err != nil {
				return err
			}
			asked, _ := cat.App(app)
			var records []measure.Record
			var errs []error
			for _, file := range args {
				if err := context.Cause(c.Context()); err != nil {
					errs = append(errs, err)
					break
				}
				rs, other, err := parseLog(c.Context(), e, r, cat, asked, file)
				records = append(records, rs...)
				errs = append(errs, err)
				if len(other) > 0 {
					e.say("warning: %s looks like the output of %s, not of %s", file, strings.Join(other, " or "), app)
				}
			}
			if format == "csv" {
				errs = append(errs, report.RecordsCSV(e.stdout, records))
			} else {
				errs = append(errs, recordListing(records, cat.App).write(e.stdout, format))
			}
			return errors.Join(errs...)
		},
	}
	outputFlag(c, &format)
	c.Flags().StringVar(&app, "app", "", "the `NAME` of the application, or "+strings.Join(read.Builtin(), " or "))
	return c
}

// reader finds the reader of an application or of a built-in format.
func reader(cat *catalog.Catalog, app string) (*read.Reader, error) {
	if slices.Contains(read.Builtin(), app) {
		return read.New(app, spec.Output{})
	}
	a, ok := cat.App(app)
	if !ok {
		names := append(cat.Names(), read.Builtin()...)
		if app == "" {
			return nil, input(fmt.Errorf("--app is missing; want %s", spec.OneOf(names)))
		}
		return nil, input(errors.New(spec.Unknown("application", app, names)))
	}
	return read.New(app, a.Spec.Output)
}

// parseLog reads one log. other names the applications that it is of where it
// does not look like what was asked for.
func parseLog(ctx context.Context, e *env, r *read.Reader, cat *catalog.Catalog, asked *spec.Application, file string) (records []measure.Record, other []string, err error) {
	in, regular := e.stdin, false
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, nil, input(fmt.Errorf("reading a log: %w", err))
		}
		defer f.Close()
		info, err := f.Stat()
		in, regular = f, err == nil && info.Mode().IsRegular()
	}
	if !regular {
		in = interruptible(ctx, in)
	}
	var head beginning
	for run, err := range r.Read(ctx, file, io.TeeReader(in, &head)) {
		if err != nil {
			return records, nil, input(err)
		}
		records = append(records, measure.FromLog(run, asked))
	}
	return records, head.others(cat, asked), nil
}

// interruptible reads until ctx ends: a terminal or a pipe may never give any
// more.
func interruptible(ctx context.Context, from io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, from)
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	return r
}

// recordListing shows records: identity, status, and the values that the
// application's rules call its time and its figure of merit, or else the first
// few, and the share of the time in MPI. The other formats have everything.
func recordListing(records []measure.Record, app func(name string) (*spec.Application, bool)) *listing {
	l := &listing{header: []string{"app", "variant", "nodes", "tasks", "run", "status", "flags", "values", "reason"}, value: records}
	if records == nil {
		l.value = []measure.Record{}
	}
	for _, r := range records {
		id := r.RunID
		if r.Job != "" {
			id = fmt.Sprintf("%s/%d", r.Job, r.Attempt)
		}
		a, _ := app(r.App)
		l.rows = append(l.rows, []string{cmp.Or(r.App, r.Group), r.Variant, count(r.Nodes), count(r.Tasks), id, string(r.Status),
			strings.Join(r.Flags, ","), mainValues(r, a), r.Reason})
	}
	return l
}

// maxValues is how many values a row of the table shows.
const maxValues = 4

// mainValues writes the values that matter most, application time first.
func mainValues(r measure.Record, a *spec.Application) string {
	var names []string
	for _, role := range []spec.MetricRole{spec.RoleApplicationTime, spec.RoleFigureOfMerit} {
		for i := 0; a != nil && i < len(a.Spec.Output.Metrics); i++ {
			m := &a.Spec.Output.Metrics[i]
			if _, ok := r.Metrics[m.Name]; ok && m.Role == role && !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(r.Metrics))
	}
	names = names[:min(maxValues, len(names))]
	var text []string
	for _, name := range names {
		m := r.Metrics[name]
		text = append(text, strings.TrimRight(fmt.Sprintf("%s=%.6g %s", name, m.Value, m.Unit), " "))
	}
	if more := len(r.Metrics) - len(text); more > 0 && len(text) > 0 {
		text = append(text, fmt.Sprintf("(+%d)", more))
	}
	if r.MPI != nil && (r.MPI.Profiled() || !slices.Contains(names, measure.MPIPercent)) {
		text = append(text, fmt.Sprintf("mpi=%.4g %%", r.MPI.Percent))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Series)) {
		text = append(text, fmt.Sprintf("%s[%d]", name, len(r.Series[name].Points)))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tables)) {
		text = append(text, name+"[]")
	}
	return strings.Join(text, " ")
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
