// SPDX-License-Identifier: MIT

package spec

import (
	"slices"
	"strings"
	"time"
)

// checkMembers finds what is wrong with where an ensemble runs on Kubernetes. names are
// its groups and sweeps.
func (s *EnsembleSpec) checkMembers(at Path, names []string) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	seen, hosted, rest := map[string]bool{}, map[string]string{}, ""
	for i := range s.Members {
		m, at := &s.Members[i], at.Key("members").Index(i)
		if seen[m.Name] {
			add(at.Key("name"), "two members have the name %q", m.Name)
		}
		seen[m.Name] = true
		faults = append(faults, m.check(at)...)
		if len(m.Groups) == 0 {
			if rest != "" {
				add(at, "the member %q names no groups either; want them for one of the two", rest)
			}
			rest = m.Name
		}
		for j, g := range m.Groups {
			switch {
			case !slices.Contains(names, g):
				add(at.Key("groups").Index(j), "%s", Unknown("group", g, names))
			case hosted[g] != "":
				add(at.Key("groups").Index(j), "the group %q runs in the member %q already", g, hosted[g])
			}
			hosted[g] = m.Name
		}
		if s.MaxNodes > 0 && m.Nodes.Size > s.MaxNodes {
			add(at.Key("nodes").Key("size"), "got %d nodes, and maxNodes allows %d in all", m.Nodes.Size, s.MaxNodes)
		}
	}
	if len(s.Members) > 0 && rest == "" {
		for _, g := range names {
			if hosted[g] == "" {
				add(at.Key("members"), "no member runs the group %q; want it in one, or a member without groups, which runs the rest", g)
			}
		}
	}
	if s.Deadline < 0 || 0 < s.Deadline && time.Duration(s.Deadline) < time.Second {
		add(at.Key("deadline"), "got %v, want 1s at least", time.Duration(s.Deadline))
	}
	if s.Retain.For < 0 {
		add(at.Key("retain").Key("for"), "got %v, want no less than 0s", time.Duration(s.Retain.For))
	}
	if s.Retain.Ensemble && s.Retain.For == 0 {
		add(at.Key("retain").Key("ensemble"), "want for: how long it stays")
	}
	return append(faults, s.Archive.check(at.Key("archive"))...)
}

func (m *Member) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	n := m.Nodes
	if n.Min > n.Size {
		add(at.Key("nodes").Key("min"), "got %d, want no more than the size %d", n.Min, n.Size)
	}
	if n.Max > 0 && n.Max < n.Size {
		add(at.Key("nodes").Key("max"), "got %d, want no less than the size %d", n.Max, n.Size)
	}
	if m.Image == "" && len(m.Images) == 0 {
		add(at, "want an image, or images by variant")
	}
	volumes := map[string]bool{}
	for i, v := range m.Volumes {
		at := at.Key("volumes").Index(i)
		if volumes[v.Name] {
			add(at.Key("name"), "two volumes have the name %q", v.Name)
		}
		volumes[v.Name] = true
		given := 0
		for _, s := range []string{v.Claim, v.ConfigMap, v.Secret} {
			if s != "" {
				given++
			}
		}
		if given != 1 {
			add(at, "want one of claim, configMap and secret")
		}
	}
	return faults
}

func (a *Archive) check(at Path) (faults []Fault) {
	add := func(p Path, format string, args ...any) { faults = append(faults, Faultf(p, format, args...)) }
	if a.Repository != "" && a.Claim != "" {
		add(at, "want a repository or a claim")
	}
	if a.Repository == "" && (a.Secret != "" || a.Insecure) {
		add(at, "secret and insecure are for a repository, which is missing")
	}
	if r := a.Repository; r != "" && (!strings.Contains(r, "/") || strings.ContainsAny(r, "@ \t\n") || strings.Contains(r[strings.LastIndex(r, "/"):], ":")) {
		add(at.Key("repository"), "got %q, want REGISTRY/REPOSITORY, without a tag", r)
	}
	return faults
}
