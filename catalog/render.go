// SPDX-License-Identifier: MIT

package catalog

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// Config is what a trial decides about one application.
type Config struct {
	Nodes, Tasks, TasksPerNode, Threads, CoresPerTask int
	// Parameters holds a value for every parameter of the application.
	Parameters map[string]spec.Value
}

// Rendered is an application ready to run in a directory.
type Rendered struct {
	// Command is the argument vector of one rank, without the launcher.
	Command []string
	// Prepare are the commands to run before it.
	Prepare [][]string
	// Services run beside it.
	Services []spec.Service
	// Env is added to the environment, as NAME=VALUE in order of the names.
	Env []string
	// Files are the decks by their path in the directory.
	Files map[string]string
	// Problem names the problem in records and reports.
	Problem string
}

// Parameters fills in defaults and holds every value against its parameter.
// An int parameter gets integers and a float parameter floats, whichever way
// the values were written.
func Parameters(app *spec.Application, given map[string]spec.Value) (map[string]spec.Value, error) {
	all := make(map[string]spec.Value, len(app.Spec.Parameters))
	for name := range given {
		if _, ok := app.Spec.Parameters[name]; !ok {
			return nil, errors.New(spec.Unknown("parameter of "+app.Metadata.Name, name, slices.Sorted(maps.Keys(app.Spec.Parameters))))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(app.Spec.Parameters)) {
		p := app.Spec.Parameters[name]
		v, ok := given[name]
		if !ok {
			if p.Default == nil {
				return nil, fmt.Errorf("the parameter %q of %s has no default: give it a value", name, app.Metadata.Name)
			}
			v = *p.Default
		}
		if err := p.Accepts(v); err != nil {
			return nil, fmt.Errorf("the parameter %q of %s: %w", name, app.Metadata.Name, err)
		}
		all[name] = p.Type.Canonical(v)
	}
	return all, nil
}

// Accepts says what is wrong with a configuration's number of ranks for the
// application, if anything.
func Accepts(app *spec.Application, c Config) error {
	r, n := app.Spec.Ranks, c.Tasks
	fail := func(want string) error {
		return fmt.Errorf("%s accepts %s; got %d ranks", app.Metadata.Name, want, n)
	}
	if n < r.Min {
		return fail(fmt.Sprintf("%d ranks at least", r.Min))
	}
	if r.Max > 0 && n > r.Max {
		return fail(fmt.Sprintf("%d ranks at most", r.Max))
	}
	switch r.Accept {
	case spec.RanksPowersOfTwo:
		if n&(n-1) != 0 {
			return fail("powers of two")
		}
	case spec.RanksSquares:
		if x := int(math.Round(math.Sqrt(float64(n)))); x*x != n {
			return fail("squares")
		}
	case spec.RanksCubes:
		if x := int(math.Round(math.Cbrt(float64(n)))); x*x*x != n {
			return fail("cubes")
		}
	case spec.RanksProduct:
		product := int64(1)
		for _, name := range r.Of {
			i, _ := c.Parameters[name].Int()
			product *= i
		}
		if product != int64(n) {
			return fail(fmt.Sprintf("the product of %s, which is %d", strings.Join(r.Of, ", "), product))
		}
	}
	return nil
}

// Render fills the templates of an application.
func Render(app *spec.Application, v *spec.Variant, c Config) (*Rendered, error) {
	data := c.data()
	s := &app.Spec
	var errs []error
	text := func(at spec.Path, t string) string {
		out, err := render(t, data)
		if err != nil {
			errs = append(errs, fmt.Errorf("rendering %s of %s: %w", at, app.Metadata.Name, err))
		}
		return out
	}
	argv := func(at spec.Path, args []string) (out []string) {
		for i, a := range args {
			if x := text(at.Index(i), a); x != "" || a == "" {
				out = append(out, x)
			}
		}
		return out
	}
	command, prepare := s.Command, s.Prepare
	if len(v.Command) > 0 {
		command = v.Command
	}
	if len(v.Prepare) > 0 {
		prepare = v.Prepare
	}
	r := &Rendered{Command: argv("command", command), Files: map[string]string{}, Problem: text("problem", s.Problem)}
	if len(r.Command) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("rendering command of %s: nothing is left of it", app.Metadata.Name))
	}
	for i, p := range prepare {
		if args := argv(spec.Path("prepare").Index(i), p); len(args) > 0 {
			r.Prepare = append(r.Prepare, args)
		}
	}
	for i, service := range s.Services {
		if service.Command = argv(spec.Path("services").Index(i), service.Command); len(service.Command) > 0 {
			r.Services = append(r.Services, service)
		}
	}
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, v.Env)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		r.Env = append(r.Env, name+"="+text(spec.Path("env").Key(name), env[name]))
	}
	for _, d := range s.Decks {
		if d.Verbatim {
			r.Files[d.Path] = d.Content
			continue
		}
		r.Files[d.Path] = text(spec.Path("the deck "+d.Path), d.Content)
	}
	return r, errors.Join(errs...)
}

// data gives what templates read, by name.
func (c *Config) data() map[string]any {
	data := map[string]any{
		"nodes": c.Nodes, "tasks": c.Tasks, "tasksPerNode": c.TasksPerNode,
		"threads": c.Threads, "coresPerTask": c.CoresPerTask,
	}
	for name, value := range c.Parameters {
		switch x := value.Any().(type) {
		case int64:
			data[name] = int(x)
		default:
			data[name] = x
		}
	}
	return data
}
