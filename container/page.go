// SPDX-License-Identifier: MIT

package container

import (
	"bytes"
	_ "embed"
	"html/template"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// IndexPage is a page (HTML) that lists points and leads to their folders, which are
// APPLICATION/TAG beside it.
func IndexPage(points []*Point) ([]byte, error) {
	type application struct {
		Name, Description string
		Points            []*Point
	}
	var apps []*application
	for _, p := range points {
		if n := len(apps); n == 0 || apps[n-1].Name != p.App.Metadata.Name {
			apps = append(apps, &application{Name: p.App.Metadata.Name, Description: p.App.Spec.Description})
		}
		last := apps[len(apps)-1]
		last.Points = append(last.Points, p)
	}
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		Count int
		Apps  []*application
	}{len(points), apps})
	return b.Bytes(), err
}
