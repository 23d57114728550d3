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
	if x, ok := parseDecimal(b); ok {
		return x, true
	}
	b = bytes.TrimSpace(b)
	if bytes.IndexByte(b, ':') >= 0 {
		return parseClock(b)
	}
	if i := bytes.IndexAny(b, "Dd"); i > 0 {
		b = bytes.Clone(b)
		b[i] = 'e'
	}
	return parseFloat(b)
}

// parseFloat reads what strconv.ParseFloat reads.
func parseFloat(b []byte) (float64, bool) {
	if x, ok := parseDecimal(b); ok {
		return x, true
	}
	x, err := strconv.ParseFloat(string(b), 64)
	return x, err == nil
}

// parseDecimal is scanDecimal for all of a text.
func parseDecimal(b []byte) (float64, bool) {
	x, n := scanDecimal(b)
	return x, n == len(b) && n > 0
}

// scanDecimal reads the number at the start of a text and gives its length:
// digits with a minus, a point and an exponent, to the last bit as strconv does,
// for a mantissa below 2^53 and a power of ten up to 10^22 are doubles without
// error, so that one product or quotient of them rounds once (Clinger, How to
// read floating point numbers accurately, PLDI 1990). The length is 0 for all
// else, strconv's to decide. It reads a row of a table three times as fast.
func scanDecimal(b []byte) (x float64, length int) {
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i++
	}
	first, point, digits := i, -1, uint64(0)
	for ; i < len(b); i++ {
		if c := b[i] - '0'; c <= 9 {
			digits = digits*10 + uint64(c)
		} else if b[i] == '.' && point < 0 {
			point = i
		} else {
			break
		}
	}
	count, power := i-first, 0
	if point >= 0 {
		count--
		power = point + 1 - i
	}
	if i < len(b) && b[i]|' ' == 'e' {
		e, n := scanExponent(b[i+1:])
		if n == 0 {
			return 0, 0
		}
		i += 1 + n
		power += e
	}
	// 19 digits do not overflow the mantissa.
	if count == 0 || count > 19 || digits >= 1<<53 || power < -22 || power > 22 {
		return 0, 0
	}
	x = float64(digits)
	if power < 0 {
		x /= powers[-power]
	} else {
		x *= powers[power]
	}
	if b[0] == '-' {
		x = -x
	}
	return x, i
}

// scanExponent reads a whole number with a sign and gives its length.
func scanExponent(b []byte) (e, length int) {
	i := 0
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i++
	}
	first := i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		e = min(e*10+int(b[i]-'0'), 1<<20)
	}
	if i == first {
		return 0, 0
	}
	if b[0] == '-' {
		e = -e
	}
	return e, i
}

var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

func parseClock(b []byte) (float64, bool) {
	parts := bytes.Split(b, []byte(":"))
	if len(parts) > 3 {
		return 0, false
	}
	seconds := 0.0
	for i, p := range parts {
		x, ok := parseFloat(p)
		if !ok || x < 0 || i > 0 && x >= 60 {
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

// row is a line cut at its spaces, its simple numbers read on the way.
type row struct {
	line  []byte
	cells []cell
}

// cell is what stands between spaces. It holds places and no slice of the line:
// pointers cost the garbage collector's notice each time.
type cell struct {
	from, to int32 // in the line, which is below MaxLine
	read     bool  // x is the number
	x        float64
}

// cut reads another line.
func (r *row) cut(b []byte) {
	r.line, r.cells = b, r.cells[:0]
	for i := 0; i < len(b); {
		if isSpace[b[i]] {
			i++
			continue
		}
		x, n := scanDecimal(b[i:])
		end := i + n
		for end < len(b) && !isSpace[b[end]] {
			end++
		}
		r.cells = append(r.cells, cell{int32(i), int32(end), n > 0 && end == i+n, x})
		i = end
	}
}

func (r *row) text(cell int) []byte {
	c := &r.cells[cell]
	return r.line[c.from:c.to]
}

func (r *row) number(cell int) (float64, bool) {
	if c := &r.cells[cell]; c.read {
		return c.x, true
	}
	return parseFloat(r.text(cell))
}

var isSpace = [256]bool{' ': true, '\t': true, '\n': true, '\v': true, '\f': true, '\r': true}
