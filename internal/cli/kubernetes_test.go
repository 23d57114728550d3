// SPDX-License-Identifier: MIT

package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/kubetest/realagent"
	"github.com/converged-computing/ensemble/internal/operator"
	"github.com/converged-computing/ensemble/internal/registrytest"
	"github.com/go-logr/logr"
	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// tests runs the tests of the package and stops the control plane that they started.
type tests struct{ m *testing.M }

func (t tests) Run() int { return kubetest.Main(t.m) }

// TestOnKubernetes runs the command line against a real API server, with the operator and
// the agent as they are, and a stand-in for what makes pods.
func TestOnKubernetes(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t)
	log.SetLogger(logr.Discard())
	registry := registrytest.Start(t, "", "")
	namespace := c.Namespace(t)
	play := realagent.New(t, nil)
	see := realagent.Witness(t, nil)
	standIn := &kubetest.StandIn{Cluster: c, Namespace: namespace, Agent: func(ctx context.Context, p kubetest.Pod) error { return play(ctx, c, p) },
		Witness: func(ctx context.Context, p kubetest.Pod) error { return see(ctx, c, p) }}
	standIn.Start(t)
	m, err := operator.NewManager(c.Config, operator.Options{AgentImage: "agent", Metrics: "0", Health: "0", Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the operator: %v", err)
		}
	})
	t.Run("scripts", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:  "testdata/kubernetes",
			Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
			Setup: func(e *testscript.Env) error {
				file := filepath.Join(e.WorkDir, "kubeconfig")
				e.Setenv("KUBECONFIG", file)
				e.Setenv("NAMESPACE", namespace)
				e.Setenv("REGISTRY", registry.Address)
				e.Setenv("HOME", e.WorkDir)
				return os.WriteFile(file, c.Kubeconfig, 0o600)
			},
		})
	})
}
