// SPDX-License-Identifier: MIT

package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/run/sim"
)

// BenchmarkRehearsal runs 1,000 jobs of an hour on 64 nodes through the driver. Most
// of the time goes into making files durable.
func BenchmarkRehearsal(b *testing.B) {
	const jobs = 1000
	var list []*ensemble.Job
	for i := range jobs {
		j := runtest.Job(fmt.Sprintf("j%04d", i), "app")
		j.Shape.Nodes, j.Shape.Tasks = 1+i%16, 1+i%16
		list = append(list, j)
	}
	for b.Loop() {
		x, err := sim.NewExecutor(sim.Config{Nodes: sim.Nodes(64, 1)}, sim.Options{Model: sim.Lasting(sim.Normal(1, time.Hour, time.Minute))})
		if err != nil {
			b.Fatal(err)
		}
		s, err := (&run.Driver{Dir: create(b), Executor: x}).Run(b.Context(), stream(list...))
		if err != nil || s.Status[ensemble.Succeeded] != jobs {
			b.Fatal(s, err)
		}
	}
	b.ReportMetric(jobs*float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
