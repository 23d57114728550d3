// SPDX-License-Identifier: MIT

package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Path is where a value stands in a document, such as
// spec.sweeps[0].parameters.cells. The document itself is the empty path.
type Path string

// Key gives the path of the value behind a key.
func (p Path) Key(k string) Path {
	if p == "" {
		return Path(k)
	}
	return p + "." + Path(k)
}

// Index gives the path of an element of a list.
func (p Path) Index(i int) Path { return p + Path(fmt.Sprintf("[%d]", i)) }

// holds says whether q is p or below it.
func (p Path) holds(q Path) bool {
	rest, ok := strings.CutPrefix(string(q), string(p))
	return ok && (p == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parent gives the path one level up.
func (p Path) parent() Path {
	if i := strings.LastIndexAny(string(p), ".["); i >= 0 {
		return p[:i]
	}
	return ""
}

// Fault is one thing that is wrong with a file.
type Fault struct {
	// File is where it is; empty for the file of the FileError around it.
	File string
	// Path is the field; empty for the document itself.
	Path Path
	// Line and Column count from 1; both are 0 while unknown.
	Line, Column int
	// Message says what is wrong and what would be right.
	Message string
}

// Faultf makes a fault whose position is not known yet.
func Faultf(p Path, format string, args ...any) Fault {
	return Fault{Path: p, Message: fmt.Sprintf(format, args...)}
}

// FileError is all that is wrong with one file. The input is wrong, not the
// machine: a command line exits with 2.
type FileError struct {
	File   string
	Faults []Fault
}

// Error gives one line per fault: file:line:column: field: message.
func (e *FileError) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(cmp.Or(f.File, e.File))
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
		}
		b.WriteString(": ")
		if f.Path != "" {
			fmt.Fprintf(&b, "%s: ", f.Path)
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// sortFaults puts faults in the order of the file, and of other files after it.
func sortFaults(fs []Fault) {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path))
	})
}

// OneOf lists choices for a message: "a", "b" or "c".
func OneOf[S ~string](choices []S) string {
	var b strings.Builder
	for i, c := range choices {
		switch {
		case i == 0:
		case i == len(choices)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", string(c))
	}
	return b.String()
}

// Unknown says that a name is none of the known ones, and which of them is
// near.
func Unknown[S ~string](what string, got S, known []S) string {
	s := fmt.Sprintf("unknown %s %q", what, string(got))
	if near := nearest(got, known); near != "" {
		return s + fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return s + "; there is none"
	}
	return s + "; known: " + OneOf(known)
}

// nearest gives the known name at an edit distance of at most a third of the
// name's length, or nothing.
func nearest[S ~string](got S, known []S) string {
	best, bestDistance := "", len(got)/3+1
	for _, k := range known {
		if d := distance(strings.ToLower(string(got)), strings.ToLower(string(k))); d < bestDistance {
			best, bestDistance = string(k), d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
