// SPDX-License-Identifier: MIT

package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheManifestsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "../../deploy/kustomize"
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the code says (%v): go generate ./internal/deploy", name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files) {
		t.Errorf("%s has %d files (%v), want %d", dir, len(entries), err, len(files))
	}
}

func TestTheOperatorMayNotReadSecretsOrEnterPods(t *testing.T) {
	t.Parallel()
	for _, r := range append(Rules(), LeaseRules()...) {
		for _, resource := range r["resources"].([]string) {
			if slices.Contains([]string{"secrets", "pods/exec", "pods/log", "configmaps", "*"}, resource) || slices.Contains(r["verbs"].([]string), "*") {
				t.Errorf("the operator may do %v with %s", r["verbs"], resource)
			}
		}
	}
}
