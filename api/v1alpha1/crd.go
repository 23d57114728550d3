// SPDX-License-Identifier: MIT

package v1alpha1

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
	"sigs.k8s.io/yaml"
)

//go:embed status.yaml
var definition []byte

// CRD gives the definition of the resource, as a document of apiextensions.k8s.io/v1. Its
// schema is that of the file, in the form that Kubernetes calls structural: what can be of
// several types is left to the operator, which decodes all of it.
func CRD() (map[string]any, error) {
	var crd map[string]any
	if err := yaml.Unmarshal(definition, &crd); err != nil {
		return nil, err
	}
	raw, err := spec.Schema(spec.KindEnsemble)
	if err != nil {
		return nil, err
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	s := structural{file["$defs"].(map[string]any)}
	of, err := s.of(file["properties"].(map[string]any)["spec"])
	if err != nil {
		return nil, err
	}
	of["x-kubernetes-validations"] = []any{
		map[string]any{"rule": "has(self.groups) && size(self.groups) > 0 || has(self.study)", "message": "want groups, or a study"},
		map[string]any{"rule": "!has(self.archive) || !(has(self.archive.repository) && has(self.archive.claim))", "message": "archive: want a repository or a claim"},
		map[string]any{"rule": "!has(self.archive) || has(self.archive.repository) || !has(self.archive.secret)", "message": "archive: secret is for a repository, which is missing"},
		map[string]any{"rule": "has(self.members) && size(self.members) > 0", "message": "want members: the nodes that it runs on, and the images of its applications"},
	}
	of["x-kubernetes-validations"] = append(of["x-kubernetes-validations"].([]any), transitions(of)...)
	version := crd["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)["spec"] = of
	return crd, nil
}

// structural turns JSON Schema into what Kubernetes takes.
type structural struct{ defs map[string]any }

func (s structural) of(v any) (map[string]any, error) {
	in := v.(map[string]any)
	if ref, ok := in["$ref"].(string); ok {
		of, err := s.of(s.defs[strings.TrimPrefix(ref, "#/$defs/")])
		if d, ok := in["description"]; ok && err == nil {
			of["description"] = d
		}
		return of, err
	}
	out := map[string]any{}
	for _, key := range []string{"type", "description", "enum", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "required"} {
		if x, ok := in[key]; ok {
			out[key] = x
		}
	}
	if _, ok := in["anyOf"]; ok { // of several types
		return map[string]any{"description": in["description"], "x-kubernetes-preserve-unknown-fields": true}, nil
	}
	if x, ok := in["exclusiveMinimum"]; ok {
		out["minimum"], out["exclusiveMinimum"] = x, true
	}
	if x, ok := in["exclusiveMaximum"]; ok {
		out["maximum"], out["exclusiveMaximum"] = x, true
	}
	if p, ok := in["properties"].(map[string]any); ok {
		properties := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(p)) {
			of, err := s.of(p[name])
			if err != nil {
				return nil, err
			}
			properties[name] = of
		}
		out["properties"] = properties
	}
	if a, ok := in["additionalProperties"].(map[string]any); ok {
		of, err := s.of(a)
		if err != nil {
			return nil, err
		}
		out["additionalProperties"] = of
	}
	if items, ok := in["items"]; ok {
		of, err := s.of(items)
		if err != nil {
			return nil, err
		}
		out["items"] = of
	}
	if out["type"] == nil {
		return nil, fmt.Errorf("the schema has a value without a type: %v", in)
	}
	return out, nil
}

// Mutable are the fields of a spec that can be changed while it runs: the operator reads
// them each time. The agent has read the others.
var Mutable = []string{"deadline", "maxNodes", "retain", "suspend"}

// transitions are rules that refuse changes of all other fields.
func transitions(schema map[string]any) (rules []any) {
	for _, name := range slices.Sorted(maps.Keys(schema["properties"].(map[string]any))) {
		if slices.Contains(Mutable, name) {
			continue
		}
		rules = append(rules, map[string]any{
			"rule":    fmt.Sprintf("has(self.%[1]s) == has(oldSelf.%[1]s) && (!has(self.%[1]s) || self.%[1]s == oldSelf.%[1]s)", name),
			"message": name + " cannot be changed any more: make another Ensemble; " + strings.Join(Mutable, ", ") + " can",
		})
	}
	return rules
}
