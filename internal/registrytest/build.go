// SPDX-License-Identifier: MIT

package registrytest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// version is the release of the distribution whose registry tests run.
const version = "v3.0.0"

// program is where the registry is: in a folder of the user's cache that [Build] fills.
func program() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "ensemble", "registry-"+version, "registry"), nil
}

// Build builds the registry from its Go module, unless it is there. It takes about a
// minute. What it does is told to w.
func Build(w io.Writer) (path string, err error) {
	if path, err = program(); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintf(w, "building the registry of distribution %s, once, into %s\n", version, filepath.Dir(path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	// The go command writes its result beside and renames it.
	c := exec.Command("go", "install", "-trimpath", "github.com/distribution/distribution/v3/cmd/registry@"+version)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOBIN="+filepath.Dir(path))
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install: %w\n%s", err, out)
	}
	return path, nil
}
