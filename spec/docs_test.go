// SPDX-License-Identifier: MIT

package spec_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/spec"
)

// TestEveryFieldIsDocumented wants the name of each field of each kind in
// docs/files.md, in an example or between backquotes.
func TestEveryFieldIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/files.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 0 { // not an example
			part = strings.Join(regexp.MustCompile("`[^`]+`").FindAllString(part, -1), " ")
		}
		for _, word := range regexp.MustCompile("[A-Za-z][A-Za-z0-9]*").FindAllString(part, -1) {
			named[word] = true
		}
	}
	for _, kind := range []spec.Kind{spec.KindApplication, spec.KindStudy, spec.KindEnsemble, spec.KindEnvironment, spec.KindParts, spec.KindLock} {
		b, err := spec.Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var schema any
		if err := json.Unmarshal(b, &schema); err != nil {
			t.Fatal(err)
		}
		for field := range fields(schema) {
			if slices.ContainsFunc(strings.Fields(field), func(word string) bool { return !named[word] }) {
				t.Errorf("docs/files.md does not name the field %q of %s", field, kind)
			}
		}
	}
}

// fields gives the names of all properties in a schema.
func fields(node any) map[string]bool {
	all := map[string]bool{}
	switch node := node.(type) {
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		for name := range properties {
			all[name] = true
		}
		for _, part := range node {
			for name := range fields(part) {
				all[name] = true
			}
		}
	case []any:
		for _, part := range node {
			for name := range fields(part) {
				all[name] = true
			}
		}
	}
	return all
}
