// SPDX-License-Identifier: MIT

// Package registrytest is a real registry for tests, the one of the CNCF's distribution,
// with its blobs in a folder, and with trouble on request.
package registrytest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Registry is one on loopback.
type Registry struct {
	// Address is its host and port; it speaks plain HTTP.
	Address string
	// Dir is where it keeps what it has.
	Dir string

	mu      sync.Mutex
	trouble Trouble
}

// Trouble answers a request in the registry's place, and says whether it did.
type Trouble func(w http.ResponseWriter, r *http.Request) bool

// Start runs a registry until the test ends. With a user it wants a login.
func Start(t testing.TB, user, password string) *Registry {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: make kube builds it", path)
	}
	r := &Registry{Dir: t.TempDir()}
	of := t.TempDir()
	text := fmt.Sprintf(config, r.Dir)
	if user != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(of, "htpasswd")
		if err := os.WriteFile(file, append([]byte(user+":"), hash...), 0o600); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", file)
	}
	file := filepath.Join(of, "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	to := &url.URL{Scheme: "http", Host: serve(t, path, file)}
	// Its own address stays in front: uploads go on where it says.
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		trouble := r.trouble
		r.mu.Unlock()
		if trouble == nil || !trouble(w, q) {
			proxy.ServeHTTP(w, q)
		}
	}))
	r.Address = strings.TrimPrefix(front.URL, "http://")
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return r
}

// config is that of a registry with its blobs in a folder.
const config = `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0", secret: for uploads that go on}
`

var listens = regexp.MustCompile(`msg="listening on ([0-9.:]+)"`)

// serve runs a registry until the test ends, and gives its address.
func serve(t testing.TB, path, file string) (address string) {
	t.Helper()
	c := exec.Command(path, "serve", file)
	c.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	out, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() {
		_ = c.Process.Kill()
		done.Wait()
		_ = c.Wait()
	})
	lines := bufio.NewScanner(out)
	var said bytes.Buffer
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			done.Go(func() { _, _ = io.Copy(io.Discard, out) })
			return m[1]
		}
	}
	t.Fatalf("the registry does not begin:\n%s", said.Bytes())
	return ""
}

// Trouble has requests go through this first; nil is none.
func (r *Registry) Trouble(trouble Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = trouble
}

// Refuse answers every request with a status and an error of the distribution
// specification.
func Refuse(status int, code, message string) Trouble {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"errors":[{"code":"`+code+`","message":"`+message+`"}]}`)
		return true
	}
}

// Hang never answers.
func Hang(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

// Only has trouble with some requests: those of a method to a path with some text.
func Only(method, in string, trouble Trouble) Trouble {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == method && strings.Contains(r.URL.Path, in) && trouble(w, r)
	}
}
