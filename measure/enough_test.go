// SPDX-License-Identifier: MIT

package measure_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

func TestRepetitionsAreEnoughWhenTheIntervalIsTight(t *testing.T) {
	t.Parallel()
	good := []string{"10.2", "9.8", "10.6", "9.6", "10.0"} // ± 4.8 % at 95 %
	for _, c := range []struct {
		name   string
		times  []string // that each repetition tells; empty tells none
		noisy  int      // the first so many are
		failed int      // the last so many are
		own    string   // the role of the metric
		want   string
	}{
		{"tight", good, 0, 0, "application-time", "± 4.8 % after 5 repetitions"},
		{"not tight yet", good[:4], 0, 0, "application-time", ""},
		{"two that agree", []string{"10", "10"}, 0, 0, "application-time", ""},
		{"three that agree", []string{"10", "10", "10"}, 0, 0, "application-time", "± 0 % after 3 repetitions"},
		{"noisy ones tell nothing", []string{"10", "10", "10"}, 1, 0, "application-time", ""},
		{"an outlier that was noisy does no harm", []string{"99", "10", "10", "10"}, 1, 0, "application-time", "± 0 % after 3 repetitions"},
		{"failed ones tell nothing", []string{"10", "10", "10"}, 0, 1, "application-time", ""},
		{"one without a time tells nothing", []string{"10", "", "10"}, 0, 0, "application-time", ""},
		{"the launcher's time where there is no own", good[:4], 0, 0, "detail", "± 0 % after 4 repetitions"},
		{"none at all", nil, 0, 0, "application-time", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			next := job
			next.Cell, next.Until = "c", &spec.Until{Interval: 0.05, AtMost: 9}
			files := map[string]any{}
			var done []run.Done
			for i, text := range c.times {
				id := fmt.Sprintf("j%d", i)
				one, exit := next, run.Exit{Status: ensemble.Succeeded, Start: second(10), Finish: second(12)}
				one.ID = id
				if i < c.noisy {
					exit.Flags = []string{"noisy"}
				}
				d := run.Done{Job: id, Attempt: 1, Status: ensemble.Succeeded}
				if i >= len(c.times)-c.failed {
					d.Status = ensemble.Failed
				}
				done = append(done, d)
				dir := "jobs/" + id + "/1/"
				files[dir+run.JobFile], files[dir+run.ExitFile] = one, exit
				files[dir+run.StdoutFile] = ""
				if text != "" {
					files[dir+run.StdoutFile] = "rate " + text + "\n"
				}
			}
			dir, e := handMade(t, nil, files)
			e.Spec.Applications[0].Spec.Output.Metrics[0].Role = spec.MetricRole(c.own)
			enough, err := measure.Enough(dir, e)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // asked again, it says the same
				if why, err := enough(context.Background(), &next, done); err != nil || why != c.want {
					t.Errorf("got %q, %v, want %q", why, err, c.want)
				}
			}
		})
	}
}

// A sequence that its own interval ends is optimistic; how much so is what the
// documents say of it.
func TestTheMeanIsWithinTheIntervalThatWasAskedFor(t *testing.T) {
	t.Parallel()
	const cells, asked, most = 1000, 0.05, 60
	for _, deviation := range []float64{0.01, 0.03, 0.05, 0.08, 0.12} {
		r := rand.New(rand.NewPCG(1, math.Float64bits(deviation)))
		truth := math.Exp(deviation * deviation / 2)
		ended, hit, runs := 0, 0, 0
		for range cells {
			var times []float64
			mean := 0.0
			for len(times) < most {
				x := math.Exp(deviation * r.NormFloat64())
				mean += (x - mean) / float64(len(times)+1)
				times = append(times, x)
				if measure.PrecisionOf(times).Meets(asked) {
					ended++
					if math.Abs(mean-truth) <= asked*truth {
						hit++
					}
					break
				}
			}
			runs += len(times)
		}
		t.Logf("times that deviate by %2.0f %%: %d of %d cells end, %.1f %% of them within ±5 %%, %.1f repetitions each",
			100*deviation, ended, cells, 100*float64(hit)/float64(ended), float64(runs)/cells)
		if hit < ended*9/10 {
			t.Errorf("deviation %v: %d of %d are within what was asked for, want 90 %%", deviation, hit, ended)
		}
	}
}
