// SPDX-License-Identifier: MIT

package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/minicluster"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// How many requests a second the operator sends. The API server has a priority of its own
// for who asks too often; the library's default of 20 would make 1,000 Ensembles wait.
const (
	clientQPS   = 200
	clientBurst = 400
)

// Options are those of the program.
type Options struct {
	AgentImage string
	// Metrics and Health are addresses; "0" is none.
	Metrics, Health string
	// Elect has one of several operators work.
	Elect bool
	// Namespace limits it to one; empty is all.
	Namespace string
	Workers   int
}

// Scheme knows all that the operator reads and writes.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, rbacv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // of types that are compiled in
		}
	}
	return s
}

// Main is the operator's program. It gives the exit code.
func Main(args []string, stderr io.Writer) int {
	var o Options
	f := flag.NewFlagSet("ensemble-operator", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.AgentImage, "agent-image", "", "the image of the agent")
	f.StringVar(&o.Metrics, "metrics", "127.0.0.1:8080", "where metrics are served; 0 is nowhere")
	f.StringVar(&o.Health, "health", ":8081", "where health is served; 0 is nowhere")
	f.BoolVar(&o.Elect, "leader-election", true, "have one of several operators work")
	f.StringVar(&o.Namespace, "namespace", "", "the namespace to work in; all by default")
	f.IntVar(&o.Workers, "workers", 0, "how many Ensembles are looked at side by side")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if o.AgentImage == "" {
		fmt.Fprintln(stderr, "ensemble-operator: want --agent-image")
		return 2
	}
	log.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(stderr, nil)))
	config, err := ctrl.GetConfig()
	if err != nil {
		fmt.Fprintln(stderr, "ensemble-operator:", err)
		return 4
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := Run(ctx, config, o); err != nil {
		fmt.Fprintln(stderr, "ensemble-operator:", err)
		return 1
	}
	return 0
}

// Run operates until ctx ends.
func Run(ctx context.Context, config *rest.Config, o Options) error {
	m, err := NewManager(config, o)
	if err != nil {
		return err
	}
	return m.Start(ctx)
}

// NewManager makes what runs the reconciler.
func NewManager(config *rest.Config, o Options) (ctrl.Manager, error) {
	grace := 30 * time.Second
	options := ctrl.Options{
		Scheme: Scheme(), Metrics: server.Options{BindAddress: o.Metrics}, HealthProbeBindAddress: o.Health,
		LeaderElection: o.Elect, LeaderElectionID: "ensemble-operator.converged-computing.org", LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout: &grace,
	}
	// Of Jobs and pods only those of Ensembles are of interest.
	ours, err := k8slabels.NewRequirement(v1alpha1.EnsembleLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	only := cache.ByObject{Label: k8slabels.NewSelector().Add(*ours)}
	options.Cache.ByObject = map[client.Object]cache.ByObject{&corev1.Pod{}: only, &batchv1.Job{}: only}
	if o.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{o.Namespace: {}}
		options.LeaderElectionNamespace = o.Namespace
	}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = clientQPS, clientBurst
	m, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, err
	}
	r := &Reconciler{Client: m.GetClient(), Reader: m.GetAPIReader(), Recorder: m.GetEventRecorder("ensemble-operator"), AgentImage: o.AgentImage, Workers: o.Workers}
	if err := r.Setup(m); err != nil {
		return nil, err
	}
	for _, c := range []prometheus.Collector{phaseSeconds, newStanding(m.GetClient())} {
		var twice prometheus.AlreadyRegisteredError // by another manager of this process
		if err := metrics.Registry.Register(c); err != nil && !errors.As(err, &twice) {
			return nil, err
		}
	}
	if err := errors.Join(m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("miniclusters", knows(m.GetRESTMapper()))); err != nil {
		return nil, err
	}
	return m, nil
}

// knows says whether the cluster knows MiniClusters: without the Flux Operator this one is
// not ready, and its log says why.
func knows(mapper meta.RESTMapper) healthz.Checker {
	kind := minicluster.GroupVersionKind
	return func(*http.Request) error {
		_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			err = fmt.Errorf("the cluster does not know MiniClusters (%s): install the Flux Operator; until then no Ensemble is looked at", kind.GroupVersion())
		}
		if err != nil {
			log.Log.Error(err, "not ready")
		}
		return err
	}
}
