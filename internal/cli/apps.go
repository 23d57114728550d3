// SPDX-License-Identifier: MIT

package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

func newApps(e *env) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "apps [NAME]",
		Short: "Show the catalog of applications",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cat, err := e.catalog()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				l := &listing{header: []string{"name", "variants", "scaling", "description"}}
				var all []*spec.Application
				for _, name := range cat.Names() {
					a, _ := cat.App(name)
					all = append(all, a)
					l.rows = append(l.rows, []string{name, variantNames(a), string(a.Spec.Scaling), firstSentence(a.Spec.Description)})
				}
				l.value = all
				return l.write(e.stdout, format)
			}
			a, ok := cat.App(args[0])
			if !ok {
				return input(errors.New(spec.Unknown("application", args[0], cat.Names())))
			}
			if format == "table" {
				return describeApp(e.stdout, a)
			}
			return parameterListing(a).write(e.stdout, format)
		},
	}
	outputFlag(c, &format)
	return c
}

func variantNames(a *spec.Application) string {
	if len(a.Spec.Variants) == 0 {
		return "-"
	}
	names := make([]string, len(a.Spec.Variants))
	for i, v := range a.Spec.Variants {
		names[i] = v.Name
	}
	return strings.Join(names, ",")
}

func firstSentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i+1]
	}
	return s
}

func parameterListing(a *spec.Application) *listing {
	l := &listing{header: []string{"parameter", "type", "default", "range", "unit", "role", "description"}, value: a}
	for _, name := range slices.Sorted(maps.Keys(a.Spec.Parameters)) {
		p := a.Spec.Parameters[name]
		def := ""
		if p.Default != nil {
			def = p.Default.String()
		}
		l.rows = append(l.rows, []string{name, string(p.Type), def, parameterRange(p), p.Unit, string(p.Role), firstSentence(p.Description)})
	}
	return l
}

func parameterRange(p spec.Parameter) string {
	if len(p.Values) > 0 {
		var s []string
		for _, v := range p.Values {
			s = append(s, v.String())
		}
		return strings.Join(s, "|")
	}
	bound := func(f *float64) string {
		if f == nil {
			return ""
		}
		return fmt.Sprintf("%g", *f)
	}
	if p.Min == nil && p.Max == nil {
		return p.Pattern
	}
	return bound(p.Min) + ".." + bound(p.Max)
}

// describeApp shows one application to a person.
func describeApp(w io.Writer, a *spec.Application) error {
	s := &a.Spec
	fmt.Fprintf(w, "%s: %s\n", a.Metadata.Name, strings.Join(strings.Fields(s.Description), " "))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, value)
		}
	}
	line("homepage", s.Homepage)
	line("licence", s.License)
	line("command", strings.Join(s.Command, " "))
	ranks := string(s.Ranks.Accept)
	if len(s.Ranks.Of) > 0 {
		ranks += " of " + strings.Join(s.Ranks.Of, ", ")
	}
	line("ranks", ranks)
	line("scaling", string(s.Scaling))
	if len(s.Variants) == 0 {
		line("variants", "none: its output can be read, but it cannot be run here")
	}
	for _, v := range s.Variants {
		line("variant", fmt.Sprintf("%s (MPI: %s; packages: %s)", v.Name, v.MPI, strings.Join(v.Packages, ", ")))
	}
	if len(s.Parameters) > 0 {
		fmt.Fprintln(w)
		if err := parameterListing(a).write(w, "table"); err != nil {
			return err
		}
	}
	if len(s.Output.Metrics) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	l := &listing{header: []string{"metric", "unit", "better", "role", "description"}}
	seen := map[string]bool{}
	for _, m := range s.Output.Metrics {
		if !seen[m.Name] {
			l.rows = append(l.rows, []string{m.Name, m.Unit, string(m.Better), string(m.Role), firstSentence(m.Description)})
		}
		seen[m.Name] = true
	}
	return l.write(w, "table")
}
