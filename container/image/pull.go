// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Find gives an image by a reference with a digest, NAME@sha256:HEX. One that the store
// does not have is pulled from the registry that NAME is of, where it is of any.
func (s *Store) Find(ctx context.Context, ref string) (Image, error) {
	local, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return Image{}, fmt.Errorf("got the image %q, want NAME@sha256:HEX", ref)
	}
	i, err := s.Image(digest)
	if err == nil || !errors.Is(err, ErrNotFound) || !strings.Contains(local, "/") {
		return i, err
	}
	d, err := name.NewDigest(ref)
	if err != nil {
		return Image{}, fmt.Errorf("got the image %q: %w", ref, err)
	}
	img, err := remote.Image(d, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return Image{}, fmt.Errorf("pulling %s: %w", ref, err)
	}
	if err := s.pulled(ctx, img, ref); err != nil {
		return Image{}, fmt.Errorf("pulling %s: %w", ref, err)
	}
	return s.Image(digest)
}

// pulled takes an image from a registry into the store.
func (s *Store) pulled(ctx context.Context, img v1.Image, name string) error {
	unlock, err := s.writing(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := layout.Path(s.dir).WriteImage(img); err != nil { // holds blobs against their digests
		return err
	}
	d, err := partial.Descriptor(img)
	if err != nil {
		return err
	}
	return s.change(ctx, func(index *v1.IndexManifest) error {
		setName(index, *d, name)
		return nil
	})
}
