// SPDX-License-Identifier: MIT

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/container"
	"github.com/spf13/cobra"
)

func newContainers(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "containers",
		Short: "Build container images of applications",
		Long: `Build container images of applications.

An image is a point of a matrix: one application on one base, with one MPI and one
fabric, for one architecture. Its name is

    APPLICATION:PLATFORM-BASE-MPI-FABRIC-ARCHITECTURE

Where a POINT is wanted, an application alone stands for all of its points, and *
for anything: lammps, 'lammps:debian-*', '*:debian-debian12-openmpi4-none-amd64'.`,
	}
	c.AddCommand(newContainersList(e), newContainersRender(e), newContainersBuild(e), newContainersVerify(e),
		newContainersPush(e), newContainersSharing(e), newContainersDummy(e), newContainersPrune(e))
	return c
}

// openImages opens the user's store of images.
func openImages() (*container.Store, error) {
	dir, err := container.DefaultDir()
	if err != nil {
		return nil, err
	}
	return container.Open(dir)
}

// matrix lists the points of the catalog.
func (e *env) matrix() (*container.Matrix, error) {
	cat, err := e.catalog()
	if err != nil {
		return nil, err
	}
	m, err := container.NewMatrix(cat)
	return m, input(err)
}

// pointStatus is how a point stands, as the list shows it.
type pointStatus struct {
	Point    string           `json:"point"`
	Status   string           `json:"status"`
	Reason   string           `json:"reason,omitempty"`
	Build    *container.Build `json:"build,omitempty"`
	Platform string           `json:"platform,omitempty"`
	View     string           `json:"flux_view,omitempty"`
}

// The ways in which a point stands.
const (
	pointRendered = "rendered" // it can be written; nothing is built here
	pointStale    = "stale"    // what is built here is not what would be built now
	pointBuilt    = "built"
	pointVerified = "verified"
	pointFailed   = "unfit" // what is built here failed a check
	pointExcluded = "excluded"
)

func newContainersList(e *env) *cobra.Command {
	var format string
	var excluded, built bool
	c := &cobra.Command{
		Use:   "list [POINT...]",
		Short: "Show the images that there can be, and which are built and verified here",
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			points, err := m.Select(args...)
			out := m.SelectExcluded(args...)
			if err != nil && (!excluded || len(out) == 0) {
				return input(err)
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			var all []pointStatus
			for _, p := range points {
				s, err := pointStatusOf(store, p)
				if err != nil {
					s.Status, s.Reason = pointFailed, err.Error()
				}
				if !built || s.Build != nil {
					all = append(all, s)
				}
			}
			if excluded && !built {
				for _, x := range out {
					all = append(all, pointStatus{Point: x.Name, Status: pointExcluded, Reason: x.Reason})
				}
			}
			return pointListing(all).write(e.stdout, format)
		},
	}
	c.Flags().BoolVar(&excluded, "excluded", false, "show the points that make no sense too, each with its reason")
	c.Flags().BoolVar(&built, "built", false, "show those only that are built here")
	outputFlag(c, &format)
	return c
}

// pointStatusOf looks at what is built of a point.
func pointStatusOf(store *container.Store, p *container.Point) (pointStatus, error) {
	s := pointStatus{Point: p.Name(), Status: pointRendered, Platform: p.Platform.Name, View: p.View()}
	b, err := store.Build(p)
	if err != nil || b == nil {
		return s, err
	}
	s.Build, s.Status = b, pointBuilt
	if v := b.Verified; v != nil {
		s.Status = pointVerified
		if !v.Passed() {
			s.Status = pointFailed
		}
	}
	o := container.RenderOptions{Bases: b.Bases}
	if b.Locked {
		o.Lock = &b.Resolved
	}
	now, err := container.Render(p, o)
	if err != nil {
		return s, err
	}
	if now.Digest() != b.Context {
		s.Status = pointStale
	}
	return s, nil
}

func pointListing(all []pointStatus) *listing {
	l := &listing{header: []string{"point", "status", "built", "verified", "size", "digest", "reason"}, value: all}
	for _, s := range all {
		row := []string{s.Point, s.Status, "", "", "", "", s.Reason}
		if b := s.Build; b != nil {
			row[2] = b.Built.Local().Format(time.DateTime)
			if v := b.Verified; v != nil {
				row[3] = v.Time.Local().Format(time.DateTime)
			}
			row[4] = bytesText(b.Size)
			row[5] = shortDigest(b.Digest)
		}
		l.rows = append(l.rows, row)
	}
	return l
}

// shortDigest is enough of a digest to tell images apart.
func shortDigest(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return algorithm + ":" + hex[:min(12, len(hex))]
}

// bytesText writes a size in MB (of 10^6 bytes), as registries do.
func bytesText(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func newContainersRender(e *env) *cobra.Command {
	var all, lock string
	var bases map[string]string
	c := &cobra.Command{
		Use:   "render POINT...",
		Short: "Write how images are made",
		Long: `Write how images are made: a Containerfile and the folder that it is built in.

The Containerfile of one point goes to standard output. With --all the folders of
all points go to DIR, or those of the POINTs given, with a page that lists them.`,
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			if all == "" && len(args) == 0 {
				return input(errors.New(`want a point, or --all DIR for the folders of all; see "ensemble containers list"`))
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
			locks, err := readLocks(lock)
			if err != nil {
				return err
			}
			render := func(p *container.Point) (*container.Context, error) {
				locked, err := locks.of(p)
				if err != nil {
					return nil, err
				}
				r, err := container.Render(p, container.RenderOptions{Bases: bases, Lock: locked})
				return r, input(err)
			}
			if all == "" {
				if len(points) > 1 {
					return input(fmt.Errorf("got %d points; want one, or --all DIR for the folders of several", len(points)))
				}
				r, err := render(points[0])
				if err != nil {
					return err
				}
				_, err = e.stdout.Write(r.Files["Containerfile"])
				return err
			}
			return e.renderAll(points, all, render)
		},
	}
	c.Flags().StringVar(&all, "all", "", "write a folder for each point, and index.html, to `DIR`")
	c.Flags().StringVar(&lock, "lock", "", "hold the images to the versions in the lock file `FILE`")
	c.Flags().StringToStringVar(&bases, "base", nil, "start from another image than the base's own, as `BASE=IMAGE`; may be repeated")
	return c
}

// renderAll writes the folders of points, each as APPLICATION/TAG, and the page.
func (e *env) renderAll(points []*container.Point, dir string, render func(*container.Point) (*container.Context, error)) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, "index.html")); errors.Is(err, fs.ErrNotExist) {
			return input(fmt.Errorf("%s is not empty and not what this command wrote: name another folder", dir))
		}
	}
	for _, p := range points {
		r, err := render(p)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, p.App.Metadata.Name, p.Tag())
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := r.Write(to); err != nil {
			return err
		}
	}
	page, err := container.IndexPage(points)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), page, 0o644); err != nil {
		return err
	}
	e.say("%d images in %s; the page is %s", len(points), dir, filepath.Join(dir, "index.html"))
	return nil
}
