// SPDX-License-Identifier: MIT

package sim_test

import (
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/run/sim"
)

// Two nodes, of which the second comes after a minute.
func ExampleCluster_Play() {
	nodes := []sim.Node{{Cores: 8}, {Cores: 8, Absent: true, Changes: []time.Duration{time.Minute}}}
	cluster, err := sim.New(sim.Config{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	jobs := []*sim.Job{
		{ID: "small", Tasks: 4, Run: 30 * time.Second},
		{ID: "large", Nodes: 2, Exclusive: true, Run: 30 * time.Second, Before: time.Second},
	}
	for e, err := range cluster.Play(slices.Values(jobs)) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Job != nil && (e.Kind == sim.Start || e.Kind == sim.Finish) {
			fmt.Println(e.At, e.Kind, e.Job.ID, e.Job.Shares())
		}
	}
	// Output:
	// 0s start small [{0 4}]
	// 30s finish small [{0 4}]
	// 1m1s start large [{0 8} {1 8}]
	// 1m31s finish large [{0 8} {1 8}]
}
