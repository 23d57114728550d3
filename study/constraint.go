// SPDX-License-Identifier: MIT

package study

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/converged-computing/ensemble/spec"
)

// Bounds on what constraints may cost, since a file may be hostile: the length
// of one, and the steps, in CEL's own measure and some 10 ns each, of one
// evaluation and of all evaluations while the points of a sweep are gone
// through.
const (
	maxConstraintText = 10_000
	maxConstraintCost = 20_000
	maxConstraintsSum = 4_000_000_000
)

// errSteps says that a bound is exceeded.
var errSteps = errors.New("it takes too many steps; want a simpler constraint, or fewer points")

// variables are the names that constraints have for a trial's own properties.
var variables = map[string]struct {
	slot slot
	typ  *cel.Type
}{
	"app": {slotApp, cel.StringType}, "variant": {slotVariant, cel.StringType},
	"environment": {slotEnvironment, cel.StringType}, "mapBy": {slotMapBy, cel.StringType},
	"bindTo": {slotBindTo, cel.StringType}, "nodes": {slotNodes, cel.IntType},
	"tasks": {slotTasks, cel.IntType}, "tasksPerNode": {slotPerNode, cel.IntType},
	"threads": {slotThreads, cel.IntType}, "coresPerTask": {slotCores, cel.IntType},
}

const parameterPrefix = "parameters."

// addConstraints compiles the constraints of the sweep.
func (c *compiler) addConstraints() {
	at := c.sweep.at.Key("constraints")
	if n := len(c.spec.Constraints); n > maxConstraints {
		c.fault(at, "got %d constraints, want %d at most", n, maxConstraints)
		return
	}
	if len(c.spec.Constraints) == 0 {
		return
	}
	env, err := c.constraintEnv()
	if err != nil {
		c.fault(at, "%v", err)
		return
	}
	for i, text := range c.spec.Constraints {
		r, problems := c.constraint(env, text)
		for _, p := range problems {
			c.fault(at.Index(i), "%s", p)
		}
		if r != nil {
			r.at = at.Index(i)
			c.rules = append(c.rules, r)
		}
	}
}

// constraintEnv declares the variables. A parameter is a qualified name of its
// own, so that an unknown one is an error when the constraint is compiled.
func (s *sweep) constraintEnv() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxConstraintText),
		cel.ExpressionNodeLimit(maxConstraintText),
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		options = append(options, cel.Variable(name, variables[name].typ))
	}
	for _, name := range s.commonParameters() {
		options = append(options, cel.Variable(parameterPrefix+name, s.celType(name)))
	}
	return cel.NewEnv(options...)
}

// commonParameters are those that all applications of the sweep have.
func (s *sweep) commonParameters() (names []string) {
next:
	for _, p := range s.apps[0].params {
		for _, app := range s.apps[1:] {
			if _, ok := app.byName[p.name]; !ok {
				continue next
			}
		}
		names = append(names, p.name)
	}
	return names
}

// celType gives the type of a parameter; dyn where the applications, or the
// choices of an enum, do not agree.
func (s *sweep) celType(name string) *cel.Type {
	var all []*cel.Type
	for _, app := range s.apps {
		p := app.def.Spec.Parameters[name]
		switch p.Type {
		case spec.TypeInt:
			all = append(all, cel.IntType)
		case spec.TypeFloat:
			all = append(all, cel.DoubleType)
		case spec.TypeString:
			all = append(all, cel.StringType)
		default:
			for _, v := range p.Values {
				switch v.Any().(type) {
				case int64:
					all = append(all, cel.IntType)
				case float64:
					all = append(all, cel.DoubleType)
				case bool:
					all = append(all, cel.BoolType)
				default:
					all = append(all, cel.StringType)
				}
			}
		}
	}
	for _, t := range all {
		if t != all[0] {
			return cel.DynType
		}
	}
	return all[0]
}

// constraint compiles one expression; the problems say what is wrong with it.
func (s *sweep) constraint(env *cel.Env, text string) (_ *rule, problems []string) {
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, describeIssues(issues)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		if problems := s.unknownNames(parsed); len(problems) > 0 {
			return nil, problems
		}
		return nil, describeIssues(issues)
	}
	if t := checked.OutputType(); t != cel.BoolType {
		return nil, []string{fmt.Sprintf("the constraint gives a value of type %s, want a condition that is true or false", t)}
	}
	program, err := env.Program(checked, cel.CostLimit(maxConstraintCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []string{err.Error()}
	}
	var factors []int
	for _, ref := range checked.NativeRep().ReferenceMap() {
		if v, ok := variables[ref.Name]; ok {
			factors = append(factors, s.reads(v.slot)...)
		} else if name, ok := strings.CutPrefix(ref.Name, parameterPrefix); ok {
			factors = append(factors, s.readsParameter(name)...)
		}
	}
	return &rule{name: text, factors: union(factors), holds: func(v *view) (bool, error) {
		if v.steps > maxConstraintsSum {
			return false, errSteps
		}
		out, details, err := program.Eval((*activation)(v))
		if steps := details.ActualCost(); steps != nil {
			v.steps += *steps
			if *steps > maxConstraintCost {
				return false, errSteps
			}
		}
		if err != nil {
			return false, err
		}
		return out == types.True, nil
	}}, nil
}

// describeIssues gives what CEL found, with line and column inside the
// constraint.
func describeIssues(issues *cel.Issues) (problems []string) {
	for _, e := range issues.Errors() {
		where := fmt.Sprintf("column %d", e.Location.Column()+1)
		if e.Location.Line() > 1 {
			where = fmt.Sprintf("line %d, %s", e.Location.Line(), where)
		}
		message, _, _ := strings.Cut(e.Message, " (in container '')")
		problems = append(problems, fmt.Sprintf("%s: %s", where, message))
	}
	return problems
}

// unknownNames finds variables and parameters that do not exist, with a
// suggestion.
func (s *sweep) unknownNames(parsed *cel.Ast) (problems []string) {
	local := map[string]bool{}
	parameters := map[int64]bool{} // operands of parameters.NAME
	root := parsed.NativeRep().Expr()
	report := func(what, name string, known []string) {
		problem := spec.Unknown(what, name, known)
		if !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	visit := func(f func(e ast.Expr)) { ast.PreOrderVisit(root, ast.NewExprVisitor(f)) }
	visit(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			local[e.AsComprehension().IterVar()] = true
			local[e.AsComprehension().IterVar2()] = true
			local[e.AsComprehension().AccuVar()] = true
		}
	})
	visit(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			x := e.AsSelect()
			if x.Operand().Kind() != ast.IdentKind || x.Operand().AsIdent() != "parameters" {
				return
			}
			parameters[x.Operand().ID()] = true
			if known := s.commonParameters(); !slices.Contains(known, x.FieldName()) {
				report("parameter of "+s.appNames(), x.FieldName(), known)
			}
		case ast.IdentKind:
			name := e.AsIdent()
			_, known := variables[name]
			if known || local[name] || parameters[e.ID()] || strings.HasPrefix(name, parameterPrefix) {
				return // the last are parameters that the checker has found
			}
			if name == "parameters" {
				problems = append(problems, "parameters are read one by one, as in parameters.NAME")
				return
			}
			report("variable", name, append(slices.Sorted(maps.Keys(variables)), "parameters.NAME"))
		}
	})
	return problems
}

func (s *sweep) appNames() string {
	names := make([]string, len(s.apps))
	for i, app := range s.apps {
		names[i] = app.def.Metadata.Name
	}
	return strings.Join(names, ", ")
}

// An activation gives a point's properties to CEL.
type activation view

var _ interpreter.Activation = (*activation)(nil)

// Parent is part of interpreter.Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName is part of interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "app":
		return types.String(a.apps[a.app].def.Metadata.Name), true
	case "variant":
		if a.variant == nil {
			return types.String(""), true
		}
		return types.String(a.variant.Name), true
	case "environment":
		return types.String(a.environments[a.env].Name), true
	case "mapBy":
		return types.String(a.mapBy), true
	case "bindTo":
		return types.String(a.bindTo), true
	case "nodes":
		return types.Int(a.nodes), true
	case "tasks":
		return types.Int(a.tasks), true
	case "tasksPerNode":
		return types.Int(a.perNode), true
	case "threads":
		return types.Int(a.threads), true
	case "coresPerTask":
		return types.Int(a.cores), true
	}
	parameter, ok := strings.CutPrefix(name, parameterPrefix)
	if !ok {
		return nil, false
	}
	app := a.apps[a.app]
	j, ok := app.byName[parameter]
	if !ok {
		return nil, false
	}
	switch x := a.parameter(a.row, app, j).Any().(type) {
	case int64:
		return types.Int(x), true
	case float64:
		return types.Double(x), true
	case bool:
		return types.Bool(x), true
	case string:
		return types.String(x), true
	}
	return nil, false
}
