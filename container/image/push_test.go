// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func dummy(t testing.TB, s *Store, seed uint64) Image {
	t.Helper()
	img, err := s.Dummy(t.Context(), fmt.Sprintf("dummy:%d", seed), DummyOptions{Size: 300_000, Layers: 3, Seed: seed, Shared: 2})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPush(t *testing.T) {
	t.Parallel()
	s, reg := open(t), newRegistry(t, true)
	img := dummy(t, s, 1)
	push := func(img Image, ref string) Progress {
		t.Helper()
		var last Progress
		opts := quick()
		opts.Progress = func(p Progress) { last = p }
		digest, err := s.Push(t.Context(), img, ref, opts)
		if err != nil || digest != img.Digest {
			t.Fatalf("pushed %s, %v, want %s", digest, err, img.Digest)
		}
		return last
	}
	if diff := cmp.Diff(Progress{Total: img.Size, Done: img.Size, Sent: img.Size}, push(img, reg.ref("dummy:1"))); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	reg.set(nil)
	p := push(img, reg.ref("dummy:again"))
	if n := reg.count("PATCH blobs"); n != 0 || p.Done != img.Size || p.Sent > 10_000 {
		t.Errorf("%d blobs were sent again, %+v", n, p)
	}
	reg.set(nil)
	other := dummy(t, s, 2)
	push(other, reg.ref("dummy:2"))
	if n := reg.count("PATCH blobs"); n != 2 {
		t.Errorf("%d blobs were sent, want the config and the one layer that is not shared", n)
	}
	push(img, reg.ref("dummy@"+img.Digest))
	if _, err := s.Push(t.Context(), img, reg.ref("dummy@"+other.Digest), quick()); err == nil {
		t.Error("an image is pushed under the digest of another")
	}
}

func TestPushTriesAgain(t *testing.T) {
	t.Parallel()
	reset := func(n int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPatch || n == 0 {
				return false
			}
			n--
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		}
	}
	const uploadGone = `{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"gone"}]}`
	tests := []struct {
		name string
		fail func(http.ResponseWriter, *http.Request) bool
		want string // the error
		stat int
		at   int // most requests of the kind that fails
	}{
		{"an upload fails twice", times(2, 500, "broken", "PATCH", "blobs"), "", 0, 6},
		{"an upload fails twice, and the registry calls it no error of a moment", times(2, 500, `{"errors":[{"code":"INTERNAL_ERROR"}]}`, "PATCH", "blobs"), "", 0, 6},
		{"a commit fails twice", times(2, 502, "broken", "PUT", "blobs"), "", 0, 6},
		{"too many requests", times(3, 429, "slow down", "POST", "blobs"), "", 0, 7},
		{"an upload is forgotten", times(1, 404, uploadGone, "PATCH", "blobs"), "", 0, 5},
		{"the connection is lost", reset(2), "", 0, 6},
		{"a manifest fails twice", times(2, 503, "broken", "PUT", "manifests"), "", 0, 4},
		{"the greeting fails twice", times(2, 503, "broken", "GET", "/v2/"), "", 0, 99},
		{"looking for a blob fails twice", times(2, 504, "broken", "HEAD", "blobs"), "", 0, 99},
		{"reading the manifest back fails twice", times(2, 500, "broken", "GET", "manifests"), "", 0, 4},
		{"uploads never work", times(-1, 500, "broken for good", "PATCH", "blobs"), "broken for good", 500, 20},
		{"a login is missing", times(-1, 401, "", "POST", "blobs"), "log in with podman login", 401, 4},
		{"writing is forbidden", times(-1, 403, `{"errors":[{"code":"DENIED","message":"not yours"}]}`, "PUT", "manifests"), "not yours", 403, 1},
		{"the manifest is refused", times(-1, 400, "what is this", "PUT", "manifests"), "what is this", 400, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, reg := open(t), newRegistry(t, true)
			img := dummy(t, s, 1)
			var fits string
			reg.set(func(w http.ResponseWriter, r *http.Request) bool {
				failed := test.fail(w, r)
				if failed {
					fits = r.Method + " " + kind(r)
				}
				return failed
			})
			var last Progress
			opts := quick()
			opts.Progress = func(p Progress) { last = p }
			_, err := s.Push(t.Context(), img, reg.ref("dummy:1"), opts)
			if n := reg.count(fits); n > test.at || n == 0 {
				t.Errorf("it was tried %d times, want at most %d", n, test.at)
			}
			if test.want == "" {
				if err != nil || last.Done != img.Size {
					t.Errorf("pushed with %v, %+v", err, last)
				}
				return
			}
			wantError(t, err, test.want)
			var failure *RegistryError
			if !errors.As(err, &failure) || failure.Status != test.stat {
				t.Errorf("the error is %#v, want status %d", err, test.stat)
			}
		})
	}
}

func TestPushVerifies(t *testing.T) {
	t.Parallel()
	s := open(t)
	img := dummy(t, s, 1)
	lost := img.Layers[1].Digest
	// onceSent lets the push go through, and spoils what is asked for afterwards.
	onceSent := func(spoil func(w http.ResponseWriter, r *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		manifests := 0
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut && kind(r) == "manifests" {
				manifests++
			}
			return manifests == 2 && spoil(w, r)
		}
	}
	tests := []struct {
		name  string
		spoil func(w http.ResponseWriter, r *http.Request) bool
		want  string
	}{
		{"a blob is lost", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, lost) {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		}, "blob " + lost},
		{"a blob is cut off", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, lost) {
				w.Header().Set("Content-Length", "7")
				return true
			}
			return false
		}, "the registry has 7 bytes of the blob " + lost},
		{"the manifest is lost", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet && kind(r) == "manifests" {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		}, "404"},
		{"the tag names another image", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/manifests/1") {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = io.WriteString(w, `{"schemaVersion":2}`)
				return true
			}
			return false
		}, "the registry gives the manifest"},
		{"the manifest has other content", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/manifests/"+img.Digest) {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = io.WriteString(w, `{"schemaVersion":2}`)
				return true
			}
			return false
		}, "digest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reg := newRegistry(t, true)
			reg.set(onceSent(test.spoil))
			_, err := s.Push(t.Context(), img, reg.ref("dummy:1"), quick())
			wantError(t, err, "verifying "+reg.ref("dummy:1"))
			wantError(t, err, test.want)
		})
	}
	t.Run("a registry that does not say how large a blob is", func(t *testing.T) {
		t.Parallel()
		reg := newRegistry(t, true)
		reg.set(onceSent(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead && kind(r) == "blobs" {
				w.Header().Set("Transfer-Encoding", "chunked")
				w.WriteHeader(http.StatusOK)
				return true
			}
			return false
		}))
		if _, err := s.Push(t.Context(), img, reg.ref("dummy:1"), quick()); err != nil {
			t.Error(err)
		}
	})
}

func TestPushRefusesBeforeItSends(t *testing.T) {
	t.Parallel()
	s, reg := open(t), newRegistry(t, true)
	img := dummy(t, s, 1)
	tests := []struct{ name, ref, want string }{
		{"a name without a registry", "lammps:1", "want REGISTRY/REPOSITORY:TAG"},
		{"a name without a tag", reg.host + "/lab/lammps", "want REGISTRY/REPOSITORY:TAG"},
		{"a user and a password", "https://lab:hunter2@" + reg.host + "/lab/lammps:1", "it holds a user, want"},
		{"no name", "", "want REGISTRY/REPOSITORY:TAG"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.Push(t.Context(), img, test.ref, quick())
			wantError(t, err, test.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
	t.Run("an image that is damaged", func(t *testing.T) {
		if err := os.Truncate(s.path("blobs", strings.Replace(img.Layers[0].Digest, ":", "/", 1)), 10); err != nil {
			t.Fatal(err)
		}
		_, err := s.Push(t.Context(), img, reg.ref("dummy:1"), quick())
		wantError(t, err, "it has 10 bytes")
	})
	t.Run("an image of another store", func(t *testing.T) {
		if _, err := open(t).Push(t.Context(), img, reg.ref("dummy:1"), quick()); !errors.Is(err, ErrNotFound) {
			t.Errorf("the error is %v", err)
		}
	})
	if n := reg.count("PUT manifests"); n != 0 {
		t.Errorf("%d manifests were sent", n)
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, reg := open(t), newRegistry(t, true)
	img := dummy(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	fail := times(-1, 503, "broken", "PATCH", "blobs")
	reg.set(func(w http.ResponseWriter, r *http.Request) bool {
		failed := fail(w, r)
		if failed {
			cancel()
		}
		return failed
	})
	opts := quick()
	opts.Backoff = time.Hour
	if _, err := s.Push(ctx, img, reg.ref("dummy:1"), opts); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
