// SPDX-License-Identifier: MIT

package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"time"
)

// Meta is what a page says beside the report itself. Empty fields are left out.
type Meta struct {
	// Title is the name of the study. The default is "Report".
	Title string
	// Description is a sentence below the title.
	Description string
	// Generated is when the page was made.
	Generated time.Time
	// Generator is the program that made it, with its version.
	Generator string
	// Machines are the environments in which trials ran.
	Machines []Machine
}

// Machine is an environment as it was found.
type Machine struct {
	// Name is what records call the environment.
	Name         string
	Hostname     string
	OS           string
	Kernel       string
	Architecture string
	CPU          string
	// Processors are those of the machine, Cores those that jobs could use.
	Processors  int
	Cores       int
	MemoryBytes int64
	// MPI has the versions of the launchers by the MPI's name.
	MPI map[string]string
	// Packages has the versions of the packages that were used.
	Packages map[string]string
}

//go:embed page.html
var pageSource string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"args": func(set figureSet, level string) any {
		return struct {
			Set   figureSet
			Level string
		}{set, level}
	},
}).Parse(pageSource))

// HTML writes the report as one page that needs nothing else: no script, no
// font, no picture and no style from anywhere, and a content security policy
// that would not let it have any. All text from records is escaped, and made
// printable as in [Text].
func HTML(w io.Writer, r *Report, meta Meta) error {
	return pageTemplate.Execute(w, newPage(r, meta))
}

// policy allows the page's own style sheet, known by its digest, and nothing
// else. The empty icon keeps browsers from asking a server for one.
func policy() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'"
}
