// SPDX-License-Identifier: MIT

package container

import (
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// labelPrefix begins the labels that no standard has.
const labelPrefix = "org.converged-computing.ensemble."

// The labels of an image beside those of the OCI standard.
const (
	LabelPoint       = labelPrefix + "point"
	LabelApplication = labelPrefix + "application"
	LabelPlatform    = labelPrefix + "platform"
	LabelToolchain   = labelPrefix + "toolchain"
	LabelBase        = labelPrefix + "base"
	LabelMPI         = labelPrefix + "mpi"
	LabelFabric      = labelPrefix + "fabric"
	LabelView        = labelPrefix + "flux-view"
	labelVersion     = labelPrefix + "version." // of a part, by its name
)

// labels are those of the image, by name.
func (r *renderer) labels() map[string]string {
	p := r.point
	app := p.App
	all := map[string]string{
		"org.opencontainers.image.title":       app.Metadata.Name,
		"org.opencontainers.image.description": strings.Join(strings.Fields(app.Spec.Description), " "),
		"org.opencontainers.image.url":         app.Spec.Homepage,
		"org.opencontainers.image.licenses":    app.Spec.License,
		"org.opencontainers.image.version":     p.Recipe.Version,
		"org.opencontainers.image.ref.name":    p.Tag(),
		"org.opencontainers.image.base.name":   p.Base.Image,
		LabelPoint:                             p.Name(),
		LabelApplication:                       app.Metadata.Name,
		LabelPlatform:                          p.Platform.Name,
		LabelToolchain:                         p.Toolchain.Name,
		LabelBase:                              p.Base.Name,
		LabelMPI:                               p.MPI.Name,
		LabelFabric:                            p.Fabric.Name,
		LabelView:                              p.View(),
	}
	if own := r.options.Bases[p.Base.Name]; own != "" {
		all["org.opencontainers.image.base.name"], _, _ = strings.Cut(own, "@")
	}
	if _, digest, ok := strings.Cut(r.from(p.Base), "@"); ok {
		all["org.opencontainers.image.base.digest"] = digest
	}
	for _, part := range p.parts() {
		if part.Version != "" {
			all[labelVersion+part.Name] = part.Version
		}
	}
	for _, s := range p.sources() {
		all[labelPrefix+"source."+s.Name] = s.URL + "@" + s.Commit + s.SHA256 + s.SHA512
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// sources are all that the point is built from, with their addresses.
func (p *Point) sources() (all []spec.Source) {
	add := func(r *spec.Recipe) {
		for _, s := range r.Sources {
			if s.URL != "" {
				all = append(all, s)
			}
		}
	}
	for _, part := range p.parts() {
		if part != p.Toolchain || len(p.specs()) > 0 {
			add(&part.Build)
		}
	}
	add(&p.Recipe.Build)
	return all
}
