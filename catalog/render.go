// SPDX-License-Identifier: MIT

package catalog

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"text/template"

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
	s := &app.Spec
	var errs []error
	text := func(where, t string) string {
		out, err := render(t, data)
		if err != nil {
			errs = append(errs, fmt.Errorf("rendering %s of %s: %w", where, app.Metadata.Name, err))
		}
		return out
	}
	argv := func(where string, args []string) (out []string) {
		for _, a := range args {
			if x := text(where, a); x != "" || a == "" {
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
	for _, p := range prepare {
		r.Prepare = append(r.Prepare, argv("prepare", p))
	}
	for _, service := range s.Services {
		service.Command = argv("services", service.Command)
		r.Services = append(r.Services, service)
	}
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, v.Env)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		r.Env = append(r.Env, name+"="+text("env", env[name]))
	}
	for _, d := range s.Decks {
		if d.Verbatim {
			r.Files[d.Path] = d.Content
			continue
		}
		r.Files[d.Path] = text("the deck "+d.Path, d.Content)
	}
	return r, errors.Join(errs...)
}

// templates gives every template of an application with its path.
func templates(app *spec.Application, at spec.Path) iter.Seq2[spec.Path, string] {
	return func(yield func(spec.Path, string) bool) {
		ok := true
		one := func(p spec.Path, text string) { ok = ok && yield(p, text) }
		list := func(p spec.Path, args []string) {
			for i, a := range args {
				one(p.Index(i), a)
			}
		}
		lists := func(p spec.Path, all [][]string) {
			for i, args := range all {
				list(p.Index(i), args)
			}
		}
		env := func(p spec.Path, m map[string]string) {
			for _, name := range slices.Sorted(maps.Keys(m)) {
				one(p.Key(name), m[name])
			}
		}
		s := &app.Spec
		list(at.Key("command"), s.Command)
		lists(at.Key("prepare"), s.Prepare)
		for i, service := range s.Services {
			list(at.Key("services").Index(i).Key("command"), service.Command)
		}
		env(at.Key("env"), s.Env)
		for i, v := range s.Variants {
			p := at.Key("variants").Index(i)
			list(p.Key("command"), v.Command)
			lists(p.Key("prepare"), v.Prepare)
			env(p.Key("env"), v.Env)
		}
		one(at.Key("problem"), s.Problem)
		for i, d := range s.Decks {
			if !d.Verbatim {
				one(at.Key("decks").Index(i), d.Content)
			}
		}
	}
}

// maxText bounds one rendered deck.
const maxText = 64 << 20

func parse(text string) (*template.Template, error) {
	return template.New("").Option("missingkey=error").Funcs(functions).Parse(text)
}

func render(text string, data map[string]any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := parse(text)
	if err != nil {
		return "", err
	}
	var b bounded
	if err := t.Execute(&b, data); err != nil {
		return "", err
	}
	return b.String(), nil
}

// bounded is a strings.Builder that refuses to grow beyond maxText.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return b.Builder.Write(p)
}

// functions are the arithmetic of templates. Integers stay integers: div is
// then the quotient without a remainder.
var functions = template.FuncMap{
	"add": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a + b, nil }, func(a, b float64) float64 { return a + b })
	},
	"sub": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a - b, nil }, func(a, b float64) float64 { return a - b })
	},
	"mul": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a * b, nil }, func(a, b float64) float64 { return a * b })
	},
	"div": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) {
			if b == 0 {
				return 0, errors.New("division by zero")
			}
			return a / b, nil
		}, func(a, b float64) float64 { return a / b })
	},
	"mod": func(a, b int) (int, error) {
		if b == 0 {
			return 0, errors.New("division by zero")
		}
		return a % b, nil
	},
	"min": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return min(a, b), nil }, math.Min)
	},
	"max": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return max(a, b), nil }, math.Max)
	},
	"float": func(a any) (float64, error) { return number(a) },
	"seq": func(n int) ([]int, error) {
		if n < 0 || n > 1_000_000 {
			return nil, fmt.Errorf("seq %d: want 0 to 1000000", n)
		}
		s := make([]int, n)
		for i := range s {
			s[i] = i
		}
		return s, nil
	},
}

func arithmetic(a, b any, ints func(a, b int) (int, error), floats func(a, b float64) float64) (any, error) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return ints(x, y)
		}
	}
	x, err := number(a)
	if err != nil {
		return nil, err
	}
	y, err := number(b)
	if err != nil {
		return nil, err
	}
	return floats(x, y), nil
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	default:
		return 0, fmt.Errorf("got %v, want a number", v)
	}
}
