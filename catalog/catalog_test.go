// SPDX-License-Identifier: MIT

package catalog_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

const appHead = "apiVersion: converged-computing.org/v1alpha1\nkind: Application\nmetadata: {name: mine}\n"

// folder makes a catalog with one application of the files given.
func folder(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range files {
		path := filepath.Join(dir, name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, app, want string }{
		{"a template that does not parse", "spec: {description: x, command: ['{{.n']}\n",
			"app.yaml:4:34: spec.command[0]: unclosed action"},
		{"a template that reads what there is not", "spec:\n  description: x\n  parameters: {cells: {type: int}}\n  command: [x, '{{.cels}}']\n",
			`app.yaml:7:16: spec.command[1]: unknown name "cels"; did you mean "cells"?`},
		{"a template that reads what there is not where it is not asked", "spec: {description: x, command: ['{{if .nodes}}x{{else if $.nope}}{{end}}']}\n",
			`app.yaml:4:34: spec.command[0]: unknown name "nope"; known: "coresPerTask", "nodes", "tasks", "tasksPerNode" or "threads"`},
		{"a template that reads a part of a number", "spec: {description: x, problem: '{{add .nodes .tasks.n}}'}\n",
			`app.yaml:4:24: spec.problem: unknown name "tasks.n"`},
		{"a template that has lost its dot", "spec: {description: x, command: ['{{range seq .tasks}}{{.nodes}}{{end}}']}\n",
			"app.yaml:4:34: spec.command[0]: inside range and with .nodes is not the trial's; want $.nodes"},
		{"a deck with an unknown name in a template of its own", "spec:\n  description: x\n  decks:\n  - path: in.txt\n    content: |\n      a\n      {{define \"b\"}}{{.nope}}{{end}}{{template \"b\" .}}\n",
			`app.yaml:7:5: spec.decks[0]: line 2: unknown name "nope"`},
		{"an unknown function", "spec: {description: x, env: {A: '{{power 2 .nodes}}'}}\n",
			`app.yaml:4:30: spec.env.A: function "power" not defined`},
		{"a deck that is not there", "spec:\n  description: x\n  decks: [{path: in.txt}]\n",
			"spec.decks[0]: reading the deck: "},
		{"a deck outside the folder", "spec:\n  description: x\n  decks: [{path: ../in.txt}]\n",
			`spec.decks[0].path: got "../in.txt", want a path inside the job's directory`},
		{"a source outside the folder", "spec:\n  description: x\n  decks: [{path: in.txt, source: /etc/passwd}]\n",
			`spec.decks[0].source: got "/etc/passwd", want a path inside the application's directory`},
		{"a rule that does not compile", "spec:\n  description: x\n  output:\n    metrics: [{name: a, match: '('}]\n",
			"spec.output.metrics[0].match: "},
		{"a file to collect outside the directory", "spec:\n  description: x\n  output: {collect: [/etc/*]}\n",
			`spec.output.collect[0]: got "/etc/*", want a path inside the job's directory`},
		{"a default out of range", "spec:\n  description: x\n  parameters: {n: {type: int, default: 5, max: 4}}\n",
			"spec.parameters.n.default: got the value 5, want 4 at most"},
		{"an enum without choices", "spec:\n  description: x\n  parameters: {n: {type: enum}}\n",
			"spec.parameters.n: type: enum and values: [choices] go together"},
		{"a parameter with a name that is taken", "spec:\n  description: x\n  parameters: {tasks: {type: int}}\n",
			"spec.parameters.tasks: the name is taken by the trial's own tasks; want another name"},
		{"two variants with one name", "spec:\n  description: x\n  command: [x]\n  variants: [{name: a, mpi: none}, {name: a, mpi: none}]\n",
			`spec.variants[1].name: the variant "a" is given twice`},
		{"a product of a parameter that is no int", "spec:\n  description: x\n  parameters: {p: {type: float, default: 1}}\n  ranks: {accept: product, of: [p]}\n",
			`spec.ranks.of[0]: the parameter "p" is of type float, want int`},
		{"an unknown reader", "spec:\n  description: x\n  output: {reader: osi}\n", `unknown reader "osi"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := catalog.Load(folder(t, "mine", map[string]string{"app.yaml": appHead + c.app}))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestFaultsOfTypesTemplatesAndRulesComeAtOnce(t *testing.T) {
	t.Parallel()
	_, err := catalog.Load(folder(t, "mine", map[string]string{"app.yaml": appHead + `spec:
  description: x
  licence: MIT
  parameters:
    n: {type: integer, default: 1}
  command: [x, '{{.n}}', '{{.m}}']
  decks: [{path: in.txt}]
  output:
    metrics: [{name: a, match: '('}, {name: b, match: 'b (\d+)', from: b.txt}]
`}))
	if err == nil {
		t.Fatal("got no error")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		_, fault, _ := strings.Cut(line, "/mine/")
		fault, _, _ = strings.Cut(strings.TrimSpace(fault), ";")
		got = append(got, strings.Join(strings.Fields(fault)[:2], " "))
	}
	want := []string{
		"app.yaml:6:3: spec.licence:", "app.yaml:8:9: spec.parameters.n.type:", "app.yaml:9:26: spec.command[2]:",
		"app.yaml:10:11: spec.decks[0]:", "app.yaml:12:25: spec.output.metrics[0].match:", "app.yaml:12:66: spec.output.metrics[1].from:",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got other faults (-want +got):\n%s\n%v", diff, err)
	}
}

func TestLoadRefusesAFolderThatIsNoCatalog(t *testing.T) {
	t.Parallel()
	if _, err := catalog.Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no NAME/app.yaml") {
		t.Errorf("got %v, want an error that says what a catalog has", err)
	}
	_, err := catalog.Load(folder(t, "other", map[string]string{"app.yaml": appHead + "spec: {description: x}\n"}))
	if err == nil || !strings.Contains(err.Error(), `metadata.name: got "mine", want "other"`) {
		t.Errorf("got %v, want an error about the name", err)
	}
}

func TestAUsersApplicationWinsOverTheCatalogs(t *testing.T) {
	t.Parallel()
	text := strings.Replace(appHead, "mine", "lammps", 1) + "spec: {description: my own}\n"
	c, err := catalog.Load(folder(t, "lammps", map[string]string{"app.yaml": text}))
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := c.App("lammps"); !ok || a.Spec.Description != "my own" {
		t.Errorf("got %+v, want the user's", a)
	}
}

// mine loads one application.
func mine(t *testing.T, text string) *spec.Application {
	t.Helper()
	c, err := catalog.Load(folder(t, "mine", map[string]string{"app.yaml": appHead + text, "in.txt": "n = {{mul .n .tasks}}\n"}))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := c.App("mine")
	return a
}

func TestRenderFillsEveryTemplate(t *testing.T) {
	t.Parallel()
	a := mine(t, `spec:
  description: x
  parameters:
    n: {type: int, default: 3}
    f: {type: float, default: 2}
    s: {type: string, default: "a b; rm -rf $HOME"}
    on: {type: enum, values: ["yes", "no"], default: "no"}
  command: [prog, '{{.n}}', '{{.f}}', '{{.s}}', '{{if eq .on "yes"}}--on{{end}}', '', '{{range $i := seq .tasks}}{{$i}},{{end}}']
  prepare: [[mesh, '{{div 7 .n}}', '{{div 7 .f}}', '{{mod 7 .n}}', '{{max .n 5}}', '{{min .f 1.5}}', '{{sub .n 1}}', '{{add (float .n) 1}}']]
  services: [{command: [serve, '{{.threads}}']}]
  env: {B: '{{.nodes}}', A: '{{.tasksPerNode}}'}
  decks: [{path: sub/in.txt, source: in.txt}, {path: raw.txt, source: in.txt, verbatim: true}]
  problem: '{{.n}} of {{.s}}'
  variants: [{name: v, mpi: none, env: {B: own}}]
`)
	params, err := catalog.Parameters(a, map[string]spec.Value{"n": spec.Of(2)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Render(a, &a.Spec.Variants[0], catalog.Config{Nodes: 1, Tasks: 2, TasksPerNode: 2, Threads: 4, CoresPerTask: 4, Parameters: params})
	if err != nil {
		t.Fatal(err)
	}
	want := &catalog.Rendered{
		Command:  []string{"prog", "2", "2", "a b; rm -rf $HOME", "", "0,1,"},
		Prepare:  [][]string{{"mesh", "3", "3.5", "1", "5", "1.5", "1", "3"}},
		Services: []spec.Service{{Command: []string{"serve", "4"}}},
		Env:      []string{"A=2", "B=own"},
		Files:    map[string]string{"sub/in.txt": "n = 4\n", "raw.txt": "n = {{mul .n .tasks}}\n"},
		Problem:  "2 of a b; rm -rf $HOME",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rendered (-want +got):\n%s", d)
	}
}

func TestRenderRefusesWhatCannotBeFilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, template, want string }{
		{"a division by zero", "{{div 1 0}}", "rendering command[0] of mine: <div 1 0>: error calling div: division by zero"},
		{"a command of which nothing is left", "{{if false}}x{{end}}", "rendering command of mine: nothing is left of it"},
		{"a sum of text", `{{add "a" 1}}`, "got a, want a number"},
		{"a list without end", "{{seq 1000000000}}", "want 0 to 1000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := mine(t, "spec:\n  description: x\n  command: ['"+c.template+"']\n  variants: [{name: v, mpi: none}]\n")
			_, err := catalog.Render(a, &a.Spec.Variants[0], catalog.Config{Tasks: 1})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestWhatRendersToNothingIsNotStarted(t *testing.T) {
	t.Parallel()
	a := mine(t, `spec:
  description: x
  command: [x]
  prepare: [['{{if gt .nodes 1}}scatter{{end}}'], [mesh]]
  services: [{command: ['{{if gt .nodes 1}}serve{{end}}']}]
  variants: [{name: v, mpi: none}]
`)
	for nodes, want := range map[int]*catalog.Rendered{
		1: {Command: []string{"x"}, Prepare: [][]string{{"mesh"}}, Files: map[string]string{}},
		2: {
			Command: []string{"x"}, Prepare: [][]string{{"scatter"}, {"mesh"}}, Files: map[string]string{},
			Services: []spec.Service{{Command: []string{"serve"}}},
		},
	} {
		got, err := catalog.Render(a, &a.Spec.Variants[0], catalog.Config{Nodes: nodes})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("on %d nodes (-want +got):\n%s", nodes, diff)
		}
	}
}

func TestTemplatesAreThoseOfTheVariant(t *testing.T) {
	t.Parallel()
	a := mine(t, `spec:
  description: x
  parameters: {n: {type: int, default: 1}, m: {type: int, default: 1}}
  command: [x, '{{.n}}']
  prepare: [[y, '{{.m}}']]
  env: {A: '{{.n}}', B: '{{.m}}'}
  decks: [{path: in.txt}, {path: raw, source: in.txt, verbatim: true}]
  problem: "{{range $i := seq .n}}{{div $i $.m}}{{end}}"
  variants:
  - {name: v, mpi: none}
  - {name: w, mpi: none, command: [z, '{{.tasks}}'], env: {A: '{{.nodes}}'}}
`)
	for i, want := range [][]string{
		{"spec.command[1] [n]", "spec.prepare[0][1] [m]", "spec.env.A [n]", "spec.env.B [m]", "spec.problem [m n]", "spec.decks[0] [n tasks]"},
		{"spec.prepare[0][1] [m]", "spec.env.B [m]", "spec.variants[1].command[1] [tasks]", "spec.variants[1].env.A [nodes]", "spec.problem [m n]", "spec.decks[0] [n tasks]"},
	} {
		all, err := catalog.Templates(a, &a.Spec.Variants[i])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range all {
			got = append(got, fmt.Sprintf("%s %s", x.Path, x.Names))
			err := x.Try(catalog.Config{Parameters: map[string]spec.Value{"n": spec.Of(1), "m": spec.Of(0)}})
			if fails := err != nil; fails != (x.Path == "spec.problem") {
				t.Errorf("%s for m=0: %v", x.Path, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the templates of %s differ (-want +got):\n%s", a.Spec.Variants[i].Name, diff)
		}
	}
}

func TestParametersAreHeldAgainstTheirTypes(t *testing.T) {
	t.Parallel()
	a := mine(t, `spec:
  description: x
  parameters:
    n: {type: int, min: 1, max: 8}
    f: {type: float, default: 1}
    s: {type: string, default: ab, pattern: '[a-z]+'}
    e: {type: enum, default: 1, values: [1, two]}
`)
	n := spec.Of(1)
	for _, c := range []struct {
		name  string
		given map[string]spec.Value
		want  string
	}{
		{"one that is not given and has no default", nil, `the parameter "n" of mine has no default: give it a value`},
		{"one that is not there", map[string]spec.Value{"n": n, "m": n}, `unknown parameter of mine "m"`},
		{"text for a number", map[string]spec.Value{"n": spec.Of("1")}, `the parameter "n" of mine: got the string "1", want a whole number`},
		{"a fraction for a whole number", map[string]spec.Value{"n": spec.Of(1.5)}, "got the value 1.5, want a whole number"},
		{"a number below its range", map[string]spec.Value{"n": spec.Of(0)}, "got the value 0, want 1 at least"},
		{"a number above its range", map[string]spec.Value{"n": spec.Of(9)}, "got the value 9, want 8 at most"},
		{"text that does not match", map[string]spec.Value{"n": n, "s": spec.Of("ab1")}, `got the string "ab1", want a match of [a-z]+`},
		{"a choice that is none", map[string]spec.Value{"n": n, "e": spec.Of("one")}, `got the string "one", want "1" or "two"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := catalog.Parameters(a, c.given); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	got, err := catalog.Parameters(a, map[string]spec.Value{"n": spec.Of(2.0)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]spec.Value{"n": spec.Of(2), "f": spec.Of(1.0), "s": spec.Of("ab"), "e": spec.Of(1)}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(spec.Value{})); d != "" {
		t.Errorf("parameters (-want +got):\n%s", d)
	}
}

func TestRanksAreHeldAgainstTheRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		good []int
		bad  []int
	}{
		{"{accept: any, min: 2, max: 6}", []int{2, 5, 6}, []int{1, 7}},
		{"{accept: powers-of-two}", []int{1, 2, 64}, []int{3, 6, 63}},
		{"{accept: squares}", []int{1, 4, 144}, []int{2, 143}},
		{"{accept: cubes}", []int{1, 8, 27, 1000}, []int{2, 9, 999}},
		{"{accept: product, of: [p, q]}", []int{6}, []int{5, 12}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			a := mine(t, "spec:\n  description: x\n  parameters: {p: {type: int, default: 2}, q: {type: int, default: 3}}\n  ranks: "+c.rule+"\n")
			params, err := catalog.Parameters(a, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range c.good {
				if err := catalog.Accepts(a, catalog.Config{Tasks: n, Parameters: params}); err != nil {
					t.Errorf("%d ranks: %v", n, err)
				}
			}
			for _, n := range c.bad {
				if err := catalog.Accepts(a, catalog.Config{Tasks: n, Parameters: params}); err == nil {
					t.Errorf("%d ranks were accepted", n)
				}
			}
		})
	}
}

// A run directory holds the applications that it used.
func TestEveryApplicationIsReadBackAsItWasWritten(t *testing.T) {
	c := load(t)
	for _, name := range c.Names() {
		t.Run(name, func(t *testing.T) {
			app, _ := c.App(name)
			var b bytes.Buffer
			if err := spec.Encode(&b, app); err != nil {
				t.Fatal(err)
			}
			again, err := spec.Decode("again.yaml", b.Bytes())
			if err != nil {
				t.Fatalf("%v\n%s", err, b.Bytes())
			}
			if d := cmp.Diff(spec.Object(app), again.Object, cmp.AllowUnexported(spec.Value{})); d != "" {
				t.Errorf("after a round trip (-before +after):\n%s", d)
			}
		})
	}
}
