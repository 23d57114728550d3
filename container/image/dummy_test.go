// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDummy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts DummyOptions
	}{
		{"one layer", DummyOptions{Size: 1 << 20}},
		{"a small one", DummyOptions{Size: 8000, Layers: 2}},
		{"many layers", DummyOptions{Size: 4 << 20, Layers: 127}},
		{"an odd size", DummyOptions{Size: 3333333, Layers: 7}},
		{"layers of different sizes", DummyOptions{Size: 1 << 20, Weights: []float64{1, 10, 2.5}}},
		{"for another machine, with labels", DummyOptions{Size: 1 << 20, Layers: 3, Architecture: "arm64", Labels: map[string]string{"a": "b"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			img, err := s.Dummy(t.Context(), "dummy:1", test.opts)
			if err != nil {
				t.Fatal(err)
			}
			n := int64(len(img.Layers))
			if less := test.opts.Size - img.Size; less < 0 || less > 1024*n {
				t.Errorf("it has %d bytes, %d less than asked for in %d layers", img.Size, less, n)
			}
			if len(test.opts.Weights) == 0 {
				for i, l := range img.Layers[:n-1] {
					if l.Size != img.Layers[0].Size {
						t.Errorf("layer %d has %d bytes, the first one %d", i, l.Size, img.Layers[0].Size)
					}
				}
			}
			for i, l := range img.Layers {
				diff := sha256.New()
				err := s.openLayer(t.Context(), l, true, func(r io.Reader) error {
					_, err := io.Copy(diff, r)
					return err
				})
				if sum := "sha256:" + hex.EncodeToString(diff.Sum(nil)); err != nil || sum != l.DiffID {
					t.Errorf("layer %d unpacks to %s, %v, want %s", i, sum, err, l.DiffID)
				}
			}
			last := fmt.Sprintf("dummy/%d", n-1)
			if b, err := s.ReadFile(t.Context(), img, last); err != nil || len(b) == 0 {
				t.Errorf("%s has %d bytes, %v", last, len(b), err)
			} else if l := int64(len(gz(t, b))); l < int64(len(b)) {
				t.Errorf("%s compresses from %d to %d bytes", last, len(b), l)
			}
			again, err := open(t).Dummy(t.Context(), "dummy:1", test.opts)
			if diff := cmp.Diff(img, again); err != nil || diff != "" {
				t.Errorf("made again: %v\n%s", err, diff)
			}
			test.opts.Seed = 1
			other, err := s.Dummy(t.Context(), "dummy:2", test.opts)
			if err != nil || Share(img, other).Layers != 0 || other.Size != img.Size {
				t.Errorf("with another seed: %+v, %v", Share(img, other), err)
			}
		})
	}
}

func TestDummyStaysWhatItIs(t *testing.T) {
	t.Parallel()
	img, err := open(t).Dummy(t.Context(), "dummy:1", DummyOptions{Size: 100_000, Layers: 3, Seed: 7, Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	// Studies name dummies by digest: a change of this one is a new kind of dummy.
	if want := "sha256:188c6155c84a87cbc451a4cd4788a3e2c8a799d939b992c0e60cceaae98309ab"; img.Digest != want {
		t.Errorf("the digest is %s, want %s", img.Digest, want)
	}
}

func TestADummyIsWrittenAsItIsMade(t *testing.T) {
	s := open(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const size = 64 << 20
	if _, err := s.Dummy(t.Context(), "dummy:1", DummyOptions{Size: size}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/16 {
		t.Errorf("%d bytes were allocated for an image of %d", n, size)
	}
}

func TestDummiesShareWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := open(t)
	make := func(seed, shared uint64, n int) Image {
		img, err := s.Dummy(t.Context(), fmt.Sprintf("dummy:%d-%d-%d", seed, shared, n), DummyOptions{
			Size: 400_000, Layers: 4, Seed: seed, Shared: n, SharedSeed: shared,
		})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	for n := range 5 {
		if got := Share(make(1, 9, n), make(2, 9, n)).Layers; got != n {
			t.Errorf("%d layers are shared, want %d", got, n)
		}
		if got := Share(make(1, 1, n), make(2, 2, n)).Layers; got != 0 {
			t.Errorf("%d layers are shared of different seeds", got)
		}
	}
}

func TestDummyRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts DummyOptions
		want string
	}{
		{"no size", DummyOptions{}, "too few"},
		{"a size below 0", DummyOptions{Size: -1}, "too few"},
		{"too many layers for the size", DummyOptions{Size: 10000, Layers: 100}, "too few"},
		{"a size that no disk has", DummyOptions{Size: math.MaxInt64}, "want at most"},
		{"too many layers", DummyOptions{Size: 1 << 30, Layers: 128}, "want 1 to 127"},
		{"weights of another number", DummyOptions{Size: 1 << 20, Layers: 2, Weights: []float64{1}}, "1 weights for 2 layers"},
		{"a weight that is no number", DummyOptions{Size: 1 << 20, Weights: []float64{1, math.NaN()}}, "weight 1 is NaN"},
		{"more shared layers than layers", DummyOptions{Size: 1 << 20, Shared: 2}, "share 2 of 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			_, err := s.Dummy(t.Context(), "dummy:1", test.opts)
			wantError(t, err, test.want)
		})
	}
}

func TestSizesOfDummiesAreKnownBeforehand(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 512, 65024, 65536, 1 << 20, 5 << 20} {
		var b bytes.Buffer
		z := &storedWriter{w: &b, diff: sha256.New()}
		w := tar.NewWriter(z)
		for _, h := range []tar.Header{{Name: "dummy/", Typeflag: tar.TypeDir}, {Name: "dummy/0", Typeflag: tar.TypeReg, Size: n}} {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.CopyN(w, zeros{}, n); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if got := int64(b.Len()); got != layerSize(n) {
			t.Errorf("a layer with %d bytes has %d, want %d", n, got, layerSize(n))
		}
	}
	for _, n := range []int64{100, 2071, 3000, 1 << 20, 1 << 30, 20 << 30, maxDummySize} {
		f := fileSize(n)
		if f >= 0 && (layerSize(f) > n || layerSize(f+tarBlock) <= n) {
			t.Errorf("of %d bytes %d are for the file: the layer has %d", n, f, layerSize(f))
		}
	}
}
