// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/converged-computing/ensemble/spec"
)

// The fields that expressions have for a group, for each of its statistics and for
// a job. A status is one with which a job is done: a lost attempt is tried again.
var (
	counts      = []string{"submitted", "pending", "running", "finished", "succeeded", "failed", "cancelled"}
	streams     = []string{"runTime", "pendingTime", "waiting"}
	groupFields = slices.Concat(counts, streams, []string{"metrics"})
	statistics  = []string{"count", "mean", "variance", "min", "max", "median", "iqr", "mad"}
	jobFields   = []string{"group", "status", "runTime", "pendingTime", "metrics"}
	statuses    = []Status{Succeeded, Failed, Timeout, Incomplete, Cancelled}
)

// A reader goes through an expression for what CEL would find only when it
// evaluates it: fields that do not exist, paths that lead to no value, comparisons
// that never hold.
type reader struct {
	groups   []string
	metrics  []string // that are read; * is any
	problems []string

	inner  map[int64]bool   // operands of a longer path
	places map[int64]string // what a path is used for, where it need not lead to a value
}

// readPaths lists the metrics that an expression reads, and what is wrong with it.
func readPaths(tree *cel.Ast, groups []string) (metrics, problems []string) {
	r := &reader{groups: groups, inner: map[int64]bool{}, places: map[int64]string{}}
	ast.PreOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(r.visit))
	return r.metrics, r.problems
}

func (r *reader) problem(text string) {
	if text != "" && !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

// What a path can be used for besides its value.
const (
	tested    = "has"
	container = "in"
	range_    = "range"
)

func (r *reader) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.ComprehensionKind:
		r.places[e.AsComprehension().IterRange().ID()] = range_
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			r.places[e.ID()] = tested
		}
	case ast.CallKind:
		switch call := e.AsCall(); call.FunctionName() {
		case operators.In:
			r.places[call.Args()[1].ID()] = container
			r.compare(call.Args()[0], call.Args()[1])
		case operators.Equals, operators.NotEquals:
			r.compare(call.Args()[0], call.Args()[1])
			r.compare(call.Args()[1], call.Args()[0])
		}
	}
	if r.inner[e.ID()] {
		return
	}
	path, known := pathOf(e, r.inner)
	if !known {
		if e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == "metrics" {
			r.metrics = append(r.metrics, "*") // of whatever it is
		}
		return
	}
	r.problem(r.check(path, r.places[e.ID()]))
	if i := slices.Index(path, "metrics"); i >= 0 && i+1 < len(path) {
		r.metrics = append(r.metrics, path[i+1])
	} else if i >= 0 {
		r.metrics = append(r.metrics, "*")
	}
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
			if call.FunctionName() != operators.Index {
				return nil, false
			}
			key := "*"
			if text, ok := literal(call.Args()[1]).(types.String); ok {
				key = string(text)
			}
			path = append(path, key)
			e = call.Args()[0]
		default:
			return nil, false
		}
		inner[e.ID()] = true
	}
}

// literal is the value of a literal; nil is none.
func literal(e ast.Expr) any {
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	return e.AsLiteral()
}

// check says what is wrong with a path, or nothing. A path that leads to no value
// would fail at every event.
func (r *reader) check(path []string, place string) string {
	var levels []level // below the root; the last one has values
	switch path[0] {
	case "groups":
		levels = []level{{"group", r.groups, "finished"}, {"field of a group", groupFields, ""}}
	case "job":
		levels = []level{{"field of a job", jobFields, ""}}
	default:
		return ""
	}
	for i := 0; i < len(levels); i++ {
		if i+1 >= len(path) {
			return r.incomplete(path, levels[i:], place)
		}
		name, l := path[i+1], levels[i]
		if name != "*" && l.known != nil && !slices.Contains(l.known, name) {
			return spec.Unknown(l.what, name, l.known)
		}
		switch ofGroup := path[0] == "groups"; {
		case l.what == "field of a group" && slices.Contains(streams, name):
			levels = append(levels, level{"statistic", statistics, ""})
		case l.what == "field of a group" && name == "metrics":
			levels = append(levels, level{"metric", nil, "mean"}, level{"statistic", statistics, ""})
		case l.what == "field of a job" && name == "metrics":
			levels = append(levels, level{"metric", nil, ""})
		case name == "*" && ofGroup && i == 1 || name == "*" && !ofGroup && i == 0:
			return "" // any field: nobody knows what follows
		}
	}
	if n := len(levels) + 1; len(path) > n {
		return fmt.Sprintf("%s is one value and has no %q", show(path[:n]), path[n])
	}
	return ""
}

// level is what a name in a path is of, which there are, and what leads on to a
// value below it.
type level struct {
	what  string
	known []string
	next  string
}

// incomplete says what to write in place of a path that ends too early.
func (r *reader) incomplete(path []string, below []level, place string) string {
	whole := slices.Clone(path)
	example := map[string]string{"group": "a", "field of a group": "finished", "field of a job": "status", "statistic": "mean", "metric": "NAME"}
	for _, l := range below {
		name := example[l.what]
		if l.what == "group" && len(r.groups) > 0 {
			name = r.groups[0]
		}
		whole = append(whole, name)
	}
	if last := below[len(below)-1]; last.what == "metric" && path[0] == "groups" {
		whole = append(whole, "mean")
	}
	stat := below[0].what == "statistic"
	switch {
	case place == container && (below[0].what == "group" || below[0].what == "metric"):
		return ""
	case place == tested && stat:
		return fmt.Sprintf("%s is always there; want %s > 0", show(path), show(append(slices.Clone(path), "count")))
	case place == range_:
		return fmt.Sprintf("%s cannot be gone through; want a value by its name, such as %s", show(path), show(whole))
	case stat:
		return fmt.Sprintf("%s has several statistics; want one of them, such as %s; known: %s", show(path), show(whole), spec.OneOf(statistics))
	default:
		return fmt.Sprintf("%s is no value by itself; want one of it, such as %s", show(path), show(whole))
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// show writes a path as an expression has it.
func show(path []string) string {
	var b strings.Builder
	b.WriteString(path[0])
	for _, name := range path[1:] {
		switch {
		case name == "*":
			b.WriteString("[…]")
		case identifier.MatchString(name) && name != "NAME":
			b.WriteString("." + name)
		default:
			fmt.Fprintf(&b, "[%q]", name)
		}
	}
	return b.String()
}

// compare looks for literals that the status or the group of a job never has.
func (r *reader) compare(left, right ast.Expr) {
	path, _ := pathOf(left, map[int64]bool{})
	var what string
	var known []string
	switch {
	case slices.Equal(path, []string{"job", "status"}):
		what = "status"
		for _, s := range statuses {
			known = append(known, string(s))
		}
	case slices.Equal(path, []string{"job", "group"}):
		what, known = "group", r.groups
	default:
		return
	}
	values := []ast.Expr{right}
	if right.Kind() == ast.ListKind {
		values = right.AsList().Elements()
	}
	for _, e := range values {
		switch text := literal(e).(type) {
		case nil:
		case types.String:
			if !slices.Contains(known, string(text)) {
				r.problem(spec.Unknown(what, string(text), known))
			}
		default:
			r.problem(fmt.Sprintf("%s is a text; want %s", show(path), spec.OneOf(known)))
		}
	}
}
