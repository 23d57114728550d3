// SPDX-License-Identifier: MIT

package convert

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// faults collects what is wrong with a file, and notes on what is not as it was.
type faults struct {
	wrong []spec.Fault
	said  []spec.Fault
}

func (f *faults) fault(at spec.Path, format string, args ...any) {
	f.wrong = append(f.wrong, spec.Faultf(at, format, args...))
}

func (f *faults) note(at spec.Path, format string, args ...any) {
	f.said = append(f.said, spec.Faultf(at, format, args...))
}

// An object is a mapping of the file. A field that holds nothing is one that is
// not there.
type object struct {
	*faults
	at     spec.Path
	fields map[string]any
}

// object reads a mapping and finds the fields that it should not have.
func (f *faults) object(at spec.Path, v any, known ...string) object {
	m, ok := v.(map[string]any)
	if !ok {
		f.fault(at, "got %s, want a mapping with %s", spec.Describe(v), spec.OneOf(known))
	}
	for name := range m {
		if !slices.Contains(known, name) {
			f.fault(at.Key(name), "%s", spec.Unknown("field", name, known))
		}
	}
	return object{f, at, m}
}

// has says whether a field is given.
func (o object) has(key string) bool { return o.fields[key] != nil }

// required says that a field is missing where it is.
func (o object) required(key, want string) bool {
	if !o.has(key) && o.fields != nil {
		o.fault(o.at.Key(key), "missing; want %s", want)
	}
	return o.has(key)
}

// text reads a string; without one it gives nothing.
func (o object) text(key string) string {
	s, ok := o.fields[key].(string)
	if !ok && o.has(key) {
		o.fault(o.at.Key(key), "got %s, want a string", spec.Describe(o.fields[key]))
	}
	return s
}

// flag reads true or false.
func (o object) flag(key string) bool {
	b, ok := o.fields[key].(bool)
	if !ok && o.has(key) {
		o.fault(o.at.Key(key), "got %s, want true or false", spec.Describe(o.fields[key]))
	}
	return b
}

// list reads a list that has to be there.
func (o object) list(key, want string) []any {
	if !o.required(key, want) {
		return nil
	}
	list, ok := o.fields[key].([]any)
	switch {
	case !ok:
		o.fault(o.at.Key(key), "got %s, want %s", spec.Describe(o.fields[key]), want)
	case len(list) > maxEntries:
		o.fault(o.at.Key(key), "got %d entries, want %d at most", len(list), maxEntries)
		return nil
	}
	return list
}

// maxEntries bounds the jobs and the rules of a file, and maxRules what rules become,
// since one may become one for each job.
const (
	maxEntries = 1000
	maxRules   = 10_000
)

// whole reads a whole number from least on; without one it gives what stands in.
func (o object) whole(key string, least, without int) int {
	if !o.has(key) {
		return without
	}
	n, ok := o.fields[key].(json.Number)
	x, err := strconv.ParseInt(n.String(), 10, 32)
	switch {
	case !ok || err != nil:
		o.fault(o.at.Key(key), "got %s, want a whole number from %d to %d", spec.Describe(o.fields[key]), least, math.MaxInt32)
		return without
	case int(x) < least:
		o.fault(o.at.Key(key), "got %d, want %d at least", x, least)
		return without
	}
	return int(x)
}

// maxSeconds is a year.
const maxSeconds = 366 * 24 * 3600

// seconds reads a number of seconds; 0 is none.
func (o object) seconds(key string) spec.Duration {
	if !o.has(key) {
		return 0
	}
	n, ok := o.fields[key].(json.Number)
	x, err := n.Float64()
	if !ok || err != nil || x != 0 && x < 0.001 || x > maxSeconds {
		o.fault(o.at.Key(key), "got %s, want seconds: 0, which is none, or from 0.001 to %d", spec.Describe(o.fields[key]), maxSeconds)
		return 0
	}
	return spec.Duration(math.Round(x*1e6)) * spec.Duration(time.Microsecond)
}
