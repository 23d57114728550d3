// SPDX-License-Identifier: MIT

// Package witness writes down what Kubernetes saw of a unit of an Ensemble, before its
// MiniCluster goes.
//
// The model: when the results of a unit are saved, the operator starts a Job with this in
// it, with an account that may read pods, Jobs, MiniClusters and events of the namespace,
// and with the registry's credentials, which the operator has not. It pushes what it read
// as an artifact whose subject is the bundle, and says in the Ensemble's status that it
// did.
//
// Promises: the certificate of the brokers is not in it, nor is what no other can make use
// of (managed fields). What it pushed is verified.
package witness

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/minicluster"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Config is what a witness is told.
type Config struct {
	Namespace, Name, UID, Unit string
	// Dir is for what it makes before it sends it.
	Dir string
	// Repository is where the bundle is, Push says how, and Layout is the directory of
	// an OCI layout that has it instead.
	Repository string
	Push       image.PushOptions
	Layout     string
}

// FromEnvironment reads what the operator says. getenv is [os.Getenv].
func FromEnvironment(getenv func(string) string) (Config, error) {
	c := Config{Namespace: getenv(v1alpha1.NamespaceEnv), Name: getenv(v1alpha1.NameEnv), UID: getenv(v1alpha1.UIDEnv), Unit: getenv(v1alpha1.UnitEnv),
		Repository: getenv(v1alpha1.RepositoryEnv), Push: image.PushOptions{PlainHTTP: getenv(v1alpha1.InsecureEnv) == "true"}, Layout: getenv(v1alpha1.LayoutEnv),
		Dir: "/tmp"}
	if c.Namespace == "" || c.Name == "" || c.UID == "" || c.Unit == "" || c.Repository == "" && c.Layout == "" {
		return c, errors.New("the environment does not say whose witness this is: it is started by the operator")
	}
	return c, nil
}

// Run does it once.
func Run(ctx context.Context, c Config, client dynamic.Interface) error {
	w := &witness{Config: c, client: client}
	m, err := w.member(ctx)
	if err != nil {
		return err
	}
	k, err := w.look(ctx, m)
	if err != nil {
		return err
	}
	digest, err := w.save(ctx, m, k)
	if err != nil {
		return err
	}
	return w.report(ctx, v1alpha1.Witness{Digest: digest, Objects: len(k.Objects), Events: len(k.Events), Time: metav1.Now()})
}

type witness struct {
	Config
	client dynamic.Interface
}

// member reads what the status says of the unit.
func (w *witness) member(ctx context.Context) (*v1alpha1.MemberStatus, error) {
	u, err := w.client.Resource(v1alpha1.GroupVersion.WithResource("ensembles")).Namespace(w.Namespace).Get(ctx, w.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the Ensemble: %w", err)
	}
	b, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var e v1alpha1.Ensemble
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, err
	}
	if string(e.UID) != w.UID {
		return nil, fmt.Errorf("the Ensemble is another one of that name: its UID is %s, want %s", e.UID, w.UID)
	}
	m := e.Status.Member(w.Unit)
	if m == nil || m.Report == nil || m.Report.Digest == "" {
		return nil, fmt.Errorf("the member %s has no bundle to refer to", w.Unit)
	}
	return m, nil
}

var (
	pods   = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	events = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	jobs   = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
)

// look reads what there is of the unit.
func (w *witness) look(ctx context.Context, m *v1alpha1.MemberStatus) (k archive.Kubernetes, err error) {
	of := metav1.ListOptions{LabelSelector: v1alpha1.EnsembleLabel + "=" + w.UID + "," + v1alpha1.MemberLabel + "=" + w.Unit}
	clusters := minicluster.GroupVersionKind.GroupVersion().WithResource("miniclusters")
	for _, r := range []schema.GroupVersionResource{clusters, jobs, pods} {
		list, err := w.client.Resource(r).Namespace(w.Namespace).List(ctx, of)
		if err != nil {
			return k, fmt.Errorf("listing %s: %w", r.Resource, err)
		}
		if k.Objects, err = lines(k.Objects, list.Items, func(*unstructured.Unstructured) bool { return true }); err != nil {
			return k, err
		}
	}
	list, err := w.client.Resource(events).Namespace(w.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return k, fmt.Errorf("listing events: %w", err)
	}
	slices.SortStableFunc(list.Items, func(a, b unstructured.Unstructured) int { return cmp.Compare(timeOf(&a), timeOf(&b)) })
	k.Events, err = lines(nil, list.Items, func(u *unstructured.Unstructured) bool { return w.concerns(u, m.Cluster) })
	return k, err
}

// concerns says whether an event is of the Ensemble or of what its MiniCluster is made of,
// which have names that begin with its own.
func (w *witness) concerns(u *unstructured.Unstructured, cluster string) bool {
	of, _, _ := unstructured.NestedStringMap(u.Object, "involvedObject")
	return of["uid"] == w.UID || cluster != "" && (of["name"] == cluster || strings.HasPrefix(of["name"], cluster+"-"))
}

// timeOf is when an event was seen first; it has one of several times.
func timeOf(u *unstructured.Unstructured) string {
	for _, field := range []string{"eventTime", "firstTimestamp"} {
		if s, _, _ := unstructured.NestedString(u.Object, field); s != "" {
			return s
		}
	}
	return u.GetCreationTimestamp().UTC().Format(time.RFC3339)
}

// lines adds objects without what is of no use to others or of none of their business.
func lines(to []json.RawMessage, items []unstructured.Unstructured, which func(*unstructured.Unstructured) bool) ([]json.RawMessage, error) {
	for i := range items {
		u := &items[i]
		if !which(u) {
			continue
		}
		u.SetManagedFields(nil)
		unstructured.RemoveNestedField(u.Object, "spec", "flux", "curveCert")
		b, err := u.MarshalJSON()
		if err != nil {
			return nil, err
		}
		to = append(to, json.RawMessage(strings.TrimSpace(string(b))))
	}
	return to, nil
}

// save brings it to where the bundle is.
func (w *witness) save(ctx context.Context, m *v1alpha1.MemberStatus, k archive.Kubernetes) (digest string, err error) {
	const name = "kubernetes"
	if w.Layout != "" {
		store, err := image.Open(w.Layout)
		if err != nil {
			return "", err
		}
		subject, err := store.Manifest(m.Report.Digest)
		if err != nil {
			return "", err
		}
		a, err := archive.PackKubernetes(ctx, store, strings.TrimPrefix(m.Report.Reference, "oci:")+"-"+name, subject, k)
		return a.Digest, err
	}
	store, err := image.Open(filepath.Join(w.Dir, "store"))
	if err != nil {
		return "", err
	}
	subject, err := image.Manifest(ctx, w.Repository+"@"+m.Report.Digest, w.Push)
	if err != nil {
		return "", err
	}
	a, err := archive.PackKubernetes(ctx, store, name, subject, k)
	if err != nil {
		return "", err
	}
	return store.PushArtifact(ctx, a, w.Repository+"@"+a.Digest, w.Push)
}

// report says in the status that it is done. Nobody else writes there.
func (w *witness) report(ctx context.Context, done v1alpha1.Witness) error {
	patch, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Ensemble", "metadata": map[string]any{"name": w.Name},
		"status": map[string]any{"members": []any{map[string]any{"name": w.Unit, "witness": done}}},
	})
	if err != nil {
		return err
	}
	force := true
	_, err = w.client.Resource(v1alpha1.GroupVersion.WithResource("ensembles")).Namespace(w.Namespace).
		Patch(ctx, w.Name, types.ApplyPatchType, patch, metav1.PatchOptions{FieldManager: "ensemble-witness-" + w.Unit, Force: &force}, "status")
	if err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	return nil
}
