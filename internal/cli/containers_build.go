// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/container"
	"github.com/spf13/cobra"
)

func newContainersBuild(e *env) *cobra.Command {
	var engine, lock, updateLock string
	var bases map[string]string
	c := &cobra.Command{
		Use:   "build POINT...",
		Short: "Build images into the store of this machine",
		Long: `Build images into the store of this machine.

One of buildah, podman, buildctl (BuildKit) and docker builds; the image goes into
an OCI layout, where other programs can read it. A point that is built and has not
changed is left as it is. What the build printed is kept in a file, whose end is
shown where a build fails.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			points, err := m.Select(args...)
			if err != nil {
				return input(err)
			}
			for name := range bases {
				if !m.HasBase(name) {
					return input(fmt.Errorf("--base: %w", m.UnknownBase(name)))
				}
			}
			if err := checkBaseFiles(bases); err != nil {
				return input(err)
			}
			found, err := container.FindEngine(engine)
			if errors.Is(err, container.ErrNoEngine) {
				return &codeError{exitMachine, fmt.Errorf("%w; install one with: apt-get install buildah", err)}
			} else if err != nil {
				return input(err)
			}
			locks, err := readLocks(lock)
			if err != nil {
				return err
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			b := &builds{env: e, store: store, engine: found, bases: bases, locks: locks}
			if err := b.all(c.Context(), points); err != nil {
				return err
			}
			if updateLock != "" {
				return b.writeLock(updateLock, points)
			}
			return nil
		},
	}
	c.Flags().StringVar(&engine, "engine", "", "the program that builds: buildah, podman, buildctl or docker; the first that is installed by default")
	c.Flags().StringToStringVar(&bases, "base", nil, "start from another image than the base's own, or from a root file system (a tar archive), as `BASE=IMAGE`; may be repeated")
	c.Flags().StringVar(&lock, "lock", "", "hold the images to the versions in the lock file `FILE`")
	c.Flags().StringVar(&updateLock, "update-lock", "", "write what was resolved to the lock file `FILE`")
	return c
}

// checkBaseFiles refuses what is meant as a file and is none: it would be taken for the
// name of an image.
func checkBaseFiles(bases map[string]string) error {
	for name, base := range bases {
		meant := strings.HasPrefix(base, "/") || strings.HasPrefix(base, ".") || strings.HasSuffix(base, ".tar")
		if info, err := os.Stat(base); meant && (err != nil || !info.Mode().IsRegular()) {
			return fmt.Errorf("--base %s=%s: there is no such file; want a root file system in a tar archive, or the name of an image", name, base)
		}
	}
	return nil
}

// builds is several builds, one after another.
type builds struct {
	*env
	store  *container.Store
	engine container.Engine
	bases  map[string]string
	locks  locks
}

// all builds what is not built. One that fails does not keep the others from being built.
func (b *builds) all(ctx context.Context, points []*container.Point) error {
	var failed []string
	held := make([]*container.Locked, len(points))
	for i, p := range points { // before any is built
		var err error
		if held[i], err = b.locks.of(p); err != nil {
			return err
		}
	}
	for i, p := range points {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		began := time.Now()
		line := b.status(fmt.Sprintf("[%d/%d] %s", i+1, len(points), p.Name()))
		builder := &container.Builder{Store: b.store, Engine: b.engine, Bases: b.bases, Lock: held[i], Progress: line.tell}
		build, done, err := builder.Build(ctx, p)
		line.clear()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			failed = append(failed, p.Name())
			b.say("%v", err)
		case !done:
			fmt.Fprintf(b.stdout, "%s  unchanged  %s  %s\n", p.Name(), bytesText(build.Size), build.Digest)
		default:
			fmt.Fprintf(b.stdout, "%s  built in %.0f s  %s  %s\n", p.Name(), time.Since(began).Seconds(), bytesText(build.Size), build.Digest)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d images failed: %s", len(failed), len(points), strings.Join(failed, ", "))
	}
	return nil
}
