// SPDX-License-Identifier: MIT

package operator

import (
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/internal/kubetest"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTheAPIServerRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t)
	namespace := c.Namespace(t)
	for _, test := range []struct{ name, spec, want string }{
		{"nothing-to-run", `{"members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}]}`, "want groups, or a study"},
		{"nowhere-to-run", `{"groups": [{"name": "g", "command": ["true"]}]}`, "want members"},
		{"no-nodes", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {"size": 0}, "image": "i"}]}`, "spec.members[0].nodes.size"},
		{"no-size", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {}, "image": "i"}]}`, "spec.members[0].nodes.size: Required"},
		{"a-name-of-a-member-that-is-none", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "M", "nodes": {"size": 1}, "image": "i"}]}`, "spec.members[0].name"},
		{"two-archives", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}], "archive": {"repository": "r/x", "claim": "c"}}`, "want a repository or a claim"},
		{"a-secret-for-nothing", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}], "archive": {"secret": "s"}}`, "secret is for a repository"},
		{"a-word-that-is-none", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}], "retain": {"when": "Sometimes"}}`, "spec.retain.when"},
		{"a-field-that-is-none", `{"groups": [{"name": "g", "comand": ["true"]}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}]}`, `unknown field "spec.groups[0].comand"`},
	} {
		e := kubetest.Ensemble(test.name, test.spec)
		e.Namespace = namespace
		if err := c.Client.Create(t.Context(), e, client.FieldValidation("Strict")); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s is answered with %v, want %q", test.name, err, test.want)
		}
	}
}

func TestOfASpecThatRunsOnlyWhatIsReadEachTimeCanBeChanged(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t)
	e := kubetest.Ensemble("changed", someSpec)
	e.Namespace = c.Namespace(t)
	if err := c.Client.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for patch, want := range map[string]string{
		`{"deadline": "1h", "maxNodes": 7, "suspend": true, "retain": {"when": "Always"}}`: "",
		`{"groups": [{"name": "other", "command": ["true"]}]}`:                             "groups cannot be changed any more",
		`{"members": [{"name": "m", "nodes": {"size": 3}, "image": "app"}]}`:               "members cannot be changed any more",
		`{"archive": {"repository": "elsewhere.example.org/x"}}`:                           "archive cannot be changed any more",
		`{"archive": null}`: "archive cannot be changed any more",
		`{"rules": [{"on": "start", "do": {"submit": "g"}}]}`: "rules cannot be changed any more",
	} {
		err := c.Client.Patch(t.Context(), e.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec": `+patch+`}`)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s is answered with %v, want %q", patch, err, want)
		}
	}
}
