// SPDX-License-Identifier: MIT

package ensemble

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
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

// counts and statistics are the fields that expressions have for a group, and
// for each of its statistics.
var (
	counts     = []string{"submitted", "pending", "running", "finished", "succeeded", "failed", "cancelled"}
	statistics = []string{"count", "mean", "variance", "min", "max", "median", "iqr", "mad"}
	jobFields  = []string{"group", "status", "runTime", "pendingTime", "metrics"}
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
	return &expression{text, program, metrics}, nil
}

var kinds = map[*cel.Type]string{cel.BoolType: "a condition that is true or false", cel.DoubleType: "a number"}

// explain gives what CEL found, with the column inside the expression.
func explain(issues *cel.Issues) (problems []string) {
	for _, e := range issues.Errors() {
		message, _, _ := strings.Cut(e.Message, " (in container '')")
		problems = append(problems, fmt.Sprintf("column %d: %s", e.Location.Column()+1, message))
	}
	return problems
}

// readPaths lists the metrics that an expression reads, and finds fields that do
// not exist, which CEL would find only when it looks for them.
func readPaths(tree *cel.Ast, groups []string) (metrics, problems []string) {
	inner := map[int64]bool{} // operands of a longer path
	visit := func(e ast.Expr) {
		if inner[e.ID()] {
			return
		}
		path, known := pathOf(e, inner)
		if !known {
			return
		}
		if p := checkPath(path, groups); p != "" && !slices.Contains(problems, p) {
			problems = append(problems, p)
		}
		if i := slices.Index(path, "metrics"); i >= 0 && i+1 < len(path) {
			metrics = append(metrics, path[i+1])
		} else if i >= 0 {
			metrics = append(metrics, "*")
		}
	}
	ast.PreOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(visit))
	return metrics, problems
}

// pathOf takes groups["a"].runTime.mean apart; an index that is no text is *.
func pathOf(e ast.Expr, inner map[int64]bool) (path []string, known bool) {
	for {
		switch e.Kind() {
		case ast.IdentKind:
			path = append(path, e.AsIdent())
			slices.Reverse(path)
			return path, true
		case ast.SelectKind:
			path = append(path, e.AsSelect().FieldName())
			e = e.AsSelect().Operand()
		case ast.CallKind:
			call := e.AsCall()
			if call.FunctionName() != "_[_]" {
				return nil, false
			}
			key := "*"
			if arg := call.Args()[1]; arg.Kind() == ast.LiteralKind {
				if s, ok := arg.AsLiteral().(types.String); ok {
					key = string(s)
				}
			}
			path = append(path, key)
			e = call.Args()[0]
		default:
			return nil, false
		}
		inner[e.ID()] = true
	}
}

// checkPath says what is wrong with a path, or nothing.
func checkPath(path []string, groups []string) string {
	field := func(what string, known []string) (string, bool) {
		if len(path) == 0 || path[0] == "*" {
			return "", false
		}
		name := path[0]
		path = path[1:]
		if known != nil && !slices.Contains(known, name) {
			return spec.Unknown(what, name, known), false
		}
		return "", true
	}
	root := path[0]
	path = path[1:]
	switch root {
	case "groups":
		if len(path) == 0 {
			return ""
		}
		if path[0] == "*" {
			path = path[1:]
		} else if p, _ := field("group", groups); p != "" {
			return p
		}
		if len(path) == 0 {
			return ""
		}
		name := path[0]
		if p, ok := field("field of a group", append(slices.Clone(counts), "runTime", "pendingTime", "waiting", "metrics")); !ok {
			return p
		}
		if slices.Contains(counts, name) || len(path) == 0 {
			return ""
		}
		if name == "metrics" {
			if path = path[1:]; len(path) == 0 {
				return ""
			}
		}
		p, _ := field("statistic", statistics)
		return p
	case "job":
		p, _ := field("field of a job", jobFields)
		return p
	default:
		return ""
	}
}

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
	return 0, fmt.Errorf("%s gives %v, want a number", x.text, out)
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
			return spec.Value{}, fmt.Errorf("%s gives %v, want a finite number", x.text, n)
		}
		return spec.Of(float64(n)), nil
	case types.String:
		return spec.Of(string(n)), nil
	case types.Bool:
		return spec.Of(bool(n)), nil
	}
	return spec.Value{}, fmt.Errorf("%s gives %v, want a number, a text or true or false", x.text, out)
}

func (x *expression) eval(v *view) (ref.Val, error) {
	out, _, err := x.program.Eval(v)
	if err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", x.text, err)
	}
	return out, nil
}
