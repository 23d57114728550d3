// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// PushOptions say how to talk to a registry.
type PushOptions struct {
	// PlainHTTP allows a registry without TLS (https is tried first). Loopback
	// addresses may always be so.
	PlainHTTP bool
	// Keychain finds credentials; default as docker and podman configure them:
	// ~/.docker/config.json or $DOCKER_CONFIG, else $REGISTRY_AUTH_FILE or
	// containers/auth.json in $XDG_RUNTIME_DIR or ~/.config, with credential helpers.
	Keychain authn.Keychain
	// Attempts is how often a blob or a request is tried while the failure looks
	// temporary; default 5. Backoff is the mean wait after the first one (it
	// doubles, with jitter, up to 30 s, or is what the registry asks for, up to a
	// minute); default 1 s.
	Attempts int
	Backoff  time.Duration
	// Stall is how long a request may go without a byte in either direction before it
	// is given up; default 2 min.
	Stall time.Duration
	// Jobs is the number of blobs sent at once; default 3.
	Jobs int
	// Progress is called after each piece, by one goroutine at a time.
	Progress func(Progress)
}

// Progress counts the bytes of a push.
type Progress struct {
	Total int64 // manifest, config and layers
	Done  int64 // sent, or there already; falls when a blob is sent again
	Sent  int64 // over the network, repetitions included
}

// Push sends an image to a registry, by its digest and by the tag of ref
// (REGISTRY/REPOSITORY:TAG, or …@DIGEST for the digest alone). Blobs that the
// repository holds are not sent. Afterwards it asks for all of it: the manifest by
// its digest, and every blob with its size. The error is a *[RegistryError] or of
// the store. Returned is the digest of the manifest.
func (s *Store) Push(ctx context.Context, img Image, ref string, opts PushOptions) (digest string, err error) {
	d, raw, err := img.descriptor(s)
	if err != nil {
		return "", err
	}
	return img.Digest, s.push(ctx, d, raw, ref, opts)
}

// push sends a manifest and its blobs, and verifies them.
func (s *Store) push(ctx context.Context, d v1.Descriptor, raw []byte, ref string, opts PushOptions) error {
	r, err := opts.session(ref)
	if err != nil {
		return err
	}
	if want, ok := r.ref.(name.Digest); ok && want.DigestStr() != d.Digest.String() {
		return fmt.Errorf("pushing to %s: it has the digest %s", ref, d.Digest)
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return &DamagedError{s.blob(d.Digest), err.Error()}
	}
	blobs := distinct(append(m.Layers, m.Config))
	progress := &counter{report: opts.Progress}
	progress.Total = d.Size
	layers := make([]v1.Layer, len(blobs))
	for i, b := range blobs {
		if err := s.check(b); err != nil {
			return err
		}
		progress.Total += b.Size
		layers[i] = storedLayer{s, b}
	}
	if err := r.upload(ctx, layers, progress); err != nil {
		return err
	}
	if err := r.putManifest(ctx, rawManifest{raw, d}, progress); err != nil {
		return err
	}
	return r.verify(ctx, rawManifest{raw, d}, blobs)
}

// distinct drops blobs that an image holds twice.
func distinct(blobs []v1.Descriptor) (out []v1.Descriptor) {
	seen := map[v1.Hash]bool{}
	for _, b := range blobs {
		if !seen[b.Digest] {
			seen[b.Digest] = true
			out = append(out, b)
		}
	}
	return out
}

func (r *session) upload(ctx context.Context, layers []v1.Layer, progress *counter) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Jobs)
	for _, l := range layers {
		g.Go(func() error {
			size, err := l.Size()
			if err != nil {
				return err
			}
			counted := &countedLayer{Layer: l, counter: progress}
			return r.do(ctx, "pushing", func() error {
				counted.restart()
				p, err := r.push()
				if err == nil {
					err = p.Upload(ctx, r.ref.Context(), counted)
				}
				if err == nil {
					counted.finish(size)
				}
				return err
			})
		})
	}
	return g.Wait()
}

// putManifest writes the manifest under its digest, which has to come first for a
// tag to be never without what it names, and under the tag.
func (r *session) putManifest(ctx context.Context, m rawManifest, progress *counter) error {
	refs := []name.Reference{r.ref.Context().Digest(m.d.Digest.String())}
	if tag, ok := r.ref.(name.Tag); ok {
		refs = append(refs, tag)
	}
	for _, ref := range refs {
		err := r.do(ctx, "pushing", func() error {
			p, err := r.push()
			if err == nil {
				err = p.Put(ctx, ref, m)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	progress.add(m.d.Size, m.d.Size)
	return nil
}

// verify asks the registry for all that was pushed.
func (r *session) verify(ctx context.Context, m rawManifest, blobs []v1.Descriptor) error {
	wrong := func(format string, args ...any) error {
		return &RegistryError{Op: "verifying", Ref: r.ref.Name(), Problem: fmt.Sprintf(format, args...)}
	}
	repo := r.ref.Context()
	refs := []name.Reference{repo.Digest(m.d.Digest.String())}
	if tag, ok := r.ref.(name.Tag); ok {
		refs = append(refs, tag)
	}
	for _, ref := range refs {
		err := r.do(ctx, "verifying", func() error {
			p, err := r.pull()
			if err != nil {
				return err
			}
			got, err := p.Get(ctx, ref)
			if err == nil && !bytes.Equal(got.Manifest, m.raw) {
				return wrong("the registry gives the manifest %s for %s, want %s", got.Digest, ref.Identifier(), m.d.Digest)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Jobs)
	for _, b := range blobs {
		g.Go(func() error {
			return r.do(ctx, "verifying", func() error {
				p, err := r.pull()
				if err != nil {
					return err
				}
				l, err := p.Layer(ctx, repo.Digest(b.Digest.String()))
				if err != nil {
					return fmt.Errorf("blob %s: %w", b.Digest, err)
				}
				size, err := remoteSize(l)
				if err != nil {
					return fmt.Errorf("blob %s: %w", b.Digest, err)
				}
				if size != b.Size {
					return wrong("the registry has %d bytes of the blob %s, want %d", size, b.Digest, b.Size)
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// remoteSize asks for the size of a blob, and reads all of it where a registry does
// not say.
func remoteSize(l v1.Layer) (int64, error) {
	size, err := l.Size()
	if err != nil || size >= 0 {
		return size, err
	}
	rc, err := l.Compressed()
	if err != nil {
		return 0, err
	}
	defer rc.Close()
	return io.Copy(io.Discard, rc)
}

// rawManifest is a manifest as the library takes it.
type rawManifest struct {
	raw []byte
	d   v1.Descriptor
}

func (m rawManifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return m.d.MediaType, nil }
func (m rawManifest) Digest() (v1.Hash, error)            { return m.d.Digest, nil }
func (m rawManifest) Size() (int64, error)                { return m.d.Size, nil }

// storedLayer is a blob of the store as the library takes it.
type storedLayer struct {
	s *Store
	d v1.Descriptor
}

var _ v1.Layer = storedLayer{}

func (l storedLayer) Digest() (v1.Hash, error) { return l.d.Digest, nil }
func (l storedLayer) DiffID() (v1.Hash, error) {
	return v1.Hash{}, fmt.Errorf("%s: only its blob is known", l.d.Digest)
}
func (l storedLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.s.blob(l.d.Digest)) }
func (l storedLayer) Uncompressed() (io.ReadCloser, error) {
	return nil, fmt.Errorf("%s: only its blob is known", l.d.Digest)
}
func (l storedLayer) Size() (int64, error)                { return l.d.Size, nil }
func (l storedLayer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }

// counter adds up what goes on at once.
type counter struct {
	mu sync.Mutex
	Progress
	report func(Progress)
}

func (c *counter) add(done, sent int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Done += done
	c.Sent += sent
	if c.report != nil && (done != 0 || sent != 0) {
		c.report(c.Progress)
	}
}

// countedLayer counts the bytes of one blob while it is read.
type countedLayer struct {
	v1.Layer
	counter *counter
	mu      sync.Mutex
	done    int64
}

func (l *countedLayer) Compressed() (io.ReadCloser, error) {
	rc, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	l.restart() // the library may read it again by itself
	return &countedReader{rc, l}, nil
}

func (l *countedLayer) move(n, sent int64) {
	l.mu.Lock()
	l.done += n
	l.mu.Unlock()
	l.counter.add(n, sent)
}

func (l *countedLayer) restart() {
	l.mu.Lock()
	n := l.done
	l.mu.Unlock()
	l.move(-n, 0)
}

// finish counts a blob that was there already.
func (l *countedLayer) finish(size int64) {
	l.mu.Lock()
	n := size - l.done
	l.mu.Unlock()
	l.move(n, 0)
}

type countedReader struct {
	io.ReadCloser
	l *countedLayer
}

func (r *countedReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.l.move(int64(n), int64(n))
	return n, err
}
