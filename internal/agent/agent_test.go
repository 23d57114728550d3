// SPDX-License-Identifier: MIT

package agent

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

func TestTagsOfBundlesAreThoseOfOCI(t *testing.T) {
	t.Parallel()
	tag := regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`) // OCI distribution 1.1
	seen := map[string]string{}
	for _, name := range []string{"short", "with.dots", strings.Repeat("a.", 126) + "a", strings.Repeat("a-", 126) + "a", strings.Repeat("x", 253)} {
		for _, uid := range []string{"0f0e0d0c-1111-2222-3333-444455556666", "0f0e0d0d-1111-2222-3333-444455556666"} {
			e := &v1alpha1.Ensemble{}
			e.Name, e.UID = name, types.UID(uid)
			got := Tag(e, "cpu-1")
			if !tag.MatchString(got) {
				t.Errorf("%s has the tag %q", name, got)
			}
			if before, ok := seen[got]; ok {
				t.Errorf("%s and %s have the same tag %s", before, name+" "+uid, got)
			}
			seen[got] = name + " " + uid
		}
	}
}

func TestTheDeadlineIsThatOfTheEnsembleAsItIs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{`{"groups": []}`: 0, `{"deadline": "90m"}`: 90 * time.Minute} {
		if got := deadline(&v1alpha1.Ensemble{Spec: v1alpha1.Raw(raw)}); got != want {
			t.Errorf("of %s it is %v, want %v", raw, got, want)
		}
	}
}
