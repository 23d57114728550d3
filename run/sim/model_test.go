// SPDX-License-Identifier: MIT

package sim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/run/sim"
	"github.com/google/go-cmp/cmp"
)

func TestDrawsFollowTheirDistribution(t *testing.T) {
	t.Parallel()
	const jobs = 20_000
	for _, c := range []struct {
		name       string
		draw       sim.Draw
		mean, sd   float64 // of the distribution, in seconds
		logarithms bool    // of which the moments are
	}{
		{"constant", sim.Constant(3 * time.Second), 3, 0, false},
		{"normal", sim.Normal(1, 100*time.Second, 10*time.Second), 100, 10, false},
		{"lognormal", sim.LogNormal(1, 100*time.Second, 0.5), math.Log(100), 0.5, true},
		{"exponential", sim.Exponential(1, 100*time.Second), 100, 100, false},
		{"of a list", sim.Among(1, []time.Duration{time.Second, 3 * time.Second}), 2, 1, false},
		// The mean and standard deviation of half a normal distribution.
		{"normal without its part below zero", sim.Normal(1, 0, 10*time.Second), 10 * math.Sqrt(2/math.Pi), 10 * math.Sqrt(1-2/math.Pi), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sum, squares := 0.0, 0.0
			for i := range jobs {
				x := c.draw(runtest.Job(fmt.Sprint("j", i), "app"), 1).Seconds()
				if c.logarithms {
					x = math.Log(x)
				}
				sum, squares = sum+x, squares+x*x
			}
			mean := sum / jobs
			sd := math.Sqrt(max(0, squares/jobs-mean*mean))
			// Five standard errors, of the mean and about as much of the deviation.
			if within := 5 * (c.sd + 1e-9) / math.Sqrt(jobs); math.Abs(mean-c.mean) > within || math.Abs(sd-c.sd) > 2*within {
				t.Errorf("got the mean %v and the standard deviation %v, want %v and %v within %v", mean, sd, c.mean, c.sd, within)
			}
		})
	}
}

func TestADrawDependsOnSeedJobAndAttemptAlone(t *testing.T) {
	t.Parallel()
	a, b := runtest.Job("a", "app"), runtest.Job("b", "app")
	one, two := sim.Exponential(1, time.Hour), sim.Exponential(2, time.Hour)
	first := one(a, 1)
	for what, d := range map[string]time.Duration{"job": one(b, 1), "attempt": one(a, 2), "seed": two(a, 1)} {
		if d == first {
			t.Errorf("another %s takes the same time", what)
		}
	}
	if d := one(a, 1); d != first {
		t.Errorf("the same attempt takes %v and %v", first, d)
	}
	if d := sim.Among(1, nil)(a, 1); d != 0 {
		t.Errorf("none of no durations is %v", d)
	}
	if d := sim.LogNormal(1, math.MaxInt64, 9)(runtest.Job("long", "app"), 1); d < 0 {
		t.Errorf("a duration is below zero: %v", d)
	}
}

const table = `
# seen on a cluster
j-1  10.5
j-1  20 failed
lammps 7
group 5
*    1e3 incomplete
`

func TestTheTableOfOutcomesSaysHowAttemptsGo(t *testing.T) {
	t.Parallel()
	model, err := sim.ReadTable(strings.NewReader(table), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		id, group, app string
		attempt        int
		want           sim.Outcome
	}{
		{"the first attempt at a job", "j-1", "group", "lammps", 1, sim.Outcome{Time: 10500 * time.Millisecond}},
		{"the second attempt", "j-1", "", "", 2, sim.Outcome{Time: 20 * time.Second, Status: ensemble.Failed}},
		{"an attempt beyond the table", "j-1", "", "", 7, sim.Outcome{Time: 20 * time.Second, Status: ensemble.Failed}},
		{"a job of a group", "j-2", "group", "lammps", 1, sim.Outcome{Time: 5 * time.Second}},
		{"a job of an application", "j-2", "other", "lammps", 1, sim.Outcome{Time: 7 * time.Second}},
		{"any job", "j-2", "", "", 1, sim.Outcome{Time: 1000 * time.Second, Status: ensemble.Incomplete}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := runtest.Job(c.id, "app")
			j.Group, j.App = c.group, c.app
			got, err := model(j, c.attempt)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryWrongLineOfATableIsNamed(t *testing.T) {
	t.Parallel()
	_, err := sim.ReadTable(strings.NewReader("j\nj x\nk 1\nj -1\nj NaN\nj 1e300\nj 1 happy\nj 1 failed again\n"), 1)
	want := `line 1: got 1 fields, want NAME SECONDS [STATUS]
line 2: got "x", want seconds
line 4: got "-1", want seconds
line 5: got "NaN", want seconds
line 6: got "1e300", want seconds
line 7: got the status "happy", want succeeded, failed or incomplete
line 8: got 4 fields, want NAME SECONDS [STATUS]`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	model, err := sim.ReadTable(strings.NewReader("k 1"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model(runtest.Job("j", "app"), 1); err == nil {
		t.Error("a job that the table does not know has an outcome")
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(table)
	f.Add("a 1 failed\n* .5")
	f.Fuzz(func(t *testing.T, text string) {
		model, err := sim.ReadTable(strings.NewReader(text), 1)
		if err != nil {
			return
		}
		if o, err := model(runtest.Job("a", "app"), 1); err == nil && o.Time < 0 {
			t.Errorf("got the time %v", o.Time)
		}
	})
}
