// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fakeRegistry is a real one on loopback that fails when it is told to.
type fakeRegistry struct {
	host string

	mu       sync.Mutex
	requests []string // METHOD KIND, such as "PATCH blobs"
	// fail answers a request in place of the registry and says so.
	fail func(w http.ResponseWriter, r *http.Request) bool
}

func newRegistry(t testing.TB, referrers bool) *fakeRegistry {
	t.Helper()
	f := &fakeRegistry{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+kind(r))
		failed := f.fail != nil && f.fail(w, r)
		f.mu.Unlock()
		if !failed {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	f.host = strings.TrimPrefix(server.URL, "http://")
	return f
}

func kind(r *http.Request) string {
	for _, k := range []string{"blobs", "manifests", "referrers"} {
		if strings.Contains(r.URL.Path, "/"+k+"/") {
			return k
		}
	}
	return r.URL.Path
}

func (f *fakeRegistry) set(fail func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
	f.requests = nil
}

func (f *fakeRegistry) count(request string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r == request {
			n++
		}
	}
	return n
}

func (f *fakeRegistry) ref(name string) string { return f.host + "/lab/" + name }

// times fails the first n requests that fit.
func times(n int, status int, body, method, kinds string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || kind(r) != kinds || n == 0 {
			return false
		}
		n--
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, body, status)
		return true
	}
}

// quick makes options for tests.
func quick() PushOptions { return PushOptions{Backoff: time.Millisecond, Keychain: nobody{}} }

type nobody struct{}

func (nobody) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

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
		{"no name", "", "want REGISTRY/REPOSITORY:TAG"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.Push(t.Context(), img, test.ref, quick())
			wantError(t, err, test.want)
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

func TestPlainHTTPHasToBeAllowed(t *testing.T) {
	t.Parallel()
	s := secrets{}
	for url, want := range map[string]bool{
		"http://10.0.0.1:5000/v2/": true, "http://registry.local/v2/": true, "http://127.0.0.1:1/v2/": false, "http://[::1]:1/v2/": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !want {
			r.URL.Scheme = "none" // nobody has to listen
		}
		_, err = s.RoundTrip(r)
		if refused := err != nil && strings.Contains(err.Error(), "not allowed"); refused != want {
			t.Errorf("%s: %v", url, err)
		}
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

// login is where a registry asks for user and password, and puts all that it was
// told into its errors.
func login(user, password string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		u, p, ok := r.BasicAuth()
		if ok && (r.Method == http.MethodHead || u == user && p == password) { // answers to HEAD have no text
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
		http.Error(w, fmt.Sprintf("no: %s %s:%s, see https://%s:%s@example.com/?token=%s", r.Header.Get("Authorization"), u, p, u, p, p), http.StatusUnauthorized)
		return true
	}
}

// sameDir names one directory for the life of the process: docker's library looks
// for the home directory once.
var sameDir = sync.OnceValue(func() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("ensemble-image-test-%d", os.Getpid()))
})

func TestCredentialsAreThoseOfDockerAndPodman(t *testing.T) {
	const password = "hunter2/secret+"
	s := open(t)
	img := dummy(t, s, 1)
	tests := []struct {
		name string
		file string
		env  map[string]string
	}{
		{"docker's file at home", "home/.docker/config.json", nil},
		{"docker's file elsewhere", "elsewhere/config.json", map[string]string{"DOCKER_CONFIG": "elsewhere"}},
		{"podman's file of a session", "run/containers/auth.json", map[string]string{"XDG_RUNTIME_DIR": "run"}},
		{"podman's file that is named", "auth.json", map[string]string{"REGISTRY_AUTH_FILE": "auth.json"}},
		{"podman's file at home", "home/.config/containers/auth.json", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := sameDir()
			t.Cleanup(func() { os.RemoveAll(dir) })
			t.Setenv("HOME", filepath.Join(dir, "home"))
			for _, name := range []string{"DOCKER_CONFIG", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"} {
				value := ""
				if v, ok := test.env[name]; ok {
					value = filepath.Join(dir, v)
				}
				t.Setenv(name, value)
			}
			reg := newRegistry(t, true)
			file := filepath.Join(dir, test.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			auth := func(password string) {
				b := mustJSON(t, map[string]any{"auths": map[string]any{reg.host: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("lab:" + password))}}})
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			opts := quick()
			opts.Keychain = nil
			reg.set(login("lab", password))
			auth(password)
			if _, err := s.Push(t.Context(), img, reg.ref("dummy:1"), opts); err != nil {
				t.Error(err)
			}
			reg.set(login("lab", "other"))
			_, err := s.Push(t.Context(), img, reg.ref("dummy:1"), opts)
			wantError(t, err, "401")
			wantError(t, err, "[secret]")
			text := fmt.Sprintf("%v %+v %#v", err, err, err)
			for _, secret := range []string{"hunter2", base64.StdEncoding.EncodeToString([]byte("lab:" + password)), "token="} {
				if strings.Contains(text, secret) {
					t.Errorf("the error shows %q: %s", secret, text)
				}
			}
		})
	}
}

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
			for i, a := range []Artifact{
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
			if _, err := s.Attach(t.Context(), img, ref, Artifact{}, quick()); err == nil {
				t.Error("an artifact without a type is taken")
			}
		})
	}
}
