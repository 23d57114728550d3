// SPDX-License-Identifier: MIT

package convert

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// The names of metrics, and what they are here.
var (
	countNames  = []string{"finished", "success", "failed"}
	countFields = map[string]string{"finished": "finished", "success": "succeeded", "failed": "failed"}
	statistics  = []string{"mean", "variance", "iqr", "max", "min", "mad", "median"}
	timeFields  = map[string]string{"duration": "runTime", "pending": "pendingTime"}
)

const wantMetric = "count.JOB.finished, .success or .failed, or mean, variance, iqr, max, min, mad or median .JOB-duration or .JOB-pending"

// A metric is a number of a group.
type metric struct {
	group string
	value string // in CEL
	count bool   // it is one, and not a statistic
	given string // in CEL: whether there is a value
}

// metric reads a name such as count.sleep.success or mean.sleep-duration.
func (c *converter) metric(at spec.Path, name string) (m metric, ok bool) {
	kind, rest, _ := strings.Cut(name, ".")
	var field string
	switch {
	case kind == "count":
		i := strings.LastIndexByte(rest, '.')
		if i < 0 {
			c.fault(at, "got %q, want %s", name, wantMetric)
			return m, false
		}
		m.group, field = rest[:i], rest[i+1:]
		if countFields[field] == "" {
			c.fault(at, "%s", spec.Unknown("count", field, countNames))
			return m, false
		}
		m.count = true
		m.value = fmt.Sprintf("groups[%q].%s", m.group, countFields[field])
		m.given = m.value + " > 0"
	case slices.Contains(statistics, kind):
		i := strings.LastIndexByte(rest, '-')
		if i < 0 || timeFields[rest[i+1:]] == "" {
			c.fault(at, "got %q, want %s", name, wantMetric)
			return m, false
		}
		m.group = rest[:i]
		times := fmt.Sprintf("groups[%q].%s", m.group, timeFields[rest[i+1:]])
		m.value, m.given = times+"."+kind, times+".count > 0"
	default:
		c.fault(at, "got %q, want %s", name, wantMetric)
		return m, false
	}
	if !c.known(m.group) {
		c.fault(at, "%s", spec.Unknown("job", m.group, c.names))
		return m, false
	}
	return m, true
}

// comparison is the form of when that is a string.
var comparison = regexp.MustCompile(`^\s*(<=|>=|==|<|>|=)\s*([0-9]+(\.[0-9]+)?)\s*$`)

// condition gives the CEL expression for a metric and its when. It is empty, and
// said why, where it can never hold.
func (c *converter) condition(at spec.Path, m metric, when any) (text, never string) {
	op, exact := "==", false
	var number string
	switch w := when.(type) {
	case nil:
		return m.given, ""
	case json.Number:
		number, exact = w.String(), true
	case string:
		if parts := comparison.FindStringSubmatch(w); parts != nil {
			op, number = parts[1], parts[2]
			if op == "=" {
				op = "=="
			}
		}
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || x < 0 {
		c.fault(at, "got %s, want a number from 0, or a comparison with one such as \"> 5\"", spec.Describe(when))
		return "", ""
	}
	if x != math.Trunc(x) && !exact {
		c.note(at, "there the comparison is with %s, since what follows the point is not read; here it is with %s", number[:strings.IndexByte(number, '.')], number)
	}
	if !m.count {
		if exact {
			c.note(at, "%s is compared with == as there, which hardly ever holds for a time; \"> %s\" would", number, number)
		}
		return fmt.Sprintf("%s %s %s", m.value, op, literal(x)), ""
	}
	switch {
	case op == "<" && x <= 1, op == "<=" && x < 1, op == "==" && (x < 1 || x != math.Trunc(x)):
		return "", "a count is looked at when it is 1 and more, so this never holds"
	case exact:
		op = ">="
		c.note(at, "%s becomes >= %s, since a count that is only looked at where it is equal can be missed", number, number)
	}
	text = fmt.Sprintf("%s %s %s", m.value, op, literal(x))
	if op[0] == '<' || op == ">=" && x == 0 {
		text = m.given + " && " + text // there is no count of none
	}
	return text, ""
}

// literal writes a number for CEL.
func literal(x float64) string {
	if x == math.Trunc(x) && x < 1<<53 {
		return strconv.FormatInt(int64(x), 10)
	}
	return strconv.FormatFloat(x, 'g', -1, 64) // with a point or an exponent
}
