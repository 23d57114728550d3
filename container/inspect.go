// SPDX-License-Identifier: MIT

package container

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/container/image"
)

// Inspect looks at what an image says of itself: whether it is of the point, whether
// its user is not root, and whether the Flux view has the C library that it needs.
func Inspect(p *Point, i image.Image, b *Build) []Check {
	checks := []Check{
		{Name: "labels", Passed: i.Labels[LabelPoint] == p.Name(), Note: "point " + i.Labels[LabelPoint]},
		{Name: "architecture", Passed: i.Architecture == p.Arch, Note: i.Architecture},
		{Name: "not root", Passed: notRoot(i.User), Note: "user " + i.User},
		defaultCommand(p, i.Cmd),
	}
	return append(checks, libc(p, b))
}

// defaultCommand says whether the image's is the point's, and not that of its base.
func defaultCommand(p *Point, got []string) Check {
	c := Check{Name: "default command", Note: strings.Join(got, " ")}
	want, err := p.Command()
	switch {
	case err != nil:
		c.Note = err.Error()
	case slices.Equal(got, want):
		c.Passed = true
		if len(want) == 0 {
			c.Note = "none: there is none that could work by itself"
		}
	default:
		c.Note = fmt.Sprintf("%q, want %q", got, want)
	}
	return c
}

func notRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name != "" && name != "0" && name != "root"
}

// libc says whether the C library is as new as that of the Flux view.
func libc(p *Point, b *Build) Check {
	c := Check{Name: "Flux view's C library"}
	for _, x := range b.Resolved.Packages {
		if x.Name == "libc6" || x.Name == "glibc" {
			version := x.Version
			if _, after, ok := strings.Cut(version, ":"); ok { // an epoch
				version = after
			}
			c.Passed = !older(version, p.Base.View.Libc)
			c.Note = fmt.Sprintf("%s, and %s wants %s", x.Version, p.View(), p.Base.View.Libc)
			return c
		}
	}
	c.Note = "the image has no package of the C library"
	return c
}

// older says whether a version, of which the first two numbers count, is older than
// another.
func older(version, than string) bool {
	a, b := numbers(version), numbers(than)
	return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
}

func numbers(version string) (n [2]int) {
	fields := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	for i := range min(2, len(fields)) {
		n[i], _ = strconv.Atoi(fields[i])
	}
	return n
}

// MPIVersion says whether what a launcher prints of its version is of the point's MPI.
func MPIVersion(p *Point, text string) Check {
	c := Check{Name: "MPI", Note: firstLine(text)}
	switch p.MPI.MPI {
	case "openmpi":
		c.Passed = strings.Contains(text, "Open MPI") || strings.Contains(text, "OpenRTE")
	case "mpich":
		c.Passed = strings.Contains(text, "HYDRA")
		for line := range strings.Lines(text) {
			if name, version, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "Version" {
				c.Note = "MPICH " + strings.TrimSpace(version)
			}
		}
	}
	want := strings.TrimLeft(p.MPI.Name, "abcdefghijklmnopqrstuvwxyz") // openmpi4.1.2 is 4.1.2
	c.Passed = c.Passed && (want == "" || hasVersion(c.Note, want))
	return c
}

// hasVersion says whether one of the words of a text is a version or begins with it.
func hasVersion(text, want string) bool {
	for _, w := range strings.Fields(text) {
		if w == want || strings.HasPrefix(w, want+".") {
			return true
		}
	}
	return false
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
