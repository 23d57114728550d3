// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// RootOptions describe the image that is made of a root file system.
type RootOptions struct {
	// Architecture is what its programs are for, in the words of GOARCH (amd64,
	// arm64); default that of this machine.
	Architecture string
	Labels       map[string]string
	// Created is the time that the image carries; default none (the Unix epoch), so
	// that the image depends on its content alone.
	Created time.Time
	User    string
	// Cmd is what a container runs; default /bin/sh.
	Cmd        []string
	Env        []string // default PATH as Debian has it
	WorkingDir string
}

const debianPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ImportRoot makes an image of one layer of a root file system in a tarball, as
// mmdebstrap and debootstrap with tar write it (plain, or compressed by gzip or
// zstd): how a base image of one's own comes in. The same tar and options give the
// same digest, however the tar is compressed, as long as the compressor stays what
// it is (it is pinned in go.mod).
func (s *Store) ImportRoot(ctx context.Context, r io.Reader, name string, opts RootOptions) (Image, error) {
	img, err := s.importRoot(ctx, r, name, opts)
	if err != nil {
		return Image{}, fmt.Errorf("importing root file system %q: %w", name, err)
	}
	return img, nil
}

func (s *Store) importRoot(ctx context.Context, r io.Reader, name string, opts RootOptions) (Image, error) {
	if err := checkName(name); err != nil {
		return Image{}, err
	}
	unlock, err := s.writing(ctx)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	w, err := s.newBlob()
	if err != nil {
		return Image{}, err
	}
	defer w.close()
	z, diff := gzip.NewWriter(w), sha256.New()
	err = unpack(withContext(ctx, r), maxUnpacked, func(r io.Reader) error {
		r = io.TeeReader(r, io.MultiWriter(z, diff))
		if err := checkRoot(r); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r) // what stands after the end, which the digest covers
		return err
	})
	if err := errors.Join(err, z.Close()); err != nil {
		return Image{}, err
	}
	size := w.size
	h, err := w.commit("")
	if err != nil {
		return Image{}, err
	}
	c := v1.Config{Labels: opts.Labels, User: opts.User, Cmd: opts.Cmd, Env: opts.Env, WorkingDir: opts.WorkingDir}
	if c.Cmd == nil {
		c.Cmd = []string{"/bin/sh"}
	}
	if c.Env == nil {
		c.Env = []string{debianPath}
	}
	layer := v1.Descriptor{MediaType: types.OCILayer, Digest: h, Size: size}
	diffID := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(diff.Sum(nil))}
	return s.assemble(ctx, name, opts.Architecture, opts.Created, c, []v1.Descriptor{layer}, []v1.Hash{diffID})
}

// checkRoot reads the tar of a root file system and says whether it is one.
func checkRoot(r io.Reader) error {
	files, known := 0, false
	for tr := tar.NewReader(r); ; files++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading it as a tar: %w", err)
		}
		name, err := inside(h.Name)
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeLink {
			if _, err := inside(h.Linkname); err != nil {
				return fmt.Errorf("the target of the hard link %q: %w", h.Name, err)
			}
		}
		if files >= maxEntries {
			return fmt.Errorf("it has more than %d files", maxEntries)
		}
		switch name {
		case "bin", "etc", "usr":
			known = true
		}
	}
	if !known {
		return fmt.Errorf("it holds no root file system: of its %d files none is bin, etc or usr at the top", files)
	}
	return nil
}

// assemble writes config and manifest of an image whose layers are there.
func (s *Store) assemble(ctx context.Context, name, arch string, created time.Time, c v1.Config, layers []v1.Descriptor, diffIDs []v1.Hash) (Image, error) {
	config, manifest := newImage(arch, created, c, layers, diffIDs)
	d, err := s.writeJSON(types.OCIConfigJSON, config)
	if err != nil {
		return Image{}, err
	}
	manifest.Config = d
	if d, err = s.writeJSON(types.OCIManifestSchema1, manifest); err != nil {
		return Image{}, err
	}
	img, err := s.manifest(d)
	if err != nil {
		return Image{}, err
	}
	return s.finish(ctx, d, img, name)
}

func newImage(arch string, created time.Time, c v1.Config, layers []v1.Descriptor, diffIDs []v1.Hash) (v1.ConfigFile, v1.Manifest) {
	if arch == "" {
		arch = runtime.GOARCH
	}
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	at := v1.Time{Time: created.UTC()}
	config := v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: at, Config: c,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs},
	}
	for range layers {
		config.History = append(config.History, v1.History{Created: at})
	}
	return config, v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: layers}
}
