// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// minSizes is the least number of sizes that show a curve: through two every
// law with two constants goes.
const minSizes = 3

// The limits of refusals, in relative terms.
const (
	// material is a change that matters: sizes wobble by some per cent.
	material = 0.05
	// significance is how many standard errors a change has to have.
	significance = 2
	// apart is the ratio from which two groups of runs are two configurations.
	apart = 1.2
	// isolation is how many times the gap between two groups is as wide as the
	// groups.
	isolation = 3
	// noisy is the relative standard deviation from which runs have no middle.
	noisy = 0.3
)

// unusable says what is wrong with the points as numbers.
func (p *Pattern) unusable() string {
	for i := range p.points {
		pt := &p.points[i]
		values := pt.Values
		if len(values) == 0 {
			values = []float64{pt.Mean}
		}
		for _, v := range values {
			if !p.form.usable(v) {
				return fmt.Sprintf("the value %.4g at %s has no law; laws are for values %s", v, p.place(pt.X), p.form.text)
			}
		}
	}
	return ""
}

// refuse lists the reasons to predict nothing, and gives the first that holds.
func (p *Pattern) refuse() string {
	for _, reason := range []func() string{p.tooFew, p.mixed, p.tooNoisy, p.turned} {
		if text := reason(); text != "" {
			return text
		}
	}
	return ""
}

func (p *Pattern) tooFew() string {
	switch n := len(p.points); n {
	case 0:
		return "nothing was measured"
	case 1:
		return "one size was measured; a curve takes three"
	case 2:
		return "two sizes were measured; a curve takes three"
	}
	return ""
}

// mixed finds sizes at which two configurations were measured, by their names
// or by their values.
func (p *Pattern) mixed() string {
	for i := range p.points {
		pt := &p.points[i]
		if len(pt.Configurations) > 1 {
			return fmt.Sprintf("configurations are mixed at %s (%s): their middle hides it", p.place(pt.X), strings.Join(pt.Configurations, "; "))
		}
		if low, high, ok := twoGroups(pt.Values); ok {
			return fmt.Sprintf("the runs at %s fall into two groups, around %.4g and %.4g %s: two configurations are mixed, and their middle hides it",
				p.place(pt.X), low, high, p.options.Unit)
		}
	}
	return ""
}

// twoGroups cuts the values at their widest gap. They are two groups where each
// has two values at least, the gap is much wider than either group, and their
// middles differ by a fifth. One value apart is an outlier and no group.
func twoGroups(values []float64) (low, high float64, ok bool) {
	xs := slices.Sorted(slices.Values(values))
	if len(xs) < 4 {
		return 0, 0, false
	}
	cut := 1
	for i := 2; i < len(xs); i++ {
		if xs[i]-xs[i-1] > xs[cut]-xs[cut-1] {
			cut = i
		}
	}
	below, above := xs[:cut], xs[cut:]
	if len(below) < 2 || len(above) < 2 {
		return 0, 0, false
	}
	width := func(g []float64) float64 { return g[len(g)-1] - g[0] }
	middle := func(g []float64) float64 { return (g[(len(g)-1)/2] + g[len(g)/2]) / 2 }
	low, high = middle(below), middle(above)
	return low, high, high > apart*low && above[0]-below[len(below)-1] > isolation*max(width(below), width(above))
}

func (p *Pattern) tooNoisy() string {
	for i := range p.points {
		pt := &p.points[i]
		if sd, df := pt.spread(); df > 0 && sd > noisy {
			return fmt.Sprintf("too noisy: the standard deviation of the %d runs at %s is %.0f %% of their middle", pt.count(), p.place(pt.X), 100*sd)
		}
	}
	return ""
}

// turned finds curves that rise after they fell, or fall after they rose, or
// rise where the problem stays the same. A change counts when it matters and is
// more than the noise.
func (p *Pattern) turned() string {
	n := len(p.cells)
	change := func(i, j int) (float64, bool) { // from i to j
		a, b := p.cells[i], p.cells[j]
		d := math.Log(b.y / a.y)
		return d, math.Abs(d) > max(material, significance*math.Hypot(a.local, b.local))
	}
	least, most := 0, 0
	for i, c := range p.cells {
		if c.y < p.cells[least].y {
			least = i
		}
		if c.y > p.cells[most].y {
			most = i
		}
	}
	rise, rises := change(least, n-1)
	_, fell := change(0, least)
	fall, falls := change(most, n-1)
	_, rose := change(0, most)
	worse := "higher"
	if p.options.Form == Rate {
		worse = "lower" // the time is higher
	}
	switch {
	case rises && fell:
		return fmt.Sprintf("the curve has turned: at %s it is %.0f %% %s than at %s", p.place(p.cells[n-1].x), p.percent(rise), worse, p.place(p.cells[least].x))
	case rises && p.falls():
		return fmt.Sprintf("the curve has turned: it does not improve from %s on, and is %.0f %% %s at %s", p.place(p.cells[least].x), p.percent(rise), worse, p.place(p.cells[n-1].x))
	case falls && rose && !p.falls():
		return fmt.Sprintf("the curve has turned: it changes by %.0f %% until %s and back by %.0f %% until %s",
			p.percent(math.Log(p.cells[most].y/p.cells[0].y)), p.place(p.cells[most].x), p.percent(fall), p.place(p.cells[n-1].x))
	}
	return ""
}

// falls says whether the number has to fall with the size, turned into a time.
func (p *Pattern) falls() bool { return p.options.Scaling == "strong" }

// percent is a change of a logarithm in per cent of the value.
func (p *Pattern) percent(d float64) float64 {
	if p.options.Form == Rate {
		d = -d
	}
	return math.Abs(100 * math.Expm1(d))
}
