// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/spf13/cobra"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Found   string `json:"found,omitempty"`
	Missing string `json:"missing,omitempty"` // how to get it
	// Packages are those that would provide it.
	Packages []string `json:"packages,omitempty"`
}

// diagnosis is all that doctor found.
type diagnosis struct {
	Machine  run.Environment `json:"machine"`
	Findings []finding       `json:"findings"`
}

func newDoctor(e *env) *cobra.Command {
	var format string
	var missing bool
	c := &cobra.Command{
		Use:   "doctor [FILE]",
		Short: "Say what this machine can do, and what it lacks",
		Long: `Say what this machine can do, and what it lacks: for every application of the
catalog, or for those that a study names. The exit code is 3 when something
that the study needs is missing.

--missing prints only the packages that would provide what is missing, one a
line, for a package manager to read.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			uses, err := e.uses(c.Context(), args)
			if err != nil {
				return err
			}
			x, err := local.New("")
			if err != nil {
				return err
			}
			d := diagnosis{Machine: run.Capture(c.Context(), nil, x.Cores())}
			for _, u := range uses {
				d.Findings = append(d.Findings, look(u.app, u.variant))
			}
			if missing {
				for _, p := range missingPackages(d.Findings) {
					fmt.Fprintln(e.stdout, p)
				}
				return nil
			}
			if err := e.showDiagnosis(&d, format); err != nil {
				return err
			}
			lacks := slices.ContainsFunc(d.Findings, func(f finding) bool { return !f.OK })
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

// use is one variant of one application.
type use struct {
	app     *spec.Application
	variant *spec.Variant
}

// uses lists the variants of the catalog, or those that a study can use.
func (e *env) uses(ctx context.Context, args []string) (uses []use, err error) {
	if len(args) == 0 {
		cat, err := e.catalog()
		if err != nil {
			return nil, err
		}
		for _, name := range cat.Names() {
			a, _ := cat.App(name)
			for i := range a.Spec.Variants {
				uses = append(uses, use{a, &a.Spec.Variants[i]})
			}
		}
		return uses, nil
	}
	ens, locate, err := e.resolve(ctx, args[0])
	if err != nil {
		return nil, err
	}
	plan, err := study.New(ctx, &ens.Spec, "")
	if err != nil {
		return nil, input(locate(err))
	}
	wanted := map[string]bool{}
	for t := range plan.Trials() {
		wanted[t.App+"/"+t.Variant] = true
	}
	for i := range ens.Spec.Applications {
		a := &ens.Spec.Applications[i]
		for j := range a.Spec.Variants {
			if v := &a.Spec.Variants[j]; wanted[a.Metadata.Name+"/"+v.Name] {
				uses = append(uses, use{a, v})
			}
		}
	}
	return uses, nil
}

// look finds out whether one variant can run.
func look(a *spec.Application, v *spec.Variant) finding {
	f := finding{Name: a.Metadata.Name + " " + v.Name, OK: true}
	lack := func(what string, packages ...string) {
		f.OK = false
		f.Packages = append(f.Packages, packages...)
		f.Missing = strings.TrimPrefix(f.Missing+"; "+what, "; ")
	}
	for _, program := range programs(a, v) {
		path, err := exec.LookPath(program)
		if err != nil {
			lack(program+" is not installed", v.Packages...)
			continue
		}
		if f.Found == "" {
			f.Found = path
		}
	}
	if v.MPI != spec.NoMPI {
		if _, err := local.FindLauncher(v.MPI); err != nil {
			lack("the launcher of "+string(v.MPI)+" is not installed", local.LauncherPackage(v.MPI))
		}
	}
	if !f.OK {
		f.Missing += "; apt-get install " + strings.Join(f.Packages, " ")
	}
	return f
}

// programs lists what a variant starts, the application first. A name that a
// template decides is left out: it shows when the job starts.
func programs(a *spec.Application, v *spec.Variant) (names []string) {
	commands := [][]string{a.Spec.Command}
	if len(v.Command) > 0 {
		commands[0] = v.Command
	}
	prepare := a.Spec.Prepare
	if len(v.Prepare) > 0 {
		prepare = v.Prepare
	}
	commands = append(commands, prepare...)
	for _, s := range a.Spec.Services {
		commands = append(commands, s.Command)
	}
	for _, argv := range commands {
		if len(argv) > 0 && !strings.Contains(argv[0], "{{") && !slices.Contains(names, argv[0]) {
			names = append(names, argv[0])
		}
	}
	return names
}

func missingPackages(findings []finding) (all []string) {
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
		if os.Geteuid() == 0 {
			fmt.Fprintln(e.stdout, "running as root: Open MPI is told so")
		}
		fmt.Fprintln(e.stdout)
	}
	return l.write(e.stdout, format)
}
