// SPDX-License-Identifier: MIT

package cli

import (
	"github.com/converged-computing/ensemble/run"
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
			return recordListing(records).write(e.stdout, format)
		},
	}
	outputFlag(c, &format)
	return c
}
