// SPDX-License-Identifier: MIT

package operator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/deploy"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/registrytest"
	"github.com/converged-computing/ensemble/minicluster"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// access is something that one may want to do.
type access struct{ verb, group, resource, subresource, name string }

func (a access) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s %s", a.verb, strings.TrimSuffix(a.resource+"."+a.group, "."), a.subresource, a.name), " ")
}

// may asks the API server what an account may do.
func may(t *testing.T, as *rest.Config, namespace string, a access) bool {
	t.Helper()
	c, err := kubernetes.NewForConfig(as)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.subresource, Name: a.name}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Status.Allowed
}

func TestAccountsMayDoWhatTheyNeedAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, realAgent(t, nil))
	r := newRegistry(t)
	b.apply(t, "mine", sleeping(r, ""))
	cluster := b.waitRunning(t, "mine").Status.Members[0].Cluster
	b.apply(t, "other", `{"groups": [{"name": "g", "command": ["true"]}], "suspend": true, "members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}]}`)
	const ours, flux, rbac = "converged-computing.org", "flux-framework.org", "rbac.authorization.k8s.io"
	for _, c := range []struct {
		who string
		as  *rest.Config
		yes []access
		no  []access
	}{
		{"operator", b.As(deploy.Namespace, deploy.Name), []access{
			{"list", ours, "ensembles", "", ""}, {"watch", ours, "ensembles", "", ""}, {"patch", ours, "ensembles", "", "mine"}, {"patch", ours, "ensembles", "status", "mine"},
			{"create", flux, "miniclusters", "", ""}, {"delete", flux, "miniclusters", "", "x"}, {"list", "", "pods", "", ""}, {"list", "batch", "jobs", "", ""},
			{"create", "events.k8s.io", "events", "", ""}, {"get", "", "nodes", "", "x"},
		}, []access{
			{"get", "", "secrets", "", "credentials"}, {"list", "", "secrets", "", ""}, {"watch", "", "secrets", "", ""}, {"create", "", "secrets", "", ""},
			{"get", "", "configmaps", "", "x"}, {"create", "", "configmaps", "", ""},
			{"create", "", "pods", "", ""}, {"delete", "", "pods", "", "x"}, {"create", "", "pods", "exec", "x"}, {"create", "", "pods", "attach", "x"},
			{"create", "", "pods", "portforward", "x"}, {"create", "", "pods", "ephemeralcontainers", "x"}, {"get", "", "pods", "log", "x"},
			{"create", "apps", "deployments", "", ""}, {"create", "apps", "daemonsets", "", ""}, {"delete", "batch", "jobs", "", "x"},
			{"list", "", "nodes", "", ""}, {"patch", "", "nodes", "", "x"}, {"delete", "", "namespaces", "", "x"}, {"create", "", "serviceaccounts", "token", "x"},
			{"escalate", rbac, "roles", "", "x"}, {"bind", rbac, "roles", "", "x"}, {"create", rbac, "clusterroles", "", ""}, {"create", rbac, "clusterrolebindings", "", ""},
			{"impersonate", "", "users", "", "x"}, {"create", "apiextensions.k8s.io", "customresourcedefinitions", "", ""},
			{"create", ours, "ensembles", "", ""}, {"deletecollection", ours, "ensembles", "", ""},
			{"create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", ""},
		}},
		{"agent", b.As(b.namespace, agentAccount(cluster)), []access{
			{"get", ours, "ensembles", "", "mine"}, {"patch", ours, "ensembles", "status", "mine"},
		}, []access{
			{"get", ours, "ensembles", "", "other"}, {"patch", ours, "ensembles", "status", "other"}, {"list", ours, "ensembles", "", ""}, {"watch", ours, "ensembles", "", ""},
			{"patch", ours, "ensembles", "", "mine"}, {"update", ours, "ensembles", "status", "mine"}, {"update", ours, "ensembles", "", "mine"}, {"delete", ours, "ensembles", "", "mine"},
			{"create", ours, "ensembles", "", ""}, {"update", ours, "ensembles", "finalizers", "mine"},
			{"get", flux, "miniclusters", "", "x"}, {"patch", flux, "miniclusters", "", "x"}, {"delete", flux, "miniclusters", "", "x"},
			{"get", "", "secrets", "", "credentials"}, {"list", "", "secrets", "", ""}, {"get", "", "configmaps", "", "x"}, {"list", "", "pods", "", ""},
			{"create", "", "pods", "", ""}, {"delete", "", "pods", "", "x"}, {"create", "", "pods", "exec", "x"}, {"create", "batch", "jobs", "", ""},
			{"create", "", "events", "", ""}, {"get", "", "nodes", "", "x"}, {"create", rbac, "roles", "", ""}, {"create", "", "serviceaccounts", "token", "x"},
		}},
		{"witness", b.As(b.namespace, witnessName(cluster)), []access{
			{"get", ours, "ensembles", "", "mine"}, {"patch", ours, "ensembles", "status", "mine"},
			{"list", "", "pods", "", ""}, {"list", "", "events", "", ""}, {"list", "batch", "jobs", "", ""}, {"list", flux, "miniclusters", "", ""},
		}, []access{
			{"get", ours, "ensembles", "", "other"}, {"patch", ours, "ensembles", "status", "other"}, {"patch", ours, "ensembles", "", "mine"}, {"delete", ours, "ensembles", "", "mine"},
			{"get", "", "secrets", "", "credentials"}, {"list", "", "secrets", "", ""}, {"list", "", "configmaps", "", ""}, {"get", "", "pods", "log", "x"},
			{"create", "", "pods", "", ""}, {"delete", "", "pods", "", "x"}, {"create", "", "pods", "exec", "x"}, {"create", "batch", "jobs", "", ""}, {"delete", "batch", "jobs", "", "x"},
			{"delete", flux, "miniclusters", "", "x"}, {"get", "", "nodes", "", "x"}, {"create", rbac, "roles", "", ""},
		}},
	} {
		for _, a := range c.yes {
			if !may(t, c.as, b.namespace, a) {
				t.Errorf("the %s may not %s", c.who, a)
			}
		}
		for _, a := range c.no {
			if may(t, c.as, b.namespace, a) {
				t.Errorf("the %s may %s", c.who, a)
			}
		}
	}
}

// said is what all operators of this package log.
var said = &record{}

type record struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

func TestCredentialsAreNowhereButInTheirSecret(t *testing.T) {
	t.Parallel()
	const right, wrong = "correct-horse-battery", "incorrect-horse-battery"
	r := registrytest.Start(t, "user", right)
	keys := &login{}
	keys.set(wrong)
	var logs record
	var dir string
	b := newBench(t, realAgent(t, func(a *agent.Config) {
		a.Push.Attempts, a.Push.Keychain, a.Retry = 1, keys, time.Second
		a.Log = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		dir = a.Dir
	}))
	b.keys = keys
	config, err := json.Marshal(map[string]any{"auths": map[string]any{r.Address: map[string]string{"username": "user", "password": right}}})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "credentials"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: config}}
	if err := b.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	b.apply(t, "secretive", fmt.Sprintf(`{
		"groups": [{"name": "g", "command": ["env"]}],
		"members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}],
		"retain": {"when": "Always"},
		"archive": {"repository": "%s/lab/runs", "insecure": true, "secret": "credentials"}
	}`, r.Address))
	kubetest.Eventually(t, func() error {
		e, err := b.get(t.Context(), "secretive")
		if err != nil {
			return err
		}
		if a := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Archived); a == nil || !strings.Contains(a.Message, "log in") {
			return fmt.Errorf("archived: %+v", a)
		}
		return nil
	})
	places := map[string]string{"objects before": b.objects(t)}
	keys.set(right)
	b.wait(t, "secretive", v1alpha1.Archived, metav1.ConditionTrue, "Verified")
	places["objects after"] = b.objects(t)
	places["the agent's log"], places["the operators' logs"] = logs.String(), said.String()
	if !strings.Contains(places["objects after"], "secretive") || !strings.Contains(places["the agent's log"], "saving the results") || places["the operators' logs"] == "" {
		t.Fatal("what is searched does not hold what it should")
	}
	files := 0
	e, err := b.get(t.Context(), "secretive")
	if err != nil {
		t.Fatal(err)
	}
	m := e.Status.Member("m")
	unpacked, _ := bundleWith(t, m, keys)
	for _, root := range []string{dir, string(unpacked), r.Dir} {
		if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var text []byte
				text, err = os.ReadFile(path)
				places[path] = string(text)
				files++
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if files < 10 {
		t.Errorf("only %d files were searched", files)
	}
	for place, text := range places {
		for _, password := range []string{right, wrong} {
			for _, form := range []string{password, base64.StdEncoding.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("user:" + password))} {
				if strings.Contains(text, form) {
					t.Errorf("%s has %q", place, form)
				}
			}
		}
	}
}

// objects are all that anybody made in the namespace, secrets left out, as JSON.
func (b *bench) objects(t *testing.T) string {
	t.Helper()
	clusters := &unstructured.UnstructuredList{}
	clusters.SetGroupVersionKind(minicluster.GroupVersionKind.GroupVersion().WithKind("MiniClusterList"))
	var out strings.Builder
	for _, list := range []client.ObjectList{&v1alpha1.EnsembleList{}, clusters, &corev1.PodList{}, &corev1.ConfigMapList{}, &batchv1.JobList{}, &corev1.EventList{}, &eventsv1.EventList{}, &corev1.ServiceAccountList{}} {
		if err := b.Client.List(t.Context(), list, client.InNamespace(b.namespace)); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	return out.String()
}
