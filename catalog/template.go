// SPDX-License-Identifier: MIT

package catalog

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/converged-computing/ensemble/spec"
)

// own are the names that templates have for a trial's shape.
var own = []string{"coresPerTask", "nodes", "tasks", "tasksPerNode", "threads"}

// A Template is one text of an application that a trial fills.
type Template struct {
	// Path is where the text stands in the application's file.
	Path spec.Path
	// Names are what it reads: parameters, and nodes, tasks, tasksPerNode,
	// threads and coresPerTask; sorted.
	Names []string

	text     string
	template *template.Template
}

// Templates gives the templates that a trial of a variant fills; texts without
// a template are left out. The error joins those of all.
func Templates(app *spec.Application, v *spec.Variant) ([]*Template, error) {
	of := *app
	if len(v.Command) > 0 {
		of.Spec.Command = nil
	}
	if len(v.Prepare) > 0 {
		of.Spec.Prepare = nil
	}
	of.Spec.Env = maps.Clone(app.Spec.Env)
	maps.DeleteFunc(of.Spec.Env, func(name, _ string) bool { _, ok := v.Env[name]; return ok })
	of.Spec.Variants = slices.Clone(app.Spec.Variants)
	for i := range of.Spec.Variants {
		if of.Spec.Variants[i].Name != v.Name {
			of.Spec.Variants[i] = spec.Variant{} // keeps the place of the others
		}
	}
	var all []*Template
	var errs []error
	for at, text := range texts(&of, "spec") {
		if !strings.Contains(text, "{{") {
			continue
		}
		t, err := compile(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading %s of %s: %w", at, app.Metadata.Name, err))
			continue
		}
		one := &Template{Path: at, text: text, template: t}
		for _, m := range mentions(t) {
			one.Names = append(one.Names, m.name)
		}
		slices.Sort(one.Names)
		one.Names = slices.Compact(one.Names)
		all = append(all, one)
	}
	return all, errors.Join(errs...)
}

// maxTry bounds the text that Try makes, so that a plan of many trials with
// large decks stays quick.
const maxTry = 64 << 10

// Try says what is wrong with the template for a configuration. It looks at the
// first 64 KiB of the text.
func (t *Template) Try(c Config) error {
	err := t.template.Execute(&bounded{left: maxTry}, c.data())
	if errors.Is(err, errFull) {
		return nil
	}
	return explain(err, t.text)
}

// checkTemplate lists what is wrong with a text whatever a trial fills in.
func checkTemplate(text string, known []string) (problems []string) {
	t, err := compile(text)
	if err != nil {
		return []string{err.Error()}
	}
	for _, m := range mentions(t) {
		problem := ""
		switch {
		case !slices.Contains(known, m.name):
			problem = spec.Unknown("name", m.name, known)
		case m.moved:
			problem = fmt.Sprintf("inside range and with .%s is not the trial's; want $.%s", m.name, m.name)
		default:
			continue
		}
		if strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
			problem = fmt.Sprintf("line %d: %s", 1+strings.Count(text[:m.at], "\n"), problem)
		}
		if !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	return problems
}

// A mention is a name that a template reads.
type mention struct {
	name  string // NAME of .NAME and $.NAME
	moved bool   // . is something else there
	at    int    // byte of the text
}

// mentions lists what a template reads, in the order of the text.
func mentions(t *template.Template) (all []mention) {
	for _, d := range t.Templates() { // those of define too: what is passed to them is .
		if d.Tree != nil {
			all = append(all, mentionsIn(d.Root, false)...)
		}
	}
	slices.SortStableFunc(all, func(a, b mention) int { return a.at - b.at })
	return all
}

// mentionsIn lists what a node reads; moved says that a range or a with around it
// has set the dot.
func mentionsIn(n parse.Node, moved bool) (all []mention) {
	branch := func(b *parse.BranchNode, sets bool) {
		all = append(all, mentionsIn(b.Pipe, moved)...)
		all = append(all, mentionsIn(b.List, moved || sets)...)
		if b.ElseList != nil {
			all = append(all, mentionsIn(b.ElseList, moved)...)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, x := range n.Nodes {
			all = append(all, mentionsIn(x, moved)...)
		}
	case *parse.ActionNode:
		return mentionsIn(n.Pipe, moved)
	case *parse.IfNode:
		branch(&n.BranchNode, false)
	case *parse.RangeNode:
		branch(&n.BranchNode, true)
	case *parse.WithNode:
		branch(&n.BranchNode, true)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			return mentionsIn(n.Pipe, moved)
		}
	case *parse.PipeNode:
		for _, x := range n.Cmds {
			all = append(all, mentionsIn(x, moved)...)
		}
	case *parse.CommandNode:
		for _, x := range n.Args {
			all = append(all, mentionsIn(x, moved)...)
		}
	case *parse.ChainNode:
		return mentionsIn(n.Node, moved)
	case *parse.FieldNode:
		return []mention{{strings.Join(n.Ident, "."), moved, int(n.Pos)}}
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			return []mention{{strings.Join(n.Ident[1:], "."), false, int(n.Pos)}}
		}
	}
	return all
}

// texts gives every text of an application that may be a template, with its
// path.
func texts(app *spec.Application, at spec.Path) iter.Seq2[spec.Path, string] {
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

// compile parses a text. The error has no name of a file, and a line only where
// there are several.
func compile(text string) (*template.Template, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(functions).Parse(text)
	return t, explain(err, text)
}

func render(text string, data map[string]any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := compile(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&bounded{&b, maxText}, data)
	if errors.Is(err, errFull) {
		return "", fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return b.String(), explain(err, text)
}

// place is how text/template begins an error: the empty name, line and column.
var place = regexp.MustCompile(`^template: :([0-9]+):(?:[0-9]+:)? (?:executing "" at )?`)

// explain puts an error of text/template into words of the file.
func explain(err error, text string) error {
	if err == nil {
		return nil
	}
	m := place.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	message := strings.TrimPrefix(err.Error(), m[0])
	if strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
		message = "line " + m[1] + ": " + message
	}
	return errors.New(message)
}

// errFull is the error of a bounded writer that is full.
var errFull = errors.New("the text is too long")

// bounded is a writer that refuses more than it has room for; without a
// destination the text is dropped.
type bounded struct {
	to   io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errFull
	}
	if b.to == nil {
		return len(p), nil
	}
	return b.to.Write(p)
}
