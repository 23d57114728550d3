// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// layoutPrefix begins what names a bundle in a directory, oci:DIR:NAME, as with
// buildah, podman and skopeo.
const layoutPrefix = "oci:"

func newPush(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "push RUN REF",
		Short: "Push a run directory to a registry, as a bundle",
		Long: `Push a run directory to a registry, as a bundle: an OCI artifact with the resolved
input, the journal, the records and all files. REF is REGISTRY/REPOSITORY:TAG, or
oci:DIR:NAME for an OCI layout in a directory. What was pushed is looked for afterwards,
and its digest is printed. What a registry has already is not sent again: where a push
fails half way, say it again.

Credentials are those of docker and podman.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			dir, ens, err := run.Open(args[0])
			if err != nil {
				return input(err)
			}
			ref, err := e.pushBundle(c.Context(), dir, ens, args[1], e.registry)
			if err != nil {
				return err
			}
			fmt.Fprintln(e.stdout, ref)
			return nil
		},
	}
	e.registryFlags(c)
	return c
}

// pushBundle gives the reference of what was pushed, with its digest.
func (e *env) pushBundle(ctx context.Context, dir run.Dir, ens *spec.Ensemble, ref string, o image.PushOptions) (string, error) {
	if layout, name, ok, err := inLayout(ref); err != nil {
		return "", input(err)
	} else if ok {
		store, err := image.Open(layout)
		if err != nil {
			return "", err
		}
		a, err := archive.Pack(ctx, store, name, dir, ens)
		return ref + "@" + a.Digest, err
	}
	if err := image.CheckReference(ref); err != nil {
		return "", input(err)
	}
	store, err := bundles()
	if err != nil {
		return "", err
	}
	line := e.status(ref)
	defer line.clear()
	name := strings.ToLower(rand.Text())
	a, err := archive.Pack(ctx, store, name, dir, ens)
	if err != nil {
		return "", err
	}
	o.Progress = func(p image.Progress) { line.tell(fmt.Sprintf("%s of %s", bytesText(p.Done), bytesText(p.Total))) }
	_, err = store.PushArtifact(ctx, a, ref, o)
	// The run directory has it all: what was packed is not wanted any more.
	_ = store.Remove(ctx, name)
	if err != nil {
		return "", registryFault(err)
	}
	_, err = store.Prune(ctx, 0)
	return ref + "@" + a.Digest, err
}

func newPull(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "pull REF RUN",
		Short: "Make a run directory of a bundle",
		Long: `Make a run directory of a bundle, which ensemble push or a run on Kubernetes left in a
registry. REF is REGISTRY/REPOSITORY:TAG, or with @sha256:DIGEST, or oci:DIR:NAME.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if entries, err := os.ReadDir(args[1]); err == nil && len(entries) > 0 {
				return input(fmt.Errorf("%s is not empty: name another directory", args[1]))
			}
			store, a, err := e.fetchBundle(c.Context(), args[0], e.registry)
			if err != nil {
				return err
			}
			if err := unpackBundle(c.Context(), store, a, args[1]); err != nil {
				return err
			}
			return e.fetchKubernetes(c.Context(), store, args[0], a.Digest, args[1], e.registry)
		},
	}
	e.registryFlags(c)
	return c
}

// registryFlags are of commands that speak with registries.
func (e *env) registryFlags(c *cobra.Command) {
	c.Flags().BoolVar(&e.registry.PlainHTTP, "plain-http", false, "speak HTTP without encryption with the registry")
}

// fetchBundle brings a bundle here.
func (e *env) fetchBundle(ctx context.Context, ref string, o image.PushOptions) (*image.Store, image.Artifact, error) {
	layout, name, ok, err := inLayout(ref)
	if err != nil {
		return nil, image.Artifact{}, input(err)
	}
	if ok {
		if _, err := os.Stat(filepath.Join(layout, "index.json")); err != nil {
			return nil, image.Artifact{}, input(fmt.Errorf("%s is no OCI layout: %w", layout, err))
		}
		store, err := image.Open(layout)
		if err != nil {
			return nil, image.Artifact{}, err
		}
		a, err := store.Artifact(name)
		return store, a, input(err)
	}
	if err := image.CheckReference(ref); err != nil {
		return nil, image.Artifact{}, input(err)
	}
	store, err := bundles()
	if err != nil {
		return nil, image.Artifact{}, err
	}
	line := e.status(ref)
	defer line.clear()
	a, err := archive.Fetch(ctx, store, ref, archive.Limits{}, o)
	return store, a, registryFault(err)
}

// fetchKubernetes brings what Kubernetes told of a bundle of a registry, where it has that.
func (e *env) fetchKubernetes(ctx context.Context, store *image.Store, ref, bundle, path string, o image.PushOptions) error {
	if strings.HasPrefix(ref, layoutPrefix) {
		return nil
	}
	a, ok, err := archive.FetchKubernetes(ctx, store, ref, bundle, o)
	if err != nil {
		return registryFault(err)
	}
	if !ok {
		return nil
	}
	return archive.UnpackKubernetes(ctx, store, a, path)
}

// unpackBundle makes a run directory, with the records that follow from the rest.
func unpackBundle(ctx context.Context, store *image.Store, a image.Artifact, path string) error {
	if err := archive.Unpack(ctx, store, a, path, archive.Limits{}); err != nil {
		return err
	}
	dir, ens, err := run.Open(path)
	if err != nil {
		return err
	}
	records, err := allRecords(ctx, dir, ens)
	if err != nil {
		return err
	}
	return measure.WriteJSONL(dir.Path(run.RecordsFile), records)
}

// openRun finds the run that an argument names: its directory, or a bundle, which is
// brought here and kept.
func (e *env) openRun(ctx context.Context, arg string) (run.Dir, *spec.Ensemble, error) {
	if !isReference(arg) {
		dir, ens, err := run.Open(arg)
		return dir, ens, input(err)
	}
	store, a, err := e.fetchBundle(ctx, arg, e.registry)
	if err != nil {
		return "", nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	path := filepath.Join(cache, "ensemble", "runs", strings.ReplaceAll(a.Digest, ":", "-"))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err = unpackBundle(ctx, store, a, path)
		if err != nil {
			return "", nil, err
		}
	}
	return run.Open(path)
}

// isReference says whether an argument names a bundle and not a directory: it does not
// exist, and begins with oci: or reads REGISTRY/REPOSITORY with a tag or a digest.
func isReference(arg string) bool {
	if _, err := os.Stat(arg); err == nil {
		return false
	}
	if strings.HasPrefix(arg, layoutPrefix) {
		return true
	}
	_, rest, ok := strings.Cut(arg, "/")
	return ok && strings.Contains(rest, ":") && image.CheckReference(arg) == nil
}

// inLayout takes oci:DIR:NAME apart.
func inLayout(ref string) (dir, name string, ok bool, err error) {
	rest, ok := strings.CutPrefix(ref, layoutPrefix)
	if !ok {
		return "", "", false, nil
	}
	i := strings.LastIndex(rest, ":")
	if at := strings.Index(rest, ":sha256:"); at >= 0 {
		i = at
	}
	if i <= 0 || i == len(rest)-1 {
		return "", "", true, fmt.Errorf("got %q, want oci:DIR:NAME", ref)
	}
	return rest[:i], rest[i+1:], true, nil
}

// bundles is the user's store of bundles on their way.
func bundles() (*image.Store, error) {
	dir, err := container.DefaultDir()
	if err != nil {
		return nil, err
	}
	return image.Open(filepath.Join(dir, "bundles"))
}

// registryFault gives the exit code of a service that failed to what a registry did.
func registryFault(err error) error {
	var registry *image.RegistryError
	if errors.As(err, &registry) {
		return &codeError{exitService, err}
	}
	return err
}
