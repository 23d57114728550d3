// SPDX-License-Identifier: MIT

package mpi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prototype is one function of MPI as its header declares it.
type prototype struct {
	name   string // without MPI_, such as Send
	params []param
}

// param is a parameter by its type, as declared without the name: "const void *"
// or "const int []".
type param string

var (
	declared = regexp.MustCompile(`\bint\s+MPI_([A-Z]\w*)\s*\(([^()]*)\)\s*[;_]`)
	named    = regexp.MustCompile(`^(.*?)\s*\b[A-Za-z_]\w*\s*((?:\[[^\]]*\])*)$`)
	spaces   = regexp.MustCompile(`\s+`)
)

// parsePrototypes reads the functions that a preprocessed mpi.h declares, but
// for those that are no calls of MPI: the interface for tools, and conversions of
// handles and of statuses. MPI_Pcontrol, which has no fixed arguments, is not one
// of them either.
func parsePrototypes(header string) ([]prototype, error) {
	var all []prototype
	for _, m := range declared.FindAllStringSubmatch(header, -1) {
		p := prototype{name: m[1]}
		if unwrapped(p.name) || slices.ContainsFunc(all, func(q prototype) bool { return q.name == p.name }) {
			continue
		}
		text := strings.TrimSpace(spaces.ReplaceAllString(m[2], " "))
		if text != "void" && text != "" {
			for one := range strings.SplitSeq(text, ",") {
				typ, err := typeOf(strings.TrimSpace(one))
				if err != nil {
					return nil, fmt.Errorf("MPI_%s: %w", p.name, err)
				}
				p.params = append(p.params, typ)
			}
		}
		all = append(all, p)
	}
	if len(all) < 100 {
		return nil, fmt.Errorf("found %d functions of MPI in the header, want a few hundred", len(all))
	}
	return all, nil
}

func unwrapped(name string) bool {
	return strings.HasPrefix(name, "T_") || strings.HasSuffix(name, "_c2f") || strings.HasSuffix(name, "_f2c") ||
		strings.Contains(name, "f08") || name == "Pcontrol"
}

// typeOf takes the name out of a declaration.
func typeOf(declaration string) (param, error) {
	m := named.FindStringSubmatch(declaration)
	if m == nil || m[1] == "" {
		return "", fmt.Errorf("unknown form of parameter %q", declaration)
	}
	return param(strings.TrimSpace(m[1] + " " + m[2])), nil
}

// c declares the parameter in C.
func (p param) c(name string) string {
	base, brackets, array := strings.Cut(string(p), "[")
	if array {
		return base + name + "[" + brackets
	}
	return base + " " + name
}

// array says whether the type is written with brackets.
func (p param) array() bool { return strings.HasSuffix(string(p), "]") }

// pointer says whether the type is one, or an array.
func (p param) pointer() bool { return strings.ContainsAny(string(p), "*[") }

// base is the type without qualifiers, pointers and brackets.
func (p param) base() string {
	name, _, _ := strings.Cut(string(p), "[")
	return strings.TrimSpace(strings.NewReplacer("const ", "", "*", "").Replace(name))
}

// characters says whether Fortran passes it with a hidden length.
func (p param) characters() bool { return p.base() == "char" }
