// SPDX-License-Identifier: MIT

package read

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// formula is an arithmetic expression over metrics. It gives false where a
// metric is missing.
type formula func(map[string]Value) (float64, bool)

// parseFormula reads + - * / and parentheses over numbers and names of metrics.
// The grammar, one method each:
//
//	sum     = product { ("+" | "-") product }
//	product = factor { ("*" | "/") factor }
//	factor  = number | name | "-" factor | "(" sum ")"
func parseFormula(text string, known func(name string) bool) (formula, error) {
	p := &formulaParser{text: text, rest: strings.TrimSpace(text), known: known}
	f := p.sum()
	if p.err == nil && p.rest != "" {
		p.fail("an operator")
	}
	return f, p.err
}

type formulaParser struct {
	text, rest string
	known      func(string) bool
	depth      int
	err        error
}

func (p *formulaParser) fail(want string) {
	if p.err == nil {
		at := len(p.text) - len(p.rest) + 1
		p.err = fmt.Errorf("formula %q, column %d: want %s", p.text, at, want)
	}
	p.rest = ""
}

// accept takes one of the characters.
func (p *formulaParser) accept(any string) byte {
	if p.rest == "" || !strings.Contains(any, p.rest[:1]) {
		return 0
	}
	c := p.rest[0]
	p.rest = strings.TrimSpace(p.rest[1:])
	return c
}

func (p *formulaParser) sum() formula {
	f := p.product()
	for op := p.accept("+-"); op != 0; op = p.accept("+-") {
		f = combine(op, f, p.product())
	}
	return f
}

func (p *formulaParser) product() formula {
	f := p.factor()
	for op := p.accept("*/"); op != 0; op = p.accept("*/") {
		f = combine(op, f, p.factor())
	}
	return f
}

func (p *formulaParser) factor() formula {
	if p.depth++; p.depth > 50 {
		p.fail("fewer levels")
	}
	defer func() { p.depth-- }()
	if p.accept("-") != 0 {
		return combine('-', number(0), p.factor())
	}
	if p.accept("(") != 0 {
		f := p.sum()
		if p.accept(")") == 0 {
			p.fail("a closing parenthesis")
		}
		return f
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	if x, err := strconv.ParseFloat(word, 64); err == nil {
		p.rest = strings.TrimSpace(p.rest[end:])
		return number(x)
	}
	if word == "" || !p.known(word) {
		p.fail("a number or the name of a metric")
		return number(0)
	}
	p.rest = strings.TrimSpace(p.rest[end:])
	return func(m map[string]Value) (float64, bool) {
		v, ok := m[word]
		return v.Value, ok
	}
}

func number(x float64) formula {
	return func(map[string]Value) (float64, bool) { return x, true }
}

func combine(op byte, a, b formula) formula {
	return func(m map[string]Value) (float64, bool) {
		x, ok := a(m)
		y, also := b(m)
		switch op {
		case '+':
			x += y
		case '-':
			x -= y
		case '*':
			x *= y
		case '/':
			x /= y
		}
		return x, ok && also
	}
}
