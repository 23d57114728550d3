// SPDX-License-Identifier: MIT

package operator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// worldOf is one in which an Ensemble of a spec was made at noon.
func worldOf(t *testing.T, spec string) *world {
	t.Helper()
	e := kubetest.Ensemble("some", spec)
	e.UID, e.Generation, e.CreationTimestamp, e.Finalizers = "1234", 1, metav1.NewTime(noon), []string{v1alpha1.Finalizer}
	w := &world{ensemble: e, seen: map[string]observed{}, now: noon.Add(time.Minute)}
	if w.spec, w.fault = e.Decode(); w.fault == nil {
		w.units = v1alpha1.Units(w.spec)
	}
	return w
}

// outline is what a decision does, in words.
func (d decision) outline() string {
	var s []string
	if d.finalize != nil {
		s = append(s, fmt.Sprintf("finalizer %v", *d.finalize))
	}
	if len(d.create) > 0 {
		s = append(s, "create "+strings.Join(d.create, " "))
	}
	for name, n := range d.resize {
		s = append(s, fmt.Sprintf("resize %s to %d", name, n))
	}
	if len(d.witness) > 0 {
		s = append(s, "witness "+strings.Join(d.witness, " "))
	}
	if len(d.remove) > 0 {
		s = append(s, "remove "+strings.Join(d.remove, " "))
	}
	if d.deleteSelf {
		s = append(s, "delete itself")
	}
	s = append(s, string(d.status.Phase))
	if c := meta.FindStatusCondition(d.status.Conditions, v1alpha1.Completed); c != nil && c.Status == metav1.ConditionTrue {
		s = append(s, c.Reason)
	}
	for _, m := range d.status.Members {
		if _, words, ok := strings.Cut(m.Message, "could not be saved: "); ok && m.State == v1alpha1.MemberSaved {
			s = append(s, words)
		}
	}
	return strings.Join(s, ", ")
}

const rulesSpec = `{
	"groups": [{"name": "g", "command": ["true"], "nodes": 1}],
	"rules": [{"on": "start", "do": {"submit": "g"}}],
	"members": [{"name": "m", "nodes": {"size": 2, "min": 1, "max": 6}, "image": "app"}],
	"maxNodes": 5,
	"archive": {"repository": "r.example.org/x"}
}`

func TestDecisions(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) *metav1.Time { at := metav1.NewTime(noon.Add(time.Minute - d)); return &at }
	running := func(r v1alpha1.Report) func(*world) {
		return func(w *world) {
			w.seen["m"] = observed{cluster: "c", size: 2}
			w.ensemble.Status.Members = []v1alpha1.MemberStatus{{Name: "m", Cluster: "c", State: v1alpha1.MemberRunning, Made: ago(time.Minute), Tries: 1, Report: &r}}
		}
	}
	witnessed := func(w *world) {
		w.ensemble.Status.Members[0].Witness = &v1alpha1.Witness{Digest: someDigest}
	}
	seeing := func(j witnessJob) func(*world) {
		return func(w *world) {
			o := w.seen["m"]
			o.witness = &j
			w.seen["m"] = o
		}
	}
	lingering := func(w *world) {
		w.ensemble.Status.Members[0].State = v1alpha1.MemberSaved
		w.seen["m"] = observed{cluster: "c", size: 2, lingering: true}
	}
	saved := v1alpha1.Report{State: v1alpha1.AgentSaved, Outcome: v1alpha1.OutcomeSucceeded, Digest: someDigest}
	half := v1alpha1.Report{State: v1alpha1.AgentRunning, Jobs: v1alpha1.JobCounts{Total: 3, Active: 1, Succeeded: 2}}
	deleted := func(w *world) { w.ensemble.DeletionTimestamp = ago(time.Second) }
	for _, c := range []struct {
		name   string
		spec   string
		change []func(*world)
		want   string
	}{
		{"a new one gets its finalizer and its members", someSpec, []func(*world){func(w *world) { w.ensemble.Finalizers = nil }}, "finalizer true, create m, Provisioning"},
		{"a spec that is wrong is refused", `{"groups": [{"name": "g"}], "members": [{"name": "m", "nodes": {"size": 1}, "image": "i"}]}`, nil, "Refused"},
		{"rules over several members are refused", strings.Replace(rulesSpec, `"image": "app"`, `"image": "app", "images": {"v": "other"}`, 1), nil, "Refused"},
		{"a MiniCluster that the status does not know yet gets what belongs to it", someSpec, []func(*world){func(w *world) {
			w.seen["m"] = observed{cluster: "c", size: 2, made: noon}
		}}, "create m, Provisioning"},
		{"of one whose results are saved the events are", someSpec, []func(*world){running(saved)}, "witness m, Cleaning, Succeeded"},
		{"it waits for them", someSpec, []func(*world){running(saved), seeing(witnessJob{made: noon})}, "Cleaning, Succeeded"},
		{"one whose results and events are saved goes", someSpec, []func(*world){running(saved), witnessed}, "remove m, Cleaning, Succeeded"},
		{"one whose events cannot be saved goes", someSpec, []func(*world){running(saved), seeing(witnessJob{made: noon, failed: true})}, "remove m, Cleaning, Succeeded, the Job c-witness failed"},
		{"and the status has its last words", someSpec, []func(*world){running(saved), seeing(witnessJob{made: noon, failed: true, said: "no room in the registry"})}, "remove m, Cleaning, Succeeded, no room in the registry"},
		{"one whose events take too long goes", someSpec, []func(*world){running(saved), seeing(witnessJob{made: noon.Add(-time.Hour)})}, "remove m, Cleaning, Succeeded, it took longer than 10m0s"},
		{"it is clean when its pods are gone too", someSpec, []func(*world){running(saved), lingering}, "Cleaning, Succeeded"},
		{"deleted, it does not wait for pods to go", someSpec, []func(*world){running(saved), lingering, deleted}, "finalizer false, Cleaning, Succeeded"},
		{"deleted, it waits for its events too", someSpec, []func(*world){running(saved), deleted}, "witness m, Cleaning, Succeeded"},
		{"without a digest it is not saved", someSpec, []func(*world){running(v1alpha1.Report{State: v1alpha1.AgentSaved, Outcome: v1alpha1.OutcomeSucceeded})}, "Completed, Succeeded"},
		{"one that ends before is a failure, and stays", someSpec, []func(*world){running(half), func(w *world) {
			o := w.seen["m"]
			o.ended = "Complete"
			w.seen["m"] = o
		}}, "Failed, InstanceLost"},
		{"retained it stays", strings.Replace(someSpec, `"archive"`, `"retain": {"when": "Always"}, "archive"`, 1), []func(*world){running(saved), witnessed}, "Completed, Succeeded"},
		{"retained on failure it goes after a success", strings.Replace(someSpec, `"archive"`, `"retain": {"when": "OnFailure"}, "archive"`, 1), []func(*world){running(saved), witnessed}, "remove m, Cleaning, Succeeded"},
		{"retained on failure it stays after a failure", strings.Replace(someSpec, `"archive"`, `"retain": {"when": "OnFailure"}, "archive"`, 1),
			[]func(*world){running(v1alpha1.Report{State: v1alpha1.AgentSaved, Outcome: v1alpha1.OutcomeJobsFailed, Digest: someDigest})}, "witness m, Failed, JobsFailed"},
		{"retained for a time it goes after that", strings.Replace(someSpec, `"archive"`, `"retain": {"when": "Always", "for": "1h"}, "archive"`, 1),
			[]func(*world){running(saved), witnessed, func(w *world) { w.ensemble.Status.Completion = ago(2 * time.Hour) }}, "remove m, Cleaning, Succeeded"},
		{"an Ensemble whose time is over deletes itself", strings.Replace(someSpec, `"archive"`, `"retain": {"for": "1h", "ensemble": true}, "archive"`, 1),
			[]func(*world){running(saved), func(w *world) {
				w.seen = map[string]observed{}
				w.ensemble.Status.Completion = ago(2 * time.Hour)
			}}, "delete itself, Completed, Succeeded"},
		{"deleted while it runs, it waits for its results", someSpec, []func(*world){running(half), deleted}, "Running"},
		{"deleted for longer than its grace, it goes", someSpec, []func(*world){running(half), func(w *world) { w.ensemble.DeletionTimestamp = ago(2 * deleteGrace) }}, "remove m, Running"},
		{"deleted with its results given up, it goes", someSpec, []func(*world){running(half), deleted, func(w *world) {
			w.ensemble.Annotations = map[string]string{v1alpha1.DiscardAnnotation: "true"}
		}}, "remove m, Running"},
		{"deleted before its first jobs are counted, it waits for its results", someSpec, []func(*world){running(v1alpha1.Report{State: v1alpha1.AgentRunning}), deleted}, "Running"},
		{"deleted before anything ran, it goes", someSpec, []func(*world){running(v1alpha1.Report{State: v1alpha1.AgentStarting}), deleted}, "remove m, Provisioning"},
		{"deleted and clean, it is let go", someSpec, []func(*world){deleted}, "finalizer false, Failed, Cancelled"},
		{"rules get more nodes, within the ensemble's", rulesSpec, []func(*world){running(v1alpha1.Report{State: v1alpha1.AgentRunning, Nodes: 9})}, "resize m to 5, Running"},
		{"rules get fewer nodes, within the member's", rulesSpec, []func(*world){running(v1alpha1.Report{State: v1alpha1.AgentRunning, Nodes: -3})}, "resize m to 1, Running"},
		{"an image that does not come is waited for", someSpec, []func(*world){func(w *world) {
			running(half)(w)
			w.ensemble.Status.Members[0].Report = nil
			w.ensemble.Status.Members[0].State = v1alpha1.MemberProvisioning
			w.seen["m"] = observed{cluster: "c", size: 2, trouble: &trouble{"ImageError", "no such image", w.now.Add(-time.Minute)}}
		}}, "Provisioning"},
		{"pods that are refused are waited for, for as long as it takes", someSpec, []func(*world){func(w *world) {
			running(half)(w)
			w.ensemble.Status.Members[0].Report = nil
			w.seen["m"] = observed{cluster: "c", size: 2, trouble: &trouble{"PodsRefused", "no room", w.now.Add(-2 * imagePatience)}}
		}}, "Provisioning"},
		{"and then given up", someSpec, []func(*world){func(w *world) {
			running(half)(w)
			w.ensemble.Status.Members[0].Report = nil
			w.seen["m"] = observed{cluster: "c", size: 2, trouble: &trouble{"ImageError", "no such image", w.now.Add(-2 * imagePatience)}}
		}}, "Failed, Failed"},
		{"other trouble is tried again", someSpec, []func(*world){func(w *world) {
			running(half)(w)
			w.ensemble.Status.Members[0].Report = nil
			w.seen["m"] = observed{cluster: "c", size: 2, trouble: &trouble{"ContainerError", "no", w.now.Add(-2 * imagePatience)}}
		}}, "remove m, Provisioning"},
		{"what is cancelled before it starts is over", someSpec, []func(*world){func(w *world) {
			w.ensemble.Annotations = map[string]string{v1alpha1.CancelAnnotation: "no more"}
		}}, "Failed, Cancelled"},
		{"what the deadline ends before it starts is over", strings.Replace(someSpec, `"archive"`, `"deadline": "10s", "archive"`, 1), nil, "Failed, DeadlineExceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldOf(t, c.spec)
			for _, change := range c.change {
				change(w)
			}
			before := w.ensemble.DeepCopy()
			d := decide(w)
			if w.fault != nil && c.want != "Refused" {
				t.Fatal(w.fault)
			}
			if got := d.outline(); got != c.want {
				t.Errorf("decided %q, want %q\n%+v", got, c.want, d.status)
			}
			if again := decide(w).outline(); again != d.outline() {
				t.Errorf("decided again %q", again)
			}
			if diff := cmp.Diff(before.Status, w.ensemble.Status); diff != "" {
				t.Errorf("the decision changed the world:\n%s", diff)
			}
			if d.again < 0 || d.again > 0 && d.again < time.Second {
				t.Errorf("it looks again in %v", d.again)
			}
		})
	}
}
