// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/kubetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// phases are those that a run goes through, in their order.
var phases = []v1alpha1.Phase{v1alpha1.PhasePending, v1alpha1.PhaseProvisioning, v1alpha1.PhaseRunning, v1alpha1.PhaseSaving, v1alpha1.PhaseCleaning}

// held is a run that stays in each phase until it is let on.
type held struct {
	*bench
	gates map[v1alpha1.Phase]chan struct{}
}

func newHeld(t *testing.T) *held {
	t.Helper()
	h := &held{gates: map[v1alpha1.Phase]chan struct{}{}}
	for _, p := range phases {
		h.gates[p] = make(chan struct{})
	}
	pass := func(ctx context.Context, p v1alpha1.Phase) error {
		select {
		case <-h.gates[p]:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	done := v1alpha1.JobCounts{Total: 3, Succeeded: 3}
	h.bench = newBench(t, func(ctx context.Context, b *bench, p kubetest.Pod) error {
		for _, step := range []struct {
			report v1alpha1.Report
			until  v1alpha1.Phase
		}{
			{v1alpha1.Report{State: v1alpha1.AgentRunning, Jobs: v1alpha1.JobCounts{Total: 3, Active: 3}}, v1alpha1.PhaseRunning},
			{v1alpha1.Report{State: v1alpha1.AgentSaving, Outcome: v1alpha1.OutcomeSucceeded, Jobs: done}, v1alpha1.PhaseSaving},
			{v1alpha1.Report{State: v1alpha1.AgentSaved, Outcome: v1alpha1.OutcomeSucceeded, Jobs: done, Digest: someDigest}, ""},
		} {
			if err := b.report(ctx, p, step.report); err != nil {
				return err
			}
			if step.until == "" {
				return nil
			}
			if err := pass(ctx, step.until); err != nil {
				return err
			}
		}
		return nil
	})
	h.standIn.Trouble = func(string) string {
		select {
		case <-h.gates[v1alpha1.PhaseProvisioning]:
			return ""
		default:
			return "Unschedulable"
		}
	}
	h.standIn.Witness = func(ctx context.Context, p kubetest.Pod) error {
		if err := pass(ctx, v1alpha1.PhaseCleaning); err != nil {
			return err
		}
		return h.standIn.Pretend(ctx, p)
	}
	h.apply(t, "held", strings.TrimSuffix(strings.TrimSpace(someSpec), "}")+`, "suspend": true}`)
	return h
}

// open lets the run on from a phase.
func (h *held) open(t *testing.T, p v1alpha1.Phase) {
	t.Helper()
	close(h.gates[p])
	if p != v1alpha1.PhasePending {
		return
	}
	e := &v1alpha1.Ensemble{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "held"}}
	if err := h.Client.Patch(t.Context(), e, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"suspend":false}}`))); err != nil {
		t.Fatal(err)
	}
}

// reach waits until the operator has seen the latest spec, and the run is in a phase.
func (h *held) reach(t *testing.T, p v1alpha1.Phase) (e *v1alpha1.Ensemble) {
	t.Helper()
	kubetest.Eventually(t, func() (err error) {
		if e, err = h.get(t.Context(), "held"); err != nil {
			return err
		}
		if e.Status.Phase != p || e.Status.ObservedGeneration != e.Generation {
			all, _ := json.Marshal(e.Status)
			return fmt.Errorf("it is not %s: %s", p, all)
		}
		return nil
	})
	return e
}

func TestAnOperatorThatIsRestartedInAnyPhaseGoesOn(t *testing.T) {
	t.Parallel()
	for name, missed := range map[string]bool{"what happened meanwhile is seen": true, "what happens after is seen": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld(t)
			stop := h.stop
			for _, p := range phases {
				h.reach(t, p)
				stop()
				if missed {
					h.open(t, p)
				}
				stop = h.operate(t)
				if !missed {
					h.open(t, p)
				}
			}
			e := h.wait(t, "held", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
			if m := e.Status.Member("m"); m.Tries != 1 || m.Report.Digest != someDigest || e.Status.Phase != v1alpha1.PhaseCompleted {
				t.Errorf("the status is %+v, want one that was made once and saved", e.Status)
			}
			if left := h.clusters(t); len(left) > 0 {
				t.Errorf("left are %v", left)
			}
		})
	}
}

func TestAnEnsembleThatIsDeletedInAnyPhaseLosesNothing(t *testing.T) {
	t.Parallel()
	for i, at := range phases {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			h := newHeld(t)
			for _, p := range phases[:i] {
				h.reach(t, p)
				h.open(t, p)
			}
			e := h.reach(t, at)
			if err := h.Client.Delete(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			// Before anything ran there is nothing to lose; else each step is waited for.
			if i >= 2 {
				for _, p := range phases[i:] {
					h.reach(t, p)
					if len(h.clusters(t)) != 1 {
						t.Fatalf("%s and deleted: the MiniCluster went before its results were saved", p)
					}
					h.open(t, p)
				}
			}
			h.waitGone(t, "held")
			kubetest.Eventually(t, func() error {
				if left := h.clusters(t); len(left) > 0 {
					return fmt.Errorf("left are %v", left)
				}
				return nil
			})
		})
	}
}
