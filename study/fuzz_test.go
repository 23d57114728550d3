// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
)

// FuzzConstraint compiles and evaluates any text as a constraint. It has to
// give a plan whose trials number at most those without it, or an error at the
// constraint, in bounded time.
func FuzzConstraint(f *testing.F) {
	for _, text := range []string{
		"nodes > 1", "parameters.cells * nodes < 5", "parameters.mode == 'fast' || tasks in [1, 2]",
		"4 / (nodes - 1) > 1", "parameters", "has(parameters.cells)", "parameters.x.y", "[1,2].exists(nodes, nodes > 1)",
		"app.matches('(a*)*b')", "nodes", "'", "a.b.c()", "{'a': nodes}['b'] > 1", "size('a' + variant) > 1000",
		"timestamp('2020-01-01T00:00:00Z') < timestamp('x')", "parameters.rate * 2.0 < double(threads)", "dyn(app)",
		"[1,2,3].map(x, [1,2,3].map(y, x*y)).size() > 2", "parameters.cells == 9223372036854775807 + nodes",
		"\"\\u00e9\" == bindTo && .nodes > 1", "cel.bind(x, nodes, x > 1)", "true ? nodes > 1 : tasks",
	} {
		f.Add(text)
	}
	_, e := resolve(f, "  sweeps:\n  - {apps: demo, nodes: [1, 2, 3], parameters: {cells: [1, 2, 3], mode: [fast, slow]}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		own := e.Spec
		own.Study.Sweeps = []spec.Sweep{e.Spec.Study.Sweeps[0]}
		own.Study.Sweeps[0].Constraints = []string{text}
		start := time.Now()
		p, err := study.New(context.Background(), &own, "")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		var fault *spec.FileError
		switch {
		case err == nil && (p.Len() < 1 || p.Len() > 18):
			t.Errorf("the plan has %d trials", p.Len())
		case err != nil && !errors.As(err, &fault):
			t.Errorf("got the error %v, want a *spec.FileError", err)
		case err != nil:
			for _, x := range fault.Faults {
				if x.Path != "spec.study.sweeps[0].constraints[0]" {
					t.Errorf("the fault is at %s: %s", x.Path, x.Message)
				}
			}
		}
	})
}
