// SPDX-License-Identifier: MIT

package ensemble_test

import (
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
)

// Whatever stands in a file as an expression is refused or can be asked.
func FuzzExpressions(f *testing.F) {
	for _, text := range []string{
		"groups.a.runTime.mean > 1.0 && job.status in ['failed', 'timeout']", `groups["b"].metrics["rate"].median >= 8.0`,
		"has(job.metrics.rate) ? job.metrics.rate > 1.0 : elapsed > 60.0", "['a', 'b'].exists(x, groups[x].failed > 0)", "'rate' in groups.a.metrics",
		"groups.all(g, g)", "1 / groups.a.pending > nodes", "elapsed >", "'", "\"\\", "groups[job.status][job.group] == beat", "size(groups) in [job]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := fileOf(t, "  groups: [{name: a, command: [a]}, {name: b, command: [b]}]\n  rules: [{on: metric, when: 'true', repetitions: 99, do: {cancel: b}}]\n")
		e.Rules[0].When = text
		g, faults := ensemble.NewEngine(e, makeJobs)
		for _, fault := range faults {
			if strings.Contains(fault.Message, "expecting") || fault.Path != "spec.rules[0].when" {
				t.Errorf("%q: %v", text, fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		for _, event := range []string{"0 run-start", "1 submit a-1", "2 start a-1", "3 finish a-1 succeeded rate=2", "4 resize", "5 heartbeat"} {
			g.Apply(happened(t, event))
		}
		g.Unused()
		g.Reads(map[string]float64{"rate": 1})
	})
}
