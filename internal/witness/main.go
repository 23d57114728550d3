// SPDX-License-Identifier: MIT

package witness

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Main is the program of the Job. It gives the exit code.
func Main() int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := start(ctx); err != nil {
		log.Error("saving what Kubernetes tells", "error", err)
		_ = os.WriteFile(corev1.TerminationMessagePathDefault, []byte(err.Error()), 0o644) // for the operator; the log has it too
		return 1
	}
	return 0
}

func start(ctx context.Context) error {
	c, err := FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	return Run(ctx, c, client)
}
