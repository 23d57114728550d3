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
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// MountPoint is an empty folder beside the unpacked images, for those who run them.
const MountPoint = ".mount"

// Unpack gives the folder with the files of an image, and unpacks them where that was
// not done before. Everything in it is the user's; devices and special modes are left
// out. The folder is shared by all who run the image and is not to be changed.
func (s *Store) Unpack(ctx context.Context, i Image) (dir string, err error) {
	dir = filepath.Join(s.dir, "unpacked", strings.ReplaceAll(i.Digest, ":", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("unpacking the image %s (%s): %w", i.Name, i.Digest, err)
	}
	if err := s.check(i); err != nil {
		return fail(err)
	}
	img, err := s.image(i.Digest)
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Join(filepath.Dir(dir), MountPoint), 0o755); err != nil {
		return fail(err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), ".part-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(part)
	flat := mutate.Extract(img)
	defer flat.Close()
	if err := unpackFiles(ctx, flat, part); err != nil {
		return fail(err)
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return fail(err)
	}
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, fs.ErrExist) { // another was faster
		return fail(err)
	}
	return dir, nil
}

// check holds every blob of an image against its digest: what runs is what was asked
// for.
func (s *Store) check(i Image) error {
	for _, l := range i.Layers {
		algorithm, want, _ := strings.Cut(l.Digest, ":")
		f, err := os.Open(filepath.Join(s.dir, "blobs", algorithm, want))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			return fmt.Errorf("the layer %s is damaged: its content has the digest %s", l.Digest, got)
		}
	}
	return nil
}

// unpackFiles writes the files of an archive below a folder and nowhere else.
func unpackFiles(ctx context.Context, archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(archive); ; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, h, t); err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
	}
}

func unpackOne(root *os.Root, h *tar.Header, content io.Reader) error {
	name := clean(h.Name)
	if name == "" {
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		if h.Mode&0o1000 != 0 {
			mode |= fs.ModeSticky
		}
		return root.Chmod(name, mode|0o700)
	case tar.TypeReg:
		_ = root.Remove(name)
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Chmod(mode), f.Close())
	case tar.TypeSymlink:
		_ = root.Remove(name)
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		_ = root.Remove(name)
		return root.Link(clean(h.Linkname), name)
	}
	return nil // devices, and what else a job has no use for
}
