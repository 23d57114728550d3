// SPDX-License-Identifier: MIT

package study_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/converged-computing/ensemble/study"
)

// wide is a study of 100,000 trials after constraints, in two repetitions.
const wide = `  seed: 1
  repetitions: 2
  sweeps:
  - apps: demo
    nodes: {from: 1, to: 50, by: 1}
    tasksPerNode: {from: 1, to: 16, times: 2}
    threads: [1, 2]
    variants: [openmpi, mpich]
    parameters: {cells: {from: 1, to: 100}}
    constraints: ['parameters.cells % 2 == 0 && nodes + parameters.cells > 0']
`

// BenchmarkPlan100k makes the whole plan, IDs included; the aim is less than a
// second on one core.
func BenchmarkPlan100k(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, e := resolve(b, wide)
	for b.Loop() {
		p, err := study.New(context.Background(), &e.Spec, "")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for x := range p.Trials() {
			if len(x.ID) == 16 {
				n++
			}
		}
		if n != 100_000 {
			b.Fatalf("got %d trials, want 100000", n)
		}
	}
}

// BenchmarkStream1M streams a million trials under a budget; the aim is less
// than 256 MB of memory at any time, which peak-MB is.
func BenchmarkStream1M(b *testing.B) {
	const body = `  seed: 1
  sweeps:
  - apps: demo
    nodes: {from: 1, to: 100, by: 1}
    threads: {from: 1, to: 10, by: 1}
    parameters: {cells: {from: 1, to: 1100}, mode: [fast, slow]}
    constraints: ['parameters.cells + nodes <= 5000']
  budget: {trials: 1000000, nodeHours: 1000000000, expectedTime: 1m}
`
	_, e := resolve(b, body)
	for b.Loop() {
		debug.FreeOSMemory()
		var peak uint64
		look := func() {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.Sys-m.HeapReleased)
		}
		p, err := study.New(context.Background(), &e.Spec, "")
		if err != nil {
			b.Fatal(err)
		}
		look()
		n := 0
		for x := range p.Trials() {
			if len(x.ID) != 16 {
				b.Fatal("no ID")
			}
			if n++; n%10_000 == 0 {
				look()
			}
		}
		look()
		if n != 1_000_000 {
			b.Fatalf("got %d trials, want 1000000", n)
		}
		b.ReportMetric(float64(peak)/1e6, "peak-MB")
		if peak > 256e6 {
			b.Fatalf("needs %d MB, want less than 256", peak/1e6)
		}
	}
}

// BenchmarkSummary counts a product of 100,000 points of which the budget
// leaves a part.
func BenchmarkSummary(b *testing.B) {
	_, e := resolve(b, wide+"  budget: {trials: 30000}\n")
	p, err := study.New(context.Background(), &e.Spec, "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Summary(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
