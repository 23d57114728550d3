// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
)

// applications are the catalog with those of testdata added.
var applications = sync.OnceValues(func() (*catalog.Catalog, error) { return catalog.Load("testdata/apps") })

// decode reads a study of which body is the spec.
func decode(t testing.TB, body string) *spec.Document {
	t.Helper()
	file := "apiVersion: converged-computing.org/v1alpha1\nkind: Study\nmetadata: {name: test}\nspec:\n" + body
	doc, err := spec.Decode("study.yaml", []byte(file))
	if err != nil {
		t.Fatalf("decoding the study: %v", err)
	}
	return doc
}

// resolve reads a study and makes it an ensemble.
func resolve(t testing.TB, body string) (*spec.Document, *spec.Ensemble) {
	t.Helper()
	cat, err := applications()
	if err != nil {
		t.Fatalf("loading the applications: %v", err)
	}
	doc := decode(t, body)
	e, err := study.Resolve(t.Context(), doc, cat)
	if err != nil {
		t.Fatalf("resolving the study: %v", err)
	}
	return doc, e
}

// plan plans a study for one environment, or for all.
func plan(t testing.TB, body, environment string) *study.Plan {
	t.Helper()
	_, e := resolve(t, body)
	p, err := study.New(context.Background(), &e.Spec, environment)
	if err != nil {
		t.Fatalf("planning the study: %v", err)
	}
	return p
}

// trials plans a study in all environments and gives its trials.
func trials(t testing.TB, body string) []study.Trial {
	t.Helper()
	return slices.Collect(plan(t, body, "").Trials())
}

// refuse gives what is wrong with a study, found by Resolve or by New.
func refuse(t testing.TB, body string) string {
	t.Helper()
	cat, err := applications()
	if err != nil {
		t.Fatalf("loading the applications: %v", err)
	}
	doc := decode(t, body)
	e, err := study.Resolve(t.Context(), doc, cat)
	if err == nil {
		_, err = study.New(context.Background(), &e.Spec, "")
		err = study.Locate(doc, err)
	}
	if f := new(spec.FileError); !errors.As(err, &f) {
		t.Fatalf("got the error %v, want a *spec.FileError", err)
	}
	return err.Error()
}

// ids gives the IDs of trials, sorted.
func ids(all []study.Trial) []string {
	var out []string
	for _, x := range all {
		out = append(out, x.ID)
	}
	slices.Sort(out)
	return out
}

// hopeless has 14 axes of 13 values of which no two may be the same, which no
// search decides in time.
func hopeless() string {
	names := []string{"nodes", "tasksPerNode", "threads", "coresPerTask"}
	for p := 'a'; p <= 'j'; p++ {
		names = append(names, "parameters."+string(p))
	}
	body := "  sweeps:\n  - apps: wide\n    constraints:\n"
	for i, a := range names {
		for _, b := range names[:i] {
			body += "    - " + a + " != " + b + "\n"
		}
	}
	axes := ""
	for _, name := range names {
		if p, ok := strings.CutPrefix(name, "parameters."); ok {
			axes += "      " + p + ": {from: 1, to: 13, by: 1}\n"
			continue
		}
		body += "    " + name + ": {from: 1, to: 13, by: 1}\n"
	}
	return body + "    parameters:\n" + axes
}

func TestPlanningEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cat, err := applications()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, body string }{
		{"a search for a point", hopeless()},
		{"going through points", `  sweeps:
  - apps: wide
    parameters: {a: {from: 1, to: 500}, b: {from: 1, to: 500}}
    constraints: ['[1,2,3,4,5,6,7,8].all(x, [1,2,3,4,5,6,7,8].all(y, x * y * parameters.a < 0 * parameters.b))']
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if _, err := study.Resolve(ctx, decode(t, c.body), cat); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}
