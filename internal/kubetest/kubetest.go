// SPDX-License-Identifier: MIT

// Package kubetest gives tests a real API server: kube-apiserver and etcd on loopback,
// without nodes.
//
// The model: a [Cluster] is one control plane for all tests of a package; each test takes
// a namespace of its own. Nobody runs pods there: what MiniClusters would do a test's
// stand-in does.
//
//	func TestMain(m *testing.M) { os.Exit(kubetest.Main(m)) }
//
//	c := kubetest.Start(t)   // skips where the programs are missing
//	ns := c.Namespace(t)
package kubetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Cluster is a control plane.
type Cluster struct {
	Config     *rest.Config // of an administrator
	Kubeconfig []byte       // the same as a file
	Client     client.Client
	Scheme     *runtime.Scheme
}

var (
	once    sync.Once
	started *Cluster
	failed  error
	stop    func()
)

// Main runs the tests of a package and stops what they started.
func Main(m *testing.M) int {
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	return m.Run()
}

// Start gives the control plane, with the definitions of Ensembles and of MiniClusters.
func Start(t testing.TB) *Cluster {
	t.Helper()
	dir, err := Directory()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			t.Skipf("%s is not in %s: make kube builds it", program, dir)
		}
	}
	once.Do(func() { started, failed = start(dir) })
	if failed != nil {
		t.Fatalf("starting a control plane: %v", failed)
	}
	return started
}

func start(dir string) (*Cluster, error) {
	e := &envtest.Environment{BinaryAssetsDirectory: dir}
	e.ControlPlane.GetAPIServer().Configure().Append("max-requests-inflight", "2000").Append("max-mutating-requests-inflight", "1000")
	config, err := e.Start()
	if err != nil {
		return nil, err
	}
	stop = func() { _ = e.Stop() }
	config.QPS, config.Burst = 1000, 2000
	c := &Cluster{Config: config, Kubeconfig: e.KubeConfig, Scheme: Scheme()}
	if c.Client, err = client.New(config, client.Options{Scheme: c.Scheme}); err != nil {
		return nil, err
	}
	crd, err := v1alpha1.CRD()
	if err != nil {
		return nil, err
	}
	crds := []*unstructured.Unstructured{{Object: crd}, MiniClusterCRD()}
	for _, o := range crds {
		if err := c.Client.Create(context.Background(), o); err != nil {
			return nil, fmt.Errorf("defining %s: %w", o.GetName(), err)
		}
	}
	return c, c.established(crds)
}

// established waits until the API server serves what was defined.
func (c *Cluster) established(crds []*unstructured.Unstructured) error {
	return eventually(context.Background(), func() error {
		for _, o := range crds {
			got := o.DeepCopy()
			if err := c.Client.Get(context.Background(), client.ObjectKeyFromObject(o), got); err != nil {
				return err
			}
			if !hasCondition(got, "Established") {
				return fmt.Errorf("%s is not served", o.GetName())
			}
		}
		return nil
	})
}

func hasCondition(u *unstructured.Unstructured, kind string) bool {
	all, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range all {
		if c, ok := c.(map[string]any); ok && c["type"] == kind && c["status"] == "True" {
			return true
		}
	}
	return false
}

// Scheme knows all that the project reads and writes.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, eventsv1.AddToScheme, rbacv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // of types that are compiled in
		}
	}
	return s
}

// As gives the configuration of a service account.
func (c *Cluster) As(namespace, account string) *rest.Config { return As(c.Config, namespace, account) }

// As has an administrator's configuration be that of a service account.
func As(config *rest.Config, namespace, account string) *rest.Config {
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	return as
}

// Namespace makes a namespace for a test.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// MiniClusterCRD defines MiniClusters, as loosely as their own definition does where it
// matters: any spec is taken.
func MiniClusterCRD() *unstructured.Unstructured {
	free := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "miniclusters.flux-framework.org"},
		"spec": map[string]any{
			"group": "flux-framework.org", "scope": "Namespaced",
			"names": map[string]any{"kind": "MiniCluster", "listKind": "MiniClusterList", "plural": "miniclusters", "singular": "minicluster"},
			"versions": []any{map[string]any{
				"name": "v1alpha2", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": free, "status": free}}},
			}},
		},
	}}
}

// Create makes objects in a namespace, unless they are there.
func (c *Cluster) Create(ctx context.Context, namespace string, objects ...client.Object) error {
	for _, o := range objects {
		o.SetNamespace(namespace)
		if err := c.Client.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// Ensemble is a resource with a spec that is written as JSON.
func Ensemble(name, spec string) *v1alpha1.Ensemble {
	return &v1alpha1.Ensemble{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Ensemble"},
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.Raw(strings.TrimSpace(spec)),
	}
}
