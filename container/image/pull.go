// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Find gives an image by a reference with a digest, NAME@sha256:HEX. One that the store
// does not have is pulled from the registry that NAME is of, where it is of any.
func (s *Store) Find(ctx context.Context, ref string) (Image, error) {
	local, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return Image{}, fmt.Errorf("got the image %q, want NAME@sha256:HEX", ref)
	}
	if i, err := s.Image(digest); err == nil || !strings.Contains(local, "/") {
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
	return s.add(img, ref)
}
