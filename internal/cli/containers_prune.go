// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newContainersPrune(e *env) *cobra.Command {
	var unused time.Duration
	c := &cobra.Command{
		Use:   "prune",
		Short: "Delete what no image needs any more",
		Long: `Delete what no image needs any more: layers and unpacked files of images that were
built anew or replaced, and what builds that were killed left. Images that have a
name stay. Runs that name a digest that is gone cannot go on.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if unused < 0 {
				return input(fmt.Errorf("--unused: got %s, want a duration of zero or more", unused))
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			p, err := store.Images.Prune(c.Context(), unused)
			if p.Blobs+p.Unpacked > 0 || err == nil {
				fmt.Fprintf(e.stdout, "deleted %s and %s, %s\n", plural(p.Blobs, "blob"), plural(p.Unpacked, "unpacked image"), bytesText(p.Bytes))
			}
			return err
		},
	}
	c.Flags().DurationVar(&unused, "unused", 24*time.Hour, "keep what was made or run within this `TIME`")
	return c
}
