// SPDX-License-Identifier: MIT

package operator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/minicluster"
	"github.com/converged-computing/ensemble/spec"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestPodsOfAUserKeepToTheRestrictedStandard(t *testing.T) {
	t.Parallel()
	cl := kubetest.Start(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "restricted-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if err := cl.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	for _, user := range []int64{0, 1000} {
		for _, archive := range []spec.Archive{{Repository: "127.0.0.1:5000/runs", Secret: "login"}, {Claim: "disk"}} {
			w := worldOf(t, someSpec)
			w.ensemble.Namespace, w.spec.Spec.Archive, w.units[0].Member.User = ns.Name, archive, user
			made, err := cluster(w.ensemble, w.spec, &w.units[0], "c", "agent")
			if err != nil {
				t.Fatal(err)
			}
			var of minicluster.Spec
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(made.Object["spec"].(map[string]any), &of); err != nil {
				t.Fatal(err)
			}
			p := kubetest.PodOf(&of, "c", "c-0")
			all := append(slices.Clone(p.Spec.InitContainers), p.Spec.Containers...)
			if len(all) != 3 {
				t.Fatalf("the pod has %d containers, want view, application and agent", len(all))
			}
			for _, c := range all {
				if got := c.SecurityContext; *got.RunAsUser != user || *got.RunAsGroup != user {
					t.Errorf("%s is user %d and group %d, want %d", c.Name, *got.RunAsUser, *got.RunAsGroup, user)
				}
			}
			witness := witnessOf(w.ensemble, w.spec, &w.units[0], made, "agent")
			for _, c := range []struct {
				who  string
				pod  corev1.PodSpec
				want bool // to be taken
			}{
				{"a broker", p.Spec, user != 0},
				{"the witness", witness.Spec.Template.Spec, user != 0 || archive.Claim == ""},
			} {
				c.pod.ServiceAccountName = ""
				err := cl.Client.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "p"}, Spec: c.pod}, client.DryRunAll)
				if taken := err == nil; taken != c.want {
					t.Errorf("%s of user %d with %+v: taken %v, want %v: %v", c.who, user, archive, taken, c.want, err)
				}
				if err != nil && !strings.Contains(err.Error(), "PodSecurity") {
					t.Error(err)
				}
			}
		}
	}
}

func TestNamesOfMiniClustersFitAndDiffer(t *testing.T) {
	t.Parallel()
	w := worldOf(t, someSpec)
	w.ensemble.Name = strings.Repeat("a-very-long.name-", 4)
	seen := map[string]bool{}
	for _, uid := range []types.UID{"1", "2"} {
		for try := range 3 {
			w.ensemble.UID = uid
			name := clusterName(w.ensemble, &w.units[0], try)
			if len(name) > nameLimit || strings.ContainsAny(name, "._") {
				t.Errorf("got %q", name)
			}
			seen[name] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("three tries of two Ensembles of one name have %d names, want 6", len(seen))
	}
}

func TestWithoutTheFluxOperatorItIsNotReady(t *testing.T) {
	t.Parallel()
	mapper := meta.NewDefaultRESTMapper(nil)
	ready := knows(mapper)
	if err := ready(nil); err == nil || !strings.Contains(err.Error(), "install the Flux Operator") {
		t.Errorf("got %v, want what is missing", err)
	}
	mapper.Add(minicluster.GroupVersionKind, meta.RESTScopeNamespace)
	if err := ready(nil); err != nil {
		t.Errorf("with MiniClusters: %v", err)
	}
}

func TestAJobThatMakesNoPodsIsTrouble(t *testing.T) {
	t.Parallel()
	over := []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
	for _, c := range []struct {
		name       string
		age        time.Duration
		conditions []batchv1.JobCondition
		want       bool
	}{
		{"one that was just made", time.Second, nil, false},
		{"one that had its time", time.Minute, nil, true},
		{"one that is over", time.Minute, over, false},
	} {
		j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "c", CreationTimestamp: metav1.NewTime(noon)}, Status: batchv1.JobStatus{Conditions: c.conditions}}
		got := refused(j, noon.Add(c.age))
		if (got != nil) != c.want || got != nil && (got.reason != "PodsRefused" || !strings.Contains(got.message, "kubectl -n lab describe job c")) {
			t.Errorf("%s: got %+v, want trouble %v", c.name, got, c.want)
		}
	}
}
