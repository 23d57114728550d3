// SPDX-License-Identifier: MIT

package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"golang.org/x/sys/unix"
)

// refName is the annotation by which a layout names an image.
const refName = "org.opencontainers.image.ref.name"

// ErrNotFound says that a store has no image of a name or a digest.
var ErrNotFound = errors.New("no such image")

// Store is a folder of images.
type Store struct {
	dir    string
	layout layout.Path
}

// Layer is one layer of an image.
type Layer struct {
	// Digest is that of the blob, as it is pulled; DiffID that of the archive in it.
	Digest string `json:"digest"`
	DiffID string `json:"diff_id"`
	// Size is that of the blob, in bytes.
	Size int64 `json:"size"`
}

// Image is one image of a store.
type Image struct {
	// Name is its name in the store; empty where it has none.
	Name string `json:"name,omitempty"`
	// Digest is that of its manifest.
	Digest string `json:"digest"`
	// Size is what a pull moves: manifest, configuration and layers, in bytes.
	Size   int64   `json:"size"`
	Layers []Layer `json:"layers"`
	// The rest is its configuration's.
	Architecture string            `json:"architecture,omitempty"`
	Created      time.Time         `json:"created,omitzero"`
	User         string            `json:"user,omitempty"`
	WorkingDir   string            `json:"working_dir,omitempty"`
	Command      []string          `json:"command,omitempty"`
	Env          []string          `json:"env,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
}

// Open opens the store in a folder, and makes it where there is none.
func Open(dir string) (*Store, error) {
	path, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		path, err = layout.Write(dir, empty.Index)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the image layout %s: %w", dir, err)
	}
	return &Store{dir: dir, layout: path}, nil
}

// locked changes the layout while no other process of this kind does.
func (s *Store) locked(change func() error) error {
	f, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return change()
}

// manifests are the entries of the layout's index.
func (s *Store) manifests() ([]v1.Descriptor, error) {
	index, err := s.layout.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("reading the image layout %s: %w", s.dir, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(s.dir, "index.json"), err)
	}
	return m.Manifests, nil
}

// Images lists the images that have a name, in order of the names.
func (s *Store) Images() ([]Image, error) {
	entries, err := s.manifests()
	if err != nil {
		return nil, err
	}
	var all []Image
	for _, d := range entries {
		if d.Annotations[refName] == "" {
			continue
		}
		img, err := s.describe(d)
		if err != nil {
			return nil, err
		}
		all = append(all, img)
	}
	slices.SortFunc(all, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Image finds an image by its name or by its digest. The error wraps [ErrNotFound] where
// there is none.
func (s *Store) Image(name string) (Image, error) {
	entries, err := s.manifests()
	if err != nil {
		return Image{}, err
	}
	for _, d := range entries {
		if d.Annotations[refName] == name || d.Digest.String() == name {
			return s.describe(d)
		}
	}
	return Image{}, fmt.Errorf("%w: %s has no %q", ErrNotFound, s.dir, name)
}

// describe reads what is known of an image.
func (s *Store) describe(d v1.Descriptor) (Image, error) {
	fail := func(err error) (Image, error) {
		return Image{}, fmt.Errorf("reading the image %s of %s: %w", d.Digest, s.dir, err)
	}
	img, err := s.layout.Image(d.Digest)
	if err != nil {
		return fail(err)
	}
	m, err := img.Manifest()
	if err != nil {
		return fail(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		return fail(err)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return fail(fmt.Errorf("got %d layers and %d digests of their content", len(m.Layers), len(c.RootFS.DiffIDs)))
	}
	i := Image{
		Name: d.Annotations[refName], Digest: d.Digest.String(), Size: d.Size + m.Config.Size,
		Architecture: c.Architecture, Created: c.Created.Time, User: c.Config.User, WorkingDir: c.Config.WorkingDir,
		Command: c.Config.Cmd, Env: c.Config.Env, Labels: c.Config.Labels,
	}
	for n, l := range m.Layers {
		i.Layers = append(i.Layers, Layer{Digest: l.Digest.String(), DiffID: c.RootFS.DiffIDs[n].String(), Size: l.Size})
		i.Size += l.Size
	}
	return i, nil
}

// image opens the content of an image.
func (s *Store) image(digest string) (v1.Image, error) {
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	return s.layout.Image(h)
}

// add puts an image into the store under a name, which an earlier one loses.
func (s *Store) add(img v1.Image, name string) (Image, error) {
	// The blobs first and without the lock: they are in nobody's way.
	if err := s.layout.WriteImage(img); err != nil {
		return Image{}, fmt.Errorf("writing the image %s: %w", name, err)
	}
	err := s.locked(func() error {
		return s.layout.ReplaceImage(img, match.Name(name), layout.WithAnnotations(map[string]string{refName: name}))
	})
	if err != nil {
		return Image{}, fmt.Errorf("naming the image %s: %w", name, err)
	}
	return s.Image(name)
}

// Remove takes a name away. The image goes with [Store.Prune].
func (s *Store) Remove(name string) error {
	if _, err := s.Image(name); err != nil {
		return err
	}
	return s.locked(func() error { return s.layout.RemoveDescriptors(match.Name(name)) })
}

// Prune removes the blobs that no image has, and gives their size in bytes. No image may
// be written meanwhile.
func (s *Store) Prune() (freed int64, err error) {
	err = s.locked(func() error {
		unused, err := s.layout.GarbageCollect()
		if err != nil {
			return err
		}
		for _, h := range unused {
			file := filepath.Join(s.dir, "blobs", h.Algorithm, h.Hex)
			if info, err := os.Stat(file); err == nil {
				freed += info.Size()
			}
			if err := s.layout.RemoveBlob(h); err != nil {
				return err
			}
		}
		return nil
	})
	return freed, err
}
