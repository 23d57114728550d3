// SPDX-License-Identifier: MIT

package spec

import (
	"fmt"
	"regexp"
	"slices"
)

// check lists the faults of a parameter.
func (p *Parameter) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	number := p.Type == TypeInt || p.Type == TypeFloat
	if !number && (p.Min != nil || p.Max != nil) {
		add(at, "min and max go with type int or float, not %s", p.Type)
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		add(at.Key("max"), "got %g, want %g (min) at least", *p.Max, *p.Min)
	}
	if (p.Type == TypeEnum) != (len(p.Values) > 0) {
		add(at, "type: enum and values: [choices] go together")
	}
	if p.Pattern != "" && p.Type != TypeString {
		add(at.Key("pattern"), "pattern goes with type string, not %s", p.Type)
	}
	if p.Default != nil && len(faults) == 0 {
		if err := p.Accepts(*p.Default); err != nil {
			add(at.Key("default"), "%v", err)
		}
	}
	return faults
}

// Accepts says what is wrong with a value for the parameter, if anything.
func (p *Parameter) Accepts(v Value) error {
	got := describeValue(v)
	switch p.Type {
	case TypeInt:
		if _, ok := v.Int(); !ok {
			return fmt.Errorf("got %s, want a whole number", got)
		}
	case TypeFloat:
		if _, ok := v.Float(); !ok {
			return fmt.Errorf("got %s, want a number", got)
		}
	case TypeEnum:
		if !slices.Contains(p.Values, v) {
			choices := make([]string, len(p.Values))
			for i, c := range p.Values {
				choices[i] = c.String()
			}
			return fmt.Errorf("got %s, want %s", got, OneOf(choices))
		}
	case TypeString:
		s, ok := v.Any().(string)
		if !ok {
			return fmt.Errorf("got %s, want a string", got)
		}
		if p.Pattern != "" {
			re, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
			if err != nil {
				return err
			}
			if !re.MatchString(s) {
				return fmt.Errorf("got %s, want a match of %s", got, p.Pattern)
			}
		}
	}
	if f, ok := v.Float(); ok {
		if p.Min != nil && f < *p.Min {
			return fmt.Errorf("got %s, want %g at least", got, *p.Min)
		}
		if p.Max != nil && f > *p.Max {
			return fmt.Errorf("got %s, want %g at most", got, *p.Max)
		}
	}
	return nil
}

// Canonical gives a value the type of its parameter: 2.0 becomes 2 for an int,
// and 2 becomes 2.0 for a float. A value that Accepts refuses stays as it is.
func (t ParameterType) Canonical(v Value) Value {
	switch t {
	case TypeInt:
		if i, ok := v.Int(); ok {
			return Of(i)
		}
	case TypeFloat:
		if f, ok := v.Float(); ok {
			return Of(f)
		}
	}
	return v
}

func describeValue(v Value) string {
	if s, ok := v.Any().(string); ok {
		return fmt.Sprintf("the string %q", s)
	}
	return "the value " + v.String()
}
