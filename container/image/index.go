// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// Two locks, always taken in this order. Who writes blobs and names them afterwards
// holds the first one shared, and who deletes blobs alone: a blob that no manifest
// reaches yet is not deleted. The second is held while index.json is changed. Files
// of their own, since index.json is replaced and a lock on it would be as well.
const (
	blobsLock = ".blobs.lock"
	indexLock = ".index.lock"
)

// lockWait is the time between two tries at a lock that another process holds.
const lockWait = 20 * time.Millisecond

func (s *Store) lock(ctx context.Context, name string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for the lock %s: %w", f.Name(), ctx.Err())
		case <-time.After(lockWait):
		}
	}
}

// writing is held from the first blob of an image to its name.
func (s *Store) writing(ctx context.Context) (unlock func(), err error) {
	return s.lock(ctx, blobsLock, unix.LOCK_SH)
}

// Lock keeps other processes that use this package from changing the store. It is
// for running a program that does, such as "buildah push … oci:DIR:NAME": those
// rewrite index.json without a lock. The store's own methods that change it wait
// for it too.
func (s *Store) Lock(ctx context.Context) (unlock func(), err error) {
	blobs, err := s.writing(ctx)
	if err != nil {
		return nil, err
	}
	index, err := s.lock(ctx, indexLock, unix.LOCK_EX)
	if err != nil {
		blobs()
		return nil, err
	}
	return func() { index(); blobs() }, nil
}

// create writes oci-layout and index.json where they are missing.
func (s *Store) create() error {
	_, noLayout := os.Stat(s.path(layoutFile))
	_, noIndex := os.Stat(s.path(indexFile))
	if noLayout == nil && noIndex == nil {
		return nil
	}
	unlock, err := s.lock(context.Background(), indexLock, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	// oci-layout first: a directory that has index.json alone is no store.
	if _, err := os.Stat(s.path(layoutFile)); errors.Is(err, fs.ErrNotExist) {
		if err := s.writeFile(layoutFile, []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
			return err
		}
	}
	if _, err := os.Stat(s.path(indexFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// An empty one would make every blob one that nothing reaches.
	if blobs, err := os.ReadDir(s.path(blobsDir)); err != nil || len(blobs) > 0 {
		return errors.Join(err, &DamagedError{s.path(indexFile), fmt.Sprintf("the file is missing, and there are %d blobs", len(blobs))})
	}
	return s.writeIndex(&v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}})
}

// index reads index.json.
func (s *Store) index() (*v1.IndexManifest, error) {
	file := s.path(indexFile)
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{file, "the file is missing"}
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	index, err := parseIndex(b)
	if err != nil {
		return nil, &DamagedError{file, err.Error()}
	}
	return index, nil
}

func parseIndex(b []byte) (*v1.IndexManifest, error) {
	if len(b) > maxIndex {
		return nil, fmt.Errorf("it has more than %d bytes", maxIndex)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, err
	}
	if index.SchemaVersion != 2 {
		return nil, fmt.Errorf("it has schemaVersion %d, want 2", index.SchemaVersion)
	}
	for i, d := range index.Manifests {
		if d.Digest.Hex == "" || d.Size < 0 {
			return nil, fmt.Errorf("manifests[%d] has no digest or no size", i)
		}
	}
	return &index, nil
}

// change changes index.json under its lock.
func (s *Store) change(ctx context.Context, f func(*v1.IndexManifest) error) error {
	unlock, err := s.lock(ctx, indexLock, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	index, err := s.index()
	if err != nil {
		return err
	}
	if err := f(index); err != nil {
		return err
	}
	return s.writeIndex(index)
}

func (s *Store) writeIndex(index *v1.IndexManifest) error {
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return s.writeFile(indexFile, b)
}

// writeFile writes a file so that it is there as a whole or not at all.
func (s *Store) writeFile(name string, b []byte) error {
	f, err := os.OpenFile(s.path(fmt.Sprintf(".%s-%x", name, rand.Uint64())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path(name)); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// nameGrammar is that of the annotation in the OCI image specification
// (annotations.md), which buildah and podman hold names to.
var nameGrammar = regexp.MustCompile(`^[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*(/[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*)*$`)

func checkName(name string) error {
	switch {
	case strings.HasPrefix(name, "sha256:"):
		return fmt.Errorf("the image name %q looks like a digest", name)
	case len(name) > 255 || !nameGrammar.MatchString(name):
		return fmt.Errorf("%q is not an image name: want letters and digits, with single -._:@+ or / between them, at most 255", name)
	}
	return nil
}

// Name gives an image, found by name or digest, a name; an image that had it loses
// it.
func (s *Store) Name(ctx context.Context, nameOrDigest, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.change(ctx, func(index *v1.IndexManifest) error {
		d, err := s.find(index, nameOrDigest)
		if err != nil {
			return err
		}
		setName(index, d, name)
		return nil
	})
}

// setName names a manifest. Entries of it without a name have done their duty, and
// one that has another name stays.
func setName(index *v1.IndexManifest, d v1.Descriptor, name string) {
	index.Manifests = slices.DeleteFunc(index.Manifests, func(o v1.Descriptor) bool {
		return o.Annotations[refName] == name || (o.Digest == d.Digest && o.Annotations[refName] == "")
	})
	annotations := map[string]string{}
	for k, v := range d.Annotations {
		annotations[k] = v
	}
	annotations[refName] = name
	d.Annotations = annotations
	index.Manifests = append(index.Manifests, d)
}

// Remove takes a name away. Without a name an image cannot be found anymore; its
// blobs stay until [Store.Prune].
func (s *Store) Remove(ctx context.Context, name string) error {
	return s.change(ctx, func(index *v1.IndexManifest) error {
		n := len(index.Manifests)
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			return d.Annotations[refName] == name && name != ""
		})
		if len(index.Manifests) == n {
			return fmt.Errorf("removing image %q from %s: %w", name, s.dir, ErrNotFound)
		}
		return nil
	})
}
