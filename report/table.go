// SPDX-License-Identifier: MIT

package report

import (
	"bufio"
	"strings"
	"unicode/utf8"
)

// printer writes lines of at most so many characters.
type printer struct {
	*bufio.Writer
	width int
}

// column is one column of a table on a terminal. A head may have several lines.
type column struct {
	head  []string
	cells []string
	left  bool // aligned left; numbers are aligned right
	// apart columns go to a table of their own where all are too wide for one,
	// spare ones are left out there.
	apart, spare bool
}

func (c column) width() int {
	w := 0
	for _, lines := range [][]string{c.head, c.cells} {
		for _, s := range lines {
			w = max(w, utf8.RuneCountInString(s))
		}
	}
	return w
}

func (c column) empty() bool {
	for _, s := range c.cells {
		if s != "" {
			return false
		}
	}
	return true
}

func tableWidth(columns []column, indent int) int {
	w := indent - 2
	for _, c := range columns {
		w += c.width() + 2
	}
	return w
}

// tableLines sets columns two spaces apart, the lines of the head first. A head
// of fewer lines stands at the top.
func tableLines(columns []column, indent int) []string {
	heads, rows := 0, 0
	for _, c := range columns {
		heads, rows = max(heads, len(c.head)), max(rows, len(c.cells))
	}
	out := make([]string, heads+rows)
	for line := range out {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", indent))
		for i, c := range columns {
			from, at := c.head, line
			if line >= heads {
				from, at = c.cells, line-heads
			}
			s := ""
			if at < len(from) {
				s = from[at]
			}
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", c.width()-utf8.RuneCountInString(s))
			if c.left {
				b.WriteString(s + pad)
			} else {
				b.WriteString(pad + s)
			}
		}
		out[line] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// table writes columns, in several tables one below the other where they are
// too wide for one: first those that belong together, then those apart. Each
// begins with the first columns, keys of them, which say what a row is.
func (p *printer) table(columns []column, keys, indent int) {
	if tableWidth(columns, indent) <= p.width {
		p.lines(tableLines(columns, indent))
		return
	}
	head, rest := columns[:keys:keys], columns[keys:]
	for len(rest) > 0 {
		part := append(head, rest[0])
		for rest = rest[1:]; len(rest) > 0 && rest[0].apart == part[keys].apart; rest = rest[1:] {
			if wider := append(part, rest[0]); tableWidth(wider, indent) <= p.width {
				part = wider
			} else {
				break
			}
		}
		p.lines(tableLines(part, indent))
	}
}

func (p *printer) lines(lines []string) {
	for _, line := range lines {
		p.WriteString(line + "\n")
	}
}

// wrap breaks text at spaces, and a word that is longer than width anywhere.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for r := []rune(word); len(r) > width; r = []rune(word) {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// note writes a wrapped paragraph with a hanging indent.
func (p *printer) note(indent, hang int, s string) {
	for i, line := range wrap(s, p.width-indent-hang) {
		n := indent
		if i > 0 {
			n += hang
		}
		p.WriteString(strings.Repeat(" ", n) + line + "\n")
	}
}
