// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyConfig is the config of an artifact that has none (OCI image specification
// 1.1, manifest.md).
const emptyConfig types.MediaType = "application/vnd.oci.empty.v1+json"

// Attachment is what is said of an image, such as its bill of materials.
type Attachment struct {
	// Type is what it is, such as "application/spdx+json"; required.
	Type string
	// MediaType is that of Content; default Type.
	MediaType   string
	Content     []byte
	Annotations map[string]string
}

// Referrer is an artifact that refers to an image.
type Referrer struct {
	Digest      string            `json:"digest"`
	Type        string            `json:"type"`
	Size        int64             `json:"size"` // of its manifest, in bytes
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Attach pushes an artifact that refers to an image (its subject, OCI 1.1) into the
// repository of ref, where the image should be, and verifies it as [Store.Push]
// does. A registry without the referrers API lists it under the tag sha256-DIGEST;
// two programs that attach at once may lose one another's entry there. Returned is
// the digest of the artifact's manifest.
func (s *Store) Attach(ctx context.Context, img Image, ref string, a Attachment, opts PushOptions) (digest string, err error) {
	r, err := opts.session(ref)
	if err != nil {
		return "", err
	}
	if a.Type == "" {
		return "", errors.New("attaching an artifact: it has no type")
	}
	if a.MediaType == "" {
		a.MediaType = a.Type
	}
	subject, _, err := img.descriptor(s)
	if err != nil {
		return "", err
	}
	config := static.NewLayer([]byte("{}"), emptyConfig)
	content := static.NewLayer(a.Content, types.MediaType(a.MediaType))
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type,
		Subject: &subject, Annotations: a.Annotations,
	}
	var descriptors []v1.Descriptor
	layers := []v1.Layer{config, content}
	for _, l := range layers {
		d, err := describe(l)
		if err != nil {
			return "", err
		}
		descriptors = append(descriptors, d)
	}
	m.Config, m.Layers = descriptors[0], descriptors[1:]
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	h, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	manifest := rawManifest{raw, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: size}}
	// The tag of ref is the image's: the artifact goes by its digest.
	r.ref = r.ref.Context().Digest(h.String())
	progress := &counter{report: opts.Progress}
	progress.Total = size
	for _, d := range descriptors {
		progress.Total += d.Size
	}
	if err := r.upload(ctx, layers, progress); err != nil {
		return "", err
	}
	if err := r.putManifest(ctx, manifest, progress); err != nil {
		return "", err
	}
	return h.String(), r.verify(ctx, manifest, distinct(descriptors))
}

func describe(l v1.Layer) (d v1.Descriptor, err error) {
	if d.Digest, err = l.Digest(); err != nil {
		return d, err
	}
	if d.Size, err = l.Size(); err != nil {
		return d, err
	}
	d.MediaType, err = l.MediaType()
	return d, err
}

// Referrers lists the artifacts that refer to an image in the repository of ref.
func (i Image) Referrers(ctx context.Context, ref string, opts PushOptions) ([]Referrer, error) {
	return Referrers(ctx, ref, i.Digest, opts)
}

// Referrers lists the artifacts that refer to a manifest in the repository of ref.
func Referrers(ctx context.Context, ref, digest string, opts PushOptions) ([]Referrer, error) {
	r, err := opts.session(ref)
	if err != nil {
		return nil, err
	}
	var list []Referrer
	err = r.do(ctx, "listing referrers of", func() error {
		index, err := remote.Referrers(r.ref.Context().Digest(digest), append(r.options(), remote.WithContext(ctx))...)
		if err != nil {
			return err
		}
		m, err := index.IndexManifest()
		if err != nil {
			return fmt.Errorf("reading the list: %w", err)
		}
		list = nil
		for _, d := range m.Manifests {
			list = append(list, Referrer{d.Digest.String(), d.ArtifactType, d.Size, d.Annotations})
		}
		return nil
	})
	return list, err
}
