// SPDX-License-Identifier: MIT

package operator

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/agent"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// login is a keychain whose password can be changed.
type login struct{ password atomic.Pointer[string] }

func (l *login) set(password string) { l.password.Store(&password) }

func (l *login) Resolve(authn.Resource) (authn.Authenticator, error) {
	if p := l.password.Load(); p != nil {
		return &authn.Basic{Username: "user", Password: *p}, nil
	}
	return authn.Anonymous, nil
}

// forget has a registry lose all that it was given, once, when a manifest comes.
func forget(r *registrytest.Registry) registrytest.Trouble {
	var done atomic.Bool
	return func(w http.ResponseWriter, q *http.Request) bool {
		if q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/manifests/") && done.CompareAndSwap(false, true) {
			if err := os.RemoveAll(filepath.Join(r.Dir, "docker")); err != nil {
				panic(err)
			}
		}
		return false
	}
}

func TestARegistryInTroubleKeepsTheResultsWhereTheyAreAndGetsThemLater(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		locked  bool // it wants a login
		trouble func(r *registrytest.Registry) registrytest.Trouble
		heal    func(l *login) // beside taking the trouble away
		want    string         // in the message of the condition
	}{
		{name: "refuses", trouble: func(*registrytest.Registry) registrytest.Trouble {
			return registrytest.Refuse(http.StatusForbidden, "DENIED", "no room for you")
		}, want: "no room for you"},
		{name: "full", trouble: func(*registrytest.Registry) registrytest.Trouble {
			return registrytest.Only(http.MethodPatch, "/blobs/uploads/", registrytest.Refuse(http.StatusInsufficientStorage, "UNKNOWN", "no space left on device"))
		}, want: "no space left on device"},
		{name: "broken", trouble: func(*registrytest.Registry) registrytest.Trouble {
			return registrytest.Refuse(http.StatusInternalServerError, "UNKNOWN", "it broke")
		}, want: "it broke"},
		{name: "hangs", trouble: func(*registrytest.Registry) registrytest.Trouble { return registrytest.Hang }, want: "the registry did nothing for 300ms"},
		{name: "loses-blobs", trouble: forget, want: "MANIFEST_BLOB_UNKNOWN"},
		{name: "blob-gone", trouble: func(*registrytest.Registry) registrytest.Trouble {
			return registrytest.Only(http.MethodHead, "/blobs/sha256:", registrytest.Refuse(http.StatusNotFound, "BLOB_UNKNOWN", ""))
		}, want: "verifying "},
		{name: "login", locked: true, heal: func(l *login) { l.set("right-password") }, want: "log in"},
		{name: "wrong-password", locked: true, heal: func(l *login) { l.set("right-password") }, want: "log in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var user, password string
			if c.locked {
				user, password = "user", "right-password"
			}
			r := registrytest.Start(t, user, password)
			keys := &login{}
			if c.name == "wrong-password" {
				keys.set("wrong-password")
			}
			if c.trouble != nil {
				r.Trouble(c.trouble(r))
			}
			b := newBench(t, realAgent(t, func(a *agent.Config) {
				a.Push.Attempts, a.Push.Stall, a.Push.Keychain = 1, 300*time.Millisecond, keys
				a.Retry = 2 * time.Second // long enough for the message to be seen
			}))
			b.keys = keys
			b.apply(t, c.name, fmt.Sprintf(`{
				"groups": [{"name": "g", "command": ["true"]}],
				"members": [{"name": "m", "nodes": {"size": 1}, "image": "app"}],
				"archive": {"repository": "%s/lab/runs", "insecure": true}
			}`, r.Address))
			kubetest.Eventually(t, func() error {
				e, err := b.get(t.Context(), c.name)
				if err != nil {
					return err
				}
				if a := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.Archived); a == nil || a.Status == metav1.ConditionTrue || a.Reason != "Saving" || !strings.Contains(a.Message, c.want) {
					return fmt.Errorf("archived: %+v, want it to tell of %q", a, c.want)
				}
				return nil
			})
			if len(b.clusters(t)) != 1 {
				t.Error("the MiniCluster is gone before its results were saved")
			}
			// Neither is it gone when the user deletes the Ensemble.
			e, err := b.get(t.Context(), c.name)
			if err != nil {
				t.Fatal(err)
			}
			deleted := c.name == "refuses" || c.name == "full"
			if deleted {
				if err := b.Client.Delete(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if len(b.clusters(t)) != 1 {
					t.Error("the MiniCluster is gone before its results were saved")
				}
			}
			r.Trouble(nil)
			if c.heal != nil {
				c.heal(keys)
			}
			if deleted {
				b.waitGone(t, c.name)
				return
			}
			b.wait(t, c.name, v1alpha1.Archived, metav1.ConditionTrue, "Verified")
			b.wait(t, c.name, v1alpha1.CleanedUp, metav1.ConditionTrue, "CleanedUp")
		})
	}
}
