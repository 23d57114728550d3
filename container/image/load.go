// SPDX-License-Identifier: MIT

package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is one image for one platform.
type Image struct {
	// Name is the name that it was found by, or has in the store; "" of an image
	// without one.
	Name string `json:"name,omitempty"`
	// Digest is that of the manifest.
	Digest    string `json:"digest"`
	MediaType string `json:"media_type"`
	// Size is what a pull of the whole image moves, in bytes: manifest, config and
	// each different layer once, compressed as they are.
	Size int64 `json:"size"`
	// Config is the digest of the config, which engines call the image ID.
	Config string  `json:"config"`
	Layers []Layer `json:"layers"`

	Created      time.Time         `json:"created,omitzero"`
	OS           string            `json:"os"`
	Architecture string            `json:"architecture"`
	Labels       map[string]string `json:"labels,omitempty"`
	User         string            `json:"user,omitempty"`
	Entrypoint   []string          `json:"entrypoint,omitempty"`
	Cmd          []string          `json:"cmd,omitempty"`
	Env          []string          `json:"env,omitempty"`
	WorkingDir   string            `json:"working_dir,omitempty"`
}

// Layer is one layer of an image, from the lowest.
type Layer struct {
	// Digest and Size [bytes] are those of the blob, as it is pulled; DiffID is the
	// digest of the tar in it.
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	Size      int64  `json:"size"`
	MediaType string `json:"media_type"`
}

// errNoImage is the error of a manifest of something else, such as an artifact.
var errNoImage = errors.New("not a container image")

// isImage says whether an entry of an index can be an image, as far as the entry
// tells.
func isImage(d v1.Descriptor) bool {
	return (d.MediaType.IsImage() || d.MediaType.IsIndex()) && d.ArtifactType == "" && d.Annotations[referenceType] == "" &&
		(d.Platform == nil || d.Platform.OS != "unknown")
}

// load reads the image that an entry of index.json means.
func (s *Store) load(d v1.Descriptor, arch string) (Image, error) {
	name := d.Annotations[refName]
	d, err := s.resolve(d, arch, 0)
	if err != nil {
		return Image{}, err
	}
	img, err := s.manifest(d)
	img.Name = name
	return img, err
}

// resolve goes through indexes to the manifest of the image for an architecture.
func (s *Store) resolve(d v1.Descriptor, arch string, depth int) (v1.Descriptor, error) {
	if !d.MediaType.IsIndex() {
		return d, nil
	}
	file := s.blob(d.Digest)
	if depth == maxNesting {
		return d, &DamagedError{file, fmt.Sprintf("indexes are nested deeper than %d", maxNesting)}
	}
	raw, err := s.read(d, maxManifest)
	if err != nil {
		return d, err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return d, &DamagedError{file, err.Error()}
	}
	d, err = pick(index.Manifests, arch)
	if err != nil {
		return d, fmt.Errorf("choosing an image of the index %s: %w", file, err)
	}
	return s.resolve(d, arch, depth+1)
}

// pick chooses the image of an index: the only one, or the one for an architecture.
func pick(manifests []v1.Descriptor, arch string) (v1.Descriptor, error) {
	var images, fitting []v1.Descriptor
	var platforms []string
	seen := map[v1.Hash]bool{}
	for _, d := range manifests {
		if !isImage(d) || seen[d.Digest] { // docker save lists an image with each of its tags
			continue
		}
		seen[d.Digest] = true
		images = append(images, d)
		if d.Platform == nil {
			platforms = append(platforms, "unknown")
			continue
		}
		platforms = append(platforms, d.Platform.String())
		if d.Platform.OS == "linux" && d.Platform.Architecture == arch {
			fitting = append(fitting, d)
		}
	}
	switch {
	case len(images) == 0:
		return v1.Descriptor{}, errNoImage
	case len(images) == 1:
		return images[0], nil
	case len(fitting) == 1:
		return fitting[0], nil
	}
	return v1.Descriptor{}, fmt.Errorf("%d of its %d images are for linux/%s, want one (it has %s)", len(fitting), len(images), arch, strings.Join(platforms, ", "))
}

// manifest reads an image: its manifest and its config, and whether its layers are
// there.
func (s *Store) manifest(d v1.Descriptor) (Image, error) {
	raw, err := s.read(d, maxManifest)
	if err != nil {
		return Image{}, err
	}
	file := s.blob(d.Digest)
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Image{}, &DamagedError{file, err.Error()}
	}
	if m.ArtifactType != "" || (m.Config.MediaType != types.OCIConfigJSON && m.Config.MediaType != types.DockerConfigJSON) {
		return Image{}, fmt.Errorf("reading %s, whose config is %q: %w", file, m.Config.MediaType, errNoImage)
	}
	raw, err = s.read(m.Config, maxManifest)
	if err != nil {
		return Image{}, err
	}
	var c v1.ConfigFile
	if err := json.Unmarshal(raw, &c); err != nil {
		return Image{}, &DamagedError{s.blob(m.Config.Digest), err.Error()}
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return Image{}, &DamagedError{s.blob(m.Config.Digest), fmt.Sprintf("it has %d diff_ids, and the manifest %d layers", len(c.RootFS.DiffIDs), len(m.Layers))}
	}
	img := Image{
		Digest: d.Digest.String(), MediaType: string(d.MediaType), Config: m.Config.Digest.String(), Size: d.Size + m.Config.Size,
		Created: c.Created.Time, OS: c.OS, Architecture: c.Architecture, Labels: c.Config.Labels,
		User: c.Config.User, Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env, WorkingDir: c.Config.WorkingDir,
	}
	seen := map[v1.Hash]bool{}
	for i, l := range m.Layers {
		if err := s.check(l); err != nil {
			return Image{}, err
		}
		img.Layers = append(img.Layers, Layer{l.Digest.String(), c.RootFS.DiffIDs[i].String(), l.Size, string(l.MediaType)})
		if !seen[l.Digest] {
			seen[l.Digest] = true
			img.Size += l.Size
		}
	}
	return img, nil
}

// descriptor is what others refer to the image by.
func (i Image) descriptor(s *Store) (v1.Descriptor, []byte, error) {
	h, err := v1.NewHash(i.Digest)
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("reading the image's digest: %w", err)
	}
	info, err := os.Stat(s.blob(h))
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Descriptor{}, nil, fmt.Errorf("finding the manifest %s in %s: %w", i.Digest, s.dir, ErrNotFound)
	} else if err != nil {
		return v1.Descriptor{}, nil, err
	}
	d := v1.Descriptor{MediaType: types.MediaType(i.MediaType), Digest: h, Size: info.Size()}
	raw, err := s.read(d, maxManifest)
	return d, raw, err
}
