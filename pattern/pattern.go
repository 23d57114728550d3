// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// Form says what kind of number is fitted. Laws are laws of times; other
// numbers are turned into something that behaves like one.
type Form int

// The forms.
const (
	// Amount is a time or a size, fitted as it is.
	Amount Form = iota
	// Rate is work by time, fitted as 1/y.
	Rate
	// Share is a percentage, fitted as the ratio y/(100-y) of the share to the
	// rest, so that no prediction leaves 0 to 100.
	Share
)

// Options say how to fit. The zero value fits amounts over an axis "x" without
// units.
type Options struct {
	// Axis names the size, such as nodes or ranks. The default is x.
	Axis string
	// Unit is that of the values, such as s.
	Unit string
	// Form is what the values are.
	Form Form
	// Scaling is strong where the problem stays the same as the size grows: then
	// a curve that rises is no scaling, and is refused. Weak and unknown ones may
	// rise.
	Scaling spec.Scaling
	// Level is the probability of intervals, at most [MaxLevel]. The default is 0.9.
	Level float64
}

// DefaultLevel is the probability of intervals, as a fraction. MaxLevel is the
// largest: of the 2000 values that the bootstrap draws ten lie beyond either end.
const (
	DefaultLevel = 0.9
	MaxLevel     = 0.99
)

// Constant is a fitted coefficient.
type Constant struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Model is the law that was chosen.
type Model struct {
	Name string `json:"name"`
	// Formula gives the value from the size, with the constants by name.
	Formula   string              `json:"formula"`
	Constants map[string]Constant `json:"constants"`
}

// Errors are relative: 0.05 is five per cent. They are roots of mean squares.
type Errors struct {
	// Fit is at the sizes that were fitted.
	Fit float64 `json:"fit"`
	// Validation is at sizes that were left out.
	Validation float64 `json:"validation"`
	// Forward is one doubling beyond the sizes that were fitted.
	Forward float64 `json:"forward"`
}

// Prediction is a value with its interval, in the unit of the values.
type Prediction struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
}

// Answer is what a pattern says of one size: a prediction, or why there is none.
type Answer struct {
	Prediction *Prediction
	// Refused is the reason where there is no prediction.
	Refused string
	// Measured says that the value was measured and not predicted.
	Measured bool
	Warnings []string
}

// Pattern is how a number changes with the size.
type Pattern struct {
	// Model is nil where Refused is set before a law could be chosen.
	Model  *Model
	Errors *Errors
	// Refused is why only sizes that were measured are answered.
	Refused  string
	Warnings []string

	options  Options
	form     form
	points   []Point
	sizes    []cell  // of all points
	cells    []cell  // those that laws are fitted to
	noise    float64 // of runs
	wobble   float64 // of sizes, beside that of their runs
	all      []candidate
	chosen   int
	falling  bool
	measured bool // whether the noise is
}

// Fit fits the laws to the points, of which no two have the same X, and chooses
// one. It never fails: what the points cannot carry is in Refused, and
// [Pattern.At] still answers the sizes that were measured.
func Fit(points []Point, o Options) *Pattern {
	if o.Level <= 0 || o.Level >= 1 {
		o.Level = DefaultLevel
	}
	o.Level = min(o.Level, MaxLevel)
	if o.Axis == "" {
		o.Axis = "x"
	}
	p := &Pattern{options: o, form: forms[o.Form], points: slices.Clone(points)}
	slices.SortStableFunc(p.points, func(a, b Point) int { return compare(a.X, b.X) })
	if p.Refused = p.unusable(); p.Refused != "" {
		return p
	}
	p.sizes, p.noise, p.measured = cells(p.points, p.form)
	p.cells = p.sizes
	if n := len(p.cells); n > 0 {
		p.falling = p.cells[n-1].y < p.cells[0].y
	}
	if !p.measured && len(p.cells) > 0 {
		p.warn("no size was repeated: a noise of %g %% is assumed", 100*unrepeated)
	}
	p.leaveOutlying()
	p.Refused = p.refuse()
	if len(p.cells) < minSizes {
		return p
	}
	p.all = candidates(p.laws(), p.cells)
	p.wobble = betweenSizes(p.all, p.cells)
	p.chosen = choose(p.all, 2*p.cells[len(p.cells)-1].x, noiseFloor(p.cells))
	c := p.all[p.chosen]
	p.Model = p.model(c.fitted)
	p.Errors = &Errors{Fit: c.fit, Validation: c.validated, Forward: c.forward}
	return p
}

// laws are the candidates.
func (p *Pattern) laws() []law {
	switch {
	case p.falling:
		return falling
	case p.options.Form == Share:
		return ratios
	}
	return rising
}

func (p *Pattern) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// place is a size in words: 32 nodes.
func (p *Pattern) place(x float64) string {
	return place(x, p.options.Axis)
}

func place(x float64, axis string) string {
	if x == 1 {
		axis = strings.TrimSuffix(axis, "s")
	}
	return strconv.FormatFloat(x, 'g', 6, 64) + " " + axis
}

// form turns values into what laws are fitted to, and back. elastic is by how
// much more a relative error of the value is one of the turned value.
type form struct {
	forward, back, elastic func(float64) float64
	// usable says whether the value has a turned value.
	usable func(float64) bool
	// parts is by how much more the turned value varies than one time does: the
	// root of the number of times that it is made of.
	parts  float64
	text   string // what is usable
	around string // the formula, with %s for that of the law
}

// positive keeps the squares of what is fitted within numbers, see [stats.Usable].
func positive(y float64) bool { return y > 0 && stats.Usable(y) && stats.Usable(1/y) }
func same(y float64) float64  { return y }
func one(float64) float64     { return 1 }

var forms = map[Form]form{
	Amount: {same, same, one, positive, 1, "more than zero, 1e-150 to 1e150", "%s"},
	Rate:   {func(y float64) float64 { return 1 / y }, func(t float64) float64 { return 1 / t }, one, positive, 1, "more than zero, 1e-150 to 1e150", "1 / (%s)"},
	Share: {
		func(y float64) float64 { return y / (100 - y) },
		func(t float64) float64 {
			if math.IsInf(t, 1) {
				return 100
			}
			return 100 * t / (1 + t)
		},
		func(y float64) float64 { return 100 / (100 - y) },
		func(y float64) bool { return positive(y) && y < 100 }, math.Sqrt2, "between 0 and 100", "100 · r / (1 + r), r = %s",
	},
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
