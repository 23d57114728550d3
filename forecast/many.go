// SPDX-License-Identifier: MIT

package forecast

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/converged-computing/ensemble/pattern"
)

// Range is a number in many plays: the median, and the interval that holds the part
// Level of them.
type Range struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Price is what a node costs.
type Price struct {
	PerNodeHour float64
	Currency    string // ISO 4217
}

// Forecast is what many plays amount to.
type Forecast struct {
	Plays int     `json:"plays"`
	Level float64 `json:"level"`
	// Jobs, Failed and Cancelled count jobs.
	Jobs      Range `json:"jobs"`
	Failed    Range `json:"failed"`
	Cancelled Range `json:"cancelled"`
	Makespan  Range `json:"makespan_s"`
	// NodeHours are those of the nodes that are there, busy or not, and BusyNodeHours
	// those that jobs have.
	NodeHours     Range `json:"node_hours"`
	BusyNodeHours Range `json:"busy_node_hours"`
	// Utilization is the part that is busy, from 0 to 1.
	Utilization Range  `json:"utilization"`
	Wait        Range  `json:"wait_s"`
	Peak        Range  `json:"peak_nodes"`
	Money       *Range `json:"money,omitempty"`
	Currency    string `json:"currency,omitempty"`
	// Warnings say what the numbers do not hold.
	Warnings []string `json:"warnings"`
}

// DefaultPlays is how many plays make an interval of 90 % that ten plays lie
// beyond.
const DefaultPlays = 100

// Many plays an ensemble n times, 0 being [DefaultPlays], each time with times of
// another seed. make gives the ensemble anew.
func Many(ctx context.Context, make func() (Ensemble, error), m *Machine, s *Source, price Price, n int) (*Forecast, error) {
	if n <= 0 {
		n = DefaultPlays
	}
	var all []Result
	for seed := range uint64(n) {
		e, err := make()
		if err != nil {
			return nil, err
		}
		r, err := Play(ctx, e, m, s.Model(seed))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return summarize(all, price), nil
}

func summarize(all []Result, price Price) *Forecast {
	f := &Forecast{Plays: len(all), Level: pattern.DefaultLevel, Warnings: []string{}}
	of := func(number func(*Result) float64) Range {
		var xs []float64
		for i := range all {
			xs = append(xs, number(&all[i]))
		}
		slices.Sort(xs)
		tail := (1 - f.Level) / 2
		at := func(q float64) float64 { return stat.Quantile(q, stat.Empirical, xs, nil) }
		return Range{Median: at(0.5), Low: at(tail), High: at(1 - tail)}
	}
	f.Jobs = of(func(r *Result) float64 { return float64(r.Jobs) })
	f.Failed = of(func(r *Result) float64 { return float64(r.Failed) })
	f.Cancelled = of(func(r *Result) float64 { return float64(r.Cancelled) })
	f.Makespan = of(func(r *Result) float64 { return r.Makespan.Seconds() })
	f.NodeHours = of(func(r *Result) float64 { return r.NodeHours })
	f.BusyNodeHours = of(func(r *Result) float64 { return r.Busy })
	f.Utilization = of((*Result).Utilization)
	f.Wait = of(func(r *Result) float64 { return r.Wait })
	f.Peak = of(func(r *Result) float64 { return float64(r.Peak) })
	if price.PerNodeHour > 0 {
		m := of(func(r *Result) float64 { return r.NodeHours * price.PerNodeHour })
		f.Money, f.Currency = &m, price.Currency
	}
	return f
}
