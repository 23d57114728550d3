// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// term is one summand of a law: a function of the size x with a coefficient
// that is never negative, since it stands for work or for waiting.
type term struct {
	name string // of its coefficient
	text string // the function, with x for the size
	unit string // of the function in powers of the size: 1/x has "/x"
	at   func(x float64) float64
}

// law is a candidate: non-negative multiples of its terms, or a power law with
// an exponent of its own.
type law struct {
	name  string
	terms []term
	// free is a power law a·xᵇ, which has no terms; b lies between min and max.
	free     bool
	min, max float64
	// inverse says that the terms make 1/y.
	inverse bool
	// cost counts the constants that the data decide, exponents included.
	cost int
	// prior is the law's weight before any data: each family of laws has
	// 2^(-cost/2), and its members share it.
	prior float64
}

var (
	constant = term{"constant", "", "", func(float64) float64 { return 1 }}
	parallel = term{"parallel", "/ x", "·x", func(x float64) float64 { return 1 / x }}
	logTerm  = term{"log", "· log2(x)", "", math.Log2}
	linear   = term{"linear", "· x", "/x", func(x float64) float64 { return x }}
	surface  = term{"bandwidth", "/ x^(2/3)", "·x^(2/3)", func(x float64) float64 { return math.Pow(x, -2.0/3) }}
	// The terms of the universal scalability law, for time.
	contention = term{"contention", "· (1 - 1/x)", "", func(x float64) float64 { return 1 - 1/x }}
	coherency  = term{"coherency", "· (x - 1)", "/x", func(x float64) float64 { return x - 1 }}
)

// serial, latency and limit are the constant under the names that laws give it.
var serial, latency, limit = named(constant, "serial"), named(constant, "latency"), named(constant, "limit")

func named(t term, name string) term {
	t.name = name
	return t
}

// power is x^(num/den), times log2(x) where log is set.
func power(num, den int, log bool) term {
	p := float64(num) / float64(den)
	text := strconv.Itoa(num)
	if den != 1 {
		text = fmt.Sprintf("(%d/%d)", num, den)
	} else if num < 0 {
		text = "(" + text + ")"
	}
	t := term{name: "factor", text: "· x^" + text, unit: "·x^" + strings.Replace(text, "(-", "(", 1)}
	if num > 0 {
		t.unit = "/x^" + text
	}
	t.at = func(x float64) float64 { return math.Pow(x, p) }
	if log {
		t.text += " · log2(x)"
		t.at = func(x float64) float64 { return math.Pow(x, p) * math.Log2(x) }
	}
	return t
}

// falling are the laws of a time that falls as the size grows, as under strong
// scaling. x is the size.
//
//   - constant: a, and ideal: b/x.
//   - amdahl: a + b/x. Amdahl, "Validity of the single processor approach to
//     achieving large scale computing capabilities", AFIPS 30 (1967).
//   - power law: a·xᵇ with -2 <= b <= 0.
//   - normal form: a + c·xⁱ·log2(x)ʲ, the performance model normal form with one
//     term. Calotoiu, Hoefler, Poke and Wolf, "Using automated performance
//     modeling to find scalability bugs in complex codes", SC (2013), with
//     negative exponents as Extra-P 4 has them for strong scaling.
//   - amdahl with logarithmic communication: a + b/x + c·log2(x), the cost of a
//     tree of messages, and with linear communication: a + b/x + c·x, that of
//     messages one after another. Both without a as well, which three sizes can
//     tell. Thakur, Rabenseifner and Gropp, "Optimization of collective
//     communication operations in MPICH", IJHPCA 19 (2005).
//   - universal scalability law: t₁·(1/x + σ(1 - 1/x) + κ(x - 1)). Gunther,
//     "Guerrilla Capacity Planning" (2007), chapter 4, with x/C(x) for the time.
//   - latency and bandwidth: b/x + α + β·x^(-2/3), a message of α seconds and as
//     many bytes as a cube's share of a volume has surface. Hockney, "The
//     communication challenge for MPP", Parallel Computing 20 (1994).
var falling = build([][]law{
	{{name: "constant", terms: []term{constant}}},
	{{name: "ideal", terms: []term{parallel}}},
	{{name: "amdahl", terms: []term{serial, parallel}}},
	{{name: "power law", free: true, min: -2, max: 0}},
	normalForm([][2]int{{-1, 4}, {-1, 3}, {-1, 2}, {-2, 3}, {-3, 4}, {-5, 4}, {-4, 3}, {-3, 2}, {-7, 4}, {-2, 1}}, [][2]int{{-1, 1}, {-3, 2}}),
	{{name: "logarithmic communication", terms: []term{parallel, logTerm}}},
	{{name: "linear communication", terms: []term{parallel, linear}}},
	{{name: "latency and bandwidth", terms: []term{parallel, surface}}},
	{{name: "amdahl with logarithmic communication", terms: []term{serial, parallel, logTerm}}},
	{{name: "amdahl with linear communication", terms: []term{serial, parallel, linear}}},
	{{name: "latency, bandwidth and work", terms: []term{latency, parallel, surface}}},
	{{name: "universal scalability law", terms: []term{parallel, contention, coherency}}},
})

// rising are the laws of a time that grows with the size, as under weak scaling
// and as launching does: constant; a + c·log2(x) and a + c·x, the two
// communications on top of work that stays the same (Gustafson, "Reevaluating
// Amdahl's law", CACM 31, 1988); a power law; and the normal form with positive
// exponents.
var rising = build([][]law{
	{{name: "constant", terms: []term{constant}}},
	{{name: "logarithmic communication", terms: []term{constant, logTerm}}},
	{{name: "linear communication", terms: []term{constant, linear}}},
	{{name: "power law", free: true, min: 0, max: 2}},
	normalForm([][2]int{{1, 4}, {1, 3}, {1, 2}, {2, 3}, {3, 4}, {4, 3}, {3, 2}, {2, 1}}, [][2]int{{1, 2}, {1, 1}}),
	{{name: "logarithmic and linear communication", terms: []term{constant, logTerm, linear}}},
})

// ratios are the laws of a share that grows, as the ratio of messages to work:
// those that rise, and 1/(a + b·x⁻ⁱ), which ends at 1/a. Under strong scaling it is
// messages that stay the same beside work that shrinks to its serial part, where i
// is 1, and beside work that is less than perfectly parallel where i is less.
var ratios = append(build([][]law{{
	{name: "saturation", inverse: true, terms: []term{limit, named(parallel, "rise")}},
	{name: "saturation", inverse: true, terms: []term{limit, named(power(-1, 2, false), "rise")}},
	{name: "saturation", inverse: true, terms: []term{limit, named(power(-2, 3, false), "rise")}},
}}), rising...)

// normalForm are the members of the normal form with a constant and one term.
func normalForm(plain, log [][2]int) (all []law) {
	for i, e := range append(append([][2]int{}, plain...), log...) {
		all = append(all, law{name: "normal form", terms: []term{constant, power(e[0], e[1], i >= len(plain))}, cost: 3})
	}
	return all
}

// build lists the members of families and gives them their priors.
func build(families [][]law) (all []law) {
	for _, family := range families {
		for _, l := range family {
			if l.cost == 0 {
				l.cost = len(l.terms)
			}
			if l.free {
				l.cost = 2
			}
			l.prior = math.Exp2(-float64(l.cost)/2) / float64(len(family))
			all = append(all, l)
		}
	}
	return all
}

// fitted is a law with its coefficients; those of a free power law are the
// factor and the exponent.
type fitted struct {
	*law
	c []float64
}

func (f fitted) at(x float64) float64 {
	if f.free {
		return f.c[0] * math.Pow(x, f.c[1])
	}
	y := 0.0
	for j, t := range f.terms {
		if f.c[j] > 0 { // and not 0 · ∞
			y += f.c[j] * t.at(x)
		}
	}
	if f.inverse {
		return 1 / y
	}
	return y
}

// needs is the least number of sizes that decide the coefficients.
func (l *law) needs() int {
	if l.free {
		return 2
	}
	return len(l.terms)
}

// fit finds the coefficients by weighted least squares of relative errors, or
// of logarithms for a free power law. It reports false where the sizes cannot
// decide.
func (l *law) fit(cells []cell) (fitted, bool) {
	if len(cells) < l.needs() {
		return fitted{}, false
	}
	if l.free {
		return l.fitPower(cells)
	}
	w := make([]float64, len(cells))
	a := make([][]float64, len(l.terms))
	for j := range a {
		a[j] = make([]float64, len(cells))
	}
	for i, c := range cells {
		w[i] = c.weight()
		for j, t := range l.terms {
			if a[j][i] = t.at(c.x) / c.y; l.inverse {
				a[j][i] = t.at(c.x) * c.y
			}
		}
	}
	c, ok := nonNegative(a, w)
	return fitted{l, c}, ok
}

// fitPower regresses log y on log x, both around their means.
func (l *law) fitPower(cells []cell) (fitted, bool) {
	var sw, mx, my float64
	for _, c := range cells {
		w := c.weight()
		sw, mx, my = sw+w, mx+w*math.Log(c.x), my+w*math.Log(c.y)
	}
	mx, my = mx/sw, my/sw
	var sxx, sxy float64
	for _, c := range cells {
		w, dx := c.weight(), math.Log(c.x)-mx
		sxx, sxy = sxx+w*dx*dx, sxy+w*dx*(math.Log(c.y)-my)
	}
	if !(sxx > 0) {
		return fitted{}, false
	}
	b := min(max(sxy/sxx, l.min), l.max)
	return fitted{l, []float64{math.Exp(my - b*mx), b}}, true
}
