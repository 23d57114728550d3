// SPDX-License-Identifier: MIT

package spec

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

//go:embed schema/*.json
var schemaFiles embed.FS

// Schema gives the JSON Schema (draft 2020-12) of a kind, whichever case its
// name is in.
func Schema(k Kind) ([]byte, error) {
	if !slices.ContainsFunc(kinds(), func(known Kind) bool { return strings.EqualFold(string(known), string(k)) }) {
		return nil, errors.New(Unknown("kind", k, kinds()))
	}
	return schemaFiles.ReadFile("schema/" + strings.ToLower(string(k)) + ".json")
}

var compiled = sync.OnceValue(func() map[Kind]*jsonschema.Schema {
	all := map[Kind]*jsonschema.Schema{}
	for _, k := range kinds() {
		b, err := Schema(k)
		if err != nil {
			panic(err) // embedded at build time
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			panic(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		name := strings.ToLower(string(k)) + ".json"
		if err := c.AddResource(name, doc); err != nil {
			panic(err)
		}
		all[k] = c.MustCompile(name)
	}
	return all
})

// validate holds a document against the schema of its kind. It gives the
// faults and the locations of the values to leave out of further checks.
func validate(k Kind, doc any) (faults []Fault, wrong [][]string) {
	err := compiled()[k].Validate(doc)
	if err == nil {
		return nil, nil
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return []Fault{Faultf("", "%v", err)}, nil
	}
	for _, leaf := range leaves(v) {
		at := pathOf(doc, leaf.InstanceLocation)
		switch k := leaf.ErrorKind.(type) {
		case *kind.AdditionalProperties:
			known := fieldsAt(leaf.SchemaURL)
			for _, name := range k.Properties {
				faults = append(faults, Faultf(at.Key(name), "%s", Unknown("field", name, known)))
				wrong = append(wrong, append(slices.Clone(leaf.InstanceLocation), name))
			}
		case *kind.Required:
			for _, name := range k.Missing {
				faults = append(faults, Faultf(at.Key(name), "missing"))
			}
		default:
			faults = append(faults, Faultf(at, "%s", explain(leaf, lookup(doc, leaf.InstanceLocation))))
			wrong = append(wrong, leaf.InstanceLocation)
		}
	}
	return faults, wrong
}

// leaves gives the errors without the groups around them. Of a choice between
// forms (anyOf) it follows the form whose type the value has, and reports the
// choice itself where no form's type fits.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if _, ok := e.ErrorKind.(*kind.AnyOf); ok {
		var fit []*jsonschema.ValidationError
		for _, form := range e.Causes {
			inner := leaves(form)
			if !slices.ContainsFunc(inner, func(l *jsonschema.ValidationError) bool {
				_, isType := l.ErrorKind.(*kind.Type)
				return isType && len(l.InstanceLocation) == len(e.InstanceLocation)
			}) {
				fit = append(fit, inner...)
			}
		}
		if len(fit) == 0 {
			return []*jsonschema.ValidationError{e}
		}
		return fit
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// explain says what a value is and what would be right.
func explain(e *jsonschema.ValidationError, value any) string {
	got := Describe(value)
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		want := wantTypes(k.Want)
		switch schema := schemaAt(e.SchemaURL); {
		case lookup(schema, []string{"pattern"}) == durationPattern:
			want = durationLike(value)
		case lookup(schema, []string{"pattern"}) == percentPattern:
			want = percentLike(value)
		case lookup(schema, []string{"items", "type"}) == "string":
			want = "a list of strings, such as [a, b]"
		case lookup(schema, []string{"items", "items", "type"}) == "string":
			want = "a list of lists of strings, such as [[a, b], [c]]"
		}
		return fmt.Sprintf("got %s, want %s", got, want)
	case *kind.AnyOf:
		var want []string
		for _, form := range e.Causes {
			for _, l := range leaves(form) {
				if t, ok := l.ErrorKind.(*kind.Type); ok && len(l.InstanceLocation) == len(e.InstanceLocation) {
					want = append(want, t.Want...)
				}
			}
		}
		return fmt.Sprintf("got %s, want %s", got, wantTypes(want))
	case *kind.Enum:
		choices := make([]string, len(k.Want))
		for i, w := range k.Want {
			choices[i] = fmt.Sprint(w)
		}
		if s, ok := value.(string); ok {
			if near := nearest(s, choices); near != "" {
				return fmt.Sprintf("got %s; did you mean %q? want %s", got, near, OneOf(choices))
			}
		}
		return fmt.Sprintf("got %s, want %s", got, OneOf(choices))
	case *kind.Minimum:
		return fmt.Sprintf("got %s, want %s", got, cmp.Or(bounds(e.SchemaURL), ratio(k.Want)+" at least"))
	case *kind.Maximum:
		return fmt.Sprintf("got %s, want %s", got, cmp.Or(bounds(e.SchemaURL), ratio(k.Want)+" at most"))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("got %s, want more than %s", got, ratio(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("got %s, want less than %s", got, ratio(k.Want))
	case *kind.MinItems, *kind.MinProperties:
		return "it is empty; want one entry at least"
	case *kind.MinLength:
		return "it is empty; want some text"
	case *kind.Pattern:
		if k.Want == durationPattern {
			return fmt.Sprintf("got %s, want %s", got, durationLike(value))
		}
		if k.Want == percentPattern {
			return fmt.Sprintf("got %s, want %s", got, percentLike(value))
		}
		return fmt.Sprintf("got %s, want a match of %s", got, k.Want)
	case *kind.Format:
		return fmt.Sprintf("got %s, want a valid %s: %v", got, k.Want, k.Err)
	default:
		return strings.TrimPrefix(e.Error(), "jsonschema validation failed with ")
	}
}

// bounds gives both bounds of a number whose schema is at a URL; nothing where it has
// one only.
func bounds(at string) string {
	s, _ := schemaAt(at).(map[string]any)
	least, ok := s["minimum"].(float64)
	most, both := s["maximum"].(float64)
	if !ok || !both {
		return ""
	}
	return strconv.FormatFloat(least, 'f', -1, 64) + " to " + strconv.FormatFloat(most, 'f', -1, 64)
}

// durationLike says what a duration is: with a unit, where only that lacks.
func durationLike(value any) string {
	if n, ok := value.(json.Number); ok && !strings.HasPrefix(n.String(), "-") {
		return fmt.Sprintf("a duration such as %ss", n)
	}
	return "a duration such as 90s, 5m or 1h30m"
}

// percentLike says what a percentage is: with its sign, where only that lacks.
func percentLike(value any) string {
	if n, ok := value.(json.Number); ok && !strings.HasPrefix(n.String(), "-") {
		return fmt.Sprintf("a percentage such as %s%%", n)
	}
	return "a percentage such as 5% or 2.5%"
}

var typeNames = map[string]string{
	"object": "a mapping", "array": "a list", "string": "a string",
	"number": "a number", "integer": "a whole number", "boolean": "true or false", "null": "nothing",
}

func wantTypes(types []string) string {
	var names []string
	for _, t := range types {
		if n := typeNames[t]; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func ratio(r *big.Rat) string {
	f, _ := r.Float64()
	return strings.TrimSuffix(formatFloat(f), ".0")
}

// fieldsAt lists the fields that the schema at a URL knows.
func fieldsAt(at string) []string {
	fields, _ := lookup(schemaAt(at), []string{"properties"}).(map[string]any)
	return slices.Sorted(maps.Keys(fields))
}

// schemaAt gives the part of a schema that a URL such as
// file:///…/study.json#/$defs/Sweep points at.
func schemaAt(at string) any {
	file, pointer, _ := strings.Cut(at, "#")
	b, err := schemaFiles.ReadFile("schema/" + file[strings.LastIndexByte(file, '/')+1:])
	if err != nil {
		return nil
	}
	var node any
	if json.Unmarshal(b, &node) != nil || pointer == "" {
		return node
	}
	if plain, err := url.PathUnescape(pointer); err == nil {
		pointer = plain
	}
	return lookup(node, strings.Split(strings.Trim(pointer, "/"), "/"))
}
