// SPDX-License-Identifier: MIT

package pattern_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/converged-computing/ensemble/pattern"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// published is one series of scaling.json.
type published struct {
	Study, App, Env, Problem, Metric, Shape string
	Kind                                    spec.Scaling
	Sizes                                   []float64
	Mean, SD                                []float64
	Runs                                    []int
	TasksPerNode                            map[string][]float64 `json:"tasks_per_node"`
	FitSizes                                []float64            `json:"fit_sizes"`
	PredictSize                             float64              `json:"predict_size"`
	Values                                  map[string][]float64
}

// point is the size at i: single runs where they are known, else their summary.
func (s *published) point(i int) pattern.Point {
	key := fmt.Sprint(s.Sizes[i])
	p := pattern.Point{X: s.Sizes[i], Values: s.Values[key], Mean: s.Mean[i], SD: s.SD[i], N: s.Runs[i]}
	if per := s.TasksPerNode[key]; len(per) > 1 {
		for _, n := range per {
			p.Configurations = append(p.Configurations, fmt.Sprintf("%g ranks a node", n))
		}
	}
	return p
}

// truth is the median where single runs are known, else the mean.
func (s *published) truth() float64 {
	i := slices.Index(s.Sizes, s.PredictSize)
	if p := s.point(i); len(p.Values) > 0 {
		return stats.Median(p.Values)
	}
	return s.Mean[i]
}

// studies reads the published series from the folder that ENSEMBLE_STUDIES
// names, or from shared/studies beside the repository.
func studies(t *testing.T) (all []published) {
	t.Helper()
	dir := os.Getenv("ENSEMBLE_STUDIES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "studies")
	}
	b, err := os.ReadFile(filepath.Join(dir, "scaling.json"))
	if err != nil {
		t.Skipf("no published series at %s (ENSEMBLE_STUDIES names another place)", dir)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPublishedSeries predicts the size that was left out of each published
// series. Nothing is tuned to them: the constants of the package come from its
// sources and from the synthetic series.
func TestPublishedSeries(t *testing.T) {
	t.Parallel()
	all := studies(t)
	monotone, predicted, held := 0, 0, 0
	var errors []float64
	for i := range all {
		s := &all[i]
		var points []pattern.Point
		for k, x := range s.Sizes {
			if slices.Contains(s.FitSizes, x) {
				points = append(points, s.point(k))
			}
		}
		p := pattern.Fit(points, pattern.Options{Axis: "nodes", Unit: "s", Scaling: s.Kind})
		a, truth := p.At(s.PredictSize), s.truth()
		falls := s.Kind == spec.ScalingStrong && s.Shape == "monotone decreasing"
		if falls {
			monotone++
		}
		name := fmt.Sprintf("%-11s %-33s %-9s %-6s %-25s", s.App, s.Env, s.Problem, s.Kind, s.Shape)
		if a.Prediction == nil {
			t.Logf("%s refused: %s", name, a.Refused)
			continue
		}
		got, e := a.Prediction, 100*(a.Prediction.Value/truth-1)
		inside := got.Low <= truth && truth <= got.High
		t.Logf("%s measured %8.4g, predicted %8.4g (%.4g to %.4g) error %+6.1f %% inside %-5v %s", name, truth, got.Value, got.Low, got.High, e, inside, p.Model.Name)
		predicted++
		if inside {
			held++
		}
		if falls {
			errors = append(errors, math.Abs(e))
		} else if s.Kind == spec.ScalingStrong && !inside {
			t.Errorf("%s turns or worsens, and is predicted outside the interval", name)
		}
	}
	median, worst := stats.Median(errors), slices.Max(errors)
	t.Logf("%d of %d monotone strong-scaling series are predicted, with a median error of %.1f %% and at most %.1f %%", len(errors), monotone, median, worst)
	t.Logf("%d of %d intervals hold the truth", held, predicted)
	if 9*len(errors) < 7*monotone || median > 8 || worst > 25 || 10*held < 8*predicted {
		t.Errorf("want 7 of 9 predicted, a median of 8 %%, a maximum of 25 %%, and the truth in 80 %% of the intervals")
	}
}
