// SPDX-License-Identifier: MIT

package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
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
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	tree, err := ordered(d)
	if err != nil {
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

// ordered reads a JSON value whose objects keep the order of their fields. The
// YAML library reads JSON too, but takes 1e-14 for a string.
func ordered(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if x, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return x, nil
		}
		if x, err := strconv.ParseUint(t.String(), 10, 64); err == nil {
			return x, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			return elements(d)
		}
		return fields(d)
	}
	return t, nil
}

func elements(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := ordered(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func fields(d *json.Decoder) (any, error) {
	m := yaml.MapSlice{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := ordered(d)
		if err != nil {
			return nil, err
		}
		m = append(m, yaml.MapItem{Key: key, Value: v})
	}
	_, err := d.Token()
	return m, err
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
