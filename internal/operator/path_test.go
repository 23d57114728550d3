// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

// realAgent runs the agent's own code against a fake broker that executes on this machine,
// with the permissions of the account that the operator made for it.
func realAgent(t *testing.T, change func(*agent.Config)) func(context.Context, *bench, kubetest.Pod) error {
	dirs := t.TempDir()
	return func(ctx context.Context, b *bench, p kubetest.Pod) error {
		dir := filepath.Join(dirs, p.Cluster)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		broker, err := fluxtest.New(fluxtest.Options{Nodes: 2, Cores: 2, Run: fluxtest.Exec})
		if err != nil {
			return err
		}
		defer broker.Close()
		env := map[string]string{"JOB_COMPLETION_INDEX": "0"}
		for k, v := range p.Env {
			env[k] = v
		}
		c, err := agent.FromEnvironment(func(name string) string { return env[name] })
		if err != nil {
			return err
		}
		c.Socket = strings.TrimPrefix(broker.URI(), "local://")
		c.Dir, c.Complete = dir, filepath.Join(dir, "complete")
		c.Look, c.Retry, c.Grace = 200*time.Millisecond, 200*time.Millisecond, time.Second
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		if testing.Verbose() {
			c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		if change != nil {
			change(&c)
		}
		client, err := dynamic.NewForConfig(b.as(b.namespace, p.Account))
		if err != nil {
			return err
		}
		go func() { // the main container ends when Flux does
			select {
			case <-broker.Down():
				_ = os.WriteFile(c.Complete, nil, 0o644)
			case <-ctx.Done():
			}
		}()
		return agent.Run(ctx, c, agent.NewCluster(client, p.Env[v1alpha1.NamespaceEnv], p.Env[v1alpha1.NameEnv]))
	}
}

func newRegistry(t *testing.T) string {
	t.Helper()
	registry, err := image.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	return registry.Address
}

// bundle brings a member's results here, as ensemble report does.
func bundle(t *testing.T, m *v1alpha1.MemberStatus) (run.Dir, []measure.Record) {
	t.Helper()
	store, err := image.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Fetch(t.Context(), store, m.Report.Reference, archive.Limits{}, image.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest != m.Report.Digest {
		t.Errorf("the registry has %s, the status %s", a.Digest, m.Report.Digest)
	}
	path := filepath.Join(t.TempDir(), "run")
	if err := archive.Unpack(t.Context(), store, a, path, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	dir, ens, err := run.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var records []measure.Record
	for r, err := range measure.Records(t.Context(), dir, ens) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return dir, records
}

func TestTheWholePathFromOneResourceToSavedResults(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	registry := newRegistry(t)
	b.apply(t, "whole", fmt.Sprintf(`{
		"groups": [
			{"name": "good", "command": ["sh", "-c", "echo hello from $0", "here"], "count": 3},
			{"name": "bad", "command": ["sh", "-c", "exit 3"]}
		],
		"run": {"retries": 0},
		"members": [{"name": "m", "nodes": {"size": 2}, "image": "app"}],
		"archive": {"repository": "%s/lab/runs", "insecure": true}
	}`, registry))
	e := b.wait(t, "whole", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeJobsFailed) || c.Message != "1 of 4 jobs failed" {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	m := e.Status.Member("m")
	if got := fmt.Sprintf("%+v", m.Report.Groups); got != "[{Name:bad JobCounts:{Total:1 Active:0 Succeeded:0 Failed:1}} {Name:good JobCounts:{Total:3 Active:0 Succeeded:3 Failed:0}}]" {
		t.Errorf("the groups are %s", got)
	}
	if e.Status.Phase != v1alpha1.PhaseFailed || e.Status.Digest == "" || e.Status.Digest != m.Report.Digest {
		t.Errorf("the status is %+v", e.Status)
	}
	if left := b.clusters(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	dir, records := bundle(t, m)
	if len(records) != 4 {
		t.Errorf("there are %d records, want 4", len(records))
	}
	for _, r := range records {
		out, err := os.ReadFile(filepath.Join(dir.Attempt(r.Job, r.Attempt), run.StdoutFile))
		if want := map[string]string{"good": "hello from here\n", "bad": ""}[r.Group]; err != nil || string(out) != want {
			t.Errorf("the job %s of %s printed %q (%v)", r.Job, r.Group, out, err)
		}
		if r.Image != "app" {
			t.Errorf("the record names the image %q, want app", r.Image)
		}
	}
}
