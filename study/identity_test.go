// SPDX-License-Identifier: MIT

package study_test

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/google/go-cmp/cmp"
)

// single is an ensemble with one trial that uses everything a trial can have.
const single = `apiVersion: converged-computing.org/v1alpha1
kind: Ensemble
metadata: {name: test}
spec:
  applications:
  - apiVersion: converged-computing.org/v1alpha1
    kind: Application
    metadata: {name: demo}
    spec:
      description: A demonstration.
      parameters:
        cells: {type: int, default: 10, description: how many}
        unused: {type: float, default: 1.0}
      command: [demo, '{{.cells}}']
      prepare: [[mkdir, out]]
      services: [{command: [server]}]
      env: {MODE: fast}
      ranks: {min: 1}
      decks: [{path: in.demo, content: 'cells {{.cells}}'}]
      output:
        metrics: [{name: time, match: 'time (\S+)', unit: s}]
      variants:
      - {name: openmpi, mpi: openmpi, packages: [demo], env: {A: b}}
      - {name: spare, mpi: mpich}
  study:
    description: One trial.
    environments: [{name: here}]
    sweeps:
    - name: one
      apps: demo
      variants: openmpi
      nodes: 1
      tasksPerNode: 2
      threads: 2
      mapBy: core
      bindTo: core
      parameters: {cells: 5}
    run: {timeout: 1h, beforeJob: [[date]], afterJob: [[date]]}
`

// planOf plans an ensemble's file.
func planOf(t *testing.T, file string) []study.Trial {
	t.Helper()
	doc, err := spec.Decode("ensemble.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	e, err := study.Resolve(t.Context(), doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := study.New(context.Background(), &e.Spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(p.Trials())
}

func TestIDs(t *testing.T) {
	t.Parallel()
	id := planOf(t, single)[0].ID
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(id) {
		t.Fatalf("the ID is %q, want 16 hexadecimal digits", id)
	}
	const golden = "78835879a2529e35"
	if id != golden {
		t.Errorf("the ID is %s, want %s: runs that users have could not be resumed", id, golden)
	}
	for _, c := range []struct {
		name, old, new string
		same           bool
	}{
		{"the command decides", "command: [demo,", "command: [demo2,", false},
		{"the commands before it decide", "[mkdir, out]", "[mkdir, other]", false},
		{"services decide", "[server]", "[server, -v]", false},
		{"the environment variables decide", "MODE: fast", "MODE: slow", false},
		{"those of the variant decide", "A: b", "A: c", false},
		{"ranks decide", "ranks: {min: 1}", "ranks: {min: 2}", false},
		{"decks decide", "'cells {{.cells}}'", "'cells  {{.cells}}'", false},
		{"packages decide", "packages: [demo]", "packages: [demo2]", false},
		{"the MPI decides", "mpi: openmpi", "mpi: mpich", false},
		{"defaults of parameters decide", "default: 1.0", "default: 2.0", false},
		{"the value of a parameter decides", "cells: 5", "cells: 6", false},
		{"the variant decides", "variants: openmpi", "variants: spare", false},
		{"the number of nodes decides", "nodes: 1", "nodes: 2", false},
		{"the number of tasks decides", "tasksPerNode: 2", "tasksPerNode: 3", false},
		{"the number of threads decides", "threads: 2", "threads: 3", false},
		{"the number of cores decides", "threads: 2", "threads: 2\n      coresPerTask: 4", false},
		{"the mapping decides", "mapBy: core", "mapBy: socket", false},
		{"the binding decides", "bindTo: core", "bindTo: none", false},
		{"the environment decides", "name: here", "name: there", false},
		{"the commands before a job decide", "beforeJob: [[date]]", "beforeJob: [[sync]]", false},
		{"the commands after a job decide", "afterJob: [[date]]", "afterJob: [[sync]]", false},
		{"the group decides", "name: one", "name: two", false},
		{"the application's description does not matter", "A demonstration.", "Another text.", true},
		{"a parameter's description does not matter", "description: how many", "unit: m", true},
		{"output rules do not matter", `time (\S+)`, `Time (\S+)`, true},
		{"the study's description does not matter", "One trial.", "A trial.", true},
		{"a timeout does not matter", "timeout: 1h", "timeout: 2h", true},
		{"retries do not matter", "timeout: 1h", "retries: 3", true},
		{"labels of the environment do not matter", "{name: here}", "{name: here, cloud: a, pricePerNodeHour: 3}", true},
		{"another variant does not matter", "{name: spare, mpi: mpich}", "{name: new, mpi: mpich}", true},
		{"the seed does not matter", "description: One trial.", "seed: 9", true},
		{"another repetition does not matter", "description: One trial.", "repetitions: 2\n    order: listed", true},
		{"when repetitions are enough does not matter", "description: One trial.", "repetitions: {until: {interval: 5%, at most: 3}}\n    order: listed", true},
		{"an integer may be written as a float", "cells: 5", "cells: 5.0", true},
		{"a default may be written out", "threads: 2", "threads: 2\n      coresPerTask: 2", true},
		{"tasks may be given as their sum", "tasksPerNode: 2", "tasks: 2", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(single, c.old) != 1 {
				t.Fatalf("%q is %d times in the file", c.old, strings.Count(single, c.old))
			}
			got := planOf(t, strings.Replace(single, c.old, c.new, 1))[0].ID
			if (got == id) != c.same {
				t.Errorf("the ID is the same: %t, want %t", got == id, c.same)
			}
		})
	}
}

func TestRepetitionsUntilAreCells(t *testing.T) {
	t.Parallel()
	body := func(repetitions string) string {
		return "  seed: 1\n  repetitions: " + repetitions + "\n  sweeps:\n  - {apps: demo, nodes: [1, 2]}\n  - {name: fixed, apps: demo, repetitions: 2}\n"
	}
	cells := map[string][]int{}
	for _, trial := range trials(t, body("{until: {interval: 5%, at most: 4}}")) {
		if trial.Group == "fixed" {
			if trial.Cell != "" || trial.Until != nil {
				t.Errorf("a trial that runs in any case has the cell %q, %v", trial.Cell, trial.Until)
			}
			continue
		}
		if want := (spec.Until{Interval: 0.05, AtMost: 4}); *trial.Until != want {
			t.Errorf("got %v, want %v", *trial.Until, want)
		}
		cells[trial.Cell] = append(cells[trial.Cell], trial.Repetition)
	}
	for cell, repetitions := range cells {
		if diff := cmp.Diff([]int{1, 2, 3, 4}, repetitions); diff != "" || len(cell) != 16 {
			t.Errorf("cell %q (-want +got):\n%s", cell, diff)
		}
	}
	if len(cells) != 2 {
		t.Errorf("got %d cells, want 2", len(cells))
	}
	if diff := cmp.Diff(ids(trials(t, body("4"))), ids(trials(t, body("{until: {interval: 5%, at most: 4}}")))); diff != "" {
		t.Errorf("the trials are others than those of a fixed number (-want +got):\n%s", diff)
	}
}

func TestAnAxisValueMoreKeepsTheOldTrials(t *testing.T) {
	t.Parallel()
	body := func(nodes, axes string) string {
		return "  seed: 1\n  repetitions: 2\n  sweeps:\n  - {apps: demo, nodes: " + nodes + ", " + axes + "parameters: {cells: [1, 2, 3], rate: [1, 2]}}\n"
	}
	old := ids(trials(t, body("[1, 2]", "")))
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"a value at the end", body("[1, 2, 4]", ""), 36},
		{"a value at the beginning", body("[4, 1, 2]", ""), 36},
		{"an axis that has the default too", body("[1, 2]", "threads: [1, 2], "), 48},
		{"another seed", strings.Replace(body("[1, 2]", ""), "seed: 1", "seed: 2", 1), 24},
		{"more repetitions", strings.Replace(body("[1, 2]", ""), "repetitions: 2", "repetitions: 3", 1), 36},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ids(trials(t, c.body))
			if len(got) != c.want {
				t.Errorf("got %d trials, want %d", len(got), c.want)
			}
			for _, id := range old {
				if _, ok := slices.BinarySearch(got, id); !ok {
					t.Fatalf("the trial %s is gone", id)
				}
			}
		})
	}
}

func TestAResolvedStudyIsTheSamePlanAfterItWasWrittenAndRead(t *testing.T) {
	t.Parallel()
	_, e := resolve(t, everything)
	var b bytes.Buffer
	if err := spec.Encode(&b, e); err != nil {
		t.Fatal(err)
	}
	doc, err := spec.Decode("ensemble.yaml", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	again, err := study.Resolve(t.Context(), doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := study.New(context.Background(), &again.Spec, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(digest(t, plan(t, everything, "")), digest(t, p)); diff != "" {
		t.Errorf("the plans differ (-study +ensemble):\n%s", diff)
	}
	var names []string
	for _, a := range e.Spec.Applications {
		names = append(names, a.Metadata.Name)
	}
	if diff := cmp.Diff([]string{"demo", "grid", "cube"}, names); diff != "" {
		t.Errorf("the ensemble has other applications (-want +got):\n%s", diff)
	}
	if e.Spec.Applications[0].Spec.Decks[0].Content == "" {
		t.Error("the deck has no content")
	}
}
