// SPDX-License-Identifier: MIT

package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

func TestTheManifestsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "../../deploy"
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the code says (%v): go generate ./internal/deploy", name, err)
		}
	}
	for _, made := range []string{"kustomize", "helm"} {
		if err := filepath.WalkDir(filepath.Join(dir, made), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				name, _ := filepath.Rel(dir, path)
				if files[name] == nil {
					t.Errorf("%s is nothing that the code writes", path)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheChartGivesWhatKustomizeGives renders its templates as Helm does.
func TestTheChartGivesWhatKustomizeGives(t *testing.T) {
	t.Parallel()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "helm/ensemble-operator/"
	var values map[string]any
	if err := yaml.Unmarshal(files[dir+"values.yaml"], &values); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	var templates int
	for name, text := range files {
		if !strings.HasPrefix(name, dir+"templates/") && !strings.HasPrefix(name, dir+"crds/") {
			continue
		}
		var out strings.Builder
		tmpl, err := template.New(name).Option("missingkey=error").Parse(string(text))
		if err == nil {
			err = tmpl.Execute(&out, map[string]any{"Values": values, "Release": map[string]string{"Namespace": Namespace}})
		}
		if err != nil {
			t.Fatal(err)
		}
		templates += strings.Count(string(text), "{{")
		for _, doc := range strings.Split(out.String(), "---\n")[1:] {
			got[key(t, []byte(doc))] = doc
		}
	}
	if templates < 8 {
		t.Errorf("only %d places are the release's", templates)
	}
	objects, err := Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		want, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if o["kind"] == "Namespace" {
			continue
		}
		var a, b any
		k := key(t, want)
		if err := errors.Join(yaml.Unmarshal(want, &a), yaml.Unmarshal([]byte(got[k]), &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("the chart has another %s (%v):\n%s\nwant\n%s", k, err, got[k], want)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("the chart has more: %v", got)
	}
}

func key(t *testing.T, doc []byte) string {
	t.Helper()
	var o struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := yaml.Unmarshal(doc, &o); err != nil {
		t.Fatal(err)
	}
	return o.Kind + " " + o.Metadata.Name
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
