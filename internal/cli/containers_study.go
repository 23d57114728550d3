// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// withImages adds the points that a study or an ensemble names as variants, as the
// images that are built of them here.
func (e *env) withImages(o spec.Object, cat *catalog.Catalog) (*catalog.Catalog, error) {
	var matrix *container.Matrix
	var store *container.Store
	for _, u := range variantsUsed(o) {
		if e, ok := o.(*spec.Ensemble); ok && slices.ContainsFunc(e.Spec.Applications, func(a spec.Application) bool { return a.Metadata.Name == u.app }) {
			continue // it has the application with it
		}
		app, ok := cat.App(u.app)
		if !ok || slices.ContainsFunc(app.Spec.Variants, func(v spec.Variant) bool { return v.Name == u.variant }) {
			continue
		}
		var err error
		if matrix == nil {
			if matrix, err = container.NewMatrix(cat); err != nil {
				return nil, input(err)
			}
		}
		point, err := matrix.Point(u.app + ":" + u.variant)
		if err != nil {
			continue // the study says that there is no such variant
		}
		if store == nil {
			if store, err = openImages(); err != nil {
				return nil, err
			}
		}
		build, err := store.Build(point)
		if err != nil {
			return nil, err
		}
		if build == nil {
			return nil, &run.MissingError{Program: "the image " + point.Name(), Hint: "build it with: ensemble containers build " + point.Name()}
		}
		cat = cat.With(u.app, *point.AsVariant(fmt.Sprintf("%s@%s", point.Name(), build.Digest)))
	}
	return cat, nil
}

// variantUse is a variant that a file names for an application.
type variantUse struct{ app, variant string }

func variantsUsed(o spec.Object) (used []variantUse) {
	sweeps := func(s *spec.StudySpec) {
		for _, w := range s.Sweeps {
			var names []spec.Value
			for _, axis := range append([]*spec.Axis{w.Variants}, zipped(w.Zip)...) {
				if axis != nil {
					names = append(names, axis.Values...)
				}
			}
			for _, app := range w.Apps.Values {
				for _, v := range names {
					used = append(used, variantUse{app.String(), v.String()})
				}
			}
		}
	}
	switch o := o.(type) {
	case *spec.Study:
		sweeps(&o.Spec)
	case *spec.Ensemble:
		sweeps(&o.Spec.Study)
		for _, g := range o.Spec.Groups {
			used = append(used, variantUse{g.App, g.Variant})
		}
	}
	return used
}

// zipped are the axes of variants among those that advance together.
func zipped(all []spec.Axes) (axes []*spec.Axis) {
	for i := range all {
		axes = append(axes, all[i].Variants)
	}
	return axes
}
