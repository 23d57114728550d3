// SPDX-License-Identifier: MIT

package sim

import (
	"iter"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// load makes jobs of mixed sizes and times, as many at once as the nodes can run,
// or faster than they can be run.
func load(jobs int, gap time.Duration, shared bool) iter.Seq[*Job] {
	return func(yield func(*Job) bool) {
		r := rand.New(rand.NewPCG(1, 2))
		at := time.Duration(0)
		for range jobs {
			at += time.Duration(r.Int64N(int64(2*gap + 1)))
			j := &Job{At: at, Nodes: 1 << r.IntN(6), Exclusive: true}
			if shared {
				j.Nodes, j.Tasks, j.Cores, j.Exclusive = 0, 1+r.IntN(64), 1+r.IntN(2), false
			}
			j.Run = time.Duration(1+r.IntN(3600)) * time.Second
			j.Limit = j.Run * time.Duration(1+r.IntN(3))
			if !yield(j) {
				return
			}
		}
	}
}

// BenchmarkMillion plays 1,000,000 jobs on 1,000 nodes of 48 cores. peak-MB is the
// largest heap that was seen.
func BenchmarkMillion(b *testing.B) {
	for _, c := range []struct {
		name      string
		scheduler Scheduler
		gap       time.Duration
		shared    bool
	}{
		{"first come first served, all at once", Simple, 0, false},
		{"first come first served, as they come", Simple, 21 * time.Second, false},
		{"first come first served, tasks that share nodes", Simple, 2 * time.Second, true},
		{"sched-fifo, all at once", FIFO, 0, false},
		{"sched-fifo, tasks that share nodes", FIFO, 2 * time.Second, true},
		{"sched-backfill, as they come", Backfill, 24 * time.Second, false},
		{"sched-backfill, tasks that share nodes", Backfill, 2 * time.Second, true},
		{"backfill, all at once", Easy, 0, false},
		{"backfill, as they come", Easy, 20 * time.Second, false},
		{"backfill, tasks that share nodes", Easy, 2 * time.Second, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			const jobs = 1_000_000
			peak := uint64(0)
			for b.Loop() {
				x, err := New(Config{Nodes: Nodes(1000, 48), Scheduler: c.scheduler})
				if err != nil {
					b.Fatal(err)
				}
				var m runtime.MemStats
				events := 0
				for e, err := range x.Play(load(jobs, c.gap, c.shared)) {
					if err != nil {
						b.Fatal(err)
					}
					if e.Kind == Finish {
						if events++; events%100_000 == 1 {
							runtime.ReadMemStats(&m)
							peak = max(peak, m.HeapAlloc)
						}
					}
				}
				if events != jobs {
					b.Fatalf("%d jobs finished, want %d", events, jobs)
				}
			}
			b.ReportMetric(jobs*float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
		})
	}
}
