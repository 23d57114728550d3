// SPDX-License-Identifier: MIT

package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/minicluster"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// sharedDir is where the agent keeps its things, in the volume that all containers of the
// pod share.
const sharedDir = "/mnt/flux/ensemble"

// FromEnvironment reads what the operator says. getenv is [os.Getenv].
func FromEnvironment(getenv func(string) string) (Config, error) {
	c := Config{
		Unit: getenv(v1alpha1.UnitEnv), UID: getenv(v1alpha1.UIDEnv), Repository: getenv(v1alpha1.RepositoryEnv), Push: image.PushOptions{PlainHTTP: getenv(v1alpha1.InsecureEnv) == "true"}, Layout: getenv(v1alpha1.LayoutEnv),
		Socket: minicluster.Socket, Complete: minicluster.CompleteFile, Dir: sharedDir, Version: session.Version(),
	}
	var err error
	for _, name := range []string{v1alpha1.NamespaceEnv, v1alpha1.NameEnv, v1alpha1.UIDEnv, v1alpha1.UnitEnv, minicluster.IndexEnv} {
		if getenv(name) == "" {
			err = errors.Join(err, fmt.Errorf("%s is not set: the agent is started by the operator, in a pod of a MiniCluster", name))
		}
	}
	if err != nil {
		return c, err
	}
	c.Index, err = strconv.Atoi(getenv(minicluster.IndexEnv))
	return c, err
}

// Main is the agent's program. It gives the exit code.
func Main() int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := start(ctx, log)
	if err == nil {
		return 0
	}
	// A container that ends takes its pod's name away, and with it the other brokers: it
	// stays, and says what is wrong.
	log.Error("the agent gives up", "error", err)
	<-ctx.Done()
	return 1
}

func start(ctx context.Context, log *slog.Logger) error {
	c, err := FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	c.Log = log
	config, err := clusterConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	return Run(ctx, c, NewCluster(client, os.Getenv(v1alpha1.NamespaceEnv), os.Getenv(v1alpha1.NameEnv)))
}

// clusterConfig is that of the pod's service account, or of KUBECONFIG.
func clusterConfig() (*rest.Config, error) {
	if file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); file != "" {
		return clientcmd.BuildConfigFromFlags("", file)
	}
	return rest.InClusterConfig()
}
