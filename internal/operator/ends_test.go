// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/kubetest/realagent"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sleeping is an ensemble whose job takes longer than any test.
func sleeping(registry, more string) string {
	return fmt.Sprintf(`{
		"groups": [{"name": "quick", "command": ["true"]}, {"name": "slow", "command": ["sleep", "600"], "after": ["quick"]}],
		"members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}],
		"archive": {"repository": "%s/lab/runs", "insecure": true} %s
	}`, registry, more)
}

// waitRunning waits until the second job runs.
func (b *bench) waitRunning(t *testing.T, name string) *v1alpha1.Ensemble {
	t.Helper()
	var e *v1alpha1.Ensemble
	kubetest.Eventually(t, func() (err error) {
		if e, err = b.get(t.Context(), name); err != nil {
			return err
		}
		if e.Status.Jobs.Succeeded != 1 || e.Status.Jobs.Active != 1 {
			return fmt.Errorf("the jobs are %+v", e.Status.Jobs)
		}
		return nil
	})
	return e
}

func (b *bench) annotate(t *testing.T, e *v1alpha1.Ensemble, key, value string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Client.Patch(t.Context(), e, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) waitGone(t *testing.T, name string) {
	t.Helper()
	kubetest.Eventually(t, func() error {
		e, err := b.get(t.Context(), name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		text, _ := json.Marshal(e.Status)
		return fmt.Errorf("it is still there (%v): %s", err, text)
	})
	if left := b.clusters(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestACancelledEnsembleIsSavedAsFarAsItCame(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	b.apply(t, "cancelled", sleeping(newRegistry(t), ""))
	b.annotate(t, b.waitRunning(t, "cancelled"), v1alpha1.CancelAnnotation, "enough seen")
	e := b.wait(t, "cancelled", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed)
	if c.Reason != string(v1alpha1.OutcomeCancelled) || !strings.Contains(c.Message, "enough seen") {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	if _, records := bundle(t, e.Status.Member("m")); len(records) != 2 {
		t.Errorf("there are %d records, want 2", len(records))
	}
}

func TestADeadlineEndsARunInTimeToSaveIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	b.apply(t, "late", sleeping(newRegistry(t), `, "deadline": "6s"`))
	e := b.wait(t, "late", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeDeadlineExceeded) {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	if e.Status.Digest == "" {
		t.Error("nothing was saved")
	}
}

func TestADeadlineThatIsSetWhileItRunsEndsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	b.apply(t, "sooner", sleeping(newRegistry(t), `, "deadline": "2h"`))
	e := b.waitRunning(t, "sooner")
	if err := b.Client.Patch(t.Context(), e, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"deadline":"1s"}}`))); err != nil {
		t.Fatal(err)
	}
	e = b.wait(t, "sooner", v1alpha1.Completed, metav1.ConditionTrue, string(v1alpha1.OutcomeDeadlineExceeded))
	if _, records := bundle(t, e.Status.Member("m")); len(records) != 2 {
		t.Errorf("there are %d records, want 2", len(records))
	}
}

func TestADeletedEnsembleIsSavedBeforeItGoes(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	registry := newRegistry(t)
	b.apply(t, "deleted", sleeping(registry, ""))
	e := b.waitRunning(t, "deleted")
	if err := b.Client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	b.waitGone(t, "deleted")
	store, err := image.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Fetch(t.Context(), store, registry+"/lab/runs:"+agent.Tag(e, "m"), archive.Limits{}, image.PushOptions{}); err != nil {
		t.Error(err)
	}
}

func TestResultsThatNobodyWantsAreGivenUpOnRequestOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	b.apply(t, "discarded", sleeping("127.0.0.1:1", ""))
	e := b.waitRunning(t, "discarded")
	b.annotate(t, e, v1alpha1.DiscardAnnotation, "true")
	if err := b.Client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	b.waitGone(t, "discarded")
}

func TestAnInstanceThatIsLostIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		agent func(ctx context.Context, b *bench, p kubetest.Pod) error
	}{
		{"the main container ends, with success, while jobs run", func(ctx context.Context, b *bench, p kubetest.Pod) error {
			return b.report(ctx, p, v1alpha1.Report{State: v1alpha1.AgentRunning, Jobs: v1alpha1.JobCounts{Total: 3, Active: 3}})
		}},
		{"a new pod is in the place of the first", func(ctx context.Context, b *bench, p kubetest.Pod) error {
			other := p
			other.UID = "of the pod before"
			if err := b.report(ctx, other, v1alpha1.Report{State: v1alpha1.AgentRunning, Jobs: v1alpha1.JobCounts{Total: 3, Active: 2, Succeeded: 1}}); err != nil {
				return err
			}
			return realAgent(t, nil)(ctx, b, p)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.agent)
			b.apply(t, "lost", someSpec)
			e := b.wait(t, "lost", v1alpha1.Completed, metav1.ConditionTrue, string(v1alpha1.OutcomeInstanceLost))
			if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Archived); c.Reason != "Incomplete" {
				t.Errorf("archived: %+v", c)
			}
			if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.CleanedUp); c.Reason != "NotSaved" || len(b.clusters(t)) != 1 {
				t.Errorf("cleaned up: %+v with %v", c, b.clusters(t))
			}
			if err := b.Client.Delete(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			b.waitGone(t, "lost")
		})
	}
}

func TestALeadBrokerThatDiesIsNoSuccessAndWhatThereIsIsSaved(t *testing.T) {
	t.Parallel()
	dirs := make(chan string, 1)
	b := newBench(t, realAgent(t, func(c *agent.Config) { dirs <- c.Dir }))
	b.apply(t, "headless", sleeping(newRegistry(t), ""))
	b.waitRunning(t, "headless")
	if err := os.WriteFile(filepath.Join(<-dirs, realagent.LoseFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	e := b.wait(t, "headless", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Completed); c.Reason != string(v1alpha1.OutcomeInstanceLost) || !strings.Contains(c.Message, "the Flux instance") {
		t.Errorf("completed for %s: %s", c.Reason, c.Message)
	}
	if _, records := bundle(t, e.Status.Member("m")); len(records) == 0 {
		t.Error("the bundle has no records of what ended before")
	}
}

func TestAMiniClusterThatIsDeletedByHandIsAFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, func(c *agent.Config) { c.Repository = "127.0.0.1:1/nowhere" }))
	b.apply(t, "by-hand", sleeping("127.0.0.1:1", ""))
	b.waitRunning(t, "by-hand")
	b.deleteClusters(t)
	e := b.wait(t, "by-hand", v1alpha1.Completed, metav1.ConditionTrue, string(v1alpha1.OutcomeInstanceLost))
	if !strings.Contains(e.Status.Member("m").Message, "was deleted before its results were saved") {
		t.Errorf("the member says %q", e.Status.Member("m").Message)
	}
}

func TestWhatKeepsPodsFromStartingIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ trouble, reason, message string }{
		{"Unschedulable", "Unschedulable", "0/3 nodes are available"},
		{"ErrImagePull", "ImageError", "it cannot be had"},
		{"CreateContainerConfigError", "ContainerError", "it cannot be had"},
	} {
		t.Run(c.trouble, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, good)
			var over atomic.Bool
			b.standIn.Trouble = func(string) string {
				if over.Load() {
					return ""
				}
				return c.trouble
			}
			b.apply(t, "some", someSpec)
			e := b.wait(t, "some", v1alpha1.Provisioned, metav1.ConditionFalse, c.reason)
			if !strings.Contains(meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Provisioned).Message, c.message) {
				t.Errorf("the status is %+v", e.Status)
			}
			over.Store(true)
			b.wait(t, "some", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
		})
	}
}

func TestMembersWaitForRoomAndTakeTurns(t *testing.T) {
	t.Parallel()
	var most, now atomic.Int32
	b := newBench(t, func(ctx context.Context, b *bench, p kubetest.Pod) error {
		if n := now.Add(2); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-2)
		return good(ctx, b, p)
	})
	b.apply(t, "turns", `{
		"groups": [{"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"]}, {"name": "c", "command": ["true"]}],
		"members": [
			{"name": "one", "groups": ["a"], "nodes": {"size": 2}, "image": "app"},
			{"name": "two", "groups": ["b"], "nodes": {"size": 2}, "image": "app"},
			{"name": "three", "groups": ["c"], "nodes": {"size": 2}, "image": "app"}
		],
		"maxNodes": 4,
		"archive": {"repository": "registry.example.org/lab/runs"}
	}`)
	e := b.wait(t, "turns", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if most.Load() > 4 {
		t.Errorf("%d nodes were in use at a time, want 4 at most", most.Load())
	}
	if e.Status.Jobs.Succeeded != 9 || len(e.Status.Members) != 3 {
		t.Errorf("the status is %+v", e.Status)
	}
}

func TestASuspendedEnsembleStartsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, good)
	e := b.apply(t, "suspended", strings.TrimSuffix(strings.TrimSpace(someSpec), "}")+`, "suspend": true}`)
	b.wait(t, "suspended", v1alpha1.Provisioned, metav1.ConditionFalse, "Suspended")
	if left := b.clusters(t); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
	if err := b.Client.Patch(t.Context(), e, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"suspend":false}}`))); err != nil {
		t.Fatal(err)
	}
	b.wait(t, "suspended", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
}

func TestWithoutAnArchiveTheClusterStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	b.apply(t, "kept", `{"groups": [{"name": "g", "command": ["true"]}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}]}`)
	e := b.wait(t, "kept", v1alpha1.Completed, metav1.ConditionTrue, "Succeeded")
	if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.CleanedUp); c.Reason != "NotSaved" || len(b.clusters(t)) != 1 {
		t.Errorf("cleaned up: %+v with %v", c, b.clusters(t))
	}
	if err := b.Client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	b.waitGone(t, "kept")
}

// TestAnOperatorThatIsRestartedGoesOn ends the operator again and again.
func TestAnOperatorThatIsRestartedGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(ctx context.Context, b *bench, p kubetest.Pod) error {
		time.Sleep(300 * time.Millisecond)
		return good(ctx, b, p)
	})
	b.stop()
	b.apply(t, "restarted", someSpec)
	for range 12 {
		stop := b.operate(t)
		time.Sleep(150 * time.Millisecond)
		stop()
		if len(b.clusters(t)) > 1 {
			t.Fatalf("there are %v, want one at most", b.clusters(t))
		}
	}
	b.operate(t)
	e := b.wait(t, "restarted", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	if m := e.Status.Member("m"); m.Tries != 1 {
		t.Errorf("the member was made %d times, want once", m.Tries)
	}
}
