// SPDX-License-Identifier: MIT

package image

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
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

func TestARegistryMayAskForTime(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "99999999999": maxWait, "99999999999999999999": 0, "Wed, 21 Oct 2026 07:28:00 GMT": 0,
	} {
		if got := askedWait(header); got != want {
			t.Errorf("%q asks for %v, want %v", header, got, want)
		}
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

func TestTokensAreFetchedAndNotShown(t *testing.T) {
	t.Parallel()
	const password, token = "hunter2", "bearer-token-1234"
	s, reg := open(t), newRegistry(t, true)
	img := dummy(t, s, 1)
	broken := false
	reg.set(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			if _, p, _ := r.BasicAuth(); p != password {
				http.Error(w, "who are you", http.StatusUnauthorized)
				return true
			}
			fmt.Fprintf(w, `{"token":%q}`, token)
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="lab"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		case broken && r.Method == http.MethodPost:
			http.Error(w, "I do not like "+r.Header.Get("Authorization"), http.StatusBadRequest)
		default:
			return false
		}
		return true
	})
	opts := quick()
	opts.Keychain = one{authn.FromConfig(authn.AuthConfig{Username: "lab", Password: password})}
	if _, err := s.Push(t.Context(), img, reg.ref("dummy:1"), opts); err != nil {
		t.Error(err)
	}
	broken = true
	_, err := s.Push(t.Context(), dummy(t, s, 2), reg.ref("dummy:2"), opts)
	wantError(t, err, "I do not like Bearer [secret]")
	opts.Keychain = one{authn.FromConfig(authn.AuthConfig{Username: "lab", Password: "wrong"})}
	_, err = s.Push(t.Context(), img, reg.ref("dummy:1"), opts)
	wantError(t, err, "log in with podman login")
}

type one struct{ authn.Authenticator }

func (o one) Resolve(authn.Resource) (authn.Authenticator, error) { return o.Authenticator, nil }
