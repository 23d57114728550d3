// SPDX-License-Identifier: MIT

// Package realagent gives a stand-in for the Flux Operator the agent as it is: its own
// code, with the permissions of its own account, beside a fake broker that executes on
// this machine.
package realagent

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"k8s.io/client-go/dynamic"
)

// New gives what the container "agent" of a first pod does. change, unless it is nil,
// changes what the agent is told.
func New(t testing.TB, change func(*agent.Config)) func(context.Context, *kubetest.Cluster, kubetest.Pod) error {
	dirs := t.TempDir()
	return func(ctx context.Context, c *kubetest.Cluster, p kubetest.Pod) error {
		dir := filepath.Join(dirs, p.Cluster)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		broker, err := fluxtest.New(fluxtest.Options{Nodes: p.Most, Online: p.Size(), Cores: 2, Run: fluxtest.Exec})
		if err != nil {
			return err
		}
		defer broker.Close()
		config, err := agent.FromEnvironment(func(name string) string {
			if name == "JOB_COMPLETION_INDEX" {
				return "0"
			}
			return p.Env[name]
		})
		if err != nil {
			return err
		}
		config.Socket = strings.TrimPrefix(broker.URI(), "local://")
		config.Dir, config.Complete = dir, filepath.Join(dir, "complete")
		config.Look, config.Retry, config.Grace = 200*time.Millisecond, 200*time.Millisecond, time.Second
		config.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		if change != nil {
			change(&config)
		}
		client, err := dynamic.NewForConfig(c.As(p.Env[v1alpha1.NamespaceEnv], p.Account))
		if err != nil {
			return err
		}
		main, end := context.WithCancel(ctx)
		done := make(chan struct{})
		defer func() { end(); <-done }()
		go func() {
			defer close(done)
			for {
				select {
				case <-broker.Down(): // the main container ends when Flux does
					_ = os.WriteFile(config.Complete, nil, 0o644)
					return
				case <-main.Done():
					return
				case <-time.After(20 * time.Millisecond): // pods come and go
					broker.Resize(p.Size())
				}
			}
		}()
		return agent.Run(ctx, config, agent.NewCluster(client, p.Env[v1alpha1.NamespaceEnv], p.Env[v1alpha1.NameEnv]))
	}
}
