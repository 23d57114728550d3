// SPDX-License-Identifier: MIT

package study_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"an unknown application", "  sweeps:\n  - apps: [demo, grit]\n",
			`study.yaml:6:18: spec.sweeps[0].apps[1]: unknown application "grit"; did you mean "grid"?`},
		{"an application given twice", "  sweeps:\n  - apps: [demo, demo]\n",
			`study.yaml:6:18: spec.sweeps[0].apps[1]: the application "demo" is given twice`},
		{"a number for an application", "  sweeps:\n  - apps: 3\n",
			`study.yaml:6:5: spec.sweeps[0].apps: got the value 3, want the name of an application`},
		{"an application without a variant", "  sweeps:\n  - apps: reader\n",
			`study.yaml:6:5: spec.sweeps[0].apps: the application "reader" has no variant: its output can be read, but it cannot be run here`},
		{"an unknown parameter", "  sweeps:\n  - apps: demo\n    parameters: {cell: 3}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.cell: unknown parameter of demo "cell"; did you mean "cells"?`},
		{"a parameter that one of two applications lacks", "  sweeps:\n  - apps: [demo, grid]\n    parameters: {rate: 3}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.rate: the application "grid" has no parameter "rate", as "demo" has; a sweep gives only parameters that all its applications have`},
		{"a parameter without a default", "  sweeps:\n  - apps: cube\n",
			`study.yaml:6:5: spec.sweeps[0]: the parameter "size" of cube has no default; give it under parameters`},
		{"a wrong type", "  sweeps:\n  - apps: demo\n    parameters: {cells: [3, many]}\n",
			`study.yaml:7:29: spec.sweeps[0].parameters.cells[1]: the parameter "cells" of demo: got the string "many", want a whole number`},
		{"a value out of range", "  sweeps:\n  - apps: [demo, grid]\n    parameters: {cells: [3, 501]}\n",
			`study.yaml:7:29: spec.sweeps[0].parameters.cells[1]: the parameter "cells" of grid: got the value 501, want 500 at most`},
		{"a range that leaves the parameter's", "  sweeps:\n  - apps: grid\n    parameters: {cells: {from: 100, to: 900, by: 100}}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.cells: the parameter "cells" of grid: got the value 600, want 500 at most`},
		{"an interval that leaves the parameter's", "  sweeps:\n  - apps: demo\n    sampler: {kind: sobol, count: 2}\n    parameters: {rate: {from: -1, to: 3}}\n",
			`study.yaml:8:25: spec.sweeps[0].parameters.rate.from: the parameter "rate" of demo: got the value -1.0, want 0 at least`},
		{"a choice that does not exist", "  sweeps:\n  - apps: demo\n    parameters: {mode: medium}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.mode: the parameter "mode" of demo: got the string "medium", want "fast" or "slow"`},
		{"a range of choices", "  sweeps:\n  - apps: demo\n    parameters: {mode: {from: 1, to: 2}}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.mode: got a range, but the parameter "mode" of demo is of type enum`},
		{"a value given twice in two ways", "  sweeps:\n  - apps: demo\n    parameters: {cells: [2, 2.0]}\n",
			`study.yaml:7:29: spec.sweeps[0].parameters.cells[1]: the value 2 is given twice`},
		{"an interval for the full product", "  sweeps:\n  - apps: demo\n    parameters: {rate: {from: 1, to: 2}}\n",
			`study.yaml:7:18: spec.sweeps[0].parameters.rate: got a range without steps; the sampler full wants by or times (random, latin-hypercube and sobol take points from the interval)`},
		{"an unknown variant", "  sweeps:\n  - apps: demo\n    variants: [openmpi, mpic]\n",
			`study.yaml:7:25: spec.sweeps[0].variants[1]: unknown variant of demo "mpic"; did you mean "mpich"?`},
		{"an unknown environment", "  environments: [{name: here}]\n  sweeps:\n  - apps: demo\n    environments: heer\n",
			`study.yaml:8:5: spec.sweeps[0].environments: unknown environment "heer"; known: "here"`},
		{"ranks that the application does not accept", "  sweeps:\n  - apps: cube\n    tasks: [8, 9, 125]\n    parameters: {size: 1}\n",
			`study.yaml:7:16: spec.sweeps[0].tasks[1]: cube accepts cubes; got 9 ranks
study.yaml:7:19: spec.sweeps[0].tasks[2]: cube accepts 64 ranks at most; got 125 ranks`},
		{"a product of the process grid that is never met", "  sweeps:\n  - apps: grid\n    tasks: [3, 5]\n    parameters: {px: [1, 2], py: [1, 2]}\n",
			`study.yaml:6:5: spec.sweeps[0]: no trial is left: "grid accepts px × py ranks" is true for none of the 8 points of sweep "grid"`},
		{"a layout that never adds up", "  sweeps:\n  - apps: demo\n    nodes: 2\n    tasks: [3, 5]\n",
			`study.yaml:8:5: spec.sweeps[0].tasks: no trial is left: "tasks = nodes × tasksPerNode" is true for none of the 2 points of sweep "demo"`},
		{"an environment without room", "  environments: [{name: here, nodes: 2}]\n  sweeps:\n  - apps: demo\n    nodes: 4\n",
			`study.yaml:7:5: spec.sweeps[0]: no trial is left: "the environment has the nodes" is true for none of the 1 points of sweep "demo"`},
		{"bound ranks with more threads than cores", "  sweeps:\n  - apps: demo\n    threads: [2, 4]\n    coresPerTask: 1\n    bindTo: core\n",
			`study.yaml:8:5: spec.sweeps[0].coresPerTask: no trial is left: "threads ≤ coresPerTask where ranks are bound to cores" is true for none of the 2 points of sweep "demo"`},
		{"a constraint that is never true", "  sweeps:\n  - apps: demo\n    nodes: [1, 2]\n    constraints:\n    - nodes > 1\n    - nodes > 2\n",
			`study.yaml:10:7: spec.sweeps[0].constraints[1]: no trial is left: "nodes > 2" is true for none of the 2 points of sweep "demo"`},
		{"constraints that leave nothing together", "  sweeps:\n  - apps: demo\n    nodes: [1, 2, 3, 4]\n    constraints: [nodes > 1, nodes < 4, nodes != 2, nodes != 3]\n",
			`study.yaml:6:5: spec.sweeps[0]: no trial is left of the 4 points of sweep "demo": "nodes > 1" removes 1, then "nodes < 4" removes 1, then "nodes != 2" removes 1, then "nodes != 3" removes 1 of the rest`},
		{"constraints on a large product that leave nothing", "  sweeps:\n  - apps: demo\n    nodes: {from: 1, to: 150, by: 1}\n    threads: {from: 1, to: 150, by: 1}\n    parameters: {cells: {from: 1, to: 1000}}\n    constraints: [nodes > threads, nodes < threads, parameters.cells > 2]\n",
			`study.yaml:6:5: spec.sweeps[0]: no trial is left of sweep "demo": finding points that can run: no point meets all constraints: constraints "nodes > threads" and "nodes < threads" conflict`},
		{"a product that is too large", "  sweeps:\n  - apps: demo\n    nodes: {from: 1, to: 1000, by: 1}\n    threads: {from: 1, to: 1000, by: 1}\n    parameters: {cells: {from: 1, to: 1000}}\n",
			`study.yaml:6:5: spec.sweeps[0].sampler: the product of the axes has 1000000000 points; give a sampler that takes some of them, or fewer values`},
		{"an unknown variable", "  sweeps:\n  - apps: demo\n    constraints: [node > 1]\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: unknown variable "node"; did you mean "nodes"?`},
		{"an unknown parameter in a constraint", "  sweeps:\n  - apps: [demo, grid]\n    constraints: [parameters.rate > 1 && parameters.cells > 1]\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: unknown parameter of demo, grid "rate"; known: "cells"`},
		{"parameters read as a map", "  sweeps:\n  - apps: demo\n    constraints: ['parameters[\"cells\"] > 1']\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: parameters are read one by one, as in parameters.NAME`},
		{"a constraint that does not parse", "  sweeps:\n  - apps: demo\n    constraints: ['nodes >']\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: column 8: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}`},
		{"a constraint with mixed types", "  sweeps:\n  - apps: demo\n    constraints: ['nodes > \"a\"']\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: column 7: found no matching overload for '_>_' applied to '(int, string)'`},
		{"a constraint that is a number", "  sweeps:\n  - apps: demo\n    constraints: [nodes * 2]\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: the constraint gives a value of type int, want a condition that is true or false`},
		{"a division by zero", "  sweeps:\n  - apps: demo\n    nodes: [2, 1]\n    constraints: ['4 / (nodes - 1) > 1']\n",
			`study.yaml:8:19: spec.sweeps[0].constraints[0]: evaluating the constraint for demo nodes=1: division by zero`},
		{"a constraint that costs too much", "  sweeps:\n  - apps: demo\n    constraints: ['[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, a+b+c+d < 100))))']\n",
			`study.yaml:7:19: spec.sweeps[0].constraints[0]: evaluating the constraint for demo: it takes too many steps; want a simpler constraint, or fewer points`},
		{"a budget in hours without a time", "  budget: {nodeHours: 3}\n  sweeps:\n  - apps: demo\n",
			`study.yaml:5:12: spec.budget.nodeHours: how long a trial of sweep "demo" takes is not known; give budget.expectedTime, or run.timeout`},
		{"a budget in money without a price", "  budget: {money: 3, expectedTime: 1h}\n  environments: [{name: here}, {name: own, cloud: none}]\n  sweeps:\n  - apps: demo\n",
			`study.yaml:5:12: spec.budget.money: the study declares no environment with a price; give environments with pricePerNodeHour`},
		{"a budget in money of two currencies", "  budget: {money: 3, expectedTime: 1h}\n  environments: [{name: here}, {name: eu, pricePerNodeHour: 1, currency: EUR}, {name: us, pricePerNodeHour: 1}]\n  sweeps:\n  - apps: demo\n",
			`study.yaml:5:12: spec.budget.money: prices are in EUR and USD; want one currency`},
		{"too many repetitions", "  repetitions: 1000001\n  sweeps:\n  - apps: demo\n",
			`study.yaml:7:5: spec.sweeps[0]: got 1000001 repetitions, want 1000000 at most`},
		{"several faults come at once, in the order of the file", `  environments: [{name: here}]
  budget: {coreHours: 1}
  sweeps:
  - apps: [demo, dem]
    variants: serail
    parameters: {cells: 0, mode: quick}
    constraints: [node == 1, tasks]
  - apps: cube
    environments: there
    tasks: 2
  - apps: grid
    constraints: [nodes == 2]
`, `study.yaml:6:12: spec.budget.coreHours: how long a trial of sweep "sweep-1" takes is not known; give budget.expectedTime, or run.timeout
study.yaml:8:18: spec.sweeps[0].apps[1]: unknown application "dem"; did you mean "demo"?
study.yaml:9:5: spec.sweeps[0].variants: unknown variant of demo "serail"; did you mean "serial"?
study.yaml:10:18: spec.sweeps[0].parameters.cells: the parameter "cells" of demo: got the value 0, want 1 at least
study.yaml:10:28: spec.sweeps[0].parameters.mode: the parameter "mode" of demo: got the string "quick", want "fast" or "slow"
study.yaml:11:19: spec.sweeps[0].constraints[0]: unknown variable "node"; did you mean "nodes"?
study.yaml:11:30: spec.sweeps[0].constraints[1]: the constraint gives a value of type int, want a condition that is true or false
study.yaml:12:5: spec.sweeps[1]: the parameter "size" of cube has no default; give it under parameters
study.yaml:13:5: spec.sweeps[1].environments: unknown environment "there"; did you mean "here"?
study.yaml:14:5: spec.sweeps[1].tasks: cube accepts cubes; got 2 ranks
study.yaml:16:19: spec.sweeps[2].constraints[0]: no trial is left: "nodes == 2" is true for none of the 1 points of sweep "grid"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(refuse(t, c.body), "\n")); diff != "" {
				t.Errorf("got other faults (-want +got):\n%s", diff)
			}
		})
	}
}
