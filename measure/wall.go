// SPDX-License-Identifier: MIT

package measure

import (
	"slices"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/stats"
)

// secondsIn are the units of time in seconds.
var secondsIn = map[string]float64{
	"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9, "min": 60, "h": 3600,
}

// Seconds converts a time; false for a unit that is none of time.
func Seconds(v read.Value) (float64, bool) {
	f, ok := secondsIn[v.Unit]
	return v.Value * f, ok && stats.Usable(v.Value)
}

// durationWrapper is the launcher's time where a log tells it without moments.
const durationWrapper = "duration_wrapper"

// WallTime is the launcher's time in seconds: application and launch overhead.
// One that covers other runs as well does not count.
func (r *Record) WallTime() (float64, bool) {
	if d := r.Times.Finish.Sub(r.Times.Start); !r.Times.Start.IsZero() && d > 0 {
		return d.Seconds(), true
	}
	if v, ok := r.Metrics[durationWrapper]; ok && !slices.Contains(r.Flags, "shared-wrapper") {
		return Seconds(v)
	}
	return 0, false
}
