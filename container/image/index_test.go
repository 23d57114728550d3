// SPDX-License-Identifier: MIT

package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t)
	a := put(t, s, "a:1", tarOf(t, file{"a", "1"}))
	b := put(t, s, "b:1", tarOf(t, file{"b", "2"}))
	names := func() map[string]string {
		images, err := s.Images()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, img := range images {
			m[img.Name] = img.Digest
		}
		return m
	}
	steps := []struct {
		name string
		do   func() error
		want map[string]string
	}{
		{"a second name", func() error { return s.Name(ctx, "a:1", "base:mine") }, map[string]string{"a:1": a.Digest, "b:1": b.Digest, "base:mine": a.Digest}},
		{"a name by digest moves", func() error { return s.Name(ctx, b.Digest, "base:mine") }, map[string]string{"a:1": a.Digest, "b:1": b.Digest, "base:mine": b.Digest}},
		{"a name is removed", func() error { return s.Remove(ctx, "b:1") }, map[string]string{"a:1": a.Digest, "base:mine": b.Digest}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, names()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	for _, err := range []error{s.Remove(ctx, "b:1"), s.Remove(ctx, ""), s.Name(ctx, "none:1", "c:1")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("the error is %v, want %v", err, ErrNotFound)
		}
	}
	if _, err := s.Image(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("an image without a name: %v", err)
	}
	for _, name := range []string{"", "a b", "../x", "/abs", "a:", "-x", "a\nb", "sha256:" + strings.Repeat("0", 64), strings.Repeat("a", 300)} {
		if err := s.Name(ctx, "a:1", name); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestManyChangeTheIndexAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := Open(dir) // as a process of its own would
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 3 {
				if _, err := s.Dummy(t.Context(), fmt.Sprintf("dummy:%d-%d", i, j), DummyOptions{Size: 8192, Seed: uint64(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	images, err := s.Images()
	if err != nil || len(images) != 24 {
		t.Errorf("%d images, %v, want 24", len(images), err)
	}
}

func TestALockIsWaitedForUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, "a:1", tarOf(t, file{"a", "1"}))
	unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextFor(t, 50*time.Millisecond)
	defer cancel()
	wantError(t, s.Remove(ctx, "a:1"), "deadline exceeded")
	_, err = s.Prune(ctx, 0)
	wantError(t, err, "deadline exceeded")
	unlock()
	if err := s.Remove(t.Context(), "a:1"); err != nil {
		t.Error(err)
	}
}

func TestPruneKeepsWhatIsReached(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t)
	shared := tarOf(t, file{"shared", "1"})
	a := put(t, s, "a:1", shared, tarOf(t, file{"a", "1"}))
	b := put(t, s, "b:1", shared, tarOf(t, file{"b", "22"}))
	if p, err := s.Prune(ctx, 0); err != nil || p != (Pruned{}) {
		t.Fatalf("pruned %+v, %v, want nothing", p, err)
	}
	kept, err := s.Unpack(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := s.Unpack(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "b:1"); err != nil {
		t.Fatal(err)
	}
	left, err := s.newBlob() // of a writer that was killed
	if err != nil {
		t.Fatal(err)
	}
	left.f.Close()
	if p, err := s.Prune(ctx, time.Hour); err != nil || p != (Pruned{}) {
		t.Errorf("pruned %+v, %v, want nothing: all is young", p, err)
	}
	p, err := s.Prune(ctx, 0)
	if err != nil || p.Blobs != 4 || p.Unpacked != 1 {
		t.Errorf("pruned %+v, %v, want a manifest, a config, a layer and a leftover, and one image's files", p, err)
	}
	if _, err := os.Stat(filepath.Join(kept, "a")); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Dir(gone)); err != nil || len(entries) != 3 {
		t.Errorf("there are %v (%v), want one image, when it was used, and the mount point", entries, err)
	}
	if _, err := s.ReadFile(ctx, a, "shared"); err != nil {
		t.Error(err)
	}
	// Of a manifest that cannot be read nothing is known.
	if err := os.WriteFile(s.path("blobs", strings.Replace(a.Digest, ":", "/", 1)), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Prune(ctx, 0); err == nil || p.Blobs != 0 {
		t.Errorf("pruned %+v, %v of a damaged store", p, err)
	}
}
