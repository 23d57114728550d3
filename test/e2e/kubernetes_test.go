// SPDX-License-Identifier: MIT

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// wanted are variables without which nothing is tested, with what they are.
var wanted = []struct{ name, what string }{
	{"KUBECONFIG", "a cluster in which the Flux Operator and this operator run"},
	{"E2E_REGISTRY", "REGISTRY/REPOSITORY that bundles are pushed to, as pods and this machine reach it, in plain HTTP"},
	{"E2E_IMAGE", "an image of LAMMPS of the matrix, as nodes pull it"},
	{"FLUX_VIEW_IMAGE", "a Flux view that fits its base, as nodes pull it"},
}

func TestOnRealNodes(t *testing.T) {
	for _, w := range wanted {
		if os.Getenv(w.name) == "" {
			t.Skipf("%s is not set: %s; test/e2e/node sets it", w.name, w.what)
		}
	}
	for _, tool := range []string{"ensemble", "kubectl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until},
		Condition: func(name string) (bool, error) {
			if name != "local" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Getenv("E2E_LOCAL") != "", nil // the nodes are this machine
		},
		Setup: func(e *testscript.Env) error {
			for _, w := range wanted {
				e.Setenv(w.name, os.Getenv(w.name))
			}
			namespace := fmt.Sprintf("e2e-%d", time.Now().UnixNano())
			e.Setenv("NAMESPACE", namespace)
			if err := expand(e); err != nil {
				return err
			}
			if out, err := exec.Command("kubectl", "create", "namespace", namespace).CombinedOutput(); err != nil {
				return fmt.Errorf("kubectl create namespace: %w: %s", err, out)
			}
			e.Defer(func() {
				if t.Failed() {
					for _, what := range []string{"ensembles,miniclusters,jobs,pods", "events"} {
						out, _ := exec.Command("kubectl", "-n", namespace, "get", what, "-o", "wide").CombinedOutput()
						t.Logf("%s", out)
					}
				}
				_ = exec.Command("kubectl", "delete", "namespace", namespace, "--wait=false").Run()
			})
			return nil
		},
	})
}

// expand puts the variables into a script's own YAML files.
func expand(e *testscript.Env) error {
	files, err := filepath.Glob(filepath.Join(e.WorkDir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(os.Expand(string(text), e.Getenv)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// until is
//
//	until DURATION COMMAND ARGUMENT...
//
// It runs a command again and again until it succeeds.
func until(s *testscript.TestScript, negated bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	if err != nil || negated || len(args) < 2 {
		s.Fatalf("usage: until DURATION COMMAND ARGUMENT...")
	}
	var out bytes.Buffer
	for end := time.Now().Add(limit); ; time.Sleep(300 * time.Millisecond) {
		out.Reset()
		c := exec.Command(args[1], args[2:]...)
		c.Dir, c.Stdout, c.Stderr = s.MkAbs("."), &out, &out
		c.Env = append(os.Environ(), "NAMESPACE="+s.Getenv("NAMESPACE"))
		err := c.Run()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("%s: after %v still %v: %s", strings.Join(args[1:], " "), limit, err, out.String())
		}
	}
}
