// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// file is an entry of a tar: a directory where the name ends with /, a link to
// where "-> x", a hard link to where "=> x".
type file struct{ name, content string }

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(f.content))}
		if link, ok := strings.CutPrefix(f.content, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, link, 0
		} else if link, ok := strings.CutPrefix(f.content, "=> "); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, link, 0
		} else if strings.HasSuffix(f.name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(f.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) putBlob(t testing.TB, b []byte) v1.Hash {
	t.Helper()
	w, err := s.newBlob()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	h, err := w.commit("")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// put makes an image of layers that are given as they are.
func put(t testing.TB, s *Store, name string, layers ...[]byte) Image {
	t.Helper()
	var ds []v1.Descriptor
	var ids []v1.Hash
	for _, l := range layers {
		h := s.putBlob(t, l)
		ds = append(ds, v1.Descriptor{MediaType: types.OCILayer, Digest: h, Size: int64(len(l))})
		ids = append(ids, h)
	}
	img, err := s.assemble(t.Context(), name, "amd64", time.Time{}, v1.Config{User: "flux"}, ds, ids)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q", err, want)
	}
}

func TestAStoreIsAnImageLayout(t *testing.T) {
	t.Parallel()
	s := open(t)
	img := put(t, s, "lammps:debian-debian12-openmpi4-none-amd64", tarOf(t, file{"a", "1"}), tarOf(t, file{"b", "2"}))
	again, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	images, err := again.Images()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Image{img}, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	for _, by := range []string{img.Name, img.Digest} {
		got, err := again.Image(by)
		if err != nil || got.Digest != img.Digest {
			t.Errorf("by %s: %v, %v", by, got, err)
		}
	}
	var size int64
	entries, err := os.ReadDir(s.path(blobsDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, _ := e.Info()
		size += info.Size()
	}
	if img.Size != size || len(img.Layers) != 2 || img.User != "flux" || img.Architecture != "amd64" {
		t.Errorf("image is %+v, want the size of all blobs, %d", img, size)
	}
}

func TestOpenRefusesOtherDirectories(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"files that are no layout", map[string]string{"thesis.tex": ""}, "not an image store"},
		{"a layout of another version", map[string]string{"oci-layout": `{"imageLayoutVersion":"2.0.0"}`}, `version "2.0.0"`},
		{"blobs without an index", map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "blobs/sha256/x": ""}, "index.json is damaged: the file is missing, and there are 1 blobs"},
		{"a layout file that is no JSON", map[string]string{"oci-layout": `{`}, "oci-layout is damaged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range test.files {
				if err := writeTree(dir, name, content); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(dir)
			wantError(t, err, test.want)
		})
	}
}

func TestADamagedStoreNamesTheFile(t *testing.T) {
	t.Parallel()
	config := func(s *Store, img Image) string { return s.path("blobs", strings.Replace(img.Config, ":", "/", 1)) }
	layer := func(s *Store, img Image) string {
		return s.path("blobs", strings.Replace(img.Layers[0].Digest, ":", "/", 1))
	}
	index := func(s *Store, _ Image) string { return s.path(indexFile) }
	tests := []struct {
		name   string
		file   func(*Store, Image) string
		change func([]byte) []byte // nil deletes the file
		want   string
	}{
		{"a layer is missing", layer, nil, "the file is missing"},
		{"a layer is cut off", layer, func(b []byte) []byte { return b[:100] }, "it has 100 bytes, want 2048"},
		{"the config has other content", config, func(b []byte) []byte { return bytes.Replace(b, []byte("flux"), []byte("root"), 1) }, "its content has the digest sha256:"},
		{"the index is missing", index, nil, "the file is missing"},
		{"the index is cut off", index, func(b []byte) []byte { return b[:20] }, "unexpected end of JSON"},
		{"the index is of another version", index, func(b []byte) []byte { return bytes.Replace(b, []byte(`:2,`), []byte(`:1,`), 1) }, "schemaVersion 1"},
		{"the index has a digest of another kind", index, func(b []byte) []byte { return bytes.Replace(b, []byte(`sha256`), []byte(`md5`), 1) }, "md5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			img := put(t, s, "a:1", tarOf(t, file{"a", "1"}))
			other := put(t, s, "other:1", tarOf(t, file{"b", "2"}))
			path := test.file(s, img)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				if err := os.WriteFile(path, test.change(b), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err = s.Image("a:1")
			wantError(t, err, test.want)
			var damaged *DamagedError
			if !errors.As(err, &damaged) || damaged.File != path {
				t.Errorf("the error is %v, want one that names %s", err, path)
			}
			images, err := s.Images()
			if err == nil {
				t.Error("the list has no error")
			}
			// Where the damage is in the config both images share it.
			if len(images) > 0 && images[0].Digest != other.Digest {
				t.Errorf("the list is %v", images)
			}
		})
	}
}

func TestImagesOfAnIndexAndArtifacts(t *testing.T) {
	t.Parallel()
	s := open(t)
	img := put(t, s, "a:1", tarOf(t, file{"a", "1"}))
	h, _ := v1.NewHash(img.Digest)
	info, err := os.Stat(s.blob(h))
	if err != nil {
		t.Fatal(err)
	}
	of := func(arch string) v1.Descriptor {
		return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: info.Size(), Platform: &v1.Platform{OS: "linux", Architecture: arch}}
	}
	other := of("s390x")
	other.Digest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)} // of a platform that was not fetched
	attestation := of("unknown")
	attestation.Platform.OS = "unknown"
	attestation.Annotations = map[string]string{referenceType: "attestation-manifest"}
	tests := []struct {
		name      string
		manifests []v1.Descriptor
		want      string // the error
	}{
		{"an image and its attestation", []v1.Descriptor{of("amd64"), attestation}, ""},
		{"images for two machines", []v1.Descriptor{of("riscv64"), other}, "0 of its 2 images are for linux/"},
		{"nothing but attestations", []v1.Descriptor{attestation}, "not a container image"},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := fmt.Sprintf("index:%d", i)
			d, err := s.writeJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: test.manifests})
			if err != nil {
				t.Fatal(err)
			}
			err = s.change(t.Context(), func(index *v1.IndexManifest) error { setName(index, d, name); return nil })
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Image(name)
			if test.want != "" {
				wantError(t, err, test.want)
			} else if err != nil || got.Digest != img.Digest || got.Name != name {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	images, err := s.Images()
	if len(images) != 2 {
		t.Errorf("the list is %v", images)
	}
	wantError(t, err, "0 of its 2 images")
	// An artifact is no image, and its blobs stay.
	config := s.putBlob(t, []byte("{}"))
	d, err := s.writeJSON(types.OCIManifestSchema1, v1.Manifest{SchemaVersion: 2, ArtifactType: "text/plain", Config: v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: config, Size: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.change(t.Context(), func(index *v1.IndexManifest) error { setName(index, d, "notes:1"); return nil }); err != nil {
		t.Fatal(err)
	}
	if images, _ := s.Images(); len(images) != 2 {
		t.Errorf("the list is %v", images)
	}
	if p, err := s.Prune(t.Context(), 0); err != nil || p.Blobs != 0 {
		t.Errorf("pruned %+v, %v", p, err)
	}
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
