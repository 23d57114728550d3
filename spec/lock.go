// SPDX-License-Identifier: MIT

package spec

import (
	"maps"
	"slices"
)

// Lock is a file of what builds of container images resolved, so that later builds
// make the same.
type Lock struct {
	Header
	// Spec is what was resolved.
	Spec LockSpec `json:"spec"`
}

// LockSpec is what was resolved, by image.
type LockSpec struct {
	// Images are by point, as APPLICATION:PLATFORM-BASE-MPI-FABRIC-ARCHITECTURE.
	Images map[string]LockedImage `json:"images"`
}

// LockedImage is what one build took of what its point leaves open.
type LockedImage struct {
	// Digest is that of the image that was built, for comparison.
	Digest string `json:"digest,omitempty" jsonschema:"pattern=^sha256:[0-9a-f]{64}$"`
	// Bases are the digests of the images that it started from, by the name of the
	// base.
	Bases map[string]string `json:"bases,omitempty"`
	// Packages are all that the image has, each as name, version and architecture with
	// blanks between them.
	Packages []string `json:"packages" jsonschema:"minItems=1,pattern=^[A-Za-z0-9.+_-]+ [A-Za-z0-9.+~:^_-]+ [A-Za-z0-9_]+$"`
}

// Default fills nothing.
func (l *Lock) Default() {}

// Check lists the faults that the schema cannot express.
func (l *Lock) Check() (faults []Fault) {
	for _, name := range slices.Sorted(maps.Keys(l.Spec.Images)) {
		at := Path("spec.images").Key(name)
		for _, base := range slices.Sorted(maps.Keys(l.Spec.Images[name].Bases)) {
			if d := l.Spec.Images[name].Bases[base]; !imageDigest.MatchString(d) {
				faults = append(faults, Faultf(at.Key("bases").Key(base), "got %q, want sha256: and 64 hexadecimal digits", d))
			}
		}
	}
	return faults
}
