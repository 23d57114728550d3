// SPDX-License-Identifier: MIT

package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Value is one scalar: an integer, a float, a string or a boolean. Its zero
// value is the empty string. Values are comparable; an integer and a float of
// the same size are different values.
type Value struct {
	v any // int64, float64, string or bool; nil is ""
}

// Of makes a Value of an int, int64, float64, string or bool; another type is
// a mistake of the caller's and panics.
func Of(v any) Value {
	switch v := v.(type) {
	case int:
		return Value{int64(v)}
	case int64, float64, string, bool:
		return Value{v}
	}
	panic(fmt.Sprintf("spec.Of(%T)", v))
}

// Any gives the value as int64, float64, string or bool.
func (v Value) Any() any {
	if v.v == nil {
		return ""
	}
	return v.v
}

// Int gives the value as an integer; a float without a fraction is one.
func (v Value) Int() (int64, bool) {
	switch x := v.v.(type) {
	case int64:
		return x, true
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), true
		}
	}
	return 0, false
}

// Float gives the value as a number.
func (v Value) Float() (float64, bool) {
	switch x := v.v.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// String gives the shortest text that reads back as the same value.
func (v Value) String() string {
	switch x := v.v.(type) {
	case nil:
		return ""
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return formatFloat(x)
	case bool:
		return strconv.FormatBool(x)
	case string:
		return x
	}
	panic("unreachable")
}

// formatFloat always shows that the number is a float, so that it reads back
// as one.
func formatFloat(x float64) string {
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if strings.ContainsAny(s, ".nI") { // NaN and Inf have no point
		return s
	}
	mantissa, exponent, ok := strings.Cut(s, "e")
	if !ok {
		return mantissa + ".0"
	}
	return mantissa + ".0e" + exponent
}

// MarshalJSON writes the scalar.
func (v Value) MarshalJSON() ([]byte, error) {
	switch x := v.v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("writing %v as JSON: not a finite number", x)
		}
		return []byte(formatFloat(x)), nil
	default:
		return json.Marshal(v.Any())
	}
}

// UnmarshalJSON reads the scalar; a number without point and exponent that
// fits is an integer.
func (v *Value) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return err
	}
	switch x := x.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			v.v = i
			return nil
		}
		f, err := x.Float64()
		if err != nil {
			return fmt.Errorf("reading the number %s: %w", x, err)
		}
		v.v = f
	case string, bool:
		v.v = x
	default:
		return fmt.Errorf("got %s, want a number, a string or a boolean", b)
	}
	return nil
}

// JSONSchema describes the scalar.
func (Value) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Description: "A number, a string or a boolean.",
		AnyOf:       []*jsonschema.Schema{{Type: "number"}, {Type: "string"}, {Type: "boolean"}},
	}
}

// Axis is one dimension of a sweep: a value, a list of values, or a range.
type Axis struct {
	// Values are the points, in the order of the file; empty for a range.
	Values []Value
	// Range is set where the file gives one.
	Range *Range
}

// Range is an interval of numbers. With By or Times it is a list of points;
// with neither it is continuous, or every integer for an int.
type Range struct {
	// From is the first value.
	From float64 `json:"from"`
	// To is the last value, included.
	To float64 `json:"to"`
	// By is the difference between neighbours.
	By float64 `json:"by,omitempty" jsonschema:"exclusiveMinimum=0"`
	// Times is the ratio of neighbours.
	Times float64 `json:"times,omitempty" jsonschema:"exclusiveMinimum=1"`
	// Log samples a continuous range evenly in the logarithm.
	Log bool `json:"log,omitempty"`
}

// MarshalJSON writes the axis in its shortest form.
func (a Axis) MarshalJSON() ([]byte, error) {
	switch {
	case a.Range != nil:
		return json.Marshal(a.Range)
	case len(a.Values) == 1:
		return json.Marshal(a.Values[0])
	default:
		return json.Marshal(a.Values)
	}
}

// UnmarshalJSON reads a value, a list of values or a range.
func (a *Axis) UnmarshalJSON(b []byte) error {
	*a = Axis{}
	switch b = bytes.TrimSpace(b); {
	case len(b) > 0 && b[0] == '[':
		return json.Unmarshal(b, &a.Values)
	case len(b) > 0 && b[0] == '{':
		a.Range = new(Range)
		return json.Unmarshal(b, a.Range)
	default:
		a.Values = make([]Value, 1)
		return json.Unmarshal(b, &a.Values[0])
	}
}

// JSONSchema describes the three forms.
func (Axis) JSONSchema() *jsonschema.Schema {
	value := Value{}.JSONSchema()
	rng := (&jsonschema.Reflector{Anonymous: true, DoNotReference: true}).Reflect(&Range{})
	rng.Version = ""
	return &jsonschema.Schema{
		Description: "A value, a list of values, or a range.",
		AnyOf: append(value.AnyOf,
			&jsonschema.Schema{Type: "array", Items: value, MinItems: ptr(uint64(1))}, rng),
	}
}

// Duration is a span of time, written as in 90s, 5m or 1h30m.
type Duration time.Duration

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads a string such as 90s.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("got %s, want a duration such as 90s", b)
	}
	x, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("got %q, want a duration such as 90s, 5m or 1h30m", s)
	}
	*d = Duration(x)
	return nil
}

// JSONSchema describes the string.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:        "string",
		Pattern:     durationPattern,
		Description: "A span of time such as 90s, 5m or 1h30m.",
	}
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

func ptr[T any](v T) *T { return &v }
