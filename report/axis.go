// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/converged-computing/ensemble/stats"
)

// axis maps values to positions in a figure, linearly or by logarithm. The
// positions may run either way: y grows downwards on a screen.
type axis struct {
	lo, hi     float64
	log        bool
	start, end float64 // positions of lo and hi
}

func (a axis) at(v float64) float64 {
	if a.hi == a.lo {
		return (a.start + a.end) / 2
	}
	t := (v - a.lo) / (a.hi - a.lo)
	if a.log {
		t = math.Log(v/a.lo) / math.Log(a.hi/a.lo)
	}
	return a.start + t*(a.end-a.start)
}

// clamp is at, kept within the axis; a logarithm of nothing is at the start.
func (a axis) clamp(v float64) float64 {
	if a.log && v <= 0 {
		return a.start
	}
	low, high := min(a.start, a.end), max(a.start, a.end)
	return min(max(a.at(v), low), high)
}

type tick struct {
	Pos   px
	Label string
}

// ticks are about five round values.
func (a axis) ticks() []tick {
	if a.log {
		return a.label(logTicks(a.lo, a.hi))
	}
	return a.label(linearTicks(a.lo, a.hi, 5))
}

func (a axis) label(values []float64) (out []tick) {
	for _, v := range values {
		out = append(out, tick{px(a.at(v)), tickText(v)})
	}
	return out
}

func tickText(v float64) string {
	if math.Abs(v) >= 1e4 && math.Abs(v) < 1e15 {
		e := int(math.Log10(math.Abs(v))+1e-9) / 3
		return strconv.FormatFloat(v/math.Pow(1000, float64(e)), 'g', 4, 64) + []string{"", "k", "M", "G", "T"}[e]
	}
	return short(v)
}

// linearTicks are multiples of 1, 2 or 5 times a power of ten, n or so of them.
func linearTicks(lo, hi float64, n int) (out []float64) {
	step := niceStep((hi - lo) / float64(n))
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		out = append(out, i*step+0) // the sum turns minus zero into zero
	}
	return out
}

// niceStep is the next of 1, 2 and 5 times a power of ten.
func niceStep(x float64) float64 {
	if x <= 0 || !stats.Usable(x) {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if x <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// logTicks are the coarsest round values of which at least four, or else as
// many as there can be, lie within the limits.
func logTicks(lo, hi float64) []float64 {
	for _, every := range []int{4, 3, 2} {
		if t := decadeTicks(lo, hi, []float64{1}, every); len(t) >= 4 {
			return t
		}
	}
	for _, mantissas := range [][]float64{{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}, {1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9}} {
		if t := decadeTicks(lo, hi, mantissas, 1); len(t) >= 4 {
			return t
		}
	}
	return linearTicks(lo, hi, 4)
}

func decadeTicks(lo, hi float64, mantissas []float64, every int) (out []float64) {
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Floor(math.Log10(hi))); e++ {
		if e%every != 0 {
			continue
		}
		for _, m := range mantissas {
			v, _ := strconv.ParseFloat(fmt.Sprintf("%ge%d", m, e), 64) // 3e-1 and not 0.30000000000000004
			if v >= lo*(1-1e-9) && v <= hi*(1+1e-9) {
				out = append(out, v)
			}
		}
	}
	return out
}

// atValues puts ticks at the values themselves and leaves out those that would
// stand closer than gap to the one before.
func (a axis) atValues(values []float64, gap float64) (out []tick) {
	last := math.Inf(-1)
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		if pos := a.at(v); math.Abs(pos-last) >= gap {
			out = append(out, tick{px(pos), short(v)})
			last = pos
		}
	}
	return out
}

// gap is the smallest distance between the positions of different values.
func (a axis) gap(values []float64) float64 {
	smallest := math.Abs(a.end - a.start)
	sorted := slices.Compact(slices.Sorted(slices.Values(values)))
	for i := 1; i < len(sorted); i++ {
		smallest = min(smallest, math.Abs(a.at(sorted[i])-a.at(sorted[i-1])))
	}
	return smallest
}

// byteTicks are powers of two with the prefixes of IEC.
func (a axis) byteTicks() (out []tick) {
	lo, hi := int(math.Ceil(math.Log2(a.lo)-1e-9)), int(math.Floor(math.Log2(a.hi)+1e-9))
	every := 1
	for _, every = range []int{1, 2, 5, 10, 20} {
		if (hi-lo)/every <= 6 {
			break
		}
	}
	for e := lo; e <= hi; e++ {
		if e%every == 0 {
			out = append(out, tick{px(a.at(math.Exp2(float64(e)))), bytesText(e)})
		}
	}
	return out
}

// bytesText is 2^e bytes.
func bytesText(e int) string {
	if e < 0 {
		return fmt.Sprintf("2^%d B", e)
	}
	k := min(e/10, 6)
	return fmt.Sprintf("%d %s", 1<<min(e-10*k, 40), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}[k])
}

// span is the range of finite values that were put in.
type span struct {
	lo, hi float64
	any    bool
}

func (s *span) add(values ...float64) {
	for _, v := range values {
		if !stats.Usable(v) {
			continue
		}
		if !s.any {
			s.lo, s.hi, s.any = v, v, true
		}
		s.lo, s.hi = min(s.lo, v), max(s.hi, v)
	}
}

// fromZero is the range from zero to a little above the largest value.
func (s span) fromZero() (lo, hi float64) {
	if s.hi <= 0 {
		return min(1.08*s.lo, -1e-12), 0
	}
	return min(0, 1.08*s.lo), 1.08 * s.hi
}

// around is the range for a logarithm: a margin on each side, and never less
// than a factor of two, lest noise look like a trend.
func (s span) around() (lo, hi float64) {
	lo, hi = s.lo/1.12, s.hi*1.12
	if r := hi / lo; r < 2 {
		lo, hi = lo/math.Sqrt(2/r), hi*math.Sqrt(2/r)
	}
	return lo, hi
}
