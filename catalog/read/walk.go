// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// find gives what regexp.FindSubmatchIndex gives, in the memory of into. The
// line has no end of line in it.
func (p *pattern) find(line []byte, into []int) []int {
	if p.steps == nil {
		return p.re.FindSubmatchIndex(line)
	}
	// Every group takes part in every match, for steps have no choice of groups.
	into = slices.Grow(into[:0], 2*(p.groups+1))[:2*(p.groups+1)]
	w := walk{steps: p.steps, b: line, groups: into, budget: 1000 + 16*len(line)}
	for from := 0; from <= len(line); from++ {
		if p.text != nil {
			i := bytes.Index(line[from:], p.text)
			if i < 0 {
				return nil
			}
			from += i
		}
		if w.from(0, from) {
			into[0], into[1] = from, w.end
			return into
		}
		if w.budget < 0 {
			return p.re.FindSubmatchIndex(line)
		}
		if p.steps[0].kind == stepBegin {
			return nil
		}
	}
	return nil
}

// walk is one attempt at a line.
type walk struct {
	steps  []step
	b      []byte
	groups []int
	end    int
	budget int
}

// from matches the steps from number i at a place.
func (w *walk) from(i, at int) bool {
	for ; i < len(w.steps); i++ {
		s := &w.steps[i]
		switch s.kind {
		case stepText:
			if at == len(w.b) || w.b[at] != s.text[0] || len(s.text) > 1 && !bytes.HasPrefix(w.b[at:], s.text) {
				return false
			}
			at += len(s.text)
		case stepTexts:
			for _, text := range s.texts {
				if w.budget--; w.budget < 0 {
					return false
				}
				if len(w.b)-at >= len(text) && string(w.b[at:at+len(text)]) == text && w.from(i+1, at+len(text)) {
					return true
				}
			}
			return false
		case stepOpen:
			w.groups[2*s.group] = at
		case stepClose:
			w.groups[2*s.group+1] = at
		case stepBegin:
			if at != 0 {
				return false
			}
		case stepEnd:
			if at != len(w.b) {
				return false
			}
		case stepClass:
			end := s.run(w.b, at)
			if w.budget -= end - at + 1; w.budget < 0 || end-at < s.least {
				return false
			}
			if !s.certain {
				return w.choose(i, at+s.least, end)
			}
			at = end
		}
	}
	w.end = at
	return true
}

// run gives the end of the longest run of a class.
func (s *step) run(b []byte, at int) int {
	if !s.many {
		if at < len(b) && s.class[b[at]] {
			at++
		}
		return at
	}
	switch s.until {
	case anyByte:
		return len(b)
	case someByte:
		for at < len(b) && s.class[b[at]] {
			at++
		}
		return at
	}
	if n := bytes.IndexByte(b[at:], byte(s.until)); n >= 0 {
		return at + n
	}
	return len(b)
}

// choose matches the steps after number i at the first place from which they
// match, the longest run first or last.
func (w *walk) choose(i, least, most int) bool {
	s := &w.steps[i]
	at, by := most, -1
	if s.lazy {
		at, by = least, 1
	}
	for ; at >= least && at <= most; at += by {
		if s.before >= 0 && (at == len(w.b) || int(w.b[at]) != s.before) {
			continue
		}
		if at < len(w.b) && !utf8.RuneStart(w.b[at]) {
			w.budget = -1 // within a character: package regexp counts those
			return false
		}
		if w.from(i+1, at) {
			return true
		}
		if w.budget--; w.budget < 0 {
			return false
		}
	}
	return false
}
