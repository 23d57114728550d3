// SPDX-License-Identifier: MIT

package ensemble

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/converged-computing/ensemble/spec"
)

// Bounds on what an expression may cost, since a file may be hostile: its length,
// and the steps, in CEL's own measure and some 10 ns each, of one evaluation.
const (
	maxExpressionText = 10_000
	maxExpressionCost = 20_000
)

var language = sync.OnceValues(func() (*cel.Env, error) {
	anything := cel.MapType(cel.StringType, cel.DynType)
	return cel.NewEnv(
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxExpressionText), cel.ExpressionNodeLimit(maxExpressionText),
		cel.Variable("groups", cel.MapType(cel.StringType, anything)), cel.Variable("job", anything),
		cel.Variable("elapsed", cel.DoubleType), cel.Variable("nodes", cel.IntType), cel.Variable("beat", cel.IntType),
	)
})

// An expression is one of a rule, compiled.
type expression struct {
	at      spec.Path // in the file
	text    string
	program cel.Program
	metrics []string // that it reads; * is any
}

// compileExpression compiles an expression whose value has the type; the problems
// say what is wrong with it.
func compileExpression(text string, want *cel.Type, groups []string) (*expression, []string) {
	env, err := language()
	if err != nil {
		return nil, []string{err.Error()}
	}
	tree, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	metrics, problems := readPaths(tree, groups)
	if len(problems) > 0 {
		return nil, problems
	}
	if tree, issues = env.Check(tree); issues.Err() != nil {
		return nil, explain(issues)
	}
	if t := tree.OutputType(); want != cel.DynType && t != cel.DynType && t != want && !(want == cel.DoubleType && t == cel.IntType) {
		return nil, []string{fmt.Sprintf("it gives a value of type %s, want %s", t, kinds[want])}
	}
	program, err := env.Program(tree, cel.CostLimit(maxExpressionCost))
	if err != nil {
		return nil, []string{err.Error()}
	}
	return &expression{text: text, program: program, metrics: metrics}, nil
}

var kinds = map[*cel.Type]string{cel.BoolType: "a condition that is true or false", cel.DoubleType: "a number"}

// errNone says that a statistic has no value yet: the rule does not hold.
var errNone = errors.New("there is no value yet")

// holds evaluates a condition.
func (x *expression) holds(v *view) (bool, error) {
	out, err := x.eval(v)
	return out == types.True, err
}

// number evaluates an expression that gives one.
func (x *expression) number(v *view) (float64, error) {
	out, err := x.eval(v)
	if err != nil {
		return 0, err
	}
	switch n := out.(type) {
	case types.Int:
		return float64(n), nil
	case types.Double:
		return float64(n), nil
	case types.Uint:
		return float64(n), nil
	}
	return 0, x.wrong("%s gives %v, want a number", x.text, out)
}

// value evaluates an expression for a parameter.
func (x *expression) value(v *view) (spec.Value, error) {
	out, err := x.eval(v)
	if err != nil {
		return spec.Value{}, err
	}
	switch n := out.(type) {
	case types.Int:
		return spec.Of(int64(n)), nil
	case types.Double:
		if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
			return spec.Value{}, x.wrong("%s gives %v, want a finite number", x.text, n)
		}
		return spec.Of(float64(n)), nil
	case types.String:
		return spec.Of(string(n)), nil
	case types.Bool:
		return spec.Of(bool(n)), nil
	}
	return spec.Value{}, x.wrong("%s gives %v, want a number, a text or true or false", x.text, out)
}

// wrong is an error with the place of the expression in the file.
func (x *expression) wrong(format string, args ...any) error {
	return fmt.Errorf("%s: %w", x.at, fmt.Errorf(format, args...))
}

func (x *expression) eval(v *view) (ref.Val, error) {
	v.absent = false
	out, _, err := x.program.Eval(v)
	if err != nil && v.absent && strings.Contains(err.Error(), "no such key") { // see lazy.Find
		err = errNone
	}
	if err != nil {
		return nil, x.wrong("evaluating %s: %w", x.text, err)
	}
	return out, nil
}
