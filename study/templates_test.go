// SPDX-License-Identifier: MIT

package study_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/google/go-cmp/cmp"
)

// dividing is an application with a template that fails for some values.
const dividing = `apiVersion: converged-computing.org/v1alpha1
kind: Application
metadata: {name: dividing}
spec:
  description: Divides.
  parameters:
    n: {type: int, default: 1}
    m: {type: float, default: 1}
  command: [divide, '{{.m}}', '{{if gt .tasks 1}}{{div 4 .n}}{{end}}']
  decks:
  - {path: in.txt, content: "first\n{{range $i := seq 100000}}{{$i}} {{end}}{{div 1 0}}"}
  variants:
  - {name: v, mpi: openmpi}
  - {name: w, mpi: openmpi, prepare: [[mesh, '{{mod 3 (sub .n 2)}}']]}
`

func TestTemplatesAreTriedForEveryTrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "dividing", "app.yaml")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(dividing), 0o644); err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	const first, second = ": spec.command[2]: <div 4 .n>: error calling div: division by zero", ": spec.variants[1].prepare[0][1]: <mod 3 (sub .n 2)>: error calling mod: division by zero"
	for _, c := range []struct {
		name, sweep string
		want        []string
	}{
		{"no value fails", "parameters: {n: [1, 2, 3]}, tasks: [1, 2]", nil},
		{"one value fails where the template is reached", "parameters: {n: [0, 1], m: [1, 2, 3]}, tasks: [1, 2]",
			[]string{":9:31" + first + ` (trial ID of sweep "dividing": dividing tasks=2 parameters.m=1 parameters.n=0)`}},
		{"a constraint removes the value", "parameters: {n: [0, 1]}, tasks: [1, 2], constraints: [parameters.n > 0 || tasks == 1]", nil},
		{"several values and a variant fail", "parameters: {n: [0, 2]}, tasks: [2, 4], variants: [v, w]", []string{
			":9:31" + first + ` (trial ID of sweep "dividing": dividing variants=v tasks=2 parameters.n=0, and 1 more)`,
			":9:31" + first + ` (trial ID of sweep "dividing": dividing variants=w tasks=2 parameters.n=0, and 1 more)`,
			":14:46" + second + ` (trial ID of sweep "dividing": dividing variants=w tasks=2 parameters.n=2)`,
		}},
		{"values of an interval fail", "parameters: {n: {from: 0, to: 1}, m: {from: 0, to: 1}}, tasks: 2, sampler: {kind: sobol, count: 8}",
			[]string{":9:31" + first + ` (trial ID of sweep "dividing": dividing tasks=2 parameters.m=X parameters.n=0)`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc := decode(t, "  order: listed\n  sweeps:\n  - {apps: dividing, "+c.sweep+"}\n")
			e, err := study.Resolve(t.Context(), doc, cat)
			if err != nil {
				t.Fatal(err)
			}
			_, err = study.New(t.Context(), &e.Spec, "")
			var got []string
			if err = study.Locate(doc, err); err != nil {
				for line := range strings.Lines(err.Error()) {
					got = append(got, masked(strings.TrimPrefix(strings.TrimSpace(line), file)))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("got other faults (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("a resolved ensemble has the place itself", func(t *testing.T) {
		t.Parallel()
		e, err := study.Resolve(t.Context(), decode(t, "  sweeps:\n  - {apps: dividing, tasks: 2, parameters: {n: 0}}\n"), cat)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := spec.Encode(&b, e); err != nil {
			t.Fatal(err)
		}
		doc, err := spec.Decode("ensemble.yaml", b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		_, err = study.New(t.Context(), &doc.Object.(*spec.Ensemble).Spec, "")
		want := "ensemble.yaml:23:9: spec.applications[0].spec.command[2]: <div 4 .n>: error calling div: division by zero"
		if err = study.Locate(doc, err); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s\n%s", err, want, b.Bytes())
		}
	})
}

// masked replaces what a fault tells of its trial and is not plain from the
// study: the ID, and a value of an interval.
func masked(fault string) string {
	before, after, _ := strings.Cut(fault, "(trial ")
	_, after, _ = strings.Cut(after, " ")
	if i := strings.Index(after, "parameters.m=0."); i >= 0 {
		_, rest, _ := strings.Cut(after[i:], " ")
		after = after[:i] + "parameters.m=X " + rest
	}
	return before + "(trial ID " + after
}
