// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/local"
	"golang.org/x/sys/unix"
)

// member is where a run goes.
type member interface {
	run.Executor
	Name() string // as in "can run on this machine"
	Cores() int   // that jobs may use
}

// members are what --on takes. Each readies its member for a run.
var members = map[string]func(context.Context, *prepared) (member, error){
	"local": onLocal,
	"flux":  onFlux,
	"sim":   onSim,
}

// onLocal is this machine.
func onLocal(ctx context.Context, _ *prepared) (member, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	x, err := local.New(self, "supervise")
	if err != nil {
		return nil, err
	}
	x.UseImages(ctx, func() (*image.Store, error) {
		store, err := openImages()
		if err != nil {
			return nil, err
		}
		return store.Images, nil
	}, self, "enter")
	return thisMachine{x}, nil
}

type thisMachine struct{ *local.Executor }

func (thisMachine) Name() string { return "this machine" }

// instance is a Flux instance, with the connection to it.
type instance struct {
	*fluxrun.Executor
	client *flux.Client
}

func (x instance) Name() string {
	return fmt.Sprintf("the Flux instance at %s", x.client.URI())
}

func (x instance) Close() error {
	x.Executor.Close()
	return x.client.Close()
}

// fluxStarted says to the command that an instance was started for that it was.
const fluxStarted = "ENSEMBLE_FLUX_STARTED"

// onFlux is the instance that the run was in before, the one around this process, or
// else one that is started around it.
func onFlux(ctx context.Context, r *prepared) (member, error) {
	client, err := dialFlux(ctx, r)
	if err != nil {
		return nil, err
	}
	x, err := fluxrun.New(ctx, client, fluxrun.Options{})
	if err != nil {
		client.Close()
		return nil, err
	}
	return instance{x, client}, nil
}

func dialFlux(ctx context.Context, r *prepared) (*flux.Client, error) {
	if uri := fluxrun.URI(r.dir); r.dir != "" && uri != "" {
		if c, err := flux.Dial(ctx, uri); err == nil {
			return c, nil
		}
	}
	uri, from := os.Getenv(flux.URIEnv), "that "+flux.URIEnv+" names"
	if r.uri != "" {
		uri, from = r.uri, "of the environment "+r.environment
	}
	if uri == "" {
		return nil, startFlux()
	}
	c, err := flux.Dial(ctx, uri)
	var old *flux.VersionError
	if errors.As(err, &old) {
		return nil, &codeError{exitMachine, err}
	}
	if err != nil {
		return nil, &run.MemberError{Member: fmt.Sprintf("the Flux instance %s, %s", from, uri), Err: err}
	}
	return c, nil
}

// startFlux starts an instance of this machine around this command. It returns only
// where it cannot.
func startFlux() error {
	path, err := exec.LookPath("flux")
	if err != nil {
		return &run.MissingError{Program: "flux", Of: "--on flux",
			Hint: "build flux-core from source or install it with Spack (spack install flux-core), or run inside a Flux instance (FLUX_URI); docs/flux.md tells more"}
	}
	if os.Getenv(fluxStarted) != "" {
		return fmt.Errorf("%s start gives its command no %s", path, flux.URIEnv)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// A run that ends with 1 is no news of the broker.
	argv := append([]string{path, "start", "-Slog-stderr-level=2", self}, os.Args[1:]...)
	err = unix.Exec(path, argv, append(os.Environ(), fluxStarted+"=1"))
	return fmt.Errorf("starting Flux with %s: %w", path, err)
}
