// SPDX-License-Identifier: MIT

package container

import (
	"fmt"

	"cel.dev/cel-go/cel"
)

// maxConditionCost bounds what one evaluation may cost, in CEL's own measure, since a
// file may be hostile.
const maxConditionCost = 10_000

// conditions evaluates what files require of points.
type conditions struct {
	env      *cel.Env
	programs map[string]cel.Program
}

// pointVariables are what conditions know of a point.
var pointVariables = []string{"app", "platform", "toolchain", "base", "family", "mpi", "implementation", "fabric", "arch"}

func newConditions() (*conditions, error) {
	var options []cel.EnvOption
	for _, name := range pointVariables {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	return &conditions{env: env, programs: map[string]cel.Program{}}, nil
}

// compile says what is wrong with a condition. The empty one is always met.
func (c *conditions) compile(text string) error {
	if _, ok := c.programs[text]; ok || text == "" {
		return nil
	}
	ast, issues := c.env.Compile(text)
	if err := issues.Err(); err != nil {
		return err
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return fmt.Errorf("got an expression of type %s, want a condition", ast.OutputType())
	}
	program, err := c.env.Program(ast, cel.CostLimit(maxConditionCost))
	if err != nil {
		return err
	}
	c.programs[text] = program
	return nil
}

// met says whether a compiled condition holds.
func (c *conditions) met(text string, known map[string]any) (bool, error) {
	if text == "" {
		return true, nil
	}
	value, _, err := c.programs[text].Eval(known)
	if err != nil {
		return false, err
	}
	return value.Value() == true, nil
}

// variables are what conditions know of the point.
func (p *Point) variables() map[string]any {
	return map[string]any{
		"app": p.App.Metadata.Name, "platform": p.Platform.Name, "toolchain": p.Toolchain.Name,
		"base": p.Base.Name, "family": string(p.Base.Family), "mpi": p.MPI.Name,
		"implementation": string(p.MPI.MPI), "fabric": p.Fabric.Name, "arch": p.Arch,
	}
}
