// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
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
named - is standard input. A run that failed is a record; the exit code is 1
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
			var records []measure.Record
			var errs []error
			for _, file := range args {
				rs, err := parseLog(c.Context(), e, r, file)
				records = append(records, rs...)
				errs = append(errs, err)
			}
			if err := recordListing(records).write(e.stdout, format); err != nil {
				return err
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

func parseLog(ctx context.Context, e *env, r *read.Reader, file string) (records []measure.Record, err error) {
	in := e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, input(fmt.Errorf("reading a log: %w", err))
		}
		defer f.Close()
		in = f
	}
	return collect(r, ctx, file, in)
}

func collect(r *read.Reader, ctx context.Context, file string, in io.Reader) (records []measure.Record, err error) {
	for run, err := range r.Read(ctx, file, in) {
		if err != nil {
			return records, input(err)
		}
		records = append(records, measure.FromLog(run))
	}
	return records, nil
}

// recordListing shows records: identity, status and metrics.
func recordListing(records []measure.Record) *listing {
	l := &listing{header: []string{"app", "variant", "nodes", "tasks", "run", "status", "metrics", "reason"}, value: records}
	if records == nil {
		l.value = []measure.Record{}
	}
	for _, r := range records {
		id := r.RunID
		if r.Job != "" {
			id = fmt.Sprintf("%s/%d", r.Job, r.Attempt)
		}
		l.rows = append(l.rows, []string{r.App, r.Variant, count(r.Nodes), count(r.Tasks), id, string(r.Status), metricText(r), r.Reason})
	}
	return l
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func metricText(r measure.Record) string {
	names := make([]string, 0, len(r.Metrics))
	for name := range r.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		m := r.Metrics[name]
		names[i] = strings.TrimRight(fmt.Sprintf("%s=%.6g %s", name, m.Value, m.Unit), " ")
	}
	return strings.Join(names, " ")
}

// failed counts records that did not succeed.
func failed(records []measure.Record) (n int) {
	for _, r := range records {
		if r.Status != ensemble.Succeeded {
			n++
		}
	}
	return n
}
