// SPDX-License-Identifier: MIT

package pattern

import (
	"slices"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
)

// The metrics that come from the launcher and the machine and not from the
// application.
const (
	// WallTime is the launcher's time [s], from its start to its finish.
	WallTime = "launcher_wall_time"
	// LaunchOverhead is the launcher's time without the application's [s].
	LaunchOverhead = "launch_overhead"
	// Memory is the largest resident set of any one process [B].
	Memory = "max_rss"
	// MPIShare is the share of the time that ranks spend in MPI [%]: of a job that
	// was profiled the profile's; a metric of the name mpi_percent is the same.
	MPIShare = "mpi_share"
)

// simulated flags a record that nothing was measured for.
const simulated = "simulated"

// mpiPercent is what profiles call the share of MPI.
const mpiPercent = "mpi_percent"

// Number is a measured value: of one run, or, where N is not zero, the mean of
// N runs with their standard deviation.
type Number struct {
	Value float64
	Unit  string
	SD    float64
	N     int
}

// Observation is what one run measured, or several of the same configuration.
type Observation struct {
	App, Variant, Environment, Problem string
	// Nodes and Tasks count nodes and ranks; zero is unknown.
	Nodes, Tasks, Threads int
	Parameters            map[string]spec.Value
	// Noisy says that other work may have disturbed it.
	Noisy   bool
	Numbers map[string]Number
}

// FromRecords makes observations of the records that succeeded and were measured:
// simulated ones are left out. apps has the
// applications by name; they say which metric is the application's time.
func FromRecords(records []measure.Record, apps map[string]*spec.Application) (all []Observation) {
	for i := range records {
		r := &records[i]
		if r.Status != ensemble.Succeeded || r.Simulated() {
			continue
		}
		o := Observation{
			App: r.App, Variant: r.Variant, Environment: r.Environment, Problem: r.Problem,
			Nodes: r.Nodes, Tasks: r.Tasks, Threads: r.Threads, Parameters: r.Parameters,
			Noisy: slices.Contains(r.Flags, "noisy"), Numbers: map[string]Number{},
		}
		for name, v := range r.Metrics {
			if s, ok := measure.Seconds(v); ok {
				v.Value, v.Unit = s, "s"
			}
			if name == mpiPercent {
				name = MPIShare
			}
			o.Numbers[name] = Number{Value: v.Value, Unit: v.Unit}
		}
		if r.MPI != nil {
			o.Numbers[MPIShare] = Number{Value: r.MPI.Percent, Unit: "%"}
		}
		if r.Resources != nil && r.Resources.MaxRSSBytes > 0 {
			o.Numbers[Memory] = Number{Value: float64(r.Resources.MaxRSSBytes), Unit: "B"}
		}
		if wall, ok := r.WallTime(); ok {
			o.Numbers[WallTime] = Number{Value: wall, Unit: "s"}
			if own, ok := o.Numbers[ownTime(apps[r.App])]; ok && own.Unit == "s" {
				o.Numbers[LaunchOverhead] = Number{Value: wall - own.Value, Unit: "s"}
			}
		}
		all = append(all, o)
	}
	return all
}

// ownTime is the metric in which the application reports its time, if any.
func ownTime(app *spec.Application) string {
	if app == nil {
		return ""
	}
	for _, m := range app.Spec.Output.Metrics {
		if m.Role == spec.RoleApplicationTime {
			return m.Name
		}
	}
	return ""
}
