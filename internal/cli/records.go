// SPDX-License-Identifier: MIT

package cli

import (
	"context"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

func newRecords(e *env) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "records RUN|REF",
		Short: "Print the records of a run",
		Long: `Print the records of a run: one for each attempt that ended. A run is its directory,
or the reference of a bundle in a registry.

-o bench is the format of Go benchmarks, which benchstat and others read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, ens, err := e.openRun(c.Context(), args[0])
			if err != nil {
				return err
			}
			records, err := allRecords(c.Context(), dir, ens)
			if err != nil {
				return err
			}
			apps := appsByName(ens)
			switch format {
			case "bench":
				return report.RecordsBenchmark(e.stdout, records, apps)
			case "csv":
				return report.RecordsCSV(e.stdout, records)
			}
			return recordListing(records, func(name string) (*spec.Application, bool) {
				a, ok := apps[name]
				return a, ok
			}).write(e.stdout, format)
		},
	}
	outputFlag(c, &format, "bench")
	e.registryFlags(c)
	return c
}

// allRecords gives the records of a run.
func allRecords(ctx context.Context, dir run.Dir, e *spec.Ensemble) (records []measure.Record, err error) {
	for r, err := range measure.Records(ctx, dir, e) {
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}
