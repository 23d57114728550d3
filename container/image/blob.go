// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// check says whether a blob is there and as large as it should be. Its content is
// checked when it is read.
func (s *Store) check(d v1.Descriptor) error {
	if d.Digest.Algorithm != "sha256" {
		return &DamagedError{s.path(indexFile), fmt.Sprintf("a blob has the digest %q, want sha256", d.Digest)}
	}
	info, err := os.Stat(s.blob(d.Digest))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &DamagedError{s.blob(d.Digest), "the file is missing"}
	case err != nil:
		return err
	case info.Size() != d.Size:
		return &DamagedError{s.blob(d.Digest), fmt.Sprintf("it has %d bytes, want %d", info.Size(), d.Size)}
	}
	return nil
}

// read reads a small blob and checks it.
func (s *Store) read(d v1.Descriptor, limit int64) ([]byte, error) {
	if err := s.check(d); err != nil {
		return nil, err
	}
	if d.Size > limit {
		return nil, &DamagedError{s.blob(d.Digest), fmt.Sprintf("it has %d bytes, and at most %d are read", d.Size, limit)}
	}
	b, err := os.ReadFile(s.blob(d.Digest))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != d.Digest.Hex {
		return nil, &DamagedError{s.blob(d.Digest), fmt.Sprintf("its content has the digest sha256:%x", sum)}
	}
	return b, nil
}

// blobWriter writes a blob whose digest is known at the end.
type blobWriter struct {
	s    *Store
	f    *os.File
	hash hash.Hash
	size int64
}

// newBlob starts a blob. Unless it is committed, close has to be called.
func (s *Store) newBlob() (*blobWriter, error) {
	if err := os.MkdirAll(s.path(ingestDir), 0o755); err != nil {
		return nil, err
	}
	// Not os.CreateTemp, whose files are private: who may read is the umask's to say.
	f, err := os.OpenFile(s.path(ingestDir, fmt.Sprintf("%016x", rand.Uint64())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &blobWriter{s: s, f: f, hash: sha256.New()}, nil
}

func (w *blobWriter) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	w.hash.Write(b[:n])
	w.size += int64(n)
	return n, err
}

// commit names the blob by its digest. A digest that it is known to have is checked.
func (w *blobWriter) commit(want string) (h v1.Hash, err error) {
	defer w.close()
	h = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(w.hash.Sum(nil))}
	if want != "" && h.String() != want {
		return h, fmt.Errorf("the content has the digest %s, want %s", h, want)
	}
	// A blob that is there already is replaced: it is the same, unless it was damaged.
	if err := errors.Join(w.f.Sync(), w.f.Close()); err != nil {
		return h, err
	}
	if err := os.Rename(w.f.Name(), w.s.blob(h)); err != nil {
		return h, err
	}
	return h, syncDir(w.s.path(blobsDir))
}

// close drops what was written, unless it was committed.
func (w *blobWriter) close() {
	w.f.Close()
	os.Remove(w.f.Name()) // fails once it is renamed
}

// writeJSON writes a manifest or a config and gives its descriptor and its bytes.
func (s *Store) writeJSON(t types.MediaType, v any) (v1.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	w, err := s.newBlob()
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer w.close()
	if _, err := io.Copy(w, bytes.NewReader(b)); err != nil {
		return v1.Descriptor{}, err
	}
	h, err := w.commit("")
	return v1.Descriptor{MediaType: t, Digest: h, Size: int64(len(b))}, err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// withContext makes a reader that ends with its context.
func withContext(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context // of the one call that reads
	r   io.Reader
}

func (r *contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
