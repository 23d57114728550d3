// SPDX-License-Identifier: MIT

package catalog

import (
	"errors"
	"fmt"
	"math"
	"text/template"
)

// functions are the arithmetic of templates. Integers stay integers: div is
// then the quotient without a remainder.
var functions = template.FuncMap{
	"add": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a + b, nil }, func(a, b float64) float64 { return a + b })
	},
	"sub": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a - b, nil }, func(a, b float64) float64 { return a - b })
	},
	"mul": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return a * b, nil }, func(a, b float64) float64 { return a * b })
	},
	"div": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) {
			if b == 0 {
				return 0, errors.New("division by zero")
			}
			return a / b, nil
		}, func(a, b float64) float64 { return a / b })
	},
	"mod": func(a, b int) (int, error) {
		if b == 0 {
			return 0, errors.New("division by zero")
		}
		return a % b, nil
	},
	"min": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return min(a, b), nil }, math.Min)
	},
	"max": func(a, b any) (any, error) {
		return arithmetic(a, b, func(a, b int) (int, error) { return max(a, b), nil }, math.Max)
	},
	"float": func(a any) (float64, error) { return number(a) },
	"seq": func(n int) ([]int, error) {
		if n < 0 || n > 1_000_000 {
			return nil, fmt.Errorf("seq %d: want 0 to 1000000", n)
		}
		s := make([]int, n)
		for i := range s {
			s[i] = i
		}
		return s, nil
	},
}

func arithmetic(a, b any, ints func(a, b int) (int, error), floats func(a, b float64) float64) (any, error) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return ints(x, y)
		}
	}
	x, err := number(a)
	if err != nil {
		return nil, err
	}
	y, err := number(b)
	if err != nil {
		return nil, err
	}
	return floats(x, y), nil
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	default:
		return 0, fmt.Errorf("got %v, want a number", v)
	}
}
