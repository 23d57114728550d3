// SPDX-License-Identifier: MIT

package cli

import (
	"slices"

	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

func newRecords(e *env) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "records RUN",
		Short: "Print the records of a run",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, ens, err := run.Open(args[0])
			if err != nil {
				return input(err)
			}
			records, err := allRecords(c.Context(), dir, ens)
			if err != nil {
				return err
			}
			return recordListing(records, appsOf(ens)).write(e.stdout, format)
		},
	}
	outputFlag(c, &format)
	return c
}

// appsOf looks up the applications that a run carries with it.
func appsOf(e *spec.Ensemble) func(name string) (*spec.Application, bool) {
	return func(name string) (*spec.Application, bool) {
		i := slices.IndexFunc(e.Spec.Applications, func(a spec.Application) bool { return a.Metadata.Name == name })
		if i < 0 {
			return nil, false
		}
		return &e.Spec.Applications[i], true
	}
}
