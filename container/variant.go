// SPDX-License-Identifier: MIT

package container

import (
	"maps"

	"github.com/converged-computing/ensemble/spec"
)

// AsVariant gives the point as a variant of its application, which runs in an image;
// the empty one is none.
func (p *Point) AsVariant(image string) *spec.Variant {
	v := spec.Variant{}
	if p.Variant != nil {
		v = *p.Variant
		v.Env = maps.Clone(p.Variant.Env)
	}
	v.Name, v.MPI, v.Packages = p.Tag(), p.MPI.MPI, nil
	if len(p.Recipe.Command) > 0 {
		v.Command = p.Recipe.Command
	}
	if len(p.Recipe.Prepare) > 0 {
		v.Prepare = p.Recipe.Prepare
	}
	v.Image = image
	return &v
}

// ranks gives parameters for a number of MPI ranks, where some of them decide it: the
// last one has the number, the others 1.
func ranks(app *spec.Application, parameters map[string]spec.Value, n int) map[string]spec.Value {
	if app.Spec.Ranks.Accept != spec.RanksProduct {
		return parameters
	}
	all := maps.Clone(parameters)
	for i, name := range app.Spec.Ranks.Of {
		all[name] = spec.Of(int64(1))
		if i == len(app.Spec.Ranks.Of)-1 {
			all[name] = spec.Of(int64(n))
		}
	}
	return all
}

// SmallestParameters are those with which an application is tried out on some ranks;
// the rest have their defaults.
func SmallestParameters(app *spec.Application, tasks int) map[string]spec.Value {
	all := maps.Clone(app.Spec.Smallest)
	if all == nil {
		all = map[string]spec.Value{}
	}
	return ranks(app, all, tasks)
}
