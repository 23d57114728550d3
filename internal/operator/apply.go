// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// apply does what was decided. Cut off anywhere, the next decision goes on: MiniClusters
// are made under names that follow from the status, before the status says that they are.
func (r *Reconciler) apply(ctx context.Context, w *world, d decision) error {
	e := w.ensemble
	if d.finalize != nil && *d.finalize {
		if err := r.finalize(ctx, e, true); err != nil {
			return err
		}
	}
	for _, name := range d.create {
		if err := r.make(ctx, w, d.status.Member(name)); err != nil {
			return err
		}
	}
	for _, name := range d.witness {
		if err := r.send(ctx, w, d.status.Member(name)); err != nil {
			return err
		}
	}
	for name, size := range d.resize {
		if err := r.resize(ctx, e, w.seen[name].cluster, size); err != nil {
			return err
		}
	}
	if err := r.writeStatus(ctx, e, d.status); err != nil {
		return err
	}
	if before := e.Status.Since; before != nil && d.status.Phase != e.Status.Phase {
		phaseSeconds.WithLabelValues(string(e.Status.Phase)).Observe(w.now.Sub(before.Time).Seconds())
	}
	for _, ev := range d.events {
		kind := corev1.EventTypeNormal
		if ev.warning {
			kind = corev1.EventTypeWarning
		}
		r.Recorder.Eventf(e, nil, kind, ev.reason, "Reconcile", "%s", cut(ev.message))
	}
	for _, name := range d.remove {
		c := &unstructured.Unstructured{}
		c.SetGroupVersionKind(minicluster.GroupVersionKind)
		c.SetNamespace(e.Namespace)
		c.SetName(w.seen[name].cluster)
		if err := r.Client.Delete(ctx, c); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the MiniCluster %s: %w", c.GetName(), err)
		}
	}
	if d.finalize != nil && !*d.finalize {
		return r.finalize(ctx, e, false)
	}
	if d.deleteSelf {
		return client.IgnoreNotFound(r.Client.Delete(ctx, e))
	}
	return nil
}

// cut keeps the note of an event within what the API allows.
func cut(s string) string {
	const most = 1024
	if len(s) > most {
		return s[:most-3] + "..."
	}
	return s
}

func (r *Reconciler) finalize(ctx context.Context, e *v1alpha1.Ensemble, on bool) error {
	before := e.DeepCopy()
	changed := false
	if on {
		changed = controllerutil.AddFinalizer(e, v1alpha1.Finalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(e, v1alpha1.Finalizer)
	}
	if !changed {
		return nil
	}
	err := r.Client.Patch(ctx, e, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if !on {
		err = client.IgnoreNotFound(err)
	}
	return err
}

// make makes the MiniCluster of a unit, unless it is there, with what belongs to it.
func (r *Reconciler) make(ctx context.Context, w *world, m *v1alpha1.MemberStatus) error {
	u := w.unit(m.Name)
	c, err := cluster(w.ensemble, w.spec, u, m.Cluster, r.AgentImage)
	if err != nil {
		return err
	}
	if err = r.Client.Create(ctx, c); apierrors.IsAlreadyExists(err) {
		err = r.Reader.Get(ctx, client.ObjectKeyFromObject(c), c)
	}
	if err != nil {
		return fmt.Errorf("making the MiniCluster %s: %w", m.Cluster, err)
	}
	for _, o := range belongings(w.ensemble, u, c) {
		if err := r.Client.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// send starts the witness of a unit.
func (r *Reconciler) send(ctx context.Context, w *world, m *v1alpha1.MemberStatus) error {
	c := &unstructured.Unstructured{}
	c.SetGroupVersionKind(minicluster.GroupVersionKind)
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: w.ensemble.Namespace, Name: m.Cluster}, c); err != nil {
		return fmt.Errorf("reading the MiniCluster %s: %w", m.Cluster, err)
	}
	j := witnessOf(w.ensemble, w.spec, w.unit(m.Name), c, r.AgentImage)
	if err := r.Client.Create(ctx, j); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the Job %s: %w", j.Name, err)
	}
	return nil
}

func (r *Reconciler) resize(ctx context.Context, e *v1alpha1.Ensemble, name string, size int) error {
	c := &unstructured.Unstructured{}
	c.SetGroupVersionKind(minicluster.GroupVersionKind)
	c.SetNamespace(e.Namespace)
	c.SetName(name)
	patch := fmt.Appendf(nil, `{"spec":{"size":%d}}`, size)
	return client.IgnoreNotFound(r.Client.Patch(ctx, c, client.RawPatch("application/merge-patch+json", patch)))
}

// writeStatus applies the fields of the status that are the operator's: all but the
// agents' reports.
func (r *Reconciler) writeStatus(ctx context.Context, e *v1alpha1.Ensemble, s *v1alpha1.EnsembleStatus) error {
	if reflect.DeepEqual(s, &e.Status) {
		return nil
	}
	own := s.DeepCopy()
	for i := range own.Members {
		own.Members[i].Report, own.Members[i].Witness = nil, nil
	}
	b, err := json.Marshal(own)
	if err != nil {
		return err
	}
	var status map[string]any
	if err := json.Unmarshal(b, &status); err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"resourceVersion": e.ResourceVersion}, "status": status}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Ensemble"))
	u.SetNamespace(e.Namespace)
	u.SetName(e.Name)
	err = r.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(fieldManager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}
