// SPDX-License-Identifier: MIT

package container

import (
	"fmt"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// Package is one package of a distribution in an image.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
}

// Lock gives what a lock file has of a point; nil where there is no file.
func Lock(l *spec.Lock, p *Point) (*Locked, error) {
	if l == nil {
		return nil, nil
	}
	image, ok := l.Spec.Images[p.Name()]
	if !ok {
		return nil, fmt.Errorf("the lock file has nothing of %s: build it without --lock, with --update-lock", p.Name())
	}
	locked := &Locked{Bases: image.Bases}
	for _, text := range image.Packages {
		f := strings.Fields(text) // three, by the schema
		locked.Packages = append(locked.Packages, Package{f[0], f[1], f[2]})
	}
	return locked, nil
}

// Entry writes what a build resolved for a lock file.
func (b *Build) Entry() spec.LockedImage {
	image := spec.LockedImage{Digest: b.Digest, Bases: b.Resolved.Bases}
	for _, p := range b.Resolved.Packages {
		image.Packages = append(image.Packages, p.Name+" "+p.Version+" "+p.Architecture)
	}
	return image
}

// Locked is what a build resolved of what its point leaves open.
type Locked struct {
	// Bases are the digests of the images that it started from, by the name of the
	// base.
	Bases map[string]string `json:"bases,omitempty"`
	// Packages are all that the image has, in order of their names.
	Packages []Package `json:"packages"`
}

// pins are the preferences by which apt takes these versions and no other.
func (l *Locked) pins() []byte {
	var b strings.Builder
	for _, p := range l.Packages {
		fmt.Fprintf(&b, "Package: %s\nPin: version %s\nPin-Priority: 1001\n\n", p.Name, p.Version)
	}
	return []byte(b.String())
}

// list is the package list of an image that has what was locked.
func (l *Locked) list() []byte {
	lines := make([]string, len(l.Packages))
	for i, p := range l.Packages {
		lines[i] = fmt.Sprintf("%s\t%s\t%s\n", p.Name, p.Version, p.Architecture)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// ParsePackages reads a [PackageList].
func ParsePackages(text string) ([]Package, error) {
	var all []Package
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || fields[0] == "" || fields[1] == "" {
			return nil, fmt.Errorf("line %d of the package list: got %q, want name, version and architecture with tabs between them", i+1, line)
		}
		all = append(all, Package{fields[0], fields[1], fields[2]})
	}
	return all, nil
}
