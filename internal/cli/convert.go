// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/converged-computing/ensemble/convert"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// ensemblePython is the name of the format that convert reads.
const ensemblePython = "ensemble-python"

func newConvert(e *env) *cobra.Command {
	var format, from string
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Print a file of another project as a file of this one",
		Long: `Print a file of another project as a file of this one, an Ensemble. What is not
as it was is said on standard error, each with its place in FILE.

The format is told from the content: a file with jobs and rules and no apiVersion
is one of ensemble-python. "run", "plan" and "doctor" take such a file as it is.`,
		Args: cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if from != "" && from != ensemblePython {
				return input(fmt.Errorf("unknown format %q; want %s", from, ensemblePython))
			}
			if !slices.Contains([]string{"yaml", "json"}, format) {
				return input(fmt.Errorf("unknown output format %q; want yaml, json", format))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			ens, err := e.convert(args[0], from)
			if err != nil {
				return err
			}
			if format == "json" {
				return writeJSON(e.stdout, ens)
			}
			return spec.Encode(e.stdout, ens)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "yaml", "yaml, json")
	c.Flags().StringVar(&from, "from", "", "the `FORMAT` of the file: "+ensemblePython+" (default: told from the content)")
	return c
}

// convert reads a file of another format.
func (e *env) convert(file, from string) (*spec.Ensemble, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, input(fmt.Errorf("reading the file to convert: %w", err))
	}
	if from == "" && !convert.IsEnsemblePython(data) {
		if doc, err := spec.Decode(file, data); doc != nil {
			return nil, input(fmt.Errorf("%s is of kind %s: there is nothing to convert", file, doc.Object.Head().Kind))
		} else if _, _, wrong := spec.Parse(file, data); wrong != nil {
			return nil, err
		}
		return nil, input(fmt.Errorf("%s is of no format that is known here; want jobs and rules and no apiVersion, as %s has it, or --from", file, ensemblePython))
	}
	return e.ensemblePython(file, data)
}

// ensemblePython converts a file of that format and says the notes.
func (e *env) ensemblePython(file string, data []byte) (*spec.Ensemble, error) {
	ens, notes, err := convert.EnsemblePython(file, data)
	for _, n := range notes {
		e.say("note: %s", n)
	}
	return ens, err
}
