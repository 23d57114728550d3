// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"github.com/converged-computing/ensemble/spec"
)

// parseNumber reads a decimal number, one with Fortran's exponent letter D, or
// h:mm:ss and m:ss, which give seconds.
func parseNumber(b []byte) (float64, bool) {
	b = bytes.TrimSpace(b)
	if bytes.IndexByte(b, ':') >= 0 {
		return parseClock(b)
	}
	if i := bytes.IndexAny(b, "Dd"); i > 0 {
		b = bytes.Clone(b)
		b[i] = 'e'
	}
	x, err := strconv.ParseFloat(string(b), 64)
	return x, err == nil
}

func parseClock(b []byte) (float64, bool) {
	parts := bytes.Split(b, []byte(":"))
	if len(parts) > 3 {
		return 0, false
	}
	seconds := 0.0
	for i, p := range parts {
		x, err := strconv.ParseFloat(string(p), 64)
		if err != nil || x < 0 || i > 0 && x >= 60 {
			return 0, false
		}
		seconds = seconds*60 + x
	}
	return seconds, true
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// scaled multiplies. Where the scale is one over a whole number it divides, so
// that 774.379 by 0.001 is 0.774379 to the last bit.
func scaled(x, scale float64) float64 {
	if inverse := math.Round(1 / scale); scale > 0 && scale < 1 && 1/inverse == scale {
		return x / inverse
	}
	return x * scale
}

// tally reduces the matches of one value as they come.
type tally struct {
	n    int
	x    float64
	list []float64 // for the median
}

func (t *tally) add(take spec.Take, x float64) {
	t.n++
	switch {
	case take == spec.TakeCount:
		t.x = float64(t.n)
	case take == spec.TakeMedian:
		if len(t.list) < MaxPoints {
			t.list = append(t.list, x)
		}
	case take == spec.TakeSum || take == spec.TakeMean:
		t.x += x
	case t.n == 1:
		t.x = x
	case take == spec.TakeFirst:
	case take == spec.TakeMin:
		t.x = min(t.x, x)
	case take == spec.TakeMax:
		t.x = max(t.x, x)
	default:
		t.x = x
	}
}

// result gives false where nothing matched.
func (t *tally) result(take spec.Take) (float64, bool) {
	switch {
	case t.n == 0:
		return 0, false
	case take == spec.TakeMean:
		return t.x / float64(t.n), true
	case take == spec.TakeMedian:
		return median(t.list), true
	}
	return t.x, true
}

// median gives the middle value, or the mean of the two in the middle.
func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
