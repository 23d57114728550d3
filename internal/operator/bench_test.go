// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/internal/kubetest"
	"github.com/converged-computing/ensemble/minicluster"
	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// counted counts the requests of a client, watches left out.
type counted struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.RawQuery, "watch=true") {
		c.n.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

// timed writes down how long reconciles take.
type timed struct {
	*Reconciler
	mu    sync.Mutex
	times []time.Duration
}

func (r *timed) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	begin := time.Now()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.times = append(r.times, time.Since(begin))
	}()
	return r.Reconciler.Reconcile(ctx, q)
}

// BenchmarkThousandEnsembles has 1,000 Ensembles of 20 groups each made at once, on a real
// API server and with MiniClusters that only say how their jobs stand.
func BenchmarkThousandEnsembles(b *testing.B) {
	const ensembles, groups = 1000, 20
	c := kubetest.Start(b)
	for b.Loop() {
		namespace := c.Namespace(b)
		var calls atomic.Int64
		as := rest.CopyConfig(c.Config)
		as.QPS, as.Burst = clientQPS, clientBurst
		as.Wrap(func(rt http.RoundTripper) http.RoundTripper { return counted{rt, &calls} })
		skip := true
		m, err := ctrl.NewManager(as, ctrl.Options{Scheme: c.Scheme, Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &skip},
			Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}}})
		if err != nil {
			b.Fatal(err)
		}
		r := &timed{Reconciler: &Reconciler{Client: m.GetClient(), Reader: m.GetAPIReader(), Recorder: m.GetEventRecorder("bench"), AgentImage: "agent"}}
		if err := r.setup(m, r); err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 2)
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		go func() { ended <- m.Start(ctx) }()
		go func() { ended <- play(ctx, c, namespace, groups) }()
		begin := time.Now()
		spec := strings.Builder{}
		for i := range groups {
			fmt.Fprintf(&spec, `{"name": "group-%02d", "command": ["true"], "count": 50},`, i)
		}
		text := fmt.Sprintf(`{"groups": [%s], "members": [{"name": "m", "nodes": {"size": 4}, "image": "app"}], "archive": {"repository": "r.example.org/runs"}}`, strings.TrimSuffix(spec.String(), ","))
		g, making := errgroup.WithContext(ctx)
		g.SetLimit(16)
		for i := range ensembles {
			g.Go(func() error {
				e := kubetest.Ensemble(fmt.Sprintf("e-%04d", i), text)
				e.Namespace = namespace
				return c.Client.Create(making, e)
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		made := time.Since(begin)
		var list v1alpha1.EnsembleList
		for {
			if err := c.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
				b.Fatal(err)
			}
			left := 0
			for i := range list.Items {
				if !meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.CleanedUp) {
					left++
				}
			}
			if left == 0 {
				break
			}
			time.Sleep(time.Second)
		}
		took := time.Since(begin)
		var after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&after)
		cancel()
		for range 2 {
			if err := <-ended; err != nil && ctx.Err() == nil {
				b.Fatal(err)
			}
		}
		size := 0
		for i := range list.Items {
			raw, err := json.Marshal(&list.Items[i])
			if err != nil {
				b.Fatal(err)
			}
			size += len(raw)
		}
		r.mu.Lock()
		slices.Sort(r.times)
		b.ReportMetric(made.Seconds(), "s/made")
		b.ReportMetric(took.Seconds(), "s/cleaned")
		b.ReportMetric(float64(r.times[len(r.times)*99/100].Microseconds())/1000, "p99-ms/reconcile")
		b.ReportMetric(float64(len(r.times))/ensembles, "reconciles/Ensemble")
		b.ReportMetric(float64(calls.Load())/ensembles, "calls/Ensemble")
		b.ReportMetric(float64(size)/ensembles, "B/Ensemble")
		b.ReportMetric(float64(after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))/1e6, "MB-heap")
		r.mu.Unlock()
	}
	b.ReportMetric(0, "ns/op")
}

// play is what MiniClusters do that run nothing: it has agents and witnesses say what they
// would say, agents twice.
func play(ctx context.Context, c *kubetest.Cluster, namespace string, groups int) error {
	var g errgroup.Group
	g.SetLimit(16)
	defer func() { _ = g.Wait() }()
	looks := map[string]int{}
	for ctx.Err() == nil {
		clusters := &metav1.PartialObjectMetadataList{}
		clusters.SetGroupVersionKind(minicluster.GroupVersionKind.GroupVersion().WithKind("MiniClusterList"))
		var jobs batchv1.JobList
		for _, list := range []client.ObjectList{clusters, &jobs} {
			if err := c.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
		for i := range clusters.Items {
			of := &clusters.Items[i]
			r := v1alpha1.Report{State: v1alpha1.AgentRunning, Pod: "p", Time: metav1.Now(), Jobs: v1alpha1.JobCounts{Total: 50 * groups, Succeeded: 50 * groups}}
			for k := range groups {
				r.Groups = append(r.Groups, v1alpha1.GroupCount{Name: fmt.Sprintf("group-%02d", k), JobCounts: v1alpha1.JobCounts{Total: 50, Succeeded: 50}})
			}
			switch looks[of.Name]++; looks[of.Name] {
			case 1:
			case 2:
				r.State, r.Outcome, r.Digest, r.Reference = v1alpha1.AgentSaved, v1alpha1.OutcomeSucceeded, someDigest, "r.example.org/runs:x"
			default:
				continue
			}
			name := of.OwnerReferences[0].Name
			g.Go(func() error { return tell(ctx, c, namespace, name, "agent", "report", r) })
		}
		for i := range jobs.Items {
			j := &jobs.Items[i]
			if looks[j.Name]++; looks[j.Name] > 1 {
				continue
			}
			for _, v := range j.Spec.Template.Spec.Containers[0].Env {
				if v.Name == v1alpha1.NameEnv {
					g.Go(func() error {
						return tell(ctx, c, namespace, v.Value, "witness", "witness", v1alpha1.Witness{Digest: someDigest, Time: metav1.Now()})
					})
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// tell writes a field of the member into the status of an Ensemble.
func tell(ctx context.Context, c *kubetest.Cluster, namespace, name, who, field string, what any) error {
	raw, err := json.Marshal(map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Ensemble",
		"status": map[string]any{"members": []any{map[string]any{"name": "m", field: what}}}})
	if err != nil {
		return err
	}
	e := &v1alpha1.Ensemble{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	return c.Client.Status().Patch(ctx, e, client.RawPatch("application/apply-patch+yaml", raw), client.FieldOwner(who), client.ForceOwnership)
}
