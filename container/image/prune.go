// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// Pruned is what [Store.Prune] deleted.
type Pruned struct {
	Blobs int   `json:"blobs"`
	Bytes int64 `json:"bytes"`
}

// Prune deletes blobs that no manifest of index.json reaches, and what writers that
// were killed left. It waits for writers of this package. A blob younger than age
// stays: another program may be about to name it; 0 where none is. When a manifest
// cannot be read nothing is deleted.
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
	return Pruned{p.Blobs + left.Blobs, p.Bytes + left.Bytes}, err
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
