// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

// buildx writes an index in index.json where it adds an attestation; docker save
// lists an image once for each tag.
func TestImportOfWhatDockerWrites(t *testing.T) {
	t.Parallel()
	from := open(t)
	img := put(t, from, "whatever:1", tarOf(t, file{"a", "1"}))
	index, err := from.index()
	if err != nil {
		t.Fatal(err)
	}
	d := index.Manifests[0]
	tagged := d
	tagged.Annotations = map[string]string{refName: "2"}
	attestation := d
	attestation.Digest = from.putBlob(t, []byte("{}"))
	attestation.Size = 2
	attestation.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	attestation.Annotations = map[string]string{referenceType: "attestation-manifest"}
	nested, err := from.writeJSON(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{d, attestation}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		manifests []v1.Descriptor
	}{
		{"an index with an attestation", []v1.Descriptor{nested}},
		{"an image with two tags", []v1.Descriptor{d, tagged}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := layoutTar(t, from, map[string]string{indexFile: string(mustJSON(t, v1.IndexManifest{SchemaVersion: 2, Manifests: test.manifests}))})
			got, err := open(t).Import(t.Context(), bytes.NewReader(b), "a:1", ImportOptions{})
			if err != nil || got.Digest != img.Digest {
				t.Errorf("imported %+v, %v", got, err)
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
