// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// Pruned is what [Store.Prune] deleted.
type Pruned struct {
	Blobs    int   `json:"blobs"`
	Unpacked int   `json:"unpacked"` // images
	Bytes    int64 `json:"bytes"`
}

// Prune deletes blobs that no manifest of index.json reaches, the files of such images
// that were unpacked, and what writers that were killed left. It waits for writers of
// this package. What is younger than age stays: another program may be about to name a
// blob, or run in an unpacked image; 0 where none does. When a manifest cannot be read
// nothing is deleted.
func (s *Store) Prune(ctx context.Context, age time.Duration) (Pruned, error) {
	unlock, err := s.lock(ctx, blobsLock, unix.LOCK_EX)
	if err != nil {
		return Pruned{}, err
	}
	defer unlock()
	unlockIndex, err := s.lock(ctx, indexLock, unix.LOCK_EX)
	if err != nil {
		return Pruned{}, err
	}
	defer unlockIndex()
	index, err := s.index()
	if err != nil {
		return Pruned{}, err
	}
	reached := map[string]bool{}
	for _, d := range index.Manifests {
		if err := s.reach(d, reached, 0); err != nil {
			return Pruned{}, err
		}
	}
	before := time.Now().Add(-age)
	p, err := s.sweep(blobsDir, before, reached)
	if err != nil {
		return p, err
	}
	left, err := s.sweep(ingestDir, before, nil)
	p.Blobs, p.Bytes = p.Blobs+left.Blobs, p.Bytes+left.Bytes
	if err != nil {
		return p, err
	}
	unpacked, err := s.sweepUnpacked(before, reached)
	p.Unpacked, p.Bytes = unpacked.Unpacked, p.Bytes+unpacked.Bytes
	return p, err
}

// sweepUnpacked deletes the folders of images that are not kept and were last run before
// then, and folders that were never finished.
func (s *Store) sweepUnpacked(before time.Time, keep map[string]bool) (p Pruned, err error) {
	entries, err := os.ReadDir(s.path(unpackedDir))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	for _, e := range entries {
		hex, whole := strings.CutPrefix(e.Name(), "sha256-")
		dir := s.path(unpackedDir, e.Name())
		info, err := os.Stat(dir + usedSuffix)
		if err != nil {
			info, err = e.Info()
		}
		if !e.IsDir() || keep[hex] || !whole && !strings.HasPrefix(e.Name(), partPrefix) || err != nil || info.ModTime().After(before) {
			continue
		}
		size, err := bytesBelow(dir)
		if err != nil {
			return p, err
		}
		if whole { // so that a part of it is never taken for the image
			part := s.path(unpackedDir, partPrefix+hex)
			if err := os.Rename(dir, part); err != nil {
				return p, err
			}
			_ = os.Remove(dir + usedSuffix)
			dir = part
		}
		if err := os.RemoveAll(dir); err != nil {
			return p, err
		}
		p.Unpacked++
		p.Bytes += size
	}
	return p, nil
}

// bytesBelow is the size of the files below a folder, in bytes.
func bytesBelow(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// reach marks a blob and all that it refers to.
func (s *Store) reach(d v1.Descriptor, reached map[string]bool, depth int) error {
	seen := reached[d.Digest.Hex]
	reached[d.Digest.Hex] = true
	if !d.MediaType.IsIndex() && !d.MediaType.IsImage() {
		return nil
	}
	if seen {
		return nil
	}
	if depth > maxNesting {
		return &DamagedError{s.blob(d.Digest), "manifests are nested too deep"}
	}
	raw, err := s.read(d, maxManifest)
	var damaged *DamagedError
	if errors.As(err, &damaged) && depth > 0 {
		if _, err := os.Stat(damaged.File); errors.Is(err, fs.ErrNotExist) {
			return nil // an index may name platforms that were not fetched
		}
	}
	if err != nil {
		return err
	}
	var m struct {
		Manifests []v1.Descriptor `json:"manifests"`
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
		Subject   *v1.Descriptor  `json:"subject"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return &DamagedError{s.blob(d.Digest), err.Error()}
	}
	next := append(m.Manifests, m.Layers...)
	if m.Config != nil {
		next = append(next, *m.Config)
	}
	if m.Subject != nil {
		next = append(next, *m.Subject)
	}
	for _, n := range next {
		if err := s.reach(n, reached, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweep(dir string, before time.Time, keep map[string]bool) (p Pruned, err error) {
	entries, err := os.ReadDir(s.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if keep[e.Name()] || err != nil || !info.Mode().IsRegular() || info.ModTime().After(before) {
			continue
		}
		if err := os.Remove(s.path(dir, e.Name())); err != nil {
			return p, err
		}
		p.Blobs++
		p.Bytes += info.Size()
	}
	return p, nil
}
