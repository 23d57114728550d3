// SPDX-License-Identifier: MIT

package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Encode writes an object as YAML that Decode reads back to an equal one.
func Encode(w io.Writer, o Object) error {
	fail := func(err error) error {
		return fmt.Errorf("encoding %s %q: %w", o.Head().Kind, o.Head().Metadata.Name, err)
	}
	b, err := json.Marshal(o)
	if err != nil {
		return fail(err)
	}
	var tree any
	if err := yaml.UnmarshalWithOptions(b, &tree, yaml.UseOrderedMap()); err != nil {
		return fail(err)
	}
	node, err := yaml.ValueToNode(tree, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return fail(err)
	}
	ast.Walk(quoter{}, node)
	text := node.String() + "\n"
	if len(text) > maxFile {
		return fail(fmt.Errorf("the file has %d bytes, want %d at most: it could not be read back", len(text), maxFile))
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fail(err)
	}
	return nil
}

// decimal is a number in YAML's core schema that the library, both ways, takes
// for a string: one with an exponent and no point.
var decimal = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// quoter puts quotes around strings that look like numbers, and around texts
// of several lines that a block would not keep as they are.
type quoter struct{}

func (q quoter) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(*ast.StringNode); ok && plain(s) && (decimal.MatchString(s.Value) || !keeps(s.Value)) {
		s.Token.Type = token.DoubleQuoteType
	}
	return q
}

// keeps says whether a block of lines is read back as it is: it begins and ends
// with text and has nothing but text and line ends.
func keeps(s string) bool {
	return !strings.Contains(s, "\n") && !strings.Contains(s, "\r") ||
		!strings.ContainsAny(s[:1], " \t\n") && !strings.HasSuffix(s, "\n\n") &&
			!strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

// plain says whether a string stands without quotes.
func plain(s *ast.StringNode) bool {
	return s.Token.Type != token.DoubleQuoteType && s.Token.Type != token.SingleQuoteType
}
