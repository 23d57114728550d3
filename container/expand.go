// SPDX-License-Identifier: MIT

package container

import (
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// expansion turns sets into points.
type expansion struct {
	matrix     *Matrix
	conditions *conditions
	bases      map[string]*spec.Base
}

// compileParts finds conditions of the parts that are none.
func (x *expansion) compileParts(doc *spec.Document) error {
	var faults []spec.Fault
	s := x.matrix.parts
	for i, c := range s.Constraints {
		if err := x.conditions.compile(c.Require); err != nil {
			faults = append(faults, spec.Faultf(spec.Path("spec.constraints").Index(i).Key("require"), "%v", err))
		}
	}
	for key, parts := range map[string][]spec.Part{"tools": s.Tools, "builders": s.Builders, "libraries": s.Libraries} {
		for i, p := range parts {
			if err := x.conditions.compile(p.When); err != nil {
				faults = append(faults, spec.Faultf(spec.Path("spec").Key(key).Index(i).Key("when"), "%v", err))
			}
		}
	}
	return doc.Fail(faults)
}

// compileApp finds what is wrong with an application's recipes: conditions that are
// none, and parts that there are not.
func (x *expansion) compileApp(doc *spec.Document) error {
	app := doc.Object.(*spec.Application)
	s := x.matrix.parts
	libraries, builders := partNames(s.Libraries), partNames(s.Builders)
	mpis := slices.Concat(partNames(s.MPIs), []string{string(spec.OpenMPI), string(spec.MPICH), string(spec.NoMPI)})
	var faults []spec.Fault
	for i := range app.Spec.Containers {
		c, at := &app.Spec.Containers[i], spec.Path("spec.containers").Index(i)
		unknown := func(at spec.Path, what string, names, known []string) {
			for j, name := range names {
				if !slices.Contains(known, name) {
					faults = append(faults, spec.Faultf(at.Index(j), "%s", spec.Unknown(what, name, known)))
				}
			}
		}
		if known := partNames(s.Toolchains); !slices.Contains(known, c.Toolchain) {
			faults = append(faults, spec.Faultf(at.Key("toolchain"), "%s", spec.Unknown("toolchain", c.Toolchain, known)))
		}
		unknown(at.Key("mpis"), "MPI", c.MPIs, mpis)
		unknown(at.Key("libraries"), "library", c.Libraries, libraries)
		unknown(at.Key("build").Key("needs"), "builder or library", c.Build.Needs, slices.Concat(builders, libraries))
		for j, r := range c.Constraints {
			if err := x.conditions.compile(r.Require); err != nil {
				faults = append(faults, spec.Faultf(at.Key("constraints").Index(j).Key("require"), "%v", err))
			}
		}
	}
	return doc.Fail(faults)
}

func partNames(parts []spec.Part) []string {
	names := make([]string, len(parts))
	for i := range parts {
		names[i] = parts[i].Name
	}
	return names
}

// platform adds the points of one application on one platform.
func (x *expansion) platform(app *spec.Application, platform *spec.Platform) error {
	s := x.matrix.parts
	var recipes []*spec.Container
	for i := range app.Spec.Containers {
		if c := &app.Spec.Containers[i]; c.Toolchain == platform.Toolchain {
			recipes = append(recipes, c)
		}
	}
	if len(recipes) == 0 {
		return nil
	}
	for _, base := range platform.Bases {
		for _, mpi := range platform.MPIs {
			for _, fabric := range platform.Fabrics {
				for _, arch := range platform.Architectures {
					p := Point{
						App: app, Platform: platform, Base: x.bases[base], Arch: arch, bases: x.bases,
						Toolchain: find(s.Toolchains, platform.Toolchain), MPI: find(s.MPIs, mpi), Fabric: find(s.Fabrics, fabric),
					}
					if err := x.add(p, recipes); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// find gives the part of a name that is known to be there.
func find(parts []spec.Part, name string) *spec.Part {
	for i := range parts {
		if parts[i].Name == name {
			return &parts[i]
		}
	}
	return nil
}

// add adds a point, or says why there is none. A point without a recipe for its MPI is
// neither: nobody asked for it.
func (x *expansion) add(p Point, recipes []*spec.Container) error {
	for _, r := range recipes {
		if takesMPI(p.App, r, p.MPI) {
			p.Recipe = r
			break
		}
	}
	if p.Recipe == nil {
		return nil
	}
	if p.MPI.MPI == spec.NoMPI && p.Fabric.Name != "none" {
		return nil // only an MPI talks through a fabric
	}
	for i := range p.App.Spec.Variants {
		if v := &p.App.Spec.Variants[i]; v.Name == p.Recipe.Variant {
			p.Variant = v
		}
	}
	known := p.variables()
	s := x.matrix.parts
	for _, group := range []struct {
		to    *[]*spec.Part
		parts []spec.Part
	}{{&p.Builders, s.Builders}, {&p.Tools, s.Tools}, {&p.Libraries, s.Libraries}} {
		for i := range group.parts {
			part := &group.parts[i]
			ok, err := x.conditions.met(part.When, known)
			if err != nil {
				return fmt.Errorf("the part %q: %w", part.Name, err)
			}
			if ok {
				*group.to = append(*group.to, part)
			}
		}
	}
	reason, err := x.reason(&p, known)
	switch {
	case err != nil:
		return err
	case reason != "":
		x.matrix.Excluded = append(x.matrix.Excluded, Excluded{p.Name(), reason})
	default:
		x.matrix.Points = append(x.matrix.Points, p)
	}
	return nil
}

// takesMPI says whether a recipe is for an MPI.
func takesMPI(app *spec.Application, r *spec.Container, mpi *spec.Part) bool {
	if len(r.MPIs) > 0 {
		return slices.Contains(r.MPIs, mpi.Name) || slices.Contains(r.MPIs, string(mpi.MPI))
	}
	parallel := len(app.Spec.Variants) == 0
	for _, v := range app.Spec.Variants {
		if r.Variant != "" && v.Name == r.Variant {
			return v.MPI == mpi.MPI
		}
		parallel = parallel || v.MPI != spec.NoMPI
	}
	return parallel == (mpi.MPI != spec.NoMPI)
}

// reason says why a point makes no sense; empty where it does.
func (x *expansion) reason(p *Point, known map[string]any) (string, error) {
	for _, c := range slices.Concat(x.matrix.parts.Constraints, p.Recipe.Constraints) {
		ok, err := x.conditions.met(c.Require, known)
		if err != nil {
			return "", fmt.Errorf("a constraint on %s: %w", p.Name(), err)
		}
		if !ok {
			return c.Reason, nil
		}
	}
	for _, part := range p.parts() {
		if !has(part.Packages, p.Base) || !has(part.Build.Packages, p.builtOn(part)) {
			return fmt.Sprintf("%s is not packaged for %s", part.Name, p.Base.Name), nil
		}
	}
	if p.View() == "" {
		return fmt.Sprintf("no Flux view is known for %s on %s", p.Base.Name, p.Arch), nil
	}
	if !has(p.Recipe.Packages, p.Base) || !has(p.Recipe.Build.Packages, p.Base) {
		return fmt.Sprintf("%s is not packaged for %s", p.App.Metadata.Name, p.Base.Name), nil
	}
	return "", nil
}

// parts are all that the point has, in the order in which they are built.
func (p *Point) parts() []*spec.Part {
	return slices.Concat([]*spec.Part{p.Toolchain, p.Fabric, p.MPI}, p.Builders, p.Tools, p.usedLibraries())
}

// usedLibraries are those that the recipe names, in the order of the parts.
func (p *Point) usedLibraries() (used []*spec.Part) {
	for _, l := range p.Libraries {
		if slices.Contains(p.Recipe.Libraries, l.Name) {
			used = append(used, l)
		}
	}
	return used
}

// builtOn is the base of the stage that builds a part.
func (p *Point) builtOn(part *spec.Part) *spec.Base {
	if part.Base != "" {
		return p.bases[part.Base]
	}
	return p.Base
}

// packagesOn are the packages for a base: its own, or else its family's.
func packagesOn(all spec.Packages, base *spec.Base) []string {
	if own, ok := all[base.Name]; ok {
		return own
	}
	return all[string(base.Family)]
}

// has says whether packages, where there are any, are to be had on a base.
func has(all spec.Packages, base *spec.Base) bool {
	_, own := all[base.Name]
	_, family := all[string(base.Family)]
	return len(all) == 0 || own || family
}
