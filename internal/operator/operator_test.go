// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/deploy"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/kubetest/realagent"
	"github.com/converged-computing/ensemble/internal/witness"
	"github.com/converged-computing/ensemble/minicluster"
	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func TestMain(m *testing.M) {
	realagent.Main()
	log.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(said, nil)))
	os.Exit(kubetest.Main(m))
}

// bench is a namespace with an operator.
type bench struct {
	*kubetest.Cluster
	namespace string
	standIn   *kubetest.StandIn
	stop      func()         // the first operator
	keys      authn.Keychain // of witnesses; nil is what docker has
	layout    string         // where a claim would be mounted
}

func newBench(t *testing.T, play func(context.Context, *bench, kubetest.Pod) error) *bench {
	t.Helper()
	c := kubetest.Start(t)
	b := &bench{Cluster: c, namespace: c.Namespace(t)}
	b.standIn = &kubetest.StandIn{Cluster: c, Namespace: b.namespace}
	if play != nil {
		b.standIn.Agent = func(ctx context.Context, p kubetest.Pod) error { return play(ctx, b, p) }
	}
	see := realagent.Witness(t, func(c *witness.Config) { c.Push.Keychain, c.Layout = b.keys, b.layout })
	b.standIn.Witness = func(ctx context.Context, p kubetest.Pod) error {
		if b.layout == "" && !strings.HasPrefix(p.Env[v1alpha1.RepositoryEnv], "127.0.0.1:") { // there is no registry
			return b.standIn.Pretend(ctx, p)
		}
		return see(ctx, b.Cluster, p)
	}
	b.standIn.Start(t)
	b.stop = b.operate(t)
	return b
}

// operate runs an operator until stop, or the end of the test.
func (b *bench) operate(t *testing.T) (stop func()) {
	t.Helper()
	b.permit(t)
	skip := true
	m, err := ctrl.NewManager(b.As(deploy.Namespace, deploy.Name), ctrl.Options{
		Scheme: b.Scheme, Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &skip},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{b.namespace: {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Client: m.GetClient(), Reader: m.GetAPIReader(), Recorder: m.GetEventRecorder("test"), AgentImage: "agent"}
	if err := r.Setup(m); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stop = func() {
		cancel()
		if done != nil {
			if err := <-done; err != nil {
				t.Errorf("the operator: %v", err)
			}
			done = nil
		}
	}
	t.Cleanup(stop)
	return stop
}

// permit makes the operator's permissions as they are deployed.
func (b *bench) permit(t *testing.T) {
	t.Helper()
	objects, err := deploy.Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o["kind"] == "CustomResourceDefinition" || o["kind"] == "Deployment" {
			continue
		}
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		if err := b.Client.Create(t.Context(), u); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
}

func (b *bench) apply(t *testing.T, name, spec string) *v1alpha1.Ensemble {
	t.Helper()
	e := kubetest.Ensemble(name, spec)
	e.Namespace = b.namespace
	if err := b.Client.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *bench) get(ctx context.Context, name string) (*v1alpha1.Ensemble, error) {
	e := &v1alpha1.Ensemble{}
	return e, b.Client.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: name}, e)
}

// wait waits for a condition with a reason.
func (b *bench) wait(t *testing.T, name, kind string, status metav1.ConditionStatus, reason string) (e *v1alpha1.Ensemble) {
	t.Helper()
	kubetest.Eventually(t, func() (err error) {
		if e, err = b.get(t.Context(), name); err != nil {
			return err
		}
		c := meta.FindStatusCondition(e.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason {
			all, _ := json.Marshal(e.Status)
			return fmt.Errorf("%s is not %s for %s: %s", kind, status, reason, all)
		}
		return nil
	})
	return e
}

func (b *bench) clusters(t *testing.T) (names []string) {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(minicluster.GroupVersionKind.GroupVersion().WithKind("MiniClusterList"))
	if err := b.Client.List(t.Context(), list, client.InNamespace(b.namespace)); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

func (b *bench) deleteClusters(t *testing.T) {
	t.Helper()
	c := &unstructured.Unstructured{}
	c.SetGroupVersionKind(minicluster.GroupVersionKind)
	if err := b.Client.DeleteAllOf(t.Context(), c, client.InNamespace(b.namespace)); err != nil {
		t.Fatal(err)
	}
}

// report writes what an agent says, as an agent does.
func (b *bench) report(ctx context.Context, p kubetest.Pod, r v1alpha1.Report) error {
	r.Time, r.Pod = metav1.Now(), p.UID
	raw, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Ensemble",
		"status": map[string]any{"members": []any{map[string]any{"name": p.Env[v1alpha1.UnitEnv], "report": r}}},
	})
	if err != nil {
		return err
	}
	e := &v1alpha1.Ensemble{ObjectMeta: metav1.ObjectMeta{Namespace: p.Env[v1alpha1.NamespaceEnv], Name: p.Env[v1alpha1.NameEnv]}}
	return b.Client.Status().Patch(ctx, e, client.RawPatch("application/apply-patch+yaml", raw), client.FieldOwner("agent-"+p.Env[v1alpha1.UnitEnv]), client.ForceOwnership)
}

const someSpec = `{
	"groups": [{"name": "g", "command": ["true"], "count": 3}],
	"members": [{"name": "m", "nodes": {"size": 2}, "image": "app"}],
	"archive": {"repository": "registry.example.org/lab/runs"}
}`

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// good is an agent all of whose jobs succeed.
func good(ctx context.Context, b *bench, p kubetest.Pod) error {
	counts := v1alpha1.JobCounts{Total: 3, Active: 3}
	for _, r := range []v1alpha1.Report{
		{State: v1alpha1.AgentStarting},
		{State: v1alpha1.AgentRunning, Jobs: counts},
		{State: v1alpha1.AgentSaving, Outcome: v1alpha1.OutcomeSucceeded, Jobs: v1alpha1.JobCounts{Total: 3, Succeeded: 3}},
		{State: v1alpha1.AgentSaved, Outcome: v1alpha1.OutcomeSucceeded, Jobs: v1alpha1.JobCounts{Total: 3, Succeeded: 3}, Digest: someDigest},
	} {
		if err := b.report(ctx, p, r); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func TestAnEnsembleRunsIsSavedAndCleaned(t *testing.T) {
	t.Parallel()
	b := newBench(t, good)
	b.apply(t, "some", someSpec)
	e := b.wait(t, "some", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	for kind, reason := range map[string]string{v1alpha1.Accepted: "Accepted", v1alpha1.Provisioned: "Provisioned", v1alpha1.Completed: "Succeeded", v1alpha1.Archived: "Verified"} {
		if c := meta.FindStatusCondition(e.Status.Conditions, kind); c == nil || c.Status != metav1.ConditionTrue || c.Reason != reason {
			t.Errorf("%s is %+v, want true for %s", kind, c, reason)
		}
	}
	if e.Status.Phase != v1alpha1.PhaseCompleted || e.Status.Digest != someDigest || e.Status.Jobs.Succeeded != 3 || e.Status.ObservedGeneration != e.Generation {
		t.Errorf("the status is %+v", e.Status)
	}
	if left := b.clusters(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	if err := b.Client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	kubetest.Eventually(t, func() error {
		if _, err := b.get(t.Context(), "some"); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %v", err)
		}
		return nil
	})
}

func TestMetricsTellHowEnsemblesStand(t *testing.T) {
	t.Parallel()
	b := newBench(t, good)
	b.apply(t, "counted", someSpec)
	b.wait(t, "counted", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	got := map[string]float64{}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newStanding(here{b.Client, b.namespace}), phaseSeconds)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			if got[name] = m.GetGauge().GetValue(); m.Histogram != nil {
				got[name] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	for name, want := range map[string]float64{"ensemble_ensembles Completed": 1, "ensemble_members Cleaned": 1, "ensemble_jobs succeeded": 3, "ensemble_jobs failed": 0, "ensemble_nodes": 0} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s is %v (%v), want %v: %v", name, n, ok, want, got)
		}
	}
	if got["ensemble_phase_seconds Cleaning"] == 0 { // in others it may have been too short to be seen
		t.Errorf("no time in a phase was seen: %v", got)
	}
}

// here reads one namespace.
type here struct {
	client.Reader
	namespace string
}

func (h here) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return h.Reader.List(ctx, list, append(opts, client.InNamespace(h.namespace))...)
}

func TestTheStatusSaysWhatTheNodesAre(t *testing.T) {
	t.Parallel()
	b := newBench(t, good)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: b.namespace, Labels: map[string]string{"node.kubernetes.io/instance-type": "hpc6a.48xlarge", "topology.kubernetes.io/zone": "us-east-2b"}},
		Spec: corev1.NodeSpec{ProviderID: "aws:///us-east-2b/i-0123"}}
	if err := b.Client.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	node.Status.NodeInfo = corev1.NodeSystemInfo{KernelVersion: "6.1.0", OSImage: "Debian 12", ContainerRuntimeVersion: "containerd://1.7", KubeletVersion: "v1.35.4", Architecture: "amd64"}
	if err := b.Client.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	b.apply(t, "looked-at", someSpec)
	e := b.wait(t, "looked-at", v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
	want := []v1alpha1.NodeKind{{Count: 1, Instance: "hpc6a.48xlarge", Zone: "us-east-2b", Provider: "aws", OS: "Debian 12", Kernel: "6.1.0", Architecture: "amd64", Runtime: "containerd://1.7", Kubelet: "v1.35.4"}}
	if got := e.Status.Members[0].Hardware; !slices.Equal(got, want) {
		t.Errorf("the nodes are %+v, want %+v", got, want)
	}
}
