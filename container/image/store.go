// SPDX-License-Identifier: MIT

package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrNotFound is the error of a name or a digest that the store does not hold, and
// of a file that an image does not hold.
var ErrNotFound = errors.New("not found")

// DamagedError says which file of a store is not as it should be.
type DamagedError struct {
	File    string
	Problem string
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.File, e.Problem) }

// The names inside a layout, and annotations of descriptors.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobsDir   = "blobs/sha256"
	ingestDir  = ".ingest" // blobs before their digest is known

	refName       = "org.opencontainers.image.ref.name"
	referenceType = "vnd.docker.reference.type" // of attestations beside images
)

const (
	maxIndex    = 64 << 20
	maxManifest = 4 << 20 // as registries limit it
	maxNesting  = 4       // of indexes
)

// Store is a directory of images. It is safe for use by several goroutines.
type Store struct {
	dir string

	mu   sync.Mutex
	last *tree // that of the image that was read last
}

// Open makes or opens a store. An existing directory has to be an OCI image layout
// or empty.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: abs}
	b, err := os.ReadFile(s.path(layoutFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if entries, err := os.ReadDir(abs); err == nil && !fresh(entries) {
			return nil, fmt.Errorf("%s is not an image store: it holds files, but no %s", dir, layoutFile)
		}
	case err != nil:
		return nil, err
	default:
		var layout struct{ ImageLayoutVersion string }
		if err := json.Unmarshal(b, &layout); err != nil {
			return nil, &DamagedError{s.path(layoutFile), err.Error()}
		}
		if !strings.HasPrefix(layout.ImageLayoutVersion, "1.") {
			return nil, &DamagedError{s.path(layoutFile), fmt.Sprintf("the layout has version %q, want 1.0.0", layout.ImageLayoutVersion)}
		}
	}
	if err := os.MkdirAll(s.path(blobsDir), 0o755); err != nil {
		return nil, err
	}
	if err := s.create(); err != nil {
		return nil, err
	}
	return s, nil
}

// fresh says whether a directory holds nothing, or what another process that makes
// a store there has made so far.
func fresh(entries []fs.DirEntry) bool {
	other := false
	for _, e := range entries {
		n := e.Name()
		if n == layoutFile { // it came since it was looked for
			return true
		}
		other = other || n != "blobs" && !strings.HasPrefix(n, ".")
	}
	return !other
}

// Dir is the directory, as an absolute path.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *Store) blob(h v1.Hash) string { return s.path(blobsDir, h.Hex) }

// Images lists the images: in the order of index.json, an image with two names
// twice. Images that cannot be read are left out and joined in the error, so that
// the rest can be used.
func (s *Store) Images() ([]Image, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	var images []Image
	var problems []error
	for _, d := range index.Manifests {
		if !isImage(d) {
			continue
		}
		img, err := s.load(d, runtime.GOARCH)
		if errors.Is(err, errNoImage) {
			continue
		} else if err != nil {
			problems = append(problems, err)
			continue
		}
		images = append(images, img)
	}
	return images, errors.Join(problems...)
}

// Image finds an image by its name, or by the digest "sha256:…" of its manifest.
func (s *Store) Image(nameOrDigest string) (Image, error) {
	index, err := s.index()
	if err != nil {
		return Image{}, err
	}
	d, err := s.find(index, nameOrDigest)
	if err != nil {
		return Image{}, err
	}
	return s.load(d, runtime.GOARCH)
}

// find gives the entry of index.json. Of two entries with one name the later one
// counts: programs that do not replace a name append.
func (s *Store) find(index *v1.IndexManifest, nameOrDigest string) (v1.Descriptor, error) {
	for i := len(index.Manifests) - 1; i >= 0; i-- {
		d := index.Manifests[i]
		if d.Annotations[refName] == nameOrDigest && nameOrDigest != "" {
			return d, nil
		}
	}
	for _, d := range index.Manifests {
		if !d.MediaType.IsIndex() && d.Digest.String() == nameOrDigest {
			return d, nil
		}
	}
	// The image may stand in an index that another program wrote.
	for _, d := range index.Manifests {
		if !d.MediaType.IsIndex() {
			continue
		}
		if img, err := s.load(d, runtime.GOARCH); err == nil && (img.Digest == nameOrDigest || d.Digest.String() == nameOrDigest) {
			return d, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("finding image %q in %s: %w", nameOrDigest, s.dir, ErrNotFound)
}
