// SPDX-License-Identifier: MIT

package cli

import (
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

func newSchema(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema KIND",
		Short: "Print the JSON Schema of a kind of file",
		Long:  "Print the JSON Schema of a kind of file: Application, Study, Ensemble, Environment, Parts or Lock.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := spec.Schema(spec.Kind(args[0]))
			if err != nil {
				return input(err)
			}
			_, err = e.stdout.Write(b)
			return err
		},
	}
}
