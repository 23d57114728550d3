// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// MountPoint is an empty folder beside the unpacked images, for those who run them.
const MountPoint = ".mount"

// Below the layout are the folders of unpacked images, sha256-HEX, and beside each an
// empty file that says when it was last asked for.
const (
	unpackedDir = "unpacked"
	usedSuffix  = ".used"
	partPrefix  = ".part-"
)

// Unpack gives the folder with the files of an image, and unpacks them where that was
// not done before. Everything in it is the user's; devices and special modes are left
// out. The folder is shared by all who run the image and is not to be changed.
func (s *Store) Unpack(ctx context.Context, i Image) (dir string, err error) {
	dir = s.path(unpackedDir, strings.ReplaceAll(i.Digest, ":", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, used(dir)
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("unpacking the image %s (%s): %w", i.Name, i.Digest, err)
	}
	if err := s.checkLayers(i); err != nil {
		return fail(err)
	}
	h, err := v1.NewHash(i.Digest)
	if err != nil {
		return fail(err)
	}
	img, err := layout.Path(s.dir).Image(h)
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Join(filepath.Dir(dir), MountPoint), 0o755); err != nil {
		return fail(err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), partPrefix)
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
	return dir, used(dir)
}

// used says that an unpacked image is about to be run.
func used(dir string) error { return os.WriteFile(dir+usedSuffix, nil, 0o644) }

// checkLayers holds every layer of an image against its digest: what runs is what was
// asked for.
func (s *Store) checkLayers(i Image) error {
	for _, l := range i.Layers {
		want, err := v1.NewHash(l.Digest)
		if err != nil {
			return err
		}
		f, err := os.Open(s.blob(want))
		if err != nil {
			return err
		}
		got, _, err := v1.SHA256(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if got != want {
			return &DamagedError{f.Name(), fmt.Sprintf("its content has the digest %s", got)}
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

// rooted makes a path of an archive one of the image, without the slash before it; none
// leads out of it.
func rooted(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func unpackOne(root *os.Root, h *tar.Header, content io.Reader) error {
	name := rooted(h.Name)
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
		return root.Link(rooted(h.Linkname), name)
	}
	return nil // devices, and what else a job has no use for
}
