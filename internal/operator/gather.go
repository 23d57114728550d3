// SPDX-License-Identifier: MIT

package operator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gather reads what exists of an Ensemble.
func (r *Reconciler) gather(ctx context.Context, e *v1alpha1.Ensemble) (*world, error) {
	w := &world{ensemble: e, seen: map[string]observed{}, now: r.now()}
	if w.spec, w.fault = e.Decode(); w.fault == nil {
		w.units = v1alpha1.Units(w.spec)
	}
	of := []client.ListOption{client.InNamespace(e.Namespace), client.MatchingLabels(labels(e))}
	clusters := &metav1.PartialObjectMetadataList{}
	clusters.SetGroupVersionKind(minicluster.GroupVersionKind.GroupVersion().WithKind("MiniClusterList"))
	if err := r.Client.List(ctx, clusters, of...); err != nil {
		return nil, fmt.Errorf("listing MiniClusters: %w", err)
	}
	for i := range clusters.Items {
		c := &clusters.Items[i]
		unit := c.Labels[v1alpha1.MemberLabel]
		if o, ok := w.seen[unit]; ok && !o.deleting { // of two, the one that goes does not count
			continue
		}
		w.seen[unit] = observed{cluster: c.Name, made: c.CreationTimestamp.Time, deleting: c.DeletionTimestamp != nil}
	}
	if err := r.missing(ctx, w); err != nil {
		return nil, err
	}
	going := slices.ContainsFunc(e.Status.Members, func(m v1alpha1.MemberStatus) bool { return m.Made != nil && m.Gone == nil })
	if len(w.seen) == 0 && !going {
		return w, nil
	}
	var jobs batchv1.JobList
	if err := r.Client.List(ctx, &jobs, of...); err != nil {
		return nil, fmt.Errorf("listing Jobs: %w", err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, of...); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	w.linger(pods.Items)
	for unit, o := range w.seen {
		if o.lingering {
			continue
		}
		if err := r.size(ctx, e.Namespace, &o); err != nil {
			return nil, err
		}
		var made *batchv1.Job
		for i := range jobs.Items {
			switch j := &jobs.Items[i]; {
			case j.Name == o.cluster:
				o.ended = endOf(j)
				made = j
			case j.Labels[v1alpha1.WitnessLabel] == o.cluster:
				o.witness = &witnessJob{made: j.CreationTimestamp.Time, failed: endOf(j) == string(batchv1.JobFailed)}
			}
		}
		nodes, placed, pulled, there := map[string]bool{}, 0, 0, 0
		for i := range pods.Items {
			p := &pods.Items[i]
			if o.witness != nil && p.Labels[minicluster.JobNameLabel] == witnessName(o.cluster) {
				o.witness.said = cmp.Or(lastWords(p), o.witness.said)
			}
			if p.Labels[minicluster.JobNameLabel] != o.cluster || p.DeletionTimestamp != nil {
				continue
			}
			there++
			if p.Spec.NodeName != "" {
				nodes[p.Spec.NodeName] = true
				placed++
			}
			if digest := imageOf(p); digest != "" {
				pulled++
				if !slices.Contains(o.images, digest) {
					o.images = append(o.images, digest)
				}
			}
			if t := troubleOf(p); t != nil && (o.trouble == nil || t.since.Before(o.trouble.since)) {
				o.trouble = t
			}
		}
		if m := e.Status.Member(unit); there == 0 && m != nil && m.Report == nil && made != nil {
			o.trouble = refused(made, w.now)
		}
		if pulled < o.size {
			o.images = nil // not of all yet
		}
		slices.Sort(o.images)
		if m := e.Status.Member(unit); m != nil && len(m.Hardware) == 0 && placed > 0 && placed >= o.size {
			kinds, err := r.hardware(ctx, nodes)
			if err != nil {
				return nil, err
			}
			o.hardware = kinds
		}
		w.seen[unit] = o
	}
	return w, nil
}

// linger adds members whose MiniCluster is gone and whose pods are not, yet.
func (w *world) linger(pods []corev1.Pod) {
	for i := range w.ensemble.Status.Members {
		m := &w.ensemble.Status.Members[i]
		if m.Made == nil || m.Gone != nil || w.seen[m.Name].cluster != "" {
			continue
		}
		o := observed{cluster: m.Cluster, made: m.Made.Time, lingering: true}
		there := false
		for i := range pods {
			switch of := pods[i].Labels[minicluster.JobNameLabel]; of {
			case m.Cluster:
				o.size++
				there = true
			case witnessName(m.Cluster):
				there = true
			}
		}
		if there {
			w.seen[m.Name] = o
		}
	}
}

// mostNodes is how many nodes of a member are looked at: those of one pool are alike.
const mostNodes = 64

// hardware reads what nodes are, from the API server itself: a cache would follow all nodes
// of the cluster for what is asked once.
func (r *Reconciler) hardware(ctx context.Context, names map[string]bool) (kinds []v1alpha1.NodeKind, err error) {
	for i, name := range slices.Sorted(maps.Keys(names)) {
		if i == mostNodes {
			break
		}
		n := &corev1.Node{}
		if err := r.Reader.Get(ctx, client.ObjectKey{Name: name}, n); apierrors.IsNotFound(err) {
			continue // gone since
		} else if err != nil {
			return nil, fmt.Errorf("reading the node %s: %w", name, err)
		}
		info := n.Status.NodeInfo
		kind := v1alpha1.NodeKind{Instance: n.Labels[corev1.LabelInstanceTypeStable], Zone: n.Labels[corev1.LabelTopologyZone], OS: info.OSImage,
			Kernel: info.KernelVersion, Architecture: info.Architecture, Runtime: info.ContainerRuntimeVersion, Kubelet: info.KubeletVersion}
		if scheme, _, ok := strings.Cut(n.Spec.ProviderID, "://"); ok {
			kind.Provider = scheme
		}
		i := slices.IndexFunc(kinds, func(k v1alpha1.NodeKind) bool {
			k.Count = 0
			return k == kind
		})
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, kind)
		}
		kinds[i].Count++
	}
	return kinds, nil
}

// missing asks the API server itself for MiniClusters that the status has and the cache
// has not: a cache may not have heard yet of what was just made.
func (r *Reconciler) missing(ctx context.Context, w *world) error {
	for i := range w.ensemble.Status.Members {
		m := &w.ensemble.Status.Members[i]
		if m.Cluster == "" || m.Gone != nil || w.seen[m.Name].cluster != "" {
			continue
		}
		c := &metav1.PartialObjectMetadata{}
		c.SetGroupVersionKind(minicluster.GroupVersionKind)
		err := r.Reader.Get(ctx, client.ObjectKey{Namespace: w.ensemble.Namespace, Name: m.Cluster}, c)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking for the MiniCluster %s: %w", m.Cluster, err)
		}
		w.seen[m.Name] = observed{cluster: c.Name, made: c.CreationTimestamp.Time, deleting: c.DeletionTimestamp != nil}
	}
	return nil
}

// size reads how many nodes a MiniCluster is to have.
func (r *Reconciler) size(ctx context.Context, namespace string, o *observed) error {
	c := &unstructured.Unstructured{}
	c.SetGroupVersionKind(minicluster.GroupVersionKind)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: o.cluster}, c)
	if apierrors.IsNotFound(err) { // gone since, or not in the cache yet
		err = r.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: o.cluster}, c)
		if apierrors.IsNotFound(err) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("reading the MiniCluster %s: %w", o.cluster, err)
	}
	n, _, err := unstructured.NestedInt64(c.Object, "spec", "size")
	o.size = int(n)
	return err
}

// imageOf is the digest of the application's image that a pod runs; "" is not known.
func imageOf(p *corev1.Pod) string {
	for _, s := range p.Status.ContainerStatuses {
		if _, digest, ok := strings.Cut(s.ImageID, "@"); ok && s.Name == p.Spec.Containers[0].Name {
			return digest
		}
	}
	return ""
}

// lastWords are what a pod's container ended with, where it failed.
func lastWords(p *corev1.Pod) string {
	for _, s := range p.Status.ContainerStatuses {
		for _, end := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
			if end != nil && end.ExitCode != 0 {
				return strings.TrimSpace(end.Message)
			}
		}
	}
	return ""
}

// endOf says whether a Job is over.
func endOf(j *batchv1.Job) string {
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			return string(c.Type)
		}
	}
	return ""
}

// podsPatience is how long a Job may take to make its first pod.
const podsPatience = 30 * time.Second

// refused says that a Job without pods makes none, once it had the time. Why is said by its
// events alone, which the operator does not follow.
func refused(j *batchv1.Job, now time.Time) *trouble {
	if endOf(j) != "" || now.Sub(j.CreationTimestamp.Time) < podsPatience {
		return nil
	}
	return &trouble{"PodsRefused", fmt.Sprintf("the Job %s makes no pods, for a quota perhaps, or for what the namespace allows pods, such as no root (user of the member): kubectl -n %s describe job %s says why", j.Name, j.Namespace, j.Name), j.CreationTimestamp.Time}
}

// troubleOf says why a pod does not start, and since when.
func troubleOf(p *corev1.Pod) *trouble {
	since := p.CreationTimestamp.Time
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &trouble{"Unschedulable", p.Name + ": " + c.Message, c.LastTransitionTime.Time}
		}
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			since = c.LastTransitionTime.Time
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Waiting == nil {
			continue
		}
		message := fmt.Sprintf("%s, container %s: %s", p.Name, s.Name, cmp.Or(s.State.Waiting.Message, s.State.Waiting.Reason))
		switch reason := s.State.Waiting.Reason; {
		case reason == "ErrImagePull", reason == "ImagePullBackOff", reason == "InvalidImageName", strings.HasPrefix(reason, "ErrImage"):
			return &trouble{"ImageError", message, since}
		case reason == "CrashLoopBackOff" && s.Name == "agent":
			return &trouble{"AgentError", message, since}
		case reason == "CreateContainerConfigError", reason == "CreateContainerError", reason == "RunContainerError", reason == "CrashLoopBackOff":
			return &trouble{"ContainerError", message, since}
		}
	}
	return nil
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
