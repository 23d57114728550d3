// SPDX-License-Identifier: MIT

package spec

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// imageDigest is the digest of an image.
var imageDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Default fills nothing: what a part does not say it does not have.
func (p *Parts) Default() {}

// Check lists the faults that the schema cannot express.
func (p *Parts) Check() (faults []Fault) {
	add := func(at Path, format string, args ...any) { faults = append(faults, Faultf(at, format, args...)) }
	s := &p.Spec
	names := func(at Path, parts []Part) (all []string) {
		for i := range parts {
			if at := at.Index(i); slices.Contains(all, parts[i].Name) {
				add(at.Key("name"), "the part %q is given twice", parts[i].Name)
			}
			all = append(all, parts[i].Name)
			faults = append(faults, parts[i].check(at.Index(i))...)
		}
		return all
	}
	var bases []string
	for i, b := range s.Bases {
		at := Path("spec.bases").Index(i)
		if slices.Contains(bases, b.Name) {
			add(at.Key("name"), "the base %q is given twice", b.Name)
		}
		bases = append(bases, b.Name)
		faults = append(faults, checkReference(at.Key("image"), b.Image)...)
		for _, arch := range slices.Sorted(maps.Keys(b.View.Images)) {
			faults = append(faults, checkReference(at.Key("view").Key("images").Key(arch), b.View.Images[arch])...)
		}
	}
	toolchains := names("spec.toolchains", s.Toolchains)
	mpis := names("spec.mpis", s.MPIs)
	fabrics := names("spec.fabrics", s.Fabrics)
	names("spec.tools", s.Tools)
	needs := slices.Concat(names("spec.builders", s.Builders), names("spec.libraries", s.Libraries))
	for key, parts := range map[string][]Part{"mpis": s.MPIs, "fabrics": s.Fabrics, "builders": s.Builders, "tools": s.Tools, "libraries": s.Libraries} {
		for i, p := range parts {
			at := Path("spec").Key(key).Index(i)
			for j, name := range p.Build.Needs {
				if !slices.Contains(needs, name) {
					add(at.Key("build").Key("needs").Index(j), "%s", Unknown("builder or library", name, needs))
				}
			}
			if p.Base != "" && !slices.Contains(bases, p.Base) {
				add(at.Key("base"), "%s", Unknown("base", p.Base, bases))
			}
			early := key == "mpis" || key == "fabrics" // they are built before all others
			if early && len(p.Build.Needs) > 0 {
				add(at.Key("build").Key("needs"), "an MPI and a fabric are built before builders and libraries; want none")
			}
			if key == "libraries" {
				for j, name := range p.Build.Needs {
					if k := slices.IndexFunc(s.Libraries, func(l Part) bool { return l.Name == name }); k >= i {
						add(at.Key("build").Key("needs").Index(j), "the library %q comes later; want it before this one", name)
					}
				}
			}
			if p.Base != "" && (early || key == "libraries") {
				add(at.Key("base"), "it is built on the base of each point; want a base for builders and tools only")
			}
			if p.When != "" && early {
				add(at.Key("when"), "platforms and constraints say with which MPI and fabric points are; want it for builders, tools and libraries only")
			}
		}
	}
	for i, m := range s.MPIs {
		if m.MPI == "" {
			add(Path("spec.mpis").Index(i).Key("mpi"), "missing; want openmpi, mpich or none")
		}
	}
	for i, p := range s.Platforms {
		at := Path("spec.platforms").Index(i)
		known := func(key, what string, got, known []string) {
			for j, name := range got {
				if !slices.Contains(known, name) {
					add(at.Key(key).Index(j), "%s", Unknown(what, name, known))
				}
			}
		}
		if !slices.Contains(toolchains, p.Toolchain) {
			add(at.Key("toolchain"), "%s", Unknown("toolchain", p.Toolchain, toolchains))
		}
		known("bases", "base", p.Bases, bases)
		known("mpis", "MPI", p.MPIs, mpis)
		known("fabrics", "fabric", p.Fabrics, fabrics)
	}
	return faults
}

// packageName is what distributions call packages, with a version behind = where one is
// wanted.
var packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_:=~-]*$`)

func (p Packages) check(at Path) (faults []Fault) {
	for _, base := range slices.Sorted(maps.Keys(p)) {
		for i, name := range p[base] {
			if !packageName.MatchString(name) {
				faults = append(faults, Faultf(at.Key(base).Index(i), "got %q, want the name of a package", name))
			}
		}
	}
	return faults
}

// variableName is the name of a variable of the environment.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkEnv(at Path, env map[string]string) (faults []Fault) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !variableName.MatchString(name) {
			faults = append(faults, Faultf(at.Key(name), "got %q, want the name of a variable", name))
		}
	}
	return faults
}

func (p *Part) check(at Path) (faults []Fault) {
	faults = p.Build.check(at.Key("build"))
	if strings.ContainsFunc(p.Version, unicode.IsControl) {
		faults = append(faults, Faultf(at.Key("version"), "got %q, want a version in one line", p.Version))
	}
	faults = append(faults, p.Packages.check(at.Key("packages"))...)
	faults = append(faults, checkEnv(at.Key("env"), p.Env)...)
	faults = append(faults, checkCopies(at, p.Copy, len(p.Build.Run) > 0)...)
	return faults
}

// check lists what is wrong with the recipe of an application.
func (c *Container) check(at Path, decks []Deck) (faults []Fault) {
	faults = c.Build.check(at.Key("build"))
	faults = append(faults, c.Packages.check(at.Key("packages"))...)
	faults = append(faults, checkEnv(at.Key("env"), c.Env)...)
	for i, s := range c.Build.Sources {
		if s.File != "" && !slices.ContainsFunc(decks, func(d Deck) bool { return d.Path == s.File }) {
			faults = append(faults, Faultf(at.Key("build").Key("sources").Index(i).Key("file"), "the application has no deck %q", s.File))
		}
	}
	return append(faults, checkCopies(at, c.Copy, len(c.Build.Run) > 0)...)
}

func (r *Recipe) check(at Path) (faults []Fault) {
	faults = r.Packages.check(at.Key("packages"))
	for i, s := range r.Sources {
		at := at.Key("sources").Index(i)
		kinds := 0
		for _, given := range []bool{s.URL != "", s.File != "", s.Embedded != ""} {
			if given {
				kinds++
			}
		}
		switch {
		case kinds != 1:
			faults = append(faults, Faultf(at, "want one of url, file and embedded"))
		case s.URL != "" && pins(s) != 1:
			faults = append(faults, Faultf(at, "%s is not pinned: want the sha256 or sha512 of an archive, or the commit of a repository", s.URL))
		case s.URL == "" && pins(s) > 0:
			faults = append(faults, Faultf(at, "sha256, sha512 and commit go with url"))
		}
		if s.Submodules && s.Commit == "" {
			faults = append(faults, Faultf(at.Key("submodules"), "only a repository has submodules; want a commit"))
		}
	}
	for i, line := range r.Run {
		at := at.Key("run").Index(i)
		switch {
		case line == "" || strings.ContainsAny(line, "\r\n") || strings.HasSuffix(line, "\\") || strings.Contains(line, "<<"):
			faults = append(faults, Faultf(at, "got %q, want one line of shell without a here-document", line))
		case strings.HasPrefix(line, "#") || strings.Contains(line, " #"):
			faults = append(faults, Faultf(at, "got %q, want no comment: it would hide the lines behind it", line))
		case strings.Contains(line, "&&"):
			faults = append(faults, Faultf(at, "got %q, want a line for each command: in a list with && a failure does not end the build", line))
		}
	}
	if len(r.Sources) > 0 && len(r.Run) == 0 {
		faults = append(faults, Faultf(at.Key("run"), "missing; there are sources to build"))
	}
	return faults
}

// pins counts what says which source it is.
func pins(s Source) (n int) {
	for _, pin := range []string{s.SHA256, s.SHA512, s.Commit} {
		if pin != "" {
			n++
		}
	}
	return n
}

// checkCopies wants absolute paths that mean the same wherever they are read.
func checkCopies(at Path, paths []string, built bool) (faults []Fault) {
	for i, p := range paths {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsAny(p, " \t\n\"'\\$*?[") {
			faults = append(faults, Faultf(at.Key("copy").Index(i), "got %q, want a plain absolute path", p))
		}
	}
	if len(paths) == 0 && built {
		faults = append(faults, Faultf(at.Key("copy"), "missing; without it nothing of what is built gets into the image"))
	}
	if len(paths) > 0 && !built {
		faults = append(faults, Faultf(at.Key("copy"), "nothing is built that could be copied"))
	}
	return faults
}

// checkPinned wants an image that can only be one.
func checkPinned(at Path, ref string) []Fault {
	name, digest, _ := strings.Cut(ref, "@")
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, " \t\r\n\"'\\$") || !imageDigest.MatchString(digest) {
		return []Fault{Faultf(at, "got %q, want an image with its digest, as NAME@sha256:HEX", ref)}
	}
	return nil
}

// checkReference wants an image that is the same tomorrow, as far as a tag can say
// so.
func checkReference(at Path, ref string) []Fault {
	name, digest, _ := strings.Cut(ref, "@")
	_, tag, _ := strings.Cut(path.Base(name), ":")
	switch {
	case strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " \t\r\n\"'\\$"):
		return []Fault{Faultf(at, "got %q, want an image reference", ref)}
	case digest == "" && (tag == "" || tag == "latest"):
		return []Fault{Faultf(at, "got %q, want a tag that says a version, or a digest", ref)}
	}
	return nil
}
