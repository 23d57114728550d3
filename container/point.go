// SPDX-License-Identifier: MIT

package container

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// Point is one image that there can be. What it points to is the catalog's and not
// to be changed.
type Point struct {
	App       *spec.Application
	Recipe    *spec.Container
	Variant   *spec.Variant // nil where the recipe names none
	Platform  *spec.Platform
	Base      *spec.Base
	Toolchain *spec.Part
	MPI       *spec.Part
	Fabric    *spec.Part
	Arch      string
	// Builders, Tools and Libraries are those of the parts that the point has.
	Builders, Tools, Libraries []*spec.Part

	bases map[string]*spec.Base
}

// Tag names the point among those of its application: platform, base, MPI, fabric and
// architecture, with dashes between them.
func (p *Point) Tag() string {
	return strings.Join([]string{p.Platform.Name, p.Base.Name, p.MPI.Name, p.Fabric.Name, p.Arch}, "-")
}

// View is the image with which the Flux Operator adds Flux to the point's.
func (p *Point) View() string { return p.Base.View.Images[p.Arch] }

// Name is APPLICATION:TAG.
func (p *Point) Name() string { return p.App.Metadata.Name + ":" + p.Tag() }

// Excluded is a point that there cannot be.
type Excluded struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Matrix is all points of a catalog.
type Matrix struct {
	// Points are in order of applications, platforms, bases, MPIs, fabrics and
	// architectures, the latter five as the parts list them.
	Points []Point
	// Excluded are the points of the same sets that make no sense.
	Excluded []Excluded

	parts *spec.PartsSpec
	apps  []string
}

// NewMatrix lists the points of a catalog. The error joins the faults of conditions
// and of names that are not known.
func NewMatrix(c *catalog.Catalog) (*Matrix, error) {
	m := &Matrix{parts: &c.Parts().Spec, apps: c.Names()}
	e, err := newConditions()
	if err != nil {
		return nil, err
	}
	b := &expansion{matrix: m, conditions: e, bases: map[string]*spec.Base{}}
	for i := range m.parts.Bases {
		b.bases[m.parts.Bases[i].Name] = &m.parts.Bases[i]
	}
	errs := []error{b.compileParts(c.PartsDocument())}
	for _, name := range m.apps {
		doc := c.Document(name)
		errs = append(errs, b.compileApp(doc))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, name := range m.apps {
		app, _ := c.App(name)
		for i := range m.parts.Platforms {
			if err := b.platform(app, &m.parts.Platforms[i]); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// Point finds a point by its whole name. The error says why there is none.
func (m *Matrix) Point(name string) (*Point, error) {
	for i := range m.Points {
		if m.Points[i].Name() == name {
			return &m.Points[i], nil
		}
	}
	return nil, m.why(name)
}

// Select finds the points of patterns: an application's name for all of its points, or
// APPLICATION:TAG, in which * stands for anything. Without a pattern all are taken.
// They come in the matrix's order, each once.
func (m *Matrix) Select(patterns ...string) ([]*Point, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	var errs []error
	taken := make([]bool, len(m.Points))
	for _, pattern := range patterns {
		app, tag, ok := strings.Cut(pattern, ":")
		if !ok {
			tag = "*"
		}
		found := false
		for i := range m.Points {
			p := &m.Points[i]
			a, err1 := path.Match(app, p.App.Metadata.Name)
			t, err2 := path.Match(tag, p.Tag())
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("got %q, want APPLICATION:TAG with * for anything: %w", pattern, err)
			}
			if a && t {
				taken[i], found = true, true
			}
		}
		if !found {
			errs = append(errs, m.why(pattern))
		}
	}
	var points []*Point
	for i := range m.Points {
		if taken[i] {
			points = append(points, &m.Points[i])
		}
	}
	return points, errors.Join(errs...)
}

// SelectExcluded gives the points that make no sense, of those that patterns name.
func (m *Matrix) SelectExcluded(patterns ...string) (all []Excluded) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	for _, x := range m.Excluded {
		name, tag, _ := strings.Cut(x.Name, ":")
		for _, pattern := range patterns {
			app, of, ok := strings.Cut(pattern, ":")
			if !ok {
				of = "*"
			}
			a, err1 := path.Match(app, name)
			t, err2 := path.Match(of, tag)
			if a && t && err1 == nil && err2 == nil {
				all = append(all, x)
				break
			}
		}
	}
	return all
}

// why says why a name or a pattern is no point.
func (m *Matrix) why(name string) error {
	for _, x := range m.Excluded {
		if x.Name == name {
			return fmt.Errorf("%s cannot be: %s", name, x.Reason)
		}
	}
	app, tag, whole := strings.Cut(name, ":")
	if !slices.Contains(m.apps, app) && !strings.Contains(app, "*") {
		return errors.New(spec.Unknown("application", app, m.apps))
	}
	if !whole {
		return fmt.Errorf("the application %q has no recipe for a container", app)
	}
	if strings.Contains(name, "*") {
		return fmt.Errorf("no point is like %q; see all with: ensemble containers list", name)
	}
	fields := strings.Split(tag, "-")
	if len(fields) != 5 {
		return fmt.Errorf("got %q, want %s:PLATFORM-BASE-MPI-FABRIC-ARCHITECTURE", name, app)
	}
	for i, known := range m.names() {
		if !slices.Contains(known.names, fields[i]) {
			return fmt.Errorf("%s: %s", name, spec.Unknown(known.what, fields[i], known.names))
		}
	}
	var tags []string
	for i := range m.Points {
		if m.Points[i].App.Metadata.Name == app {
			tags = append(tags, m.Points[i].Tag())
		}
	}
	if len(tags) == 0 {
		return fmt.Errorf("the application %q has no recipe for a container", app)
	}
	return fmt.Errorf("%s is not in the matrix: the platform %q does not combine these, or %s has no recipe for its toolchain; %s has %s",
		name, fields[0], app, app, strings.Join(tags, ", "))
}

// names are those that the fields of a tag can have.
func (m *Matrix) names() (all [5]struct {
	what  string
	names []string
}) {
	all[0].what, all[1].what, all[2].what, all[3].what, all[4].what = "platform", "base", "MPI", "fabric", "architecture"
	for _, p := range m.parts.Platforms {
		all[0].names = append(all[0].names, p.Name)
	}
	for _, b := range m.parts.Bases {
		all[1].names = append(all[1].names, b.Name)
	}
	for _, p := range m.parts.MPIs {
		all[2].names = append(all[2].names, p.Name)
	}
	for _, p := range m.parts.Fabrics {
		all[3].names = append(all[3].names, p.Name)
	}
	all[4].names = []string{"amd64", "arm64"}
	return all
}

// HasBase says whether there is a base of a name.
func (m *Matrix) HasBase(name string) bool {
	return slices.ContainsFunc(m.parts.Bases, func(b spec.Base) bool { return b.Name == name })
}

// UnknownBase says that there is none.
func (m *Matrix) UnknownBase(name string) error {
	return errors.New(spec.Unknown("base", name, m.names()[1].names))
}
