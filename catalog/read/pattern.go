// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"regexp"
	"regexp/syntax"
)

// pattern matches an expression as package regexp does, several times as fast
// for the kind that rules are made of: texts, repeated character classes and
// groups in a row. Other expressions, and lines on which it would go back and
// forth too often, are left to package regexp.
type pattern struct {
	re     *regexp.Regexp
	groups int
	steps  []step // nil where package regexp does it all
	text   []byte // of the first step, where that is a text
}

type stepKind uint8

const (
	stepText  stepKind = iota
	stepTexts          // one of several, the first that fits before the others
	stepClass
	stepOpen  // a group opens
	stepClose // and closes
	stepBegin // of the line
	stepEnd
)

type step struct {
	kind  stepKind
	text  []byte
	texts []string
	class *[256]bool
	until int  // as outside gives it
	least int  // of stepClass: 0 or 1
	many  bool // or at most 1
	lazy  bool // the shortest run first
	// certain says that what follows cannot begin with the class, so that only
	// the longest run can match.
	certain bool
	// before is the byte with which what follows begins, where it is one.
	before int
	group  int
}

func newPattern(expression string) (*pattern, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	p := &pattern{re: re, groups: re.NumSubexp()}
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if steps, ok := appendSteps(nil, tree.Simplify()); ok && len(steps) > 0 {
		p.steps = steps
		p.settle()
	}
	return p, nil
}

// appendSteps gives false for what steps cannot express.
func appendSteps(to []step, re *syntax.Regexp) ([]step, bool) {
	greedy := re.Flags&syntax.NonGreedy == 0
	switch re.Op {
	case syntax.OpEmptyMatch:
		return to, true
	case syntax.OpBeginText:
		return append(to, step{kind: stepBegin}), true
	case syntax.OpEndText:
		return append(to, step{kind: stepEnd}), true
	case syntax.OpLiteral:
		return append(to, step{kind: stepText, text: []byte(string(re.Rune))}), re.Flags&syntax.FoldCase == 0
	case syntax.OpConcat:
		ok := true
		for _, sub := range re.Sub {
			if to, ok = appendSteps(to, sub); !ok {
				return nil, false
			}
		}
		return to, true
	case syntax.OpCapture:
		to, ok := appendSteps(append(to, step{kind: stepOpen, group: re.Cap}), re.Sub[0])
		return append(to, step{kind: stepClose, group: re.Cap}), ok
	case syntax.OpPlus, syntax.OpStar, syntax.OpQuest:
		s := step{kind: stepClass, many: re.Op != syntax.OpQuest, lazy: !greedy}
		if re.Op == syntax.OpPlus {
			s.least = 1
		}
		var ok bool
		s.class, ok = classOf(re.Sub[0], s.many)
		return append(to, s), ok
	case syntax.OpAlternate:
		var texts []string
		for _, sub := range re.Sub {
			one := exactly(sub)
			if one == nil {
				return nil, false
			}
			texts = append(texts, one...)
		}
		return append(to, step{kind: stepTexts, texts: texts}), true
	default:
		class, ok := classOf(re, false)
		return append(to, step{kind: stepClass, class: class, least: 1}), ok
	}
}

// classOf gives the bytes that a one-character expression matches. Characters
// of several bytes can be in it only all together, and only repeated, for then
// it makes no difference to count bytes.
func classOf(re *syntax.Regexp, many bool) (*[256]bool, bool) {
	var set [256]bool
	switch re.Op {
	case syntax.OpLiteral:
		if len(re.Rune) != 1 || re.Rune[0] >= 0x80 || re.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		set[re.Rune[0]] = true
		return &set, true
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		for i := range set {
			set[i] = i != '\n' || re.Op == syntax.OpAnyChar
		}
		return &set, many
	case syntax.OpCharClass:
		beyond := false
		for i := 0; i+1 < len(re.Rune); i += 2 {
			lo, hi := re.Rune[i], re.Rune[i+1]
			if hi >= 0x80 {
				if lo > 0x80 || hi != 0x10FFFF {
					return nil, false
				}
				beyond = true
			}
			for r := lo; r <= min(hi, 0xFF); r++ {
				set[r] = true
			}
		}
		return &set, many || !beyond
	}
	return nil, false
}

// settle finds the steps that are certain.
func (p *pattern) settle() {
	if p.steps[0].kind == stepText {
		p.text = p.steps[0].text
	}
	for i := range p.steps {
		s := &p.steps[i]
		if s.kind != stepClass {
			continue
		}
		s.until, s.before = outside(s.class), someByte
		next := i + 1
		for next < len(p.steps) && (p.steps[next].kind == stepOpen || p.steps[next].kind == stepClose) {
			next++
		}
		if next == len(p.steps) {
			s.certain = !s.lazy // the longest is the first that matches
			continue
		}
		switch n := p.steps[next]; {
		case n.kind == stepEnd:
			s.certain = true
		case n.kind == stepText:
			s.certain, s.before = !s.class[n.text[0]], int(n.text[0])
		case n.kind == stepClass && n.least > 0:
			s.certain = true
			for b := range n.class {
				s.certain = s.certain && !(n.class[b] && s.class[b])
			}
		}
	}
}

// head gives the bytes that can be the first in a line that are no space, and the
// text that follows from there on, if there is one. None is known of a line
// where the expression does not begin with its start.
func (p *pattern) head() (first [256]bool, text []byte) {
	if len(p.steps) == 0 || p.steps[0].kind != stepBegin {
		return first, nil
	}
	known := false
	for _, s := range p.steps[1:] {
		switch s.kind {
		case stepOpen, stepClose:
			continue
		case stepText:
			rest := bytes.TrimLeft(s.text, " \t\n\v\f\r")
			if len(rest) == 0 {
				continue
			}
			if first[rest[0]] = true; !known {
				text = rest
			}
			return first, text
		case stepClass:
			spaces := false
			for b, in := range s.class {
				spaces = spaces || in && isSpace[b]
				first[b] = first[b] || in && !isSpace[b]
				known = known || first[b]
			}
			if s.least > 0 && !spaces {
				return first, nil
			}
			continue
		}
		break
	}
	return [256]bool{}, nil
}

// outside gives the only byte that ends a run of a class. It is anyByte where
// none does, for a line has no end of line in it, and someByte where several do.
func outside(class *[256]bool) int {
	only := anyByte
	for b, in := range class {
		if in || b == '\n' {
			continue
		}
		if only != anyByte {
			return someByte
		}
		only = b
	}
	return only
}

const (
	anyByte  = 256
	someByte = -1
)
