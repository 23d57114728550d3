// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// add makes the point of a size. Of runs that other work disturbed none is used
// where others were not.
func (s *Series) add(size int, observations []*Observation, app *spec.Application) {
	quiet := slices.DeleteFunc(slices.Clone(observations), func(o *Observation) bool { return o.Noisy })
	if n := len(observations) - len(quiet); n > 0 && len(quiet) > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("noisy runs at %s: %d are left out", place(float64(size), string(s.Axis)), n))
		observations = quiet
	} else if n > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("all runs at %s are noisy", place(float64(size), string(s.Axis))))
	}
	p := Point{X: float64(size)}
	var numbers []Number
	for _, o := range observations {
		numbers = append(numbers, o.Numbers[s.Metric])
		if c := s.configuration(o, app); c != "" && !slices.Contains(p.Configurations, c) {
			p.Configurations = append(p.Configurations, c)
		}
	}
	if slices.ContainsFunc(numbers, func(v Number) bool { return v.N > 0 }) {
		p.Mean, p.SD, p.N = summarize(numbers)
	} else {
		for _, v := range numbers {
			p.Values = append(p.Values, v.Value)
		}
	}
	slices.Sort(p.Configurations)
	s.Points = append(s.Points, p)
}

// configuration tells what differs between runs of one size.
func (s *Series) configuration(o *Observation, app *spec.Application) string {
	var parts []string
	switch {
	case s.Axis == Nodes && o.Tasks > 0:
		parts = append(parts, place(float64(o.Tasks), "ranks"))
	case s.Axis == Ranks && o.Nodes > 0:
		parts = append(parts, place(float64(o.Nodes), "nodes"))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		if roleOf(app, name) == spec.RoleProcessGrid {
			parts = append(parts, name+"="+o.Parameters[name].String())
		}
	}
	return strings.Join(parts, " ")
}

// summarize puts summaries and single runs together into one summary.
func summarize(numbers []Number) (mean, sd float64, n int) {
	for _, v := range numbers {
		k := max(v.N, 1)
		mean, n = mean+v.Value*float64(k), n+k
	}
	mean /= float64(n)
	squares := 0.0
	for _, v := range numbers {
		k := float64(max(v.N, 1))
		squares += (k-1)*v.SD*v.SD + k*(v.Value-mean)*(v.Value-mean)
	}
	if n > 1 {
		sd = math.Sqrt(squares / float64(n-1))
	}
	return mean, sd, n
}

// warnOfDensity tells where the ranks on a node differ between sizes.
func (s *Series) warnOfDensity(at map[int][]*Observation) {
	var low, high float64
	for _, observations := range at {
		for _, o := range observations {
			if o.Nodes == 0 || o.Tasks == 0 {
				return
			}
			d := float64(o.Tasks) / float64(o.Nodes)
			if low == 0 {
				low, high = d, d
			}
			low, high = min(low, d), max(high, d)
		}
	}
	if high > low {
		s.Warnings = append(s.Warnings, fmt.Sprintf("a node has from %.4g to %.4g ranks: the sizes differ in more than %s", low, high, s.Axis))
	}
}
