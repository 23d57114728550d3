// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// MaxFile is the size in bytes up to which [Store.ReadFile] reads a file.
	MaxFile = 64 << 20
	// maxUnpacked is how much of a layer is unpacked at most.
	maxUnpacked = 128 << 30
	// maxWindow is the memory that a zstd stream may ask for, in bytes.
	maxWindow = 128 << 20
)

// ReadFile reads one file of an image's file system as a container sees it: of the
// uppermost layer that has it, unless a layer above deletes it, over symbolic
// links inside the image. The error wraps [ErrNotFound] where there is none. A file
// larger than [MaxFile] and anything but a file is an error.
//
// The first call for an image reads all its layers, and checks them; further calls
// for the same image read one.
func (s *Store) ReadFile(ctx context.Context, img Image, name string) ([]byte, error) {
	b, err := s.readFile(ctx, img, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s of image %s: %w", name, img.title(), err)
	}
	return b, nil
}

func (i Image) title() string {
	if i.Name != "" {
		return i.Name
	}
	return i.Digest
}

func (s *Store) readFile(ctx context.Context, img Image, name string) ([]byte, error) {
	if len(name) > maxPath {
		return nil, fmt.Errorf("the path has %d bytes, want at most %d", len(name), maxPath)
	}
	t, err := s.tree(ctx, img)
	if err != nil {
		return nil, err
	}
	n, err := t.walk(t.root, name, true)
	switch {
	case err != nil:
		return nil, err
	case n.kind != tar.TypeReg && n.kind != tar.TypeGNUSparse && n.kind != tar.TypeCont:
		return nil, errors.New("it is not a regular file")
	case n.size > MaxFile:
		return nil, fmt.Errorf("it has %d bytes, want at most %d", n.size, MaxFile)
	}
	var content []byte
	err = s.openLayer(ctx, img.Layers[n.contentLayer], false, func(r io.Reader) error {
		tr := tar.NewReader(r)
		for range n.entry + 1 {
			if _, err := tr.Next(); err != nil {
				return err
			}
		}
		var b bytes.Buffer
		if _, err := io.Copy(&b, io.LimitReader(tr, MaxFile)); err != nil {
			return err
		}
		content = b.Bytes()
		return nil
	})
	return content, err
}

// tree reads the file system of an image. That of one image is kept.
func (s *Store) tree(ctx context.Context, img Image) (*tree, error) {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil && last.digest == img.Digest {
		return last, nil
	}
	t := newTree(img.Digest)
	for i, l := range img.Layers {
		if err := s.openLayer(ctx, l, true, func(r io.Reader) error { return t.add(i, r) }); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.last = t
	s.mu.Unlock()
	return t, nil
}

// openLayer gives the tar of a layer. Its digest is checked if all of it is read,
// which whole asks for.
func (s *Store) openLayer(ctx context.Context, l Layer, whole bool, f func(io.Reader) error) error {
	h, err := v1.NewHash(l.Digest)
	if err != nil {
		return err
	}
	d := v1.Descriptor{Digest: h, Size: l.Size}
	if err := s.check(d); err != nil {
		return err
	}
	return s.openBlob(ctx, d, maxUnpacked, whole, f)
}

// openBlob gives what a blob of the store holds, unpacked, up to limit bytes.
func (s *Store) openBlob(ctx context.Context, d v1.Descriptor, limit int64, whole bool, f func(io.Reader) error) error {
	file, err := os.Open(s.blob(d.Digest))
	if err != nil {
		return err
	}
	defer file.Close()
	blob := &hashReader{r: withContext(ctx, file), hash: sha256.New()}
	err = unpack(blob, limit, func(r io.Reader) error { return f(withContext(ctx, r)) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if whole {
		// A wrong digest explains whatever else is wrong.
		if _, err := io.Copy(io.Discard, blob); err != nil {
			return err
		}
		if sum := hex.EncodeToString(blob.hash.Sum(nil)); sum != d.Digest.Hex {
			return &DamagedError{file.Name(), "its content has the digest sha256:" + sum}
		}
	}
	if err != nil {
		return &DamagedError{file.Name(), err.Error()}
	}
	return nil
}

type hashReader struct {
	r    io.Reader
	hash hash.Hash
}

func (r *hashReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.hash.Write(b[:n])
	return n, err
}

// unpack gives what a compressed stream holds: gzip, zstd or plain, by its first
// bytes. More than limit bytes are an error.
func unpack(r io.Reader, limit int64, f func(io.Reader) error) error {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, _ := b.Peek(6)
	var plain io.Reader = b
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		plain = z
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		defer z.Close()
		plain = z
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return errors.New("it is compressed with xz, want gzip, zstd or nothing (unpack it with xz -d)")
	case bytes.HasPrefix(magic, []byte("BZh")):
		return errors.New("it is compressed with bzip2, want gzip, zstd or nothing (unpack it with bzip2 -d)")
	}
	return f(&limitReader{r: plain, left: limit, limit: limit})
}

// limitReader ends with an error, where io.LimitReader would look like the end.
type limitReader struct {
	r           io.Reader
	left, limit int64
}

func (r *limitReader) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", r.limit)
	}
	n, err := r.r.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	return n, err
}
