// SPDX-License-Identifier: MIT

package kubetest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// StandIn plays the Flux Operator, the Job controller, the scheduler and the kubelet for
// the MiniClusters of one namespace: it makes the Job and the pods of each, has them run,
// and takes them away. As the real one does, it says that a MiniCluster is ready at once,
// and that a Job is Complete whatever happened.
type StandIn struct {
	Cluster   *Cluster
	Namespace string
	// Agent is what the container "agent" of the first pod does; its end before the
	// context's is the end of the MiniCluster, as when the agent shuts Flux down. It is
	// called again where it gives ErrRestart. nil does nothing, for ever.
	Agent func(ctx context.Context, p Pod) error
	// Witness is what the Job does that saves what Kubernetes tells of a MiniCluster; it
	// is tried again as long as it fails. nil only says that it did.
	Witness func(ctx context.Context, p Pod) error
	// Trouble keeps pods from running; "" is no trouble. It is a reason of Kubernetes:
	// Unschedulable, ErrImagePull, CreateContainerConfigError …
	Trouble func(cluster string) string

	mu      sync.Mutex
	running map[string]context.CancelFunc // agents, by MiniCluster
	sizes   map[string]int                // of MiniClusters
	seen    map[string]bool               // Jobs of witnesses that were started
	wg      sync.WaitGroup
}

// ErrRestart is what an agent ends with that was killed.
var ErrRestart = errors.New("restart")

// ImageID is that of the applications' images.
const ImageID = "registry.example.org/app@sha256:5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5ee5"

// Pod is where an agent is.
type Pod struct {
	Cluster string
	UID     string
	// Env is the environment of the agent's container.
	Env map[string]string
	// Account is the pods' service account.
	Account string
	// Size is how many pods there are now, and Most how many there may be.
	Size func() int `json:"-"`
	Most int
}

// Start plays until the test ends.
func (s *StandIn) Start(t testing.TB) {
	t.Helper()
	s.running, s.sizes, s.seen = map[string]context.CancelFunc{}, map[string]int{}, map[string]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := s.round(ctx); err != nil && ctx.Err() == nil {
				t.Logf("stand-in: %v", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		s.mu.Lock()
		for _, end := range s.running {
			end()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
}

// round looks at all MiniClusters once.
func (s *StandIn) round(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(minicluster.GroupVersionKind.GroupVersion().WithKind("MiniClusterList"))
	if err := s.Cluster.Client.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
		return err
	}
	there := map[string]bool{}
	for i := range list.Items {
		c := &list.Items[i]
		there[c.GetName()] = true
		if err := s.serve(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.GetName(), err)
		}
	}
	return s.sweep(ctx, there)
}

// serve makes what a MiniCluster lacks.
func (s *StandIn) serve(ctx context.Context, c *unstructured.Unstructured) error {
	var spec minicluster.Spec
	of, _, _ := unstructured.NestedMap(c.Object, "spec")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(of, &spec); err != nil {
		return err
	}
	job := &batchv1.Job{}
	key := client.ObjectKey{Namespace: s.Namespace, Name: c.GetName()}
	if err := s.Cluster.Client.Get(ctx, key, job); client.IgnoreNotFound(err) != nil {
		return err
	} else if err != nil {
		job = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: c.GetName(), Labels: spec.JobLabels}}
		job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyOnFailure, Containers: []corev1.Container{{Name: "main", Image: "main"}}}
		if err := s.Cluster.Create(ctx, s.Namespace, job); err != nil {
			return err
		}
	}
	trouble := ""
	if s.Trouble != nil {
		trouble = s.Trouble(c.GetName())
	}
	s.mu.Lock()
	s.sizes[c.GetName()] = spec.Size
	s.mu.Unlock()
	for index := spec.Size; index < spec.MaxSize; index++ {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: fmt.Sprintf("%s-%d", c.GetName(), index)}}
		if err := s.Cluster.Client.Delete(ctx, p, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	for index := range spec.Size {
		if err := s.pod(ctx, c.GetName(), &spec, index, trouble); err != nil {
			return err
		}
	}
	return nil
}

// pod makes one pod, and has it run.
func (s *StandIn) pod(ctx context.Context, cluster string, spec *minicluster.Spec, index int, trouble string) error {
	p := &corev1.Pod{}
	name := fmt.Sprintf("%s-%d", cluster, index)
	err := s.Cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, p)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err != nil {
		p = PodOf(spec, cluster, name)
		p.Spec.NodeName = s.Namespace // of that name there may be a node
		if err := s.Cluster.Create(ctx, s.Namespace, p); err != nil {
			return err
		}
	}
	phase, conditions, statuses := corev1.PodRunning, []corev1.PodCondition(nil), []corev1.ContainerStatus(nil)
	switch trouble {
	case "":
		statuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, Image: p.Spec.Containers[0].Image, Ready: true, ImageID: ImageID}}
	case corev1.PodReasonUnschedulable:
		phase = corev1.PodPending
		conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: trouble, Message: "0/3 nodes are available", LastTransitionTime: metav1.Now()}}
	default:
		phase = corev1.PodPending
		statuses = []corev1.ContainerStatus{{Name: p.Spec.Containers[0].Name, Image: p.Spec.Containers[0].Image,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: trouble, Message: "it cannot be had"}}}}
	}
	if p.Status.Phase != phase || len(p.Status.Conditions) != len(conditions) || len(p.Status.ContainerStatuses) != len(statuses) {
		p.Status.Phase, p.Status.Conditions, p.Status.ContainerStatuses = phase, conditions, statuses
		if err := s.Cluster.Client.Status().Update(ctx, p); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	if index == 0 && trouble == "" {
		s.agent(cluster, spec, p)
	}
	return nil
}

// PodOf is a pod of a MiniCluster as the Flux Operator makes it, as far as the operator and
// the API server's admission look.
func PodOf(spec *minicluster.Spec, cluster, name string) *corev1.Pod {
	labels := maps.Clone(spec.Pod.Labels)
	labels[minicluster.JobNameLabel] = cluster
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.PodSpec{AutomountServiceAccountToken: &spec.Pod.Token}}
	if spec.Pod.Security != nil {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: spec.Pod.Security.FSGroup}
	}
	view := spec.Flux.Container
	p.Spec.InitContainers = []corev1.Container{{Name: "flux-view", Image: cmp.Or(view.Image, "view"), SecurityContext: view.Security}}
	for i, of := range spec.Containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: []string{"main", of.Name}[min(i, 1)], Image: of.Image, SecurityContext: of.Security})
	}
	return p
}

// agent starts the agent of a MiniCluster, once.
func (s *StandIn) agent(cluster string, spec *minicluster.Spec, p *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[cluster] != nil || s.Agent == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.running[cluster] = cancel
	account := spec.Pod.ServiceAccountName
	if !spec.Pod.Token {
		account = "" // who has no token is nobody
	}
	at := Pod{Cluster: cluster, UID: string(p.UID), Account: account, Most: max(spec.Size, spec.MaxSize), Size: func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.sizes[cluster]
	}}
	for _, c := range spec.Containers {
		if c.Name == "agent" {
			at.Env = c.Environment
		}
	}
	s.wg.Go(func() {
		err := ErrRestart
		for errors.Is(err, ErrRestart) && ctx.Err() == nil {
			err = s.Agent(ctx, at)
		}
		if ctx.Err() == nil { // Flux was shut down: the main container ends, with success
			s.complete(ctx, cluster)
		}
	})
}

// witness runs the Job of a witness, once.
func (s *StandIn) witness(j *batchv1.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[j.Name] {
		return
	}
	s.seen[j.Name] = true
	ctx, cancel := context.WithCancel(context.Background())
	s.running[j.Name] = cancel
	at := Pod{Cluster: j.Labels[v1alpha1.WitnessLabel], Account: j.Spec.Template.Spec.ServiceAccountName, Env: map[string]string{}}
	for _, v := range j.Spec.Template.Spec.Containers[0].Env {
		at.Env[v.Name] = v.Value
	}
	run := s.Witness
	if run == nil {
		run = s.Pretend
	}
	s.wg.Go(func() {
		for ctx.Err() == nil {
			if err := run(ctx, at); err == nil {
				s.complete(ctx, j.Name)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
}

// Pretend says that something was saved.
func (s *StandIn) Pretend(ctx context.Context, p Pod) error {
	raw, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Ensemble",
		"status": map[string]any{"members": []any{map[string]any{"name": p.Env[v1alpha1.UnitEnv], "witness": v1alpha1.Witness{Digest: "sha256:" + strings.Repeat("0", 64), Time: metav1.Now()}}}},
	})
	if err != nil {
		return err
	}
	e := &v1alpha1.Ensemble{ObjectMeta: metav1.ObjectMeta{Namespace: p.Env[v1alpha1.NamespaceEnv], Name: p.Env[v1alpha1.NameEnv]}}
	return s.Cluster.Client.Status().Patch(ctx, e, client.RawPatch("application/apply-patch+yaml", raw), client.FieldOwner("witness-"+p.Env[v1alpha1.UnitEnv]), client.ForceOwnership)
}

// complete ends the Job of a MiniCluster: Complete, whatever happened.
func (s *StandIn) complete(ctx context.Context, cluster string) {
	job := &batchv1.Job{}
	if err := s.Cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: cluster}, job); err != nil {
		return
	}
	now := metav1.Now()
	job.Status.StartTime, job.Status.CompletionTime = &job.CreationTimestamp, &now
	job.Status.Conditions = []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	_ = s.Cluster.Client.Status().Update(ctx, job)
}

// Kill ends an agent as a pod's deletion does, and its MiniCluster's main container.
func (s *StandIn) Kill(cluster string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[cluster]; cancel != nil {
		cancel()
	}
}

// sweep takes away what belongs to MiniClusters that are gone.
func (s *StandIn) sweep(ctx context.Context, there map[string]bool) error {
	s.mu.Lock()
	for name, cancel := range s.running {
		if !there[name] && !there[strings.TrimSuffix(name, "-witness")] {
			cancel()
		}
	}
	s.mu.Unlock()
	var jobs batchv1.JobList
	if err := s.Cluster.Client.List(ctx, &jobs, client.InNamespace(s.Namespace)); err != nil {
		return err
	}
	background := client.PropagationPolicy(metav1.DeletePropagationBackground)
	for i := range jobs.Items {
		of := jobs.Items[i].Labels[v1alpha1.WitnessLabel]
		if there[of] {
			s.witness(&jobs.Items[i])
		}
		if !there[cmp.Or(of, jobs.Items[i].Name)] {
			if err := s.Cluster.Client.Delete(ctx, &jobs.Items[i], background); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	var pods corev1.PodList
	if err := s.Cluster.Client.List(ctx, &pods, client.InNamespace(s.Namespace)); err != nil {
		return err
	}
	for i := range pods.Items {
		if !there[pods.Items[i].Labels[minicluster.JobNameLabel]] {
			if err := s.Cluster.Client.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}
