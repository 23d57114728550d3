// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/run"
	"github.com/spf13/cobra"
)

// bomType is the type of the artifact that says what is in an image.
const bomType = "application/spdx+json"

func newContainersPush(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "push POINT... REPOSITORY",
		Short: "Push built images to a registry",
		Long: `Push built images to a registry, each to REPOSITORY/APPLICATION:TAG, and with each
what is in it (SPDX), which refers to it. What was pushed is looked for afterwards:
manifest, configuration and every layer. The digests are printed; they are the
same in the registry as here, and in the records of runs.

Credentials are those of docker and podman.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			last := len(args) - 1
			points, err := m.Select(args[:last]...)
			if err != nil {
				return input(err)
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			pushed := 0
			for _, p := range points {
				build, err := store.Build(p)
				if err != nil {
					return err
				}
				if build == nil && slices.Contains(args[:last], p.Name()) {
					return &run.MissingError{Program: "the image " + p.Name(), Hint: "build it with: ensemble containers build " + p.Name()}
				}
				if build == nil {
					continue
				}
				if err := e.push(c.Context(), store, p, build, strings.TrimSuffix(args[last], "/")); err != nil {
					return err
				}
				pushed++
			}
			if pushed == 0 {
				return &run.MissingError{Program: "an image of " + strings.Join(args[:last], " "), Hint: "build it with: ensemble containers build"}
			}
			return nil
		},
	}
	e.registryFlags(c)
	return c
}

// push brings one image to a registry.
func (e *env) push(ctx context.Context, store *container.Store, p *container.Point, build *container.Build, repository string) error {
	img, err := store.Images.Image(build.Digest)
	if err != nil {
		return err
	}
	bom, err := os.ReadFile(store.SBOMFile(p))
	if err != nil {
		return err
	}
	ref := repository + "/" + p.Name()
	line := e.status(ref)
	digest, err := store.Images.Push(ctx, img, ref, e.registry)
	if err == nil {
		_, err = store.Images.Attach(ctx, img, ref, image.Attachment{Type: bomType, MediaType: bomType, Content: bom}, e.registry)
	}
	line.clear()
	if err != nil {
		return registryFault(err)
	}
	fmt.Fprintf(e.stdout, "%s@%s\n", ref, digest)
	return nil
}
