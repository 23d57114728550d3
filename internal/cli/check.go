// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
)

// finding is what was found out about one thing that is to run.
type finding struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Found   string `json:"found,omitempty"`
	Missing string `json:"missing,omitempty"` // and how to get it
	// Packages are those that would provide it.
	Packages []string `json:"packages,omitempty"`

	lacks  []error // what keeps a run from beginning
	doubts []error // what can still turn up when a job starts
}

// check finds out what the machine lacks, before anything runs: run refuses to
// begin with it and doctor shows it.
type check struct {
	findings []*finding
	titles   titles // of the jobs that were looked at
}

// at gives the finding of that name.
func (c *check) at(name string) *finding {
	i := slices.IndexFunc(c.findings, func(f *finding) bool { return f.Name == name })
	if i < 0 {
		i = len(c.findings)
		c.findings = append(c.findings, &finding{Name: name, OK: true})
	}
	return c.findings[i]
}

// jobs looks at every job of a run and at the commands around it. It gives the
// number of jobs; the error is one of the input.
func (c *check) jobs(r *prepared) (n int, err error) {
	if x, ok := r.executor.(simulated); ok {
		if n, err = c.simulable(r, x); err != nil {
			return n, err
		}
		return n, c.steerable(r)
	}
	type use struct{ app, variant, programs string }
	seen := map[use]bool{}
	c.titles = titles{}
	for job, err := range r.samples() {
		if err == nil {
			err = job.Check()
		}
		if err != nil {
			return 0, input(err)
		}
		n++
		c.titles.add(job)
		f := c.at(cmp.Or(strings.TrimSpace(job.App+" "+job.Variant), "group "+job.Group))
		names, services := jobPrograms(job)
		inside := job.Launch.Image != "" // whether the image has them shows when it runs
		if u := (use{job.App, job.Variant, fmt.Sprintf("%q %q", names, services)}); !inside && !seen[u] {
			seen[u] = true
			v, err := variantOf(r.ensemble, job)
			if err != nil {
				return 0, input(err)
			}
			of, path := fmt.Sprintf("%s, variant %s", job.App, job.Variant), run.Path(job.Launch.Env)
			if job.App == "" {
				of = "group " + job.Group
			}
			f.programs(of, names, v.Packages, path)
			if len(v.Packages) > 0 {
				f.programs(of, services, v.Packages, path)
			} else {
				f.lack(run.CheckCommands("a service of "+of, job.Launch.ServiceCommands(), path, false))
			}
		}
		f.lack(r.executor.Check(job))
	}
	if err := c.steerable(r); err != nil {
		return 0, err
	}
	d := &run.Driver{}
	if d.Before, d.After = r.Hooks(); len(d.Before)+len(d.After) > 0 {
		c.at("the run").lack(d.Check())
	}
	return n, nil
}

// steerable says which rules want what the member cannot do.
func (c *check) steerable(r *prepared) error {
	if faults := run.CanSteer(r.executor, r.Engine); len(faults) > 0 {
		return input(r.locate(&spec.FileError{File: "ensemble", Faults: faults}))
	}
	return nil
}

// variants looks at all that a catalog has.
func (c *check) variants(cat *catalog.Catalog) {
	for _, name := range cat.Names() {
		a, _ := cat.App(name)
		for i := range a.Spec.Variants {
			v := &a.Spec.Variants[i]
			if v.Image != "" {
				continue
			}
			f := c.at(name + " " + v.Name)
			f.programs(fmt.Sprintf("%s, variant %s", name, v.Name), programs(a, v), v.Packages, run.Path(nil))
			if v.MPI != spec.NoMPI {
				_, err := local.FindLauncher(v.MPI)
				f.lack(err)
			}
		}
	}
}

// error is what keeps a run from beginning.
func (c *check) error() error {
	var errs []error
	for _, f := range c.findings {
		errs = append(errs, f.lacks...)
	}
	errs = distinct(errs)
	if more := len(errs) - maxLacks; more > 0 {
		errs = append(errs[:maxLacks], fmt.Errorf("… and %d more", more))
	}
	if len(errs) == 0 {
		return nil
	}
	return &codeError{exitMachine, errors.Join(errs...)}
}

// maxLacks is how much of what is missing is listed.
const maxLacks = 20

// programs looks for the programs of a variant. Those that packages provide have
// to be there. One that no package is known for may be made by what runs before
// it: not finding it is the record of the job.
func (f *finding) programs(of string, names, packages []string, path string) {
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	for _, name := range names {
		switch {
		case run.HasProgram(name, path):
			if found, err := exec.LookPath(name); err == nil && f.Found == "" {
				f.Found = found
			}
		case len(packages) > 0:
			f.lack(&run.MissingError{Program: name, Of: of, Packages: packages})
		default:
			f.doubts = append(f.doubts, &run.MissingError{Program: name, Of: of, Hint: "unless something makes it, its jobs will fail"})
			f.describe()
		}
	}
}

// lack takes in what is missing; nil is nothing.
func (f *finding) lack(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			f.lack(err)
		}
		return
	}
	f.lacks = distinct(append(f.lacks, err))
	f.describe()
}

// describe puts what is missing into words.
func (f *finding) describe() {
	f.OK = false
	var words []string
	for _, err := range slices.Concat(f.lacks, f.doubts) {
		var missing *run.MissingError
		switch {
		case !errors.As(err, &missing):
			words = append(words, err.Error())
		case len(missing.Packages) > 0:
			words = append(words, missing.Program+" is not installed")
			f.Packages = append(f.Packages, missing.Packages...)
		default:
			words = append(words, (&run.MissingError{Program: missing.Program, Hint: missing.Hint}).Error())
		}
	}
	const some = 3
	if more := len(words) - some; more > 0 {
		words = append(words[:some], fmt.Sprintf("… and %d more", more))
	}
	f.Packages = slices.Compact(slices.Sorted(slices.Values(f.Packages)))
	if len(f.Packages) > 0 {
		words = append(words, "apt-get install "+strings.Join(f.Packages, " "))
	}
	f.Missing = strings.Join(words, "; ")
}

// distinct keeps the first of errors that read alike.
func distinct(errs []error) (kept []error) {
	seen := map[string]bool{}
	for _, err := range errs {
		if text := err.Error(); !seen[text] {
			seen[text] = true
			kept = append(kept, err)
		}
	}
	return kept
}

// jobPrograms lists the programs that a job starts: those of the application,
// and those of services beside it.
func jobPrograms(job *ensemble.Job) (application, services []string) {
	names := func(commands [][]string) (names []string) {
		for _, argv := range commands {
			if !slices.Contains(names, argv[0]) {
				names = append(names, argv[0])
			}
		}
		return names
	}
	l := &job.Launch
	return names(slices.Concat([][]string{l.Command}, l.Prepare)), names(l.ServiceCommands())
}

// programs lists what a variant starts, the application first. A name that a
// template decides is left out: it shows in the jobs.
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

func variantOf(e *spec.Ensemble, job *ensemble.Job) (*spec.Variant, error) {
	if job.App == "" { // a plain command
		return &spec.Variant{}, nil
	}
	i := slices.IndexFunc(e.Spec.Applications, func(a spec.Application) bool { return a.Metadata.Name == job.App })
	return catalog.Variant(&e.Spec.Applications[i], job.Variant)
}
