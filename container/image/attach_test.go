// SPDX-License-Identifier: MIT

package image

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	for _, referrers := range []bool{true, false} {
		t.Run(fmt.Sprintf("a registry with the referrers API: %t", referrers), func(t *testing.T) {
			t.Parallel()
			s, reg := open(t), newRegistry(t, referrers)
			img := dummy(t, s, 1)
			ref := reg.ref("dummy:1")
			if _, err := s.Push(t.Context(), img, ref, quick()); err != nil {
				t.Fatal(err)
			}
			var want []string
			for i, a := range []Attachment{
				{Type: "application/spdx+json", Content: []byte(`{"spdxVersion":"SPDX-2.3"}`)},
				{Type: "application/vnd.example.notes", MediaType: "text/plain", Content: []byte("{}"), Annotations: map[string]string{"by": "me"}},
			} {
				if i == 1 {
					reg.set(times(2, 500, "broken", "PUT", "manifests"))
				}
				digest, err := s.Attach(t.Context(), img, ref, a, quick())
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, digest)
				var m v1.Manifest
				getJSON(t, "http://"+reg.host+"/v2/lab/dummy/manifests/"+digest, &m)
				if m.ArtifactType != a.Type || m.Subject.Digest.String() != img.Digest || m.Config.MediaType != emptyConfig {
					t.Errorf("the artifact's manifest is %+v", m)
				}
			}
			list, err := img.Referrers(t.Context(), ref, quick())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range list {
				got = append(got, r.Digest)
				// The registry of the tests lists artifacts by the type of their config.
				if !referrers && !strings.Contains("application/spdx+json application/vnd.example.notes", r.Type) {
					t.Errorf("the list has %+v", r)
				}
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("referrers (-want +got):\n%s", diff)
			}
			if list, err := dummy(t, s, 2).Referrers(t.Context(), ref, quick()); err != nil || len(list) != 0 {
				t.Errorf("an image without referrers has %v, %v", list, err)
			}
			if _, err := s.Attach(t.Context(), img, ref, Attachment{}, quick()); err == nil {
				t.Error("an artifact without a type is taken")
			}
		})
	}
}
