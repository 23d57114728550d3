// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func zst(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	type layer []file
	tests := []struct {
		name   string
		layers []layer
		path   string
		want   string
		err    string
	}{
		{"a file", []layer{{{"etc/", ""}, {"etc/os-release", "debian"}}}, "/etc/os-release", "debian", ""},
		{"names that begin with a dot", []layer{{{"./", ""}, {"./etc/os-release", "debian"}}}, "etc/os-release", "debian", ""},
		{"an absolute name in a layer", []layer{{{"/etc/x", "1"}}}, "etc/x", "1", ""},
		{"an empty file", []layer{{{"a", ""}}}, "a", "", ""},
		{"the upper layer wins", []layer{{{"a", "old"}}, {{"a", "new"}}}, "a", "new", ""},
		{"the later entry of a layer wins", []layer{{{"a", "old"}, {"a", "new"}}}, "a", "new", ""},
		{"a file that is not there", []layer{{{"a", "1"}}}, "b", "", "not found"},
		{"a directory", []layer{{{"a/", ""}}}, "a", "", "not a regular file"},
		{"a path through a file", []layer{{{"a", "1"}}}, "a/b", "", "not found"},
		{"a deleted file", []layer{{{"d/a", "1"}}, {{"d/.wh.a", ""}}}, "d/a", "", "not found"},
		{"a deleted directory", []layer{{{"d/e/a", "1"}}, {{"d/.wh.e", ""}}}, "d/e/a", "", "not found"},
		{"a file that comes back above", []layer{{{"a", "1"}}, {{".wh.a", ""}}, {{"a", "3"}}}, "a", "3", ""},
		{"a mark does not hide files of its layer, before it", []layer{{{"a", "1"}}, {{"a", "2"}, {".wh.a", ""}}}, "a", "2", ""},
		{"a mark does not hide files of its layer, after it", []layer{{{"a", "1"}}, {{".wh.a", ""}, {"a", "2"}}}, "a", "2", ""},
		{"a mark hides what is below in a directory that was made anew", []layer{{{"d/a", "1"}}, {{"d/b", "2"}, {".wh.d", ""}}}, "d/a", "", "not found"},
		{"and keeps what is of the layer", []layer{{{"d/a", "1"}}, {{"d/b", "2"}, {".wh.d", ""}}}, "d/b", "2", ""},
		{"an opaque directory hides", []layer{{{"d/a", "1"}}, {{"d/b", "2"}, {"d/.wh..wh..opq", ""}}}, "d/a", "", "not found"},
		{"an opaque directory keeps what is of the layer", []layer{{{"d/a", "1"}}, {{"d/b", "2"}, {"d/.wh..wh..opq", ""}}}, "d/b", "2", ""},
		{"a mark for nothing", []layer{{{"x/y/.wh.a", ""}, {"a", "1"}}}, "a", "1", ""},
		{"a file in place of a directory", []layer{{{"d/a", "1"}}, {{"d", "2"}}}, "d", "2", ""},
		{"a directory in place of a file", []layer{{{"d", "1"}}, {{"d/a", "2"}}}, "d/a", "2", ""},
		{"a directory that is named again keeps its files", []layer{{{"d/a", "1"}}, {{"d/", ""}}}, "d/a", "1", ""},
		{"a symbolic link", []layer{{{"usr/lib/os-release", "1"}, {"etc/os-release", "-> ../usr/lib/os-release"}}}, "etc/os-release", "1", ""},
		{"an absolute link starts at the image's root", []layer{{{"b", "1"}, {"d/a", "-> /b"}}}, "d/a", "1", ""},
		{"a link out of the image stays in it", []layer{{{"etc/passwd", "inside"}, {"a", "-> ../../../../etc/passwd"}}}, "a", "inside", ""},
		{"a link to a file of the machine", []layer{{{"a", "-> /proc/self/environ"}}}, "a", "", "not found"},
		{"a directory that is a link", []layer{{{"usr/lib/x", "1"}, {"lib", "-> usr/lib"}}}, "lib/x", "1", ""},
		{"a layer that writes through a link", []layer{{{"usr/lib/", ""}, {"lib", "-> usr/lib"}}, {{"lib/x", "2"}}}, "usr/lib/x", "2", ""},
		{"a layer that deletes through a link", []layer{{{"usr/lib/x", "1"}, {"lib", "-> usr/lib"}}, {{"lib/.wh.x", ""}}}, "usr/lib/x", "", "not found"},
		{"links in a circle", []layer{{{"a", "-> b"}, {"b", "-> a"}}}, "a", "", "more than 40 symbolic links"},
		{"a link to itself with more behind", []layer{{{"a", "-> a/a"}}}, "a", "", "more than 40 symbolic links"},
		{"a hard link", []layer{{{"a", "1"}, {"b", "=> a"}}}, "b", "1", ""},
		{"a hard link to a file of a lower layer, deleted since", []layer{{{"a", "1"}}, {{"b", "=> a"}}, {{".wh.a", ""}}}, "b", "1", ""},
		{"a hard link to nothing", []layer{{{"b", "=> /etc/passwd"}}}, "b", "", "no file of the image"},
		{"a hard link out of the image", []layer{{{"b", "=> ../../etc/passwd"}}}, "b", "", "outside of the image"},
		{"a name out of the image", []layer{{{"../../etc/cron.d/x", "1"}}}, "etc/cron.d/x", "", "outside of the image"},
		{"a path out of the image", []layer{{{"etc/passwd", "inside"}}}, "../../etc/passwd", "inside", ""},
		{"a name that is too long", []layer{{{strings.Repeat("a/", 4000), ""}}}, "a", "", "want at most 4096"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			var layers [][]byte
			for i, l := range test.layers {
				b := tarOf(t, l...)
				switch i % 3 { // all kinds of compression
				case 0:
					b = gz(t, b)
				case 1:
					b = zst(t, b)
				}
				layers = append(layers, b)
			}
			img := put(t, s, "a:1", layers...)
			for range 2 { // the second time from what is kept
				got, err := s.ReadFile(t.Context(), img, test.path)
				switch {
				case test.err != "":
					wantError(t, err, test.err)
				case err != nil:
					t.Error(err)
				case string(got) != test.want:
					t.Errorf("read %q, want %q", got, test.want)
				}
				if (test.err == "not found") != errors.Is(err, ErrNotFound) {
					t.Errorf("the error is %v; is it ErrNotFound?", err)
				}
			}
		})
	}
}

func TestReadFileOfDamagedLayers(t *testing.T) {
	t.Parallel()
	good := gz(t, tarOf(t, file{"a", strings.Repeat("1", 5000)}))
	sparse := func() []byte { // a file that claims more than it has
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: MaxFile + 1}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	tests := []struct {
		name  string
		layer []byte
		want  string
	}{
		{"gzip that is cut off", good[:len(good)-40], "unexpected EOF"},
		{"no tar", []byte(strings.Repeat("x", 1024)), "invalid tar header"},
		{"xz", []byte("\xfd7zXZ\x00rest"), "unpack it with xz -d"},
		{"a tar that is cut off", sparse, "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			img := put(t, s, "a:1", test.layer)
			_, err := s.ReadFile(t.Context(), img, "a")
			wantError(t, err, test.want)
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Errorf("the error is %v, want one that names the file", err)
			}
		})
	}
}

func TestReadFileIsLimited(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "big", Typeflag: tar.TypeReg, Size: MaxFile + 1})
	if err == nil {
		_, err = io.CopyN(w, zeros{}, MaxFile+1)
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	img := put(t, s, "a:1", b.Bytes())
	_, err = s.ReadFile(t.Context(), img, "big")
	wantError(t, err, "want at most")

	err = unpack(bytes.NewReader(b.Bytes()), 1<<20, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	wantError(t, err, "unpacks to more than")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t).ReadFile(ctx, img, "big"); err == nil {
		t.Error("a context that ended is not noticed")
	}
	s.last = nil
	if _, err := s.ReadFile(ctx, img, "big"); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestALayerWithOtherContentIsNoticed(t *testing.T) {
	t.Parallel()
	s := open(t)
	img := put(t, s, "a:1", tarOf(t, file{"a", "1"}))
	other := tarOf(t, file{"a", "2"})
	h := img.Layers[0].Digest
	w, err := s.newBlob()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(other); err != nil {
		t.Fatal(err)
	}
	if _, err := w.commit(h); err == nil {
		t.Fatal("a blob is stored under the digest of another")
	}
	if err := os.WriteFile(s.path(blobsDir, strings.TrimPrefix(h, "sha256:")), other, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReadFile(t.Context(), img, "a")
	wantError(t, err, "its content has the digest "+digestOf(other))

	put(t, s, "a:2", tarOf(t, file{"a", "1"})) // the same layer, written again
	if b, err := s.ReadFile(t.Context(), img, "a"); err != nil || string(b) != "1" {
		t.Errorf("read %q, %v after it was made again", b, err)
	}
}

func FuzzLayer(f *testing.F) {
	f.Add(tarOf(f, file{"a/b", "1"}, file{"c", "-> a/../a"}, file{"d", "=> a/b"}, file{"a/.wh.b", ""}, file{"a/.wh..wh..opq", ""}))
	f.Add(gz(f, tarOf(f, file{"a", "-> a/a"}, file{"a/x", "1"})))
	f.Add(zst(f, tarOf(f, file{"../x", "1"})))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree := newTree("x")
		for layer := range 2 {
			err := unpack(bytes.NewReader(b), 1<<20, func(r io.Reader) error { return tree.add(layer, r) })
			if err != nil {
				return
			}
		}
		var visit func(n *node, depth int)
		visit = func(n *node, depth int) {
			if depth > maxPath {
				t.Fatal("deeper than a path can be")
			}
			for name, child := range n.children {
				if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
					t.Fatalf("a file is called %q", name)
				}
				if child.layer < 0 || child.layer > 1 || child.contentLayer > 1 {
					t.Fatalf("%q is of layer %d, content of %d", name, child.layer, child.contentLayer)
				}
				visit(child, depth+1)
			}
		}
		visit(tree.root, 0)
		_, _ = tree.walk(tree.root, "a/b/../c", true)
	})
}
