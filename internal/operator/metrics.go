// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// phaseSeconds is how long Ensembles were in phases that they have left.
var phaseSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
	Name: "ensemble_phase_seconds", Help: "How long Ensembles were in a phase that they have left.",
	Buckets: prometheus.ExponentialBuckets(0.5, 4, 10), // to 36 hours
}, []string{"phase"})

// standing tells how all Ensembles stand when it is asked.
type standing struct {
	reader client.Reader // a cache

	ensembles, members, jobs, nodes *prometheus.Desc
}

func newStanding(r client.Reader) *standing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ensemble_"+name, help, labels, nil)
	}
	return &standing{r, desc("ensembles", "Ensembles by phase.", "phase"), desc("members", "Members by state.", "state"),
		desc("jobs", "Jobs by how they stand.", "status"), desc("nodes", "Nodes of all members.")}
}

// Describe names the metrics.
func (s *standing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.ensembles, s.members, s.jobs, s.nodes} {
		to <- d
	}
}

// Collect counts.
func (s *standing) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var list v1alpha1.EnsembleList
	if err := s.reader.List(ctx, &list); err != nil {
		to <- prometheus.NewInvalidMetric(s.ensembles, err)
		return
	}
	phases, states := map[v1alpha1.Phase]int{}, map[v1alpha1.MemberState]int{}
	var jobs v1alpha1.JobCounts
	nodes := 0
	for i := range list.Items {
		status := &list.Items[i].Status
		phases[status.Phase]++
		jobs.Add(status.Jobs)
		nodes += status.Nodes
		for k := range status.Members {
			states[status.Members[k].State]++
		}
	}
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	for phase, n := range phases {
		gauge(s.ensembles, n, string(phase))
	}
	for state, n := range states {
		gauge(s.members, n, string(state))
	}
	gauge(s.jobs, jobs.Active, "active")
	gauge(s.jobs, jobs.Succeeded, "succeeded")
	gauge(s.jobs, jobs.Failed, "failed")
	gauge(s.nodes, nodes)
}
