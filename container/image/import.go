// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Import takes the one image of an OCI layout in a tar archive, as engines write it,
// into the store under a name.
func (s *Store) Import(ctx context.Context, archive io.Reader, name string) (Image, error) {
	dir, err := os.MkdirTemp(s.dir, ".import-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(dir)
	if err := unpack(ctx, archive, dir); err != nil {
		return Image{}, fmt.Errorf("unpacking the archive of %s: %w", name, err)
	}
	img, err := only(dir)
	if err != nil {
		return Image{}, fmt.Errorf("reading the archive of %s: %w", name, err)
	}
	return s.add(img, name)
}

// unpack writes the regular files of an archive below a folder: a layout has no other.
func unpack(ctx context.Context, archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(archive); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("got the path %q, want one inside the archive", h.Name)
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil {
			return err
		}
		f, err := root.Create(h.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// only gives the one image of a layout; an index of one image counts as it.
func only(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	for {
		m, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		var images []v1.Descriptor
		for _, d := range m.Manifests {
			if d.Platform == nil || d.Platform.OS != "unknown" { // of attestations
				images = append(images, d)
			}
		}
		if len(images) != 1 {
			return nil, fmt.Errorf("got %d images, want one", len(images))
		}
		if images[0].MediaType.IsImage() {
			return index.Image(images[0].Digest)
		}
		if index, err = index.ImageIndex(images[0].Digest); err != nil {
			return nil, err
		}
	}
}

// ImportRoot makes an image of one layer from the root file system in a tar archive, as
// mmdebstrap or debootstrap make it. The same file gives the same image.
func (s *Store) ImportRoot(file, name, arch string) (Image, error) {
	layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return Image{}, fmt.Errorf("reading the root file system %s: %w", file, err)
	}
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err = mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{CreatedBy: "ensemble", Comment: "a root file system"}})
	if err != nil {
		return Image{}, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Created = "linux", arch, v1.Time{Time: time.Unix(0, 0).UTC()}
	c.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if img, err = mutate.ConfigFile(img, c); err != nil {
		return Image{}, err
	}
	return s.add(img, name)
}
