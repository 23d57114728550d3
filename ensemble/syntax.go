// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
)

// explain gives what CEL found, with the column inside the expression. Of faults of
// the syntax the first is enough: the others follow from it.
func explain(issues *cel.Issues) (problems []string) {
	for _, e := range issues.Errors() {
		column := e.Location.Column() + 1
		message, _, _ := strings.Cut(e.Message, " (in container '')")
		if text, ok := strings.CutPrefix(message, "Syntax error: "); ok {
			return append(problems, fmt.Sprintf("%s at column %d", unexpected(text), column))
		}
		switch m := overload.FindStringSubmatch(message); {
		case m == nil:
		case m[1] == operators.Index:
			message = "what is in the brackets is of the wrong type"
		default:
			message = fmt.Sprintf("%s does not go with %s", strings.Trim(m[1], "_@"), strings.Join(strings.Split(m[2], ", "), " and "))
		}
		problems = append(problems, fmt.Sprintf("column %d: %s", column, message))
	}
	return problems
}

var (
	overload = regexp.MustCompile(`^found no matching overload for '(.+)' applied to '\(?(.*?)\)?'$`)
	// What the parser generator says, and in it the text that it stumbles over. What
	// it would rather have are the names of its tokens, which help nobody.
	missing   = regexp.MustCompile(`(?s)^missing (.+) at `)
	stumbling = regexp.MustCompile(`(?s)^(?:mismatched input|extraneous input|token recognition error at:|no viable alternative at input) '(.*?)'(?: expecting .*)?$`)
)

// unexpected rewrites a fault of the syntax.
func unexpected(message string) string {
	if m := missing.FindStringSubmatch(message); m != nil {
		return "missing " + strings.ReplaceAll(m[1], "'", `"`)
	}
	m := stumbling.FindStringSubmatch(message)
	switch {
	case m == nil:
		return message + ","
	case strings.HasSuffix(m[1], "<EOF>"):
		return "unexpected end"
	}
	return fmt.Sprintf("unexpected %q", strings.TrimSpace(m[1]))
}
