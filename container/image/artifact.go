// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Blob is a piece of an artifact.
type Blob struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"` // sha256:HEX
	Size        int64             `json:"size"`   // in bytes
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Artifact is a manifest that is no image: a config and blobs, of a type (OCI image
// specification 1.1).
type Artifact struct {
	Digest string `json:"digest"` // of its manifest
	Type   string `json:"type"`
	// Config is a blob like others; without a digest it is the empty one.
	Config Blob   `json:"config"`
	Blobs  []Blob `json:"blobs"`
	// Subject is the manifest that it refers to; without a digest it is none. It need not
	// be in the store: see [Manifest] and [Store.Manifest].
	Subject     Blob              `json:"subject,omitzero"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Size is what a pull of all of it moves, in bytes.
	Size int64 `json:"size"`
}

// Write puts a blob into the store. Until an artifact that has it is composed,
// [Store.Prune] deletes it once it is old enough.
func (s *Store) Write(ctx context.Context, mediaType string, r io.Reader) (Blob, error) {
	unlock, err := s.writing(ctx)
	if err != nil {
		return Blob{}, err
	}
	defer unlock()
	w, err := s.newBlob()
	if err != nil {
		return Blob{}, err
	}
	defer w.close()
	if _, err := io.Copy(w, withContext(ctx, r)); err != nil {
		return Blob{}, fmt.Errorf("writing a blob of %s: %w", s.dir, err)
	}
	h, err := w.commit("")
	return Blob{MediaType: mediaType, Digest: h.String(), Size: w.size}, err
}

// Compose makes an artifact of blobs of the store, with a name in it. Digest and Size
// are those of the result.
func (s *Store) Compose(ctx context.Context, name string, a Artifact) (Artifact, error) {
	if err := checkName(name); err != nil {
		return Artifact{}, err
	}
	if a.Type == "" {
		return Artifact{}, errors.New("composing an artifact: it has no type")
	}
	unlock, err := s.writing(ctx)
	if err != nil {
		return Artifact{}, err
	}
	defer unlock()
	if a.Config.Digest == "" {
		d, err := s.writeJSON(emptyConfig, struct{}{})
		if err != nil {
			return Artifact{}, err
		}
		a.Config = blobOf(d)
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type, Annotations: a.Annotations}
	if m.Config, err = s.present(a.Config); err != nil {
		return Artifact{}, err
	}
	for _, b := range a.Blobs {
		d, err := s.present(b)
		if err != nil {
			return Artifact{}, err
		}
		m.Layers = append(m.Layers, d)
	}
	if a.Subject.Digest != "" {
		h, err := v1.NewHash(a.Subject.Digest)
		if err != nil {
			return Artifact{}, fmt.Errorf("reading the digest of the subject: %w", err)
		}
		m.Subject = &v1.Descriptor{MediaType: types.MediaType(a.Subject.MediaType), Digest: h, Size: a.Subject.Size}
	}
	d, err := s.writeJSON(types.OCIManifestSchema1, m)
	if err != nil {
		return Artifact{}, err
	}
	d.ArtifactType = a.Type
	if err := s.change(ctx, func(index *v1.IndexManifest) error {
		setName(index, d, name)
		return nil
	}); err != nil {
		return Artifact{}, err
	}
	return s.artifact(d)
}

// present gives the descriptor of a blob that has to be there.
func (s *Store) present(b Blob) (v1.Descriptor, error) {
	h, err := v1.NewHash(b.Digest)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("reading the digest of a blob: %w", err)
	}
	d := v1.Descriptor{MediaType: types.MediaType(b.MediaType), Digest: h, Size: b.Size, Annotations: b.Annotations}
	return d, s.check(d)
}

// manifestOf gives the descriptor of a manifest of the store.
func (s *Store) manifestOf(digest string) (v1.Descriptor, error) {
	index, err := s.index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := s.find(index, digest)
	d.Annotations = nil
	return d, err
}

// Manifest describes what a name or a digest of the store stands for.
func (s *Store) Manifest(nameOrDigest string) (Blob, error) {
	d, err := s.manifestOf(nameOrDigest)
	return Blob{MediaType: string(d.MediaType), Digest: d.Digest.String(), Size: d.Size}, err
}

// Manifest asks a registry to describe what a reference stands for. The error is a
// *[RegistryError].
func Manifest(ctx context.Context, ref string, opts PushOptions) (b Blob, err error) {
	r, err := opts.session(ref)
	if err != nil {
		return Blob{}, err
	}
	return b, r.do(ctx, "looking at", func() error {
		p, err := r.pull()
		if err != nil {
			return err
		}
		d, err := p.Head(ctx, r.ref)
		if err == nil {
			b = Blob{MediaType: string(d.MediaType), Digest: d.Digest.String(), Size: d.Size}
		}
		return err
	})
}

// Artifact finds an artifact by its name, or by the digest of its manifest.
func (s *Store) Artifact(nameOrDigest string) (Artifact, error) {
	index, err := s.index()
	if err != nil {
		return Artifact{}, err
	}
	d, err := s.find(index, nameOrDigest)
	if err != nil {
		return Artifact{}, err
	}
	return s.artifact(d)
}

func (s *Store) artifact(d v1.Descriptor) (Artifact, error) {
	raw, err := s.read(d, maxManifest)
	if err != nil {
		return Artifact{}, err
	}
	m, err := parseArtifact(raw)
	if err != nil {
		return Artifact{}, &DamagedError{s.blob(d.Digest), err.Error()}
	}
	a := artifactOf(d, m)
	for _, b := range distinct(append(m.Layers, m.Config)) {
		if err := s.check(b); err != nil {
			return Artifact{}, err
		}
	}
	return a, nil
}

// parseArtifact reads the manifest of an artifact.
func parseArtifact(raw []byte) (m v1.Manifest, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, err
	}
	if m.ArtifactType == "" {
		return m, errors.New("it is the manifest of an image, not of an artifact")
	}
	for _, b := range append(m.Layers, m.Config) {
		if b.Digest.Algorithm != "sha256" || b.Size < 0 {
			return m, fmt.Errorf("it has a blob %s of %d bytes, want a sha256 digest and a size", b.Digest, b.Size)
		}
	}
	return m, nil
}

func artifactOf(d v1.Descriptor, m v1.Manifest) Artifact {
	a := Artifact{Digest: d.Digest.String(), Type: m.ArtifactType, Config: blobOf(m.Config), Annotations: maps.Clone(m.Annotations), Size: d.Size}
	for _, l := range m.Layers {
		a.Blobs = append(a.Blobs, blobOf(l))
	}
	if m.Subject != nil {
		a.Subject = blobOf(*m.Subject)
	}
	for _, b := range distinct(append(m.Layers, m.Config)) {
		a.Size += b.Size
	}
	return a
}

func blobOf(d v1.Descriptor) Blob {
	return Blob{string(d.MediaType), d.Digest.String(), d.Size, maps.Clone(d.Annotations)}
}

// ReadBlob gives f what a blob holds, unpacked where it is compressed with gzip or zstd.
// More than limit bytes are an error. A content that is not that of the digest is a
// *[DamagedError] afterwards: what f took is not to be believed then.
func (s *Store) ReadBlob(ctx context.Context, b Blob, limit int64, f func(io.Reader) error) error {
	d, err := s.present(b)
	if err != nil {
		return err
	}
	return s.openBlob(ctx, d, limit, true, f)
}

// PushArtifact sends an artifact to a registry and verifies it, as [Store.Push] does
// an image. Where it has a subject, registries list it among the referrers of that.
func (s *Store) PushArtifact(ctx context.Context, a Artifact, ref string, opts PushOptions) (digest string, err error) {
	d, err := s.manifestOf(a.Digest)
	if err != nil {
		return "", err
	}
	raw, err := s.read(d, maxManifest)
	if err != nil {
		return "", err
	}
	return a.Digest, s.push(ctx, d, raw, ref, opts)
}

// FetchOptions say what may come from a registry.
type FetchOptions struct {
	PushOptions
	// Type is the type that the artifact has to have.
	Type string
	// MaxSize is how much it may move in all, in bytes.
	MaxSize int64
}

// FetchArtifact brings an artifact from a registry into the store, where its name is
// the reference. Blobs that the store holds are not fetched. The error is a
// *[RegistryError], or says what is wrong with what the registry gave.
func (s *Store) FetchArtifact(ctx context.Context, ref string, opts FetchOptions) (Artifact, error) {
	r, err := opts.session(ref)
	if err != nil {
		return Artifact{}, err
	}
	var d v1.Descriptor
	var raw []byte
	if err := r.do(ctx, "pulling", func() error {
		p, err := r.pull()
		if err != nil {
			return err
		}
		got, err := p.Get(ctx, r.ref)
		if err == nil {
			d, raw = got.Descriptor, got.Manifest
		}
		return err
	}); err != nil {
		return Artifact{}, err
	}
	wrong := func(format string, args ...any) (Artifact, error) {
		return Artifact{}, &RegistryError{Op: "pulling", Ref: r.ref.Name(), Problem: fmt.Sprintf(format, args...)}
	}
	if len(raw) > maxManifest {
		return wrong("its manifest has %d bytes, and at most %d are taken", len(raw), maxManifest)
	}
	m, err := parseArtifact(raw)
	if err != nil {
		return wrong("reading its manifest: %v", err)
	}
	a := artifactOf(d, m)
	switch {
	case a.Type != opts.Type:
		return wrong("it is of the type %q, want %q", a.Type, opts.Type)
	case a.Size > opts.MaxSize:
		return wrong("it has %d bytes, and at most %d are taken", a.Size, opts.MaxSize)
	}
	unlock, err := s.writing(ctx)
	if err != nil {
		return Artifact{}, err
	}
	defer unlock()
	for _, b := range distinct(append(m.Layers, m.Config)) {
		if s.check(b) == nil {
			continue
		}
		if err := r.do(ctx, "pulling", func() error { return s.fetchBlob(ctx, r, b) }); err != nil {
			return Artifact{}, err
		}
	}
	if err := s.writeBlob(bytes.NewReader(raw), d); err != nil {
		return wrong("its manifest: %v", err)
	}
	return a, s.change(ctx, func(index *v1.IndexManifest) error {
		setName(index, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: d.Digest, Size: d.Size, ArtifactType: a.Type}, r.ref.Name())
		return nil
	})
}

// writeBlob takes a blob that is known.
func (s *Store) writeBlob(r io.Reader, d v1.Descriptor) error {
	w, err := s.newBlob()
	if err != nil {
		return err
	}
	defer w.close()
	n, err := io.Copy(w, io.LimitReader(r, d.Size+1))
	if err == nil && n != d.Size {
		err = fmt.Errorf("the blob %s has not %d bytes, as it should", d.Digest, d.Size)
	}
	if err == nil {
		_, err = w.commit(d.Digest.String())
	}
	return err
}

func (s *Store) fetchBlob(ctx context.Context, r *session, b v1.Descriptor) error {
	p, err := r.pull()
	if err != nil {
		return err
	}
	l, err := p.Layer(ctx, r.ref.Context().Digest(b.Digest.String()))
	if err != nil {
		return err
	}
	rc, err := l.Compressed()
	if err != nil {
		return err
	}
	defer rc.Close()
	return s.writeBlob(withContext(ctx, rc), b)
}
