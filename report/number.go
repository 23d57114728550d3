// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/converged-computing/ensemble/stats"
)

// Numbers for people: enough digits to see what the measurement can tell, and
// no more. Files for machines (CSV, JSON, the benchmark format) hold all digits.

// digits is how many significant digits a number without an interval shows.
const digits = 4

// sig writes x with n significant digits; very large and very small numbers
// with an exponent.
func sig(x float64, n int) string {
	if x == 0 || !stats.Usable(x) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fixed(x, n-1-exponent(x))
}

// short writes x with four significant digits and without zeros at the end.
func short(x float64) string { return shortened(sig(x, digits)) }

// shortened leaves out the zeros at the end of a fraction.
func shortened(s string) string {
	mantissa, exp, found := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if found {
		return mantissa + "e" + exp
	}
	return mantissa
}

// fixed writes x with so many decimals; fewer than none rounds before the point.
func fixed(x float64, decimals int) string {
	if e := exponent(x); x != 0 && (e >= 7 || e < -4) {
		s := strconv.FormatFloat(x, 'e', max(0, decimals+e), 64)
		mantissa, exp, _ := strings.Cut(s, "e")
		sign := strings.TrimLeft(exp[:1], "+")
		return mantissa + "e" + sign + strings.TrimLeft(exp[1:], "0")
	}
	s := strconv.FormatFloat(x, 'f', max(0, decimals), 64)
	if strings.Trim(s, "-0.") == "" {
		return "0" // neither -0 nor 0.00
	}
	return s
}

// exponent is that of x in scientific notation.
func exponent(x float64) int {
	if x == 0 {
		return 0
	}
	return int(math.Floor(math.Log10(math.Abs(x))))
}

// decimals is how many decimals show a value with its interval: two significant
// digits of the interval's half width, within three to five of the value.
func decimals(value float64, in *stats.Interval) int {
	e := exponent(value)
	if in == nil || in.High <= in.Low {
		return digits - 1 - e
	}
	half := (in.High - in.Low) / 2
	return min(max(1-exponent(half), 2-e), 4-e)
}

// row is the text of a summary's time: all numbers have the same decimals.
type row struct{ Median, Mean, Interval string }

func summaryRow(s stats.Summary) row {
	if s.N == 0 {
		return row{}
	}
	d := decimals(s.Mean, s.MeanInterval)
	r := row{Median: fixed(s.Median, d), Mean: fixed(s.Mean, d)}
	if in := s.MeanInterval; in != nil {
		r.Interval = bracket(fixed(in.Low, d), fixed(in.High, d))
	}
	return r
}

func bracket(low, high string) string { return "[" + low + ", " + high + "]" }

// estimateText is a value and its interval: 1.92 [1.88, 1.97]. The base point
// is 1 by definition.
func estimateText(e *stats.Estimate, base bool) string {
	switch {
	case e == nil:
		return ""
	case base:
		return "1 (base)"
	case e.Interval == nil:
		return sig(e.Value, 3)
	}
	d := min(decimals(e.Value, e.Interval), 2-exponent(e.Value))
	return fixed(e.Value, d) + " " + bracket(fixed(e.Interval.Low, d), fixed(e.Interval.High, d))
}

// percentText is an efficiency: 96 % [94, 98].
func percentText(e *stats.Estimate, base bool) string {
	switch {
	case e == nil:
		return ""
	case base:
		return "100 %"
	}
	pct := e.Scale(100)
	s := fixed(pct.Value, 0) + " %"
	if in := pct.Interval; in != nil {
		s += " " + bracket(fixed(in.Low, 0), fixed(in.High, 0))
	}
	return s
}

// levelText is a confidence level: 95 %.
func levelText(level float64) string { return fmt.Sprintf("%.4g %%", 100*level) }

// unitText is a unit in brackets, and nothing for none.
func unitText(unit string) string {
	if unit == "" {
		return ""
	}
	return "[" + unit + "]"
}

// plain makes text from outside safe to print on a terminal and on one line:
// white space becomes a space, and what is not printable a replacement
// character, escape sequences and directions of writing among them.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// plainLines is plain for text of several lines.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return strings.Join(lines, "\n")
}

// cut shortens text to n characters, the last of them an ellipsis.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), " ") + "…"
}

// shortID is an identifier as tables show it; the 16 digits of a trial fit.
func shortID(id string) string { return cut(plain(id), 16) }
