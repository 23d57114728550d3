// SPDX-License-Identifier: MIT

package read

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// formula is a CEL expression over metrics, compiled. It gives false where a
// metric is missing.
type formula func(map[string]Value) (float64, bool)

// formulaLanguage is CEL without macros, so that no formula can loop. It is
// made when the first formula is compiled, for that takes a millisecond.
var formulaLanguage = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(cel.ClearMacros(), cel.ParserExpressionSizeLimit(1000), cel.ParserRecursionLimit(50))
})

// parseFormula compiles an expression in which every name and every number is a
// double: CEL itself has no product of 100 and a double.
func parseFormula(text string, names []string) (formula, error) {
	env, err := formulaLanguage()
	if err != nil {
		return nil, fmt.Errorf("preparing formulas: %w", err)
	}
	options := make([]cel.EnvOption, len(names))
	for i, name := range names {
		options[i] = cel.Variable(name, cel.DoubleType)
	}
	if env, err = env.Extend(options...); err != nil {
		return nil, fmt.Errorf("formula %q: naming metrics: %w", text, err)
	}
	tree, issues := env.Parse(text)
	if issues.Err() == nil {
		ast.PostOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(double))
		tree, issues = env.Check(tree)
	}
	if all := issues.Errors(); len(all) > 0 {
		return nil, fmt.Errorf("formula %q, column %d: %s", text, all[0].Location.Column()+1, all[0].Message)
	}
	if t := tree.OutputType(); t != cel.DoubleType {
		return nil, fmt.Errorf("formula %q gives a %s, want a number", text, t)
	}
	program, err := env.Program(tree)
	if err != nil {
		return nil, fmt.Errorf("formula %q: %w", text, err)
	}
	return func(metrics map[string]Value) (float64, bool) {
		got, _, err := program.Eval(variables(metrics))
		x, ok := got.(types.Double)
		return float64(x), ok && err == nil
	}, nil
}

// variables are metrics as an expression sees them.
type variables map[string]Value

var _ cel.Activation = variables{}

// ResolveName gives a metric.
func (v variables) ResolveName(name string) (any, bool) {
	x, ok := v[name]
	return types.Double(x.Value), ok
}

// Parent is nil: there are no other variables.
func (v variables) Parent() cel.Activation { return nil }

// double makes a whole number a double.
func double(e ast.Expr) {
	if e.Kind() != ast.LiteralKind {
		return
	}
	if n, ok := e.AsLiteral().(types.Int); ok {
		e.SetKindCase(ast.NewExprFactory().NewLiteral(e.ID(), types.Double(n)))
	}
}
