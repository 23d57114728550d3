// SPDX-License-Identifier: MIT

package ensemble_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// BenchmarkEngine takes in the events of many jobs under rules that look at counts
// and at the order of times, beside the state alone, which every run keeps.
func BenchmarkEngine(b *testing.B) {
	const jobs = 100_000
	file := "  limits: {jobs: 1000000}\n  groups: [{name: a, command: [a], count: 100000}, {name: b, command: [b]}]\n  rules:\n" +
		"  - {on: metric, when: groups.a.failed > 3, do: {finish: failure}}\n" +
		"  - {on: job-finish, when: groups.a.runTime.median > 100.0 && groups.a.runTime.mad > 1.0, do: {submit: b}}\n" +
		"  - {on: job-start, when: job.pendingTime > 1000000.0, do: {submit: b}}\n"
	doc, err := spec.Decode("f.yaml", []byte("apiVersion: converged-computing.org/v1alpha1\nkind: Ensemble\nmetadata: {name: test}\nspec:\n"+file))
	if err != nil {
		b.Fatal(err)
	}
	var events []ensemble.Event
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
	for i := range jobs {
		id, t := fmt.Sprintf("a-%d", i+1), float64(i)/10
		events = append(events,
			ensemble.Event{Time: at(t), Name: ensemble.Submit, Job: id, Attempt: 1, Group: "a", Nodes: 1},
			ensemble.Event{Time: at(t + 1), Name: ensemble.Start, Job: id, Attempt: 1},
			ensemble.Event{Time: at(t + 2 + float64(i*7919%1000)/1000), Name: ensemble.Finish, Job: id, Attempt: 1, Status: ensemble.Succeeded})
	}
	state := func() time.Duration {
		begin := time.Now()
		var s ensemble.State
		for _, e := range events {
			if err := s.Apply(e); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	var alone, steered time.Duration
	for b.Loop() {
		alone += state()
		g, faults := ensemble.NewEngine(&doc.Object.(*spec.Ensemble).Spec, makeJobs)
		if len(faults) > 0 {
			b.Fatal(faults)
		}
		begin := time.Now()
		g.Apply(ensemble.Event{Time: at(0), Name: ensemble.RunStart})
		for _, e := range events {
			if a := g.Apply(e); len(a) > 0 {
				b.Fatal(a)
			}
		}
		steered += time.Since(begin)
	}
	n := float64(len(events)) * float64(b.N)
	b.ReportMetric(float64(steered.Nanoseconds())/n, "ns/event")
	b.ReportMetric(float64(alone.Nanoseconds())/n, "ns/event-of-state")
	b.ReportMetric(float64(steered)/float64(alone), "times-the-state")
}
