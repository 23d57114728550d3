// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	"github.com/spf13/cobra"
)

// diagnosis is all that doctor found.
type diagnosis struct {
	Machine  run.Environment `json:"machine"`
	Findings []*finding      `json:"findings"`
}

func newDoctor(e *env) *cobra.Command {
	var format string
	var missing bool
	c := &cobra.Command{
		Use:   "doctor [FILE]",
		Short: "Say what this machine can do, and what it lacks",
		Long: `Say what this machine can do, and what it lacks: for every application of the
catalog, or for all that a study runs: its applications, the commands around
them, and the cores that its trials ask for. The exit code is 3 when something
that the study needs is missing.

--missing prints only the packages that would provide what is missing, one a
line, for a package manager to read.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			x, err := onLocal(c.Context(), nil)
			if err != nil {
				return err
			}
			found, err := e.diagnose(c.Context(), args, x)
			if err != nil {
				return err
			}
			if missing {
				for _, p := range missingPackages(found) {
					fmt.Fprintln(e.stdout, p)
				}
			} else if err := e.showDiagnosis(&diagnosis{run.Capture(c.Context(), nil, x.Cores()), found}, format); err != nil {
				return err
			}
			lacks := slices.ContainsFunc(found, func(f *finding) bool { return !f.OK })
			if lacks && len(args) > 0 {
				return &codeError{exitMachine, errors.New("the machine lacks what the study needs")}
			}
			return nil
		},
	}
	outputFlag(c, &format)
	c.Flags().BoolVar(&missing, "missing", false, "print only the packages that are missing")
	return c
}

// diagnose looks at the catalog or at a study, in every environment of it.
func (e *env) diagnose(ctx context.Context, args []string, x member) ([]*finding, error) {
	var c check
	if len(args) == 0 {
		cat, err := e.catalog()
		if err != nil {
			return nil, err
		}
		c.variants(cat)
		return c.findings, nil
	}
	ens, locate, err := e.resolve(ctx, args[0])
	if err != nil {
		return nil, err
	}
	r := &prepared{ensemble: ens, executor: x, locate: locate}
	if err := r.prepare(ctx); err != nil {
		return nil, input(locate(err))
	}
	if _, err = c.jobs(r); err == nil {
		err = ctx.Err()
	}
	return c.findings, err
}

func missingPackages(findings []*finding) (all []string) {
	for _, f := range findings {
		all = append(all, f.Packages...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (e *env) showDiagnosis(d *diagnosis, format string) error {
	l := &listing{header: []string{"application", "ok", "found", "missing"}, value: d}
	for _, f := range d.Findings {
		ok := "yes"
		if !f.OK {
			ok = "no"
		}
		l.rows = append(l.rows, []string{f.Name, ok, f.Found, f.Missing})
	}
	if format == "table" {
		m := d.Machine
		fmt.Fprintf(e.stdout, "%s, %s, kernel %s\n%s, %d cores, %.1f GiB of memory, load %.2f\n",
			m.Hostname, m.OS, m.Kernel, m.CPU, m.Cores, float64(m.MemoryBytes)/(1<<30), m.LoadAverage)
		for _, name := range []string{"openmpi", "mpich"} {
			if v := m.MPI[name]; v != "" {
				fmt.Fprintf(e.stdout, "%s: %s\n", name, v)
			}
		}
		if path, err := exec.LookPath("flux"); err == nil {
			fmt.Fprintf(e.stdout, "flux: %s\n", path)
		}
		if engine, err := container.FindEngine(""); err == nil {
			fmt.Fprintf(e.stdout, "images are built by %s\n", engine.Program)
		}
		if uri := os.Getenv(flux.URIEnv); uri != "" {
			fmt.Fprintf(e.stdout, "inside a Flux instance: %s\n", uri)
		}
		if os.Geteuid() == 0 {
			fmt.Fprintln(e.stdout, "running as root: Open MPI is told so")
		}
		fmt.Fprintln(e.stdout)
	}
	return l.write(e.stdout, format)
}
