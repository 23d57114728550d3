// SPDX-License-Identifier: MIT

package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

const head = "apiVersion: converged-computing.org/v1alpha1\nkind: Study\nmetadata: {name: demo}\n"

const app = "apiVersion: converged-computing.org/v1alpha1\nkind: Application\nmetadata: {name: solver}\nspec:\n  description: It solves.\n"

func TestDecodeReportsEveryFaultAtItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, want string }{
		{"an unknown field has a suggestion", head + `spec:
  sweeps:
  - apps: lammps
    taks: [1, 2]
`, `f.yaml:7:5: spec.sweeps[0].taks: unknown field "taks"; did you mean "tasks"?`},
		{"several faults come in the order of the file", head + `spec:
  repetitions: 0
  ordr: blocked
  sweeps:
  - apps: lammps
    tasks: [one, 2, 2]
    sampler: {kind: sobl}
    run: {timeout: 90}
  - apps: hpcc
    zip:
    - {tasks: [1, 2], nodes: [1, 2, 3]}
    bindTo: cores
`, `f.yaml:5:3: spec.repetitions: got the number 0, want 1 at least
f.yaml:6:3: spec.ordr: unknown field "ordr"; did you mean "order"?
f.yaml:9:13: spec.sweeps[0].tasks[0]: got the string "one", want a whole number from 1 to 2147483647
f.yaml:9:21: spec.sweeps[0].tasks[2]: the value 2 is given twice
f.yaml:10:15: spec.sweeps[0].sampler.kind: got the string "sobl"; did you mean "sobol"? want "full", "random", "latin-hypercube", "sobol" or "covering"
f.yaml:11:11: spec.sweeps[0].run.timeout: got the number 90, want a duration such as 90s
f.yaml:14:7: spec.sweeps[1].zip[0]: axes that advance together have [3 2] values; want the same number of each
f.yaml:15:5: spec.sweeps[1].bindTo: got "cores", want "none", "core", "socket" or "numa"`},
		{"a wrong type names the types that would be right", head + `spec:
  sweeps:
  - apps: lammps
    tasks: {from: 1, to: two}
    nodes: [[1]]
`, `f.yaml:7:22: spec.sweeps[0].tasks.to: got the string "two", want a number
f.yaml:8:13: spec.sweeps[0].nodes[0]: got a list, want a number, a string or true or false`},
		{"a duration is explained", head + `spec:
  run: {timeout: true, sample: 5, noise: {wait: "5"}}
  sweeps: [{apps: a, run: {timeout: -5s}}]
`, `f.yaml:5:9: spec.run.timeout: got the boolean true, want a duration such as 90s, 5m or 1h30m
f.yaml:5:24: spec.run.sample: got the number 5, want a duration such as 5s
f.yaml:5:43: spec.run.noise.wait: got the string "5", want a duration such as 90s, 5m or 1h30m
f.yaml:6:28: spec.sweeps[0].run.timeout: got the string "-5s", want a duration such as 90s, 5m or 1h30m`},
		{"repetitions have two forms", head + `spec:
  repetitions: {until: {interval: 5, at most: 2}}
  sweeps:
  - {apps: a, repetitions: many}
  - {apps: b, repetitions: {until: {interval: 0%, at most: 20}}}
  - {apps: c, repetitions: {until: {interval: 5 percent, atMost: 20}}}
  - {apps: d, repetitions: {count: 5}}
  - {apps: e, repetitions: 1.5}
`, `f.yaml:5:25: spec.repetitions.until.interval: got the number 5, want a percentage such as 5%
f.yaml:5:38: spec.repetitions.until.at most: got the number 2, want 3 to 1000
f.yaml:7:15: spec.sweeps[0].repetitions: got the string "many", want a whole number or a mapping
f.yaml:8:37: spec.sweeps[1].repetitions.until.interval: got 0%, want more than 0% and less than 100%
f.yaml:9:29: spec.sweeps[2].repetitions.until.at most: missing
f.yaml:9:37: spec.sweeps[2].repetitions.until.interval: got the string "5 percent", want a percentage such as 5% or 2.5%
f.yaml:9:58: spec.sweeps[2].repetitions.until.atMost: unknown field "atMost"; did you mean "at most"?
f.yaml:10:15: spec.sweeps[3].repetitions.until: missing
f.yaml:10:29: spec.sweeps[3].repetitions.count: unknown field "count"; known: "until"
f.yaml:11:15: spec.sweeps[4].repetitions: got the number 1.5, want a whole number or a mapping`},
		{"the study's repetitions are faulted once", head + `spec:
  repetitions: {until: {interval: 100%, at most: 20}}
  sweeps: [{apps: a}, {apps: b}]
`, `f.yaml:5:25: spec.repetitions.until.interval: got 100%, want more than 0% and less than 100%`},
		{"commands are lists that name a program", app + `  command: solver -n 1
  prepare: [[], solver-mesh, [solver-mesh]]
  variants:
  - {name: a, mpi: none, prepare: [["", x]]}
`, `f.yaml:6:3: spec.command: got the string "solver -n 1", want a list of strings, such as [a, b]
f.yaml:7:13: spec.prepare[0]: the command names no program
f.yaml:7:17: spec.prepare[1]: got the string "solver-mesh", want a list of strings, such as [a, b]
f.yaml:9:36: spec.variants[0].prepare[0]: the command names no program`},
		{"an empty command is named alone", app + "  command: []\n  variants: [{name: a, mpi: none}]\n",
			"f.yaml:6:3: spec.command: it is empty; want one entry at least"},
		{"a missing command is named with the variant", app + "  variants: [{name: a, mpi: none}]\n",
			`f.yaml:4:1: spec.command: missing, and the variant "a" has none of its own`},
		{"hooks of the run are none of a sweep", head + `spec:
  run: {beforeRun: date, afterRun: [[]]}
  sweeps:
  - apps: a
    run: {beforeJob: [[date]], beforeRun: [[date]], afterRun: []}
`, `f.yaml:5:9: spec.run.beforeRun: got the string "date", want a list of lists of strings, such as [[a, b], [c]]
f.yaml:5:37: spec.run.afterRun[0]: the command names no program
f.yaml:8:32: spec.sweeps[0].run.beforeRun: it is for the whole run, which the sweep is a part of; want it under spec.run, or beforeJob here
f.yaml:8:53: spec.sweeps[0].run.afterRun: it is for the whole run, which the sweep is a part of; want it under spec.run, or afterJob here`},
		{"an unknown kind has a suggestion", "apiVersion: converged-computing.org/v1alpha1\nkind: Studdy\n",
			`f.yaml:2:1: kind: unknown kind "Studdy"; did you mean "Study"?`},
		{"a file without a kind says what is missing", "a: 1\n",
			`f.yaml:1:1: kind: missing; want "Application", "Study", "Ensemble", "Environment", "Parts" or "Lock"`},
		{"a kind that is no name says what is right", "kind: 1\n",
			`f.yaml:1:1: kind: got the number 1, want "Application", "Study", "Ensemble", "Environment", "Parts" or "Lock"`},
		{"an empty file says what it should hold", "# nothing\n",
			"f.yaml: the file is empty; want apiVersion, kind, metadata and spec"},
		{"a list is no object", "- 1\n", "f.yaml:1:1: got a list, want apiVersion, kind, metadata and spec"},
		{"a second document is refused", head + "---\n" + head, "f.yaml:4:1: a second document; want one document in a file"},
		{"a second document after an end is refused", head + "...\n# that was it\na: 1\n", "f.yaml:6:1: a second document; want one document in a file"},
		{"an explicit key is refused", "? a\n: b\n", "f.yaml:1:1: the key indicator ? is not used here; want NAME: VALUE"},
		{"a fault of a mapping in a list is at its first field", head + `spec:
  sweeps:
  - tasks: 2
  -   nodes: 1
      tasks: 2
  - {tasks: 2}
`, `f.yaml:6:5: spec.sweeps[0].apps: missing
f.yaml:7:7: spec.sweeps[1].apps: missing
f.yaml:9:5: spec.sweeps[2].apps: missing`},
		{"two explicit keys beside a merge are an error", "a: &a {x: 1}\nb:\n  <<: *a\n  y: 1\n  y: 2\n", ""},
		{"a merge of something else is refused", "a: &a [1]\nb: {<<: *a}\n", "f.yaml:2:5: b: the merge key << wants an alias of a mapping, or a list of them"},
		{"broken YAML has a place", "a: [1, 2\nb: }\n", ""},
		{"a field given twice is named", head + "spec: {}\nspec: {}\n", ""},
		{"an alias without an anchor is named", head + "spec: *nowhere\n", `f.yaml:4:7: spec: the alias *nowhere has no anchor before it`},
		{"an infinite number is refused", head + "spec:\n  sweeps:\n  - {apps: a, tasks: .inf}\n",
			`f.yaml:6:22: spec.sweeps[0].tasks: ".inf" is not used here; want a plain value`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := spec.Decode("f.yaml", []byte(c.file))
			var fe *spec.FileError
			if !errors.As(err, &fe) {
				t.Fatalf("got %v, want a *FileError", err)
			}
			if c.want == "" {
				if fe.Faults[0].Line == 0 {
					t.Errorf("the fault has no line: %v", err)
				}
				t.Log(err)
				return
			}
			if d := cmp.Diff(c.want, err.Error()); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

func TestExplicitFieldsWinOverMergedOnes(t *testing.T) {
	t.Parallel()
	const body = `spec:
  sweeps:
  - &a {name: a, apps: lammps, tasks: [1, 2], threads: 2}
  - {<<: *a, name: b}
  - name: c
    <<: *a
    tasks: 4
  - {<<: [{name: d, threads: 3}, *a], nodes: zero}
`
	doc, err := spec.Decode("f.yaml", []byte(head+body))
	if want := `f.yaml:11:39: spec.sweeps[3].nodes: got the string "zero", want a whole number from 1 to 2147483647`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var got []string
	for _, w := range doc.Object.(*spec.Study).Spec.Sweeps {
		got = append(got, fmt.Sprint(w.Name, w.Tasks.Values, w.Threads.Values))
	}
	want := []string{"a[1 2] [2]", "b[1 2] [2]", "c[4] [2]", "d[1 2] [3]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the sweeps differ (-want +got):\n%s", diff)
	}
	if line, column := doc.At("spec.sweeps[1].name"); line != 7 || column != 14 {
		t.Errorf("the name is at %d:%d, want 7:14, where it is explicit", line, column)
	}
}

const full = head + `spec:
  seed: 18446744073709551615
  repetitions: 3
  environments:
  - {name: here, nodes: 1, coresPerNode: 2, pricePerNodeHour: 0.5}
  sweeps:
  - apps: lammps
    tasks: [1, 2]
    parameters:
      cells: {from: 8, to: 32, times: 2}
      text: ["yes", "1e3", "012", "multi\nline: - # x\n", " lead", "null", "~", ""]
      real: [1.0, 2.5e-10, 3, 1e-6, 1E+3]
      deck: ["{{range $i := seq 3}}\n  x  \n\n{{end}}\n", "tab\there\r\n", "trailing \n\n\n"]
    run: {timeout: 1m30s, shared: true, noise: {wait: 0s}}
`

func TestEncodeAndDecodeAreInverse(t *testing.T) {
	t.Parallel()
	d, err := spec.Decode("full.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := spec.Encode(&b, d.Object); err != nil {
		t.Fatal(err)
	}
	again, err := spec.Decode("again.yaml", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Bytes())
	}
	if diff := cmp.Diff(d.Object, again.Object, cmp.AllowUnexported(spec.Value{})); diff != "" {
		t.Errorf("after a round trip (-before +after):\n%s\n%s", diff, b.Bytes())
	}
}

func TestWhatCouldNotBeReadBackIsNotWritten(t *testing.T) {
	t.Parallel()
	a := &spec.Application{Spec: spec.ApplicationSpec{Decks: []spec.Deck{{Path: "mesh", Content: strings.Repeat("x\n", 1<<21)}}}}
	if err := spec.Encode(&bytes.Buffer{}, a); err == nil || !strings.Contains(err.Error(), "want 4194304 at most: it could not be read back") {
		t.Errorf("got %v, want an error about its size", err)
	}
}

func TestRangesGiveTheirPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		r    spec.Range
		want []spec.Value
	}{
		{"whole steps give integers", spec.Range{From: 1, To: 7, By: 2}, []spec.Value{spec.Of(1), spec.Of(3), spec.Of(5), spec.Of(7)}},
		{"the last point of decimal steps is kept", spec.Range{From: 0.1, To: 0.3, By: 0.1}, []spec.Value{spec.Of(0.1), spec.Of(0.2), spec.Of(0.3)}},
		{"a ratio doubles", spec.Range{From: 1, To: 9, Times: 2}, []spec.Value{spec.Of(1), spec.Of(2), spec.Of(4), spec.Of(8)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := (&spec.Axis{Range: &c.r}).Points()
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(spec.Value{})); d != "" {
				t.Errorf("points (-want +got):\n%s", d)
			}
		})
	}
}

func TestSchemasAreUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/schema", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, k := range []spec.Kind{spec.KindApplication, spec.KindStudy, spec.KindEnsemble, spec.KindEnvironment} {
		if _, err := spec.Schema(k); err != nil {
			t.Error(err)
		}
	}
	cmd := exec.Command("go", "run", "./internal/schemagen", "-out", dir+"/schema")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"application", "study", "ensemble", "environment"} {
		want, err := os.ReadFile(dir + "/schema/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("schema/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("schema/%s.json is not what the types say; run go generate ./spec", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("apiVersion: converged-computing.org/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {description: x, parameters: {n: {type: int, default: 1}}}\n"))
	f.Add([]byte("apiVersion: converged-computing.org/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {description: x, parameters: {n: {type: float, min: 1e-14, max: 1e+30}}}\n"))
	f.Add([]byte("a: &a [*a]\nb: {<<: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := spec.Decode("fuzz.yaml", data)
		if err != nil {
			var fe *spec.FileError
			if !errors.As(err, &fe) || len(fe.Faults) == 0 {
				t.Fatalf("got %v, want a *FileError with faults", err)
			}
			return
		}
		var b bytes.Buffer
		if err := spec.Encode(&b, d.Object); err != nil {
			t.Fatal(err)
		}
		again, err := spec.Decode("again.yaml", b.Bytes())
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v\n%s", err, b.Bytes())
		}
		if diff := cmp.Diff(d.Object, again.Object, cmp.AllowUnexported(spec.Value{})); diff != "" {
			t.Errorf("after a round trip (-before +after):\n%s", diff)
		}
	})
}
