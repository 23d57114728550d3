// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
)

// patternResult is a fitted group at one size, or at none where none was asked
// for.
type patternResult struct {
	App         string                `json:"app"`
	Variant     string                `json:"variant"`
	Environment string                `json:"environment"`
	Problem     string                `json:"problem"`
	Parameters  map[string]spec.Value `json:"parameters,omitempty"`
	Threads     int                   `json:"threads,omitempty"`
	Metric      string                `json:"metric"`
	Unit        string                `json:"unit"`
	Over        pattern.Axis          `json:"over"`
	Sizes       []float64             `json:"sizes"`
	Model       *pattern.Model        `json:"model"`
	Errors      *pattern.Errors       `json:"errors"`
	At          map[pattern.Axis]int  `json:"at,omitempty"`
	Prediction  *pattern.Prediction   `json:"prediction,omitempty"`
	Measured    bool                  `json:"measured,omitempty"`
	Warnings    []string              `json:"warnings"`
	Refused     string                `json:"refused"`
}

// answers asks a pattern for the sizes along its axis.
func answers(s *pattern.Series, p *pattern.Pattern, sizes []size) (results []patternResult) {
	result := patternResult{
		App: s.App, Variant: s.Variant, Environment: s.Environment, Problem: s.Problem,
		Parameters: s.Parameters, Threads: s.Threads, Metric: s.Metric, Unit: s.Unit, Over: s.Axis,
		Model: p.Model, Errors: p.Errors, Warnings: append([]string{}, p.Warnings...), Refused: p.Refused,
	}
	for _, pt := range s.Points {
		result.Sizes = append(result.Sizes, pt.X)
	}
	if len(sizes) == 0 {
		return []patternResult{result}
	}
	for _, at := range sizes {
		if at.axis != s.Axis {
			continue
		}
		a, r := p.At(float64(at.n)), result
		r.At = map[pattern.Axis]int{at.axis: at.n}
		r.Prediction, r.Refused, r.Measured = a.Prediction, a.Refused, a.Measured
		r.Warnings = append([]string{}, a.Warnings...)
		results = append(results, r)
	}
	return results
}

func patternListing(results []patternResult) *listing {
	l := &listing{
		header: []string{"app", "variant", "environment", "problem", "metric", "at", "value", "low", "high", "unit", "model", "formula", "constants", "error", "note"},
		value:  results,
	}
	for _, r := range results {
		row := []string{r.App, r.Variant, r.Environment, r.problem(), r.Metric, "over " + string(r.Over), "", "", "", r.Unit, "", "", "", "", r.note()}
		if n, ok := r.At[r.Over]; ok {
			row[5] = fmt.Sprintf("%s=%d", r.Over, n)
		}
		if p := r.Prediction; p != nil {
			row[6], row[7], row[8] = short(p.Value), short(p.Low), short(p.High)
		}
		if r.Measured {
			row[10] = "measured"
		} else if r.Model != nil && r.Refused == "" {
			row[10], row[12] = r.Model.Name, constants(r.Model)
			row[11] = r.Model.Formula
			row[13] = fmt.Sprintf("%.1f %%", 100*r.Errors.Validation)
		}
		l.rows = append(l.rows, row)
	}
	return l
}

// short has four digits, which is more than most measurements.
func short(x float64) string { return fmt.Sprintf("%.4g", x) }

// problem has the parameters where they alone tell.
func (r *patternResult) problem() string {
	parts := []string{r.Problem}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		parts = append(parts, name+"="+r.Parameters[name].String())
	}
	if r.Threads > 0 {
		parts = append(parts, plural(r.Threads, "thread"))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func (r *patternResult) note() string {
	notes := r.Warnings
	if r.Refused != "" {
		notes = append([]string{"refused: " + r.Refused}, notes...)
	}
	return strings.Join(notes, "; ")
}

func constants(m *pattern.Model) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.Constants)) {
		c := m.Constants[name]
		parts = append(parts, strings.TrimSuffix(fmt.Sprintf("%s=%s %s", name, short(c.Value), c.Unit), " 1"))
	}
	return strings.Join(parts, ", ")
}
