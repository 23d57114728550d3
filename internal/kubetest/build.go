// SPDX-License-Identifier: MIT

package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// version is the release of Kubernetes whose API server tests run.
const version = "v1.35.4"

// Directory is where the programs are: KUBEBUILDER_ASSETS, or else a folder of the user's
// cache that [Build] fills.
func Directory() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "ensemble", "kube-"+version), nil
}

// Build builds the API server from its Go module, unless it is there, and finds etcd. It
// takes some ten minutes on two cores. What it does is told to w.
func Build(w io.Writer) (dir string, err error) {
	if dir, err = Directory(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd")); err != nil {
		etcd, err := exec.LookPath("etcd")
		if err != nil {
			return "", fmt.Errorf("etcd is missing: apt-get install etcd-server")
		}
		if err := os.Symlink(etcd, filepath.Join(dir, "etcd")); err != nil {
			return "", err
		}
	}
	server := filepath.Join(dir, "kube-apiserver")
	if _, err := os.Stat(server); err == nil {
		return dir, nil
	}
	fmt.Fprintf(w, "building kube-apiserver %s, once, into %s: some ten minutes\n", version, dir)
	module, err := os.MkdirTemp("", "kube-module-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(module)
	if err := writeModule(module); err != nil {
		return "", err
	}
	half := server + ".half"
	defer os.Remove(half)
	flag := "-X k8s.io/component-base/version.gitVersion=" + version
	for _, args := range [][]string{
		{"mod", "tidy", "-e"},
		{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + flag, "-o", half, "k8s.io/kubernetes/cmd/kube-apiserver"},
	} {
		c := exec.Command("go", args...)
		c.Dir, c.Env = module, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %s: %w\n%s", args[0], err, out)
		}
	}
	return dir, os.Rename(half, server)
}

// staging are the modules that k8s.io/kubernetes has no versions of in its go.mod.
var staging = regexp.MustCompile(`(?m)^\s*(k8s\.io/[a-z0-9-]+) v0\.0\.0(?:\s|$)`)

// writeModule writes a module that requires k8s.io/kubernetes, with the versions of its
// parts, which it leaves out.
func writeModule(dir string) error {
	c := exec.Command("go", "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("downloading k8s.io/kubernetes@%s: %w", version, err)
	}
	var download struct{ GoMod string }
	if err := json.Unmarshal(out, &download); err != nil {
		return err
	}
	mod, err := os.ReadFile(download.GoMod)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("module kube\n\n")
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(line, "go ") || strings.HasPrefix(line, "godebug ") {
			b.WriteString(line)
		}
	}
	fmt.Fprintf(&b, "\nrequire k8s.io/kubernetes %s\n\nreplace (\n", version)
	seen := map[string]bool{}
	for _, m := range staging.FindAllStringSubmatch(string(mod), -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			fmt.Fprintf(&b, "\t%s => %s v0.%s\n", m[1], m[1], strings.TrimPrefix(version, "v1."))
		}
	}
	b.WriteString(")\n")
	tools := "//go:build tools\n\npackage kube\n\nimport _ \"k8s.io/kubernetes/cmd/kube-apiserver\"\n"
	if err := os.WriteFile(filepath.Join(dir, "tools.go"), []byte(tools), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(b.String()), 0o644)
}
