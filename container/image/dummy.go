// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// DummyOptions say what a dummy image is like.
type DummyOptions struct {
	// Size is what a pull moves, in bytes; required. It is met from below to within
	// 1 KiB a layer.
	Size int64
	// Layers is their number; default 1, at most 127, as overlay file systems stack.
	Layers int
	// Weights are the relative sizes of the layers; default all the same.
	Weights []float64
	// Architecture is what the image says it is for; default that of this machine.
	Architecture string
	// Seed makes the content: the same options give the same bytes, and images of
	// different seeds have no layer in common.
	Seed uint64
	// Shared layers, the lowest, are made from SharedSeed in place of Seed: images
	// that are alike in SharedSeed, Size, Layers and Weights have them in common.
	Shared     int
	SharedSeed uint64
	Labels     map[string]string
}

const (
	maxDummyLayers = 127
	maxDummySize   = 1 << 44 // bytes; the arithmetic holds up to 2^47
)

// Dummy makes an image of random bytes that do not compress, for studies of how
// long pulls take. Its layers are gzip without compression, each of one file
// /dummy/N. Nothing in it can be run. It is written as it is made: a large one
// needs no more memory than a small one.
func (s *Store) Dummy(ctx context.Context, name string, opts DummyOptions) (Image, error) {
	img, err := s.dummy(ctx, name, opts)
	if err != nil {
		return Image{}, fmt.Errorf("making dummy image %q: %w", name, err)
	}
	return img, nil
}

func (s *Store) dummy(ctx context.Context, name string, opts DummyOptions) (Image, error) {
	if err := checkName(name); err != nil {
		return Image{}, err
	}
	sizes, err := opts.sizes()
	if err != nil {
		return Image{}, err
	}
	unlock, err := s.writing(ctx)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	var layers []v1.Descriptor
	var diffIDs []v1.Hash
	for i, size := range sizes {
		seed := opts.Seed
		if i < opts.Shared {
			seed = opts.SharedSeed
		}
		layer, diffID, err := s.dummyLayer(ctx, seed, i < opts.Shared, i, size)
		if err != nil {
			return Image{}, err
		}
		layers, diffIDs = append(layers, layer), append(diffIDs, diffID)
	}
	return s.assemble(ctx, name, opts.Architecture, time.Time{}, opts.config(), layers, diffIDs)
}

func (o DummyOptions) config() v1.Config { return v1.Config{Labels: o.Labels} }

// sizes gives the bytes of the file in each layer. The last layer takes what is
// left, less manifest and config, so that the others depend on Size, Layers and
// Weights alone.
func (o DummyOptions) sizes() ([]int64, error) {
	n := o.Layers
	if n == 0 {
		n = max(1, len(o.Weights))
	}
	switch {
	case o.Size > maxDummySize:
		return nil, fmt.Errorf("it should have %d bytes, want at most %d", o.Size, int64(maxDummySize))
	case n < 0 || n > maxDummyLayers:
		return nil, fmt.Errorf("it should have %d layers, want 1 to %d", n, maxDummyLayers)
	case len(o.Weights) > 0 && len(o.Weights) != n:
		return nil, fmt.Errorf("it has %d weights for %d layers", len(o.Weights), n)
	case o.Shared < 0 || o.Shared > n:
		return nil, fmt.Errorf("it should share %d of %d layers", o.Shared, n)
	}
	sum := 0.0
	for i := range n {
		w := o.weight(i)
		if !(w > 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("weight %d is %g, want a number above 0", i, w)
		}
		sum += w
	}
	left := o.Size - o.overhead(n)
	sizes := make([]int64, n)
	for i := range n {
		room := left
		if i < n-1 {
			room = int64(float64(o.Size) * (o.weight(i) / sum))
		}
		// Not even one block of content: layers of different seeds would be the same.
		if sizes[i] = fileSize(min(room, left)); sizes[i] < tarBlock {
			return nil, fmt.Errorf("%d bytes are too few for %d such layers and their manifest", o.Size, n)
		}
		left -= layerSize(sizes[i])
	}
	return sizes, nil
}

func (o DummyOptions) weight(i int) float64 {
	if len(o.Weights) == 0 {
		return 1
	}
	return o.Weights[i]
}

// overhead is the size of manifest and config, with layers as large as the image.
func (o DummyOptions) overhead(layers int) int64 {
	h := v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064d", 0)}
	ds, ids := make([]v1.Descriptor, layers), make([]v1.Hash, layers)
	for i := range layers {
		ds[i], ids[i] = v1.Descriptor{MediaType: types.OCILayer, Digest: h, Size: o.Size}, h
	}
	config, manifest := newImage(o.Architecture, time.Time{}, o.config(), ds, ids)
	c, _ := json.Marshal(config)
	manifest.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: h, Size: int64(len(c))}
	m, _ := json.Marshal(manifest)
	return int64(len(c) + len(m))
}

const (
	tarBlock  = 512
	maxStored = 65535 // bytes of a stored block of deflate (RFC 1951)
	// tarExtra are the headers of /dummy/ and its file, and the end of the tar.
	tarExtra = 4 * tarBlock
	// gzipExtra are the header and the trailer of gzip (RFC 1952).
	gzipExtra   = 10 + 8
	storedExtra = 5
)

// layerSize is the size of a layer with a file of n bytes, a multiple of tarBlock.
func layerSize(n int64) int64 {
	n += tarExtra
	return n + gzipExtra + storedExtra*((n+maxStored-1)/maxStored)
}

// fileSize is the largest file with which a layer has at most n bytes; below 0
// where there is none.
func fileSize(n int64) int64 {
	f := (n*maxStored/(maxStored+storedExtra) - tarExtra) / tarBlock * tarBlock
	for f >= 0 && layerSize(f) > n {
		f -= tarBlock
	}
	return f
}

func (s *Store) dummyLayer(ctx context.Context, seed uint64, shared bool, i int, size int64) (d v1.Descriptor, diffID v1.Hash, err error) {
	w, err := s.newBlob()
	if err != nil {
		return d, diffID, err
	}
	defer w.close()
	z := &storedWriter{w: w, diff: sha256.New()}
	tw := tar.NewWriter(z)
	// GNU headers: those of PAX grow with the size of the file.
	epoch := time.Unix(0, 0)
	random := rand.NewChaCha8(dummySeed(seed, shared, i))
	err = errors.Join(
		tw.WriteHeader(&tar.Header{Format: tar.FormatGNU, Name: "dummy/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: epoch}),
		tw.WriteHeader(&tar.Header{Format: tar.FormatGNU, Name: fmt.Sprintf("dummy/%d", i), Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: epoch}))
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{tw}, io.LimitReader(withContext(ctx, random), size), make([]byte, 1<<18))
	}
	if err := errors.Join(err, tw.Close(), z.Close()); err != nil {
		return d, diffID, err
	}
	n := w.size
	h, err := w.commit("")
	diffID = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(z.diff.Sum(nil))}
	return v1.Descriptor{MediaType: types.OCILayer, Digest: h, Size: n}, diffID, err
}

// dummySeed is the seed of one layer. The numbers of shared layers are drawn apart,
// so that Seed and SharedSeed may be equal.
func dummySeed(seed uint64, shared bool, layer int) [32]byte {
	b := []byte("ensemble dummy image 1")
	b = binary.BigEndian.AppendUint64(b, seed)
	b = binary.BigEndian.AppendUint64(b, uint64(layer))
	if shared {
		b = append(b, 's')
	}
	return sha256.Sum256(b)
}

// storedWriter writes gzip of stored blocks: a size that is known beforehand, and
// bytes that no version of a compressor changes.
type storedWriter struct {
	w    io.Writer
	diff hash.Hash
	crc  uint32
	size uint32
	buf  []byte
	open bool
}

func (z *storedWriter) Write(b []byte) (int, error) {
	n := len(b)
	z.diff.Write(b)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, b)
	z.size += uint32(n)
	for len(b) > 0 {
		if len(z.buf) == maxStored {
			if err := z.flush(false); err != nil {
				return 0, err
			}
		}
		take := min(len(b), maxStored-len(z.buf))
		z.buf = append(z.buf, b[:take]...)
		b = b[take:]
	}
	return n, nil
}

func (z *storedWriter) flush(last bool) error {
	var head []byte
	if !z.open {
		z.open = true
		// No name, no time, an unknown system.
		head = append(head, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)
	}
	final := byte(0)
	if last {
		final = 1
	}
	n := uint16(len(z.buf))
	head = append(head, final)
	head = binary.LittleEndian.AppendUint16(head, n)
	head = binary.LittleEndian.AppendUint16(head, ^n)
	if _, err := z.w.Write(head); err != nil {
		return err
	}
	_, err := z.w.Write(z.buf)
	z.buf = z.buf[:0]
	return err
}

func (z *storedWriter) Close() error {
	if err := z.flush(true); err != nil {
		return err
	}
	_, err := z.w.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, z.crc), z.size))
	return err
}
