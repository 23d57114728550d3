// SPDX-License-Identifier: MIT

package spec

import (
	"fmt"
	"strings"

	yamlscanner "github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what a hostile file can cost, which is a few seconds and some
// hundred MiB.
const (
	maxFile   = 4 << 20 // bytes
	maxTokens = 1 << 20
	maxNodes  = 1 << 18 // after aliases are followed
	maxDepth  = 100
	// maxWork bounds the steps of the parser that are more than one for each
	// token, some 4 ns each (goccy/go-yaml 1.19): it gives every node the path
	// of keys that leads to it, goes through the fields of a block mapping once
	// for each of them, and moves all that follows to insert a null.
	maxWork = 1 << 27
)

// scan cuts a file into tokens. The fault is what would keep the parser busy
// for long, which cannot be interrupted; what else is wrong is left to it.
func scan(data []byte) (token.Tokens, *Fault) {
	if len(data) > maxFile {
		return nil, &Fault{Message: fmt.Sprintf("the file has %d bytes, want %d at most", len(data), maxFile)}
	}
	tokens := tokenize(strings.TrimPrefix(string(data), "\uFEFF"))
	s := scanner{total: len(tokens)}
	for i, t := range tokens {
		message := s.next(t)
		if i == maxTokens {
			message = fmt.Sprintf("the file is too large, want %d words and signs at most", maxTokens)
		}
		if message != "" {
			return nil, &Fault{Line: t.Position.Line, Column: t.Position.Column, Message: message}
		}
	}
	return tokens, nil
}

// tokenize gives the tokens up to the first that is invalid.
func tokenize(text string) (tokens token.Tokens) {
	var lexer yamlscanner.Scanner
	lexer.Init(text)
	for {
		some, err := lexer.Scan()
		tokens.Add(some...)
		if err != nil { // or the end
			return tokens
		}
	}
}

// A scanner follows the collections that are open from token to token.
type scanner struct {
	open  []collection
	path  int          // bytes of the keys on the way to the next node
	last  *token.Token // that is not a comment
	work  int
	total int // tokens
	// began says that the document has begun, ended that it is over.
	began, ended bool
	directive    int // line of the last one
}

// A collection is a sequence or a mapping.
type collection struct {
	column int // where its entries begin; 0 in flow style
	key    int // bytes of the last key
	fields int // that have a key
}

// next takes the next token and says what is wrong with the file.
func (s *scanner) next(t *token.Token) string {
	if t.Type == token.CommentType {
		return ""
	}
	if s.ended || s.began && t.Type == token.DocumentHeaderType {
		return "a second document; want one document in a file"
	}
	if t.Type == token.DirectiveType {
		s.directive = t.Position.Line
	}
	s.began = s.began || t.Position.Line != s.directive
	if s.noValue(t) {
		s.work += s.total
	}
	switch t.Type {
	case token.DocumentEndType:
		s.ended = true
	case token.SequenceStartType, token.MappingStartType:
		s.open = append(s.open, collection{})
	case token.SequenceEndType, token.MappingEndType:
		for len(s.open) > 0 && !s.pop() { // those of block style inside it
		}
	case token.SequenceEntryType:
		s.entry(t)
	case token.MappingKeyType:
		return "the key indicator ? is not used here; want NAME: VALUE"
	case token.MappingValueType:
		if k := s.last; k != nil && (k.Position.Line == t.Position.Line || k.Type == token.DoubleQuoteType || k.Type == token.SingleQuoteType) {
			s.field(k)
		}
	}
	s.last = t
	s.work += s.path
	switch {
	case len(s.open) > maxDepth:
		return fmt.Sprintf("the file is too deep, want %d levels at most", maxDepth)
	case s.work > maxWork:
		return "the file would take too long to read: want fewer fields in one mapping, shorter names, or fewer empty fields"
	}
	return ""
}

// noValue says whether an entry began before the token and has nothing: what
// follows on another line belongs to it only where it is indented, or where a
// sequence stands right below its key.
func (s *scanner) noValue(t *token.Token) bool {
	if s.last == nil || len(s.open) == 0 || s.last.Position.Line == t.Position.Line {
		return false
	}
	column := s.top().column
	switch s.last.Type {
	case token.SequenceEntryType:
		return t.Position.Column <= column
	case token.MappingValueType:
		return t.Position.Column < column || t.Position.Column == column && t.Type != token.SequenceEntryType
	}
	return false
}

// pop closes a collection and says whether it was one in flow style.
func (s *scanner) pop() bool {
	c := *s.top()
	s.open, s.path = s.open[:len(s.open)-1], s.path-c.key
	return c.column == 0
}

// entry begins an entry of the block collection at the column of the token,
// and closes those inside it. In flow style it does nothing.
func (s *scanner) entry(t *token.Token) {
	column := t.Position.Column
	for len(s.open) > 0 && s.top().column > column {
		s.pop()
	}
	if len(s.open) == 0 || 0 < s.top().column && s.top().column < column {
		s.open = append(s.open, collection{column: column})
	}
}

// field begins a field of the mapping that the key stands in.
func (s *scanner) field(key *token.Token) {
	s.entry(key)
	c := s.top()
	s.path += len(key.Value) - c.key
	c.key = len(key.Value)
	if c.column > 0 {
		c.fields++
		s.work += c.fields
	}
}

func (s *scanner) top() *collection { return &s.open[len(s.open)-1] }
