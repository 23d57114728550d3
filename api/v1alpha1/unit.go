// SPDX-License-Identifier: MIT

package v1alpha1

import (
	"fmt"
	"maps"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// Unit is what becomes one MiniCluster: a member, or of a member with several images the
// part of one.
type Unit struct {
	// Name is unique within the ensemble.
	Name   string
	Member *spec.Member
	Image  string
	// Variants are those that run in the image, and Others says that all run there that
	// no other unit of the member has.
	Variants []string
	Others   bool
	// Rest says that the member runs all groups that no other member names.
	Rest bool
	// elsewhere are the groups of other members and the variants of other units.
	elsewhere, taken []string
}

// Units compiles the members of an ensemble, in their order.
func Units(e *spec.Ensemble) (units []Unit) {
	for i := range e.Spec.Members {
		m := &e.Spec.Members[i]
		var elsewhere []string
		for j := range e.Spec.Members {
			if j != i {
				elsewhere = append(elsewhere, e.Spec.Members[j].Groups...)
			}
		}
		byImage := map[string][]string{}
		for _, variant := range slices.Sorted(maps.Keys(m.Images)) {
			byImage[m.Images[variant]] = append(byImage[m.Images[variant]], variant)
		}
		images := slices.Sorted(maps.Keys(byImage))
		if m.Image != "" && byImage[m.Image] == nil {
			images = append([]string{m.Image}, images...)
		}
		for n, image := range images {
			u := Unit{Name: m.Name, Member: m, Image: image, Variants: byImage[image], Others: image == m.Image,
				Rest: len(m.Groups) == 0, elsewhere: elsewhere, taken: slices.Sorted(maps.Keys(m.Images))}
			if len(images) > 1 {
				u.Name = fmt.Sprintf("%s-%d", m.Name, n+1)
			}
			units = append(units, u)
		}
	}
	return units
}

// Runs says whether jobs of a group, or of a sweep, with a variant run in the unit. A
// plain command has no variant.
func (u *Unit) Runs(group, variant string) bool {
	here := slices.Contains(u.Member.Groups, group) || u.Rest && !slices.Contains(u.elsewhere, group)
	if !here {
		return false
	}
	return slices.Contains(u.Variants, variant) || u.Others && !slices.Contains(u.taken, variant)
}
