// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// fieldManager is the operator's name where fields have owners.
const fieldManager = "ensemble-operator"

// Reconciler reconciles Ensembles.
type Reconciler struct {
	Client client.Client
	// Reader asks the API server itself.
	Reader   client.Reader
	Recorder events.EventRecorder
	// AgentImage is the image of the agent.
	AgentImage string
	// Workers is how many Ensembles are looked at side by side; 0 is 4.
	Workers int
	// Now is the clock; nil is the real one.
	Now func() time.Time
}

// Reconcile looks at one Ensemble and does what is to be done.
func (r *Reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	e := &v1alpha1.Ensemble{}
	if err := r.Client.Get(ctx, q.NamespacedName, e); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	w, err := r.gather(ctx, e)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := decide(w)
	if err := r.apply(ctx, w, d); err != nil {
		if apierrors.IsConflict(err) { // it changed since it was read: look again
			return ctrl.Result{RequeueAfter: time.Second}, nil
		}
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: d.again}, nil
}

// Setup registers the reconciler with a manager.
func (r *Reconciler) Setup(m ctrl.Manager) error { return r.setup(m, r) }

func (r *Reconciler) setup(m ctrl.Manager, by reconcile.Reconciler) error {
	owned := &unstructured.Unstructured{}
	owned.SetGroupVersionKind(minicluster.GroupVersionKind)
	workers := r.Workers
	if workers == 0 {
		workers = 4
	}
	if err := m.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Ensemble{}, uidIndex, func(o client.Object) []string {
		return []string{string(o.GetUID())}
	}); err != nil {
		return fmt.Errorf("indexing Ensembles: %w", err)
	}
	return ctrl.NewControllerManagedBy(m).
		For(&v1alpha1.Ensemble{}).
		Owns(owned).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(r.ensembleOf)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.ensembleOf)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(by)
}

const uidIndex = "uid"

// ensembleOf finds the Ensemble that a Job or a pod of a MiniCluster belongs to.
func (r *Reconciler) ensembleOf(ctx context.Context, o client.Object) []reconcile.Request {
	uid := o.GetLabels()[v1alpha1.EnsembleLabel]
	if uid == "" {
		return nil
	}
	var list v1alpha1.EnsembleList
	if err := r.Client.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingFields{uidIndex: uid}); err != nil {
		return nil
	}
	var all []reconcile.Request
	for i := range list.Items {
		all = append(all, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
	}
	return all
}
