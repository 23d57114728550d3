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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// layoutTar is a layout as a tarball, with files in place of some.
func layoutTar(t *testing.T, s *Store, replace map[string]string) []byte {
	t.Helper()
	var files []file
	for _, name := range []string{layoutFile, indexFile} {
		b, err := os.ReadFile(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name, string(b)})
	}
	entries, err := os.ReadDir(s.path(blobsDir))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, file{"blobs/", ""}, file{"blobs/sha256/", ""}, file{"manifest.json", "[]"})
	for _, e := range entries {
		b, err := os.ReadFile(s.path(blobsDir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{"blobs/sha256/" + e.Name(), string(b)})
	}
	var out []file
	for _, f := range files {
		if with, ok := replace[f.name]; ok {
			if with != "" {
				out = append(out, file{f.name, with})
			}
			delete(replace, f.name)
			continue
		}
		out = append(out, f)
	}
	for name, content := range replace {
		out = append(out, file{name, content})
	}
	return tarOf(t, out...)
}

func TestImport(t *testing.T) {
	t.Parallel()
	from := open(t)
	img := put(t, from, "whatever:1", gz(t, tarOf(t, file{"etc/os-release", "debian"})))
	layer := "blobs/sha256/" + strings.TrimPrefix(img.Layers[0].Digest, "sha256:")
	tests := []struct {
		name    string
		replace map[string]string
		arch    string
		want    string
	}{
		{"a layout", nil, "", ""},
		{"a layout for the architecture asked for", nil, "amd64", ""},
		{"a layout for another architecture", nil, "arm64", "its image is for linux/amd64, want linux/arm64"},
		{"no index", map[string]string{indexFile: ""}, "", "no index.json"},
		{"an index that is no JSON", map[string]string{indexFile: "{"}, "", "unexpected end of JSON"},
		{"an index without images", map[string]string{indexFile: `{"schemaVersion":2,"manifests":[]}`}, "", "not a container image"},
		{"a layout of another version", map[string]string{layoutFile: `{"imageLayoutVersion":"2"}`}, "", `version "2"`},
		{"a blob is missing", map[string]string{layer: ""}, "", "the file is missing"},
		{"a blob with other content", map[string]string{layer: "other"}, "", "the content has the digest " + digestOf([]byte("other"))},
		{"a blob that is a link", map[string]string{layer: "-> /etc/passwd"}, "", "not a regular file"},
		{"a name out of the layout", map[string]string{"../../x": "1"}, "", "outside of the image"},
		{"a blob under a name that is no digest", map[string]string{"blobs/sha256/x": "1"}, "", `entry "blobs/sha256/x"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := layoutTar(t, from, test.replace)
			for i, b := range [][]byte{b, gz(t, b), zst(t, b)} {
				s := open(t)
				name := fmt.Sprintf("base:%d", i)
				got, err := s.Import(t.Context(), bytes.NewReader(b), name, ImportOptions{Architecture: test.arch})
				if test.want != "" {
					wantError(t, err, test.want)
					if images, err := s.Images(); err != nil || len(images) != 0 {
						t.Errorf("the store has %v, %v", images, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				want := img
				want.Name = name
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("image (-want +got):\n%s", diff)
				}
				if content, err := s.ReadFile(t.Context(), got, "etc/os-release"); err != nil || string(content) != "debian" {
					t.Errorf("read %q, %v", content, err)
				}
				if p, err := s.Prune(t.Context(), 0); err != nil || p.Blobs != 0 {
					t.Errorf("pruned %+v, %v", p, err)
				}
			}
		})
	}
}

func TestImportRoot(t *testing.T) {
	t.Parallel()
	root := tarOf(t, file{"./", ""}, file{"./etc/", ""}, file{"./etc/os-release", "debian"}, file{"./bin", "-> usr/bin"}, file{"./usr/bin/", ""})
	opts := RootOptions{Architecture: "arm64", Labels: map[string]string{"a": "b"}}
	var digests []string
	for i, b := range [][]byte{root, gz(t, root), zst(t, root)} {
		s := open(t)
		img, err := s.ImportRoot(t.Context(), bytes.NewReader(b), "base:mine", opts)
		if err != nil {
			t.Fatal(i, err)
		}
		digests = append(digests, img.Digest)
		want := Image{
			Name: "base:mine", MediaType: "application/vnd.oci.image.manifest.v1+json", OS: "linux", Architecture: "arm64", Labels: opts.Labels,
			Cmd: []string{"/bin/sh"}, Env: []string{debianPath}, Created: time.Unix(0, 0).UTC(),
			Layers: []Layer{{DiffID: digestOf(root), MediaType: "application/vnd.oci.image.layer.v1.tar+gzip"}},
		}
		if diff := cmp.Diff(want, img, cmpopts.IgnoreFields(Image{}, "Digest", "Size", "Config"), cmpopts.IgnoreFields(Layer{}, "Digest", "Size")); diff != "" {
			t.Errorf("image (-want +got):\n%s", diff)
		}
		if content, err := s.ReadFile(t.Context(), img, "/etc/os-release"); err != nil || string(content) != "debian" {
			t.Errorf("read %q, %v", content, err)
		}
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("the digests are %v, want one", digests)
	}
}

func TestImportRootRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		tar  []byte
		want string
	}{
		{"nothing", nil, "no root file system"},
		{"no tar", []byte(strings.Repeat("x", 2000)), "reading it as a tar"},
		{"another tar", tarOf(t, file{"thesis.tex", "x"}), "of its 1 files none is bin, etc or usr"},
		{"a name out of the root", tarOf(t, file{"etc/", ""}, file{"../x", "1"}), "outside of the image"},
		{"a hard link out of the root", tarOf(t, file{"etc/", ""}, file{"x", "=> ../../etc/passwd"}), "outside of the image"},
		{"xz", []byte("\xfd7zXZ\x00"), "xz -d"},
		{"gzip that is cut off", gz(t, tarOf(t, file{"etc/", ""}))[:30], "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			_, err := s.ImportRoot(t.Context(), bytes.NewReader(test.tar), "base:mine", RootOptions{})
			wantError(t, err, test.want)
			if p, err := s.Prune(t.Context(), 0); err != nil || p.Blobs != 0 {
				t.Errorf("left %+v, %v", p, err)
			}
		})
	}
}

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

func TestShare(t *testing.T) {
	t.Parallel()
	image := func(digest string, layers ...int64) Image { // a layer is known by its size
		img := Image{Digest: digest}
		for _, n := range layers {
			img.Layers = append(img.Layers, Layer{Digest: fmt.Sprint(n), Size: n})
		}
		return img
	}
	tests := []struct {
		name string
		a, b Image
		want Shared
	}{
		{"the same layers", image("a", 10, 20), image("b", 10, 20), Shared{2, 30, 1, 1, 1}},
		{"nothing in common", image("a", 10), image("b", 20), Shared{}},
		{"one of three layers, 10 of 40 bytes", image("a", 10, 20), image("b", 10, 10, 11), Shared{1, 10, 1. / 3, 10. / 41, 20. / 51}},
		{"no layers", image("a"), image("b"), Shared{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, got := range []Shared{Share(test.a, test.b), Share(test.b, test.a)} {
				if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	a, b, c := image("a", 10, 20), image("b", 10, 30), image("c", 40)
	want := SharedSet{Images: 3, Pairs: 3, MeanJaccardLayers: 1. / 9, MeanJaccardBytes: 1. / 18, MeanShareBytes: 2. / 21, Apart: 110, Together: 100}
	if diff := cmp.Diff(want, ShareAll([]Image{a, b, c, a}), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(SharedSet{Images: 1, Apart: 40, Together: 40}, ShareAll([]Image{c})); diff != "" {
		t.Errorf("set of one (-want +got):\n%s", diff)
	}
}

func FuzzImport(f *testing.F) {
	s := open(f)
	b := tarOf(f, file{"etc/", ""})
	img := put(f, s, "a:1", b)
	index, err := os.ReadFile(s.path(indexFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tarOf(f, file{indexFile, string(index)}, file{"blobs/sha256/" + strings.TrimPrefix(img.Layers[0].Digest, "sha256:"), string(b)}))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := open(t)
		if img, err := s.Import(t.Context(), bytes.NewReader(b), "a:1", ImportOptions{}); err == nil {
			if _, err := s.Image(img.Digest); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func writeTree(root, name, content string) error {
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func importFile(t *testing.T, s *Store, path, name string) (Image, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return s.Import(t.Context(), f, name, ImportOptions{})
}
