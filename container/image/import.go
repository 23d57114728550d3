// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ImportOptions say what to take of a tarball.
type ImportOptions struct {
	// Architecture chooses among images for several, in the words of GOARCH;
	// default that of this machine.
	Architecture string
}

// Import takes the image of an OCI layout tarball, as "docker buildx build --output
// type=oci" and "buildctl" write (plain, or compressed by gzip or zstd), and names
// it. The tarball has to hold one image, or one for the architecture. Blobs are
// checked against their digests. Attestations that stand beside the image are not
// kept.
func (s *Store) Import(ctx context.Context, r io.Reader, name string, opts ImportOptions) (Image, error) {
	img, err := s.importLayout(ctx, r, name, opts)
	if err != nil {
		return Image{}, fmt.Errorf("importing image %q: %w", name, err)
	}
	return img, nil
}

func (s *Store) importLayout(ctx context.Context, r io.Reader, name string, opts ImportOptions) (Image, error) {
	if err := checkName(name); err != nil {
		return Image{}, err
	}
	unlock, err := s.writing(ctx)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	var index []byte
	err = unpack(withContext(ctx, r), maxUnpacked, func(r io.Reader) error {
		index, err = s.takeBlobs(r)
		return err
	})
	if err != nil {
		return Image{}, err
	}
	if index == nil {
		return Image{}, errors.New("it has no index.json, so it is not an OCI layout tarball (docker save writes one since version 25)")
	}
	manifests, err := parseIndex(index)
	if err != nil {
		return Image{}, fmt.Errorf("reading its index.json: %w", err)
	}
	arch := opts.Architecture
	if arch == "" {
		arch = runtime.GOARCH
	}
	d, err := pick(manifests.Manifests, arch)
	if err != nil {
		return Image{}, fmt.Errorf("choosing an image of its index.json: %w", err)
	}
	if d, err = s.resolve(d, arch, 0); err != nil {
		return Image{}, fmt.Errorf("reading what the tarball brought: %w", err)
	}
	img, err := s.manifest(d)
	if err != nil {
		return Image{}, fmt.Errorf("reading what the tarball brought: %w", err)
	}
	if opts.Architecture != "" && img.Architecture != opts.Architecture {
		return Image{}, fmt.Errorf("its image is for %s/%s, want linux/%s", img.OS, img.Architecture, opts.Architecture)
	}
	return s.finish(ctx, d, img, name)
}

// finish names an image whose blobs are there.
func (s *Store) finish(ctx context.Context, d v1.Descriptor, img Image, name string) (Image, error) {
	d.Annotations = nil
	if d.Platform == nil {
		d.Platform = &v1.Platform{OS: img.OS, Architecture: img.Architecture}
	}
	err := s.change(ctx, func(index *v1.IndexManifest) error {
		setName(index, d, name)
		return nil
	})
	img.Name = name
	return img, err
}

// takeBlobs stores the blobs of a layout tarball and gives its index.json.
func (s *Store) takeBlobs(r io.Reader) (index []byte, err error) {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return index, nil
		}
		if err != nil {
			return nil, err
		}
		name, err := inside(h.Name)
		if err != nil {
			return nil, err
		}
		dir, base := path.Split(name)
		switch {
		case h.Typeflag == tar.TypeDir:
		case h.Typeflag != tar.TypeReg:
			if strings.HasPrefix(name, "blobs/") || name == indexFile {
				return nil, fmt.Errorf("entry %q is not a regular file", h.Name)
			}
		case name == indexFile:
			if index, err = io.ReadAll(io.LimitReader(tr, maxIndex+1)); err != nil {
				return nil, err
			}
		case name == layoutFile:
			var layout struct{ ImageLayoutVersion string }
			if err := json.NewDecoder(io.LimitReader(tr, maxManifest)).Decode(&layout); err != nil {
				return nil, fmt.Errorf("reading its %s: %w", layoutFile, err)
			}
			if !strings.HasPrefix(layout.ImageLayoutVersion, "1.") {
				return nil, fmt.Errorf("its layout has version %q, want 1.0.0", layout.ImageLayoutVersion)
			}
		case dir == blobsDir+"/":
			if err := s.takeBlob(tr, base); err != nil {
				return nil, fmt.Errorf("entry %q: %w", h.Name, err)
			}
		}
		// Other files, such as manifest.json for older programs, are not ours.
	}
}

func (s *Store) takeBlob(r io.Reader, hex string) error {
	h, err := v1.NewHash("sha256:" + hex)
	if err != nil {
		return err
	}
	w, err := s.newBlob()
	if err != nil {
		return err
	}
	defer w.close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	_, err = w.commit(h.String())
	return err
}
