// SPDX-License-Identifier: MIT

package container_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/container/image"
)

// The test binary is an engine too: it "builds" nothing, and puts an image that is at
// hand into the layout. A file in its folder says how it goes.
const engineEnv = "ENSEMBLE_TEST_ENGINE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(engineEnv); dir != "" {
		os.Exit(engine(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func engine(dir string, args []string) int {
	log, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 9
	}
	fmt.Fprintln(log, args[0])
	switch how, _ := os.ReadFile(filepath.Join(dir, args[0])); {
	case strings.HasPrefix(string(how), "fail"):
		fmt.Println("something is wrong")
		return 3
	case strings.HasPrefix(string(how), "hang"):
		fmt.Println("hanging")
		time.Sleep(time.Minute)
	}
	if args[0] == "inspect" {
		fmt.Fprintln(os.Stderr, "level=warning msg=nothing")
		fmt.Println("sha256:" + strings.Repeat("a", 64))
		return 0
	}
	if args[0] != "push" {
		return 0
	}
	_, to, _ := strings.Cut(args[len(args)-1], "oci:")
	layout, ref, _ := strings.Cut(to, ":")
	if err := put(filepath.Join(dir, "image"), layout, ref); err != nil {
		fmt.Println(err)
		return 4
	}
	return 0
}

// put adds the image of one layout to another, as engines do: without a lock.
func put(from, to, ref string) error {
	if err := filepath.WalkDir(filepath.Join(from, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, "blobs", "sha256", d.Name()), b, 0o644)
	}); err != nil {
		return err
	}
	var here, there struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		Manifests     []map[string]any `json:"manifests"`
	}
	for file, into := range map[string]any{from: &here, to: &there} {
		b, err := os.ReadFile(filepath.Join(file, "index.json"))
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			return err
		}
	}
	m := here.Manifests[0]
	m["annotations"] = map[string]any{"org.opencontainers.image.ref.name": ref}
	there.Manifests = append(there.Manifests, m)
	b, err := json.Marshal(there)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "index.json"), b, 0o644)
}

// workshop is a builder with that engine.
type workshop struct {
	*container.Builder
	dir   string
	point *container.Point
}

func newWorkshop(t *testing.T, files map[string]string) *workshop {
	t.Helper()
	w := &workshop{dir: t.TempDir()}
	t.Setenv(engineEnv, w.dir)
	var err error
	if w.point, err = matrix(t).Point("netpipe:debian-debian12-mpich4-none-amd64"); err != nil {
		t.Fatal(err)
	}
	w.image(t, files)
	store, err := container.Open(filepath.Join(w.dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	w.Builder = &container.Builder{Store: store, Engine: container.Engine{Name: "buildah", Program: os.Args[0]}}
	return w
}

// image says what the engine makes.
func (w *workshop) image(t *testing.T, files map[string]string) {
	t.Helper()
	at := filepath.Join(w.dir, "image")
	if err := os.RemoveAll(at); err != nil {
		t.Fatal(err)
	}
	s, err := image.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	archive := tar.NewWriter(&b)
	for _, dir := range []string{"opt/", "opt/ensemble/", "opt/ensemble/share/", "bin/", "etc/"} {
		if err := archive.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	archive.Close()
	if _, err := s.ImportRoot(t.Context(), &b, "made:1", image.RootOptions{Architecture: "amd64"}); err != nil {
		t.Fatal(err)
	}
}

func (w *workshop) how(t *testing.T, step, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, step), []byte(what), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *workshop) calls(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "calls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

var packaged = map[string]string{"opt/ensemble/share/packages": "libc6\t2.36\tamd64\n", "bin/sh": "#!"}

func TestABuildIsKeptWithWhatItResolved(t *testing.T) {
	w := newWorkshop(t, packaged)
	b, done, err := w.Build(t.Context(), w.point)
	if err != nil || !done {
		t.Fatalf("got %v, %v", done, err)
	}
	if got := b.Resolved.Bases["debian12"]; got != "sha256:"+strings.Repeat("a", 64) {
		t.Errorf("the base has the digest %q; what an engine warns of is none", got)
	}
	if w.calls(t) != "bud push inspect inspect" {
		t.Errorf("the engine was called for %q", w.calls(t))
	}
	images, err := w.Store.Images.Images()
	if err != nil || len(images) != 1 || images[0].Name != w.point.Name() || images[0].Digest != b.Digest {
		t.Errorf("the store has %+v (%v), want the point's alone", images, err)
	}
	if _, done, err := w.Build(t.Context(), w.point); err != nil || done {
		t.Errorf("a second build did something: %v, %v", done, err)
	}
}

func TestAnInterruptedBuildIsNoFailedOne(t *testing.T) {
	w := newWorkshop(t, packaged)
	cause := errors.New("interrupted")
	for _, step := range []string{"", "bud", "push"} { // before the first, in it, behind it
		ctx, cancel := context.WithCancelCause(t.Context())
		if step == "" {
			cancel(cause)
		} else {
			w.how(t, step, "hang")
			w.Progress = func(line string) {
				if line == "hanging" {
					cancel(cause)
				}
			}
		}
		_, _, err := w.Build(ctx, w.point)
		cancel(nil)
		var broken *container.BuildError
		if !errors.Is(err, cause) || errors.As(err, &broken) {
			t.Errorf("interrupted at %q: got %v, want %v", step, err, cause)
		}
	}
	if b, err := w.Store.Build(w.point); err != nil || b != nil {
		t.Errorf("there is a build: %+v, %v", b, err)
	}
}

func TestTheImageThatWasThereStaysWhenABuildFails(t *testing.T) {
	w := newWorkshop(t, packaged)
	before, _, err := w.Build(t.Context(), w.point)
	if err != nil {
		t.Fatal(err)
	}
	w.Bases = map[string]string{"debian12": "example.org/other:1"} // so that there is something to do
	for _, c := range []struct {
		name  string
		ready func()
	}{
		{"a step fails", func() { w.how(t, "bud", "fail") }},
		{"the push fails", func() { w.how(t, "bud", ""); w.how(t, "push", "fail") }},
		{"what was made cannot be described", func() {
			w.how(t, "push", "")
			w.image(t, map[string]string{"bin/sh": "#! another"})
		}},
	} {
		c.ready()
		if _, _, err := w.Build(t.Context(), w.point); err == nil {
			t.Errorf("%s: there is no error", c.name)
		}
		now, err := w.Store.Build(w.point)
		if err != nil || now == nil || now.Digest != before.Digest {
			t.Errorf("%s: the build is %+v (%v), want the one before", c.name, now, err)
		}
		images, err := w.Store.Images.Images()
		if err != nil || len(images) != 1 || images[0].Digest != before.Digest {
			t.Errorf("%s: the store has %+v (%v), want the one before", c.name, images, err)
		}
	}
}

func TestALockKeepsTheBasesOfItsBuild(t *testing.T) {
	w := newWorkshop(t, packaged)
	pinned := "sha256:" + strings.Repeat("b", 64)
	w.Lock = &container.Locked{Bases: map[string]string{"debian12": pinned, "debian13": pinned}, Packages: []container.Package{{Name: "libc6", Version: "2.36", Architecture: "amd64"}}}
	b, _, err := w.Build(t.Context(), w.point)
	if err != nil {
		t.Fatal(err)
	}
	if b.Resolved.Bases["debian12"] != pinned || b.Resolved.Bases["debian13"] != pinned {
		t.Errorf("the build has the bases %v, want those of the lock", b.Resolved.Bases)
	}
	again, err := container.Render(w.point, container.RenderOptions{Lock: &b.Resolved})
	if err != nil || again.Digest() != b.Context {
		t.Errorf("what the build resolved renders as %v (%v), want %s: it would be stale at once", again.Digest(), err, b.Context)
	}
}

func TestWhatIsSeenOfAnImageIsNotSaidOfAnother(t *testing.T) {
	w := newWorkshop(t, packaged)
	old, _, err := w.Build(t.Context(), w.point)
	if err != nil {
		t.Fatal(err)
	}
	w.Bases = map[string]string{"debian12": "example.org/other:1"}
	w.image(t, map[string]string{"opt/ensemble/share/packages": "libc6\t2.37\tamd64\n", "bin/sh": "#!"})
	now, _, err := w.Build(t.Context(), w.point)
	if err != nil || now.Digest == old.Digest {
		t.Fatalf("built %s (%v), want another image", now.Digest, err)
	}
	if err := w.Store.SaveVerified(w.point, old, &container.Verified{}); err == nil || !strings.Contains(err.Error(), "built anew") {
		t.Errorf("got %v, want that it was built anew", err)
	}
	if b, err := w.Store.Build(w.point); err != nil || b.Digest != now.Digest || b.Verified != nil {
		t.Errorf("the build is %+v (%v)", b, err)
	}
}
