// SPDX-License-Identifier: MIT

package ensembles

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// logging is an API server with pods that have logs, of which the first is not there when
// it is asked for first.
func logging(t *testing.T) *Client {
	t.Helper()
	pod := func(member, index string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: member + "-" + index, Labels: map[string]string{v1alpha1.MemberLabel: member, indexLabel: index}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}, {Name: "agent"}}}}
	}
	pods := corev1.PodList{Items: []corev1.Pod{pod("two", "0"), pod("one", "10"), pod("one", "2"), pod("one", "0"), {ObjectMeta: metav1.ObjectMeta{Name: "witness"}}}}
	var waits atomic.Bool
	waits.Store(true)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		name, isLog := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/lab/pods/"), "/log")
		switch {
		case r.URL.Path == "/api/v1/namespaces/lab/pods":
			list := pods
			if member := strings.Split(r.URL.Query().Get("labelSelector"), "converged-computing.org/member="); len(member) > 1 {
				list.Items = slices.DeleteFunc(slices.Clone(list.Items), func(p corev1.Pod) bool { return p.Labels[v1alpha1.MemberLabel] != member[1] })
			}
			if strings.Contains(r.URL.RawQuery, "nobody") {
				list.Items = nil
			}
			_ = json.NewEncoder(w).Encode(list)
		case isLog && name == "one-0" && r.URL.Query().Get("follow") == "true" && waits.Swap(false):
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest, Message: "container is waiting to start: PodInitializing"})
		case isLog:
			fmt.Fprintf(w, "%s of %s\nlast words", r.URL.Query().Get("container"), name)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	c, err := open(&rest.Config{Host: s.URL}, "lab")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLogsAreThoseOfTheContainersThatAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		o    LogOptions
		want []string
	}{
		{"agents of all members", LogOptions{}, []string{"agent of one-0", "last words", "agent of two-0", "last words"}},
		{"the agent of one", LogOptions{Member: "two"}, []string{"agent of two-0", "last words"}},
		{"brokers of all nodes, in their order", LogOptions{Member: "one", Brokers: true}, []string{"main of one-0", "last words", "main of one-2", "last words", "main of one-10", "last words"}},
		{"one that has not started is waited for", LogOptions{Member: "one", Follow: true}, []string{"agent of one-0", "last words"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			if err := logging(t).Logs(t.Context(), &v1alpha1.Ensemble{}, c.o, func(l Line) { got = append(got, l.Text) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnEnsembleWithoutPodsHasNoLogs(t *testing.T) {
	t.Parallel()
	err := logging(t).Logs(t.Context(), &v1alpha1.Ensemble{}, LogOptions{Member: "nobody"}, func(Line) {})
	if !errors.Is(err, ErrNoPods) {
		t.Errorf("got %v, want ErrNoPods", err)
	}
}
