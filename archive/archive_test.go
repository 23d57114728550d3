// SPDX-License-Identifier: MIT

package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/archive"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func someEnsemble() *spec.Ensemble {
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "some"}}
	return &spec.Ensemble{Header: h, Spec: spec.EnsembleSpec{Groups: []spec.Group{{Name: "g", Command: []string{"true"}}}}}
}

// someRun is a run of three jobs, one of which failed, with files and what is left out.
func someRun(t *testing.T) (run.Dir, *spec.Ensemble) {
	t.Helper()
	e := someEnsemble()
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), e)
	if err != nil {
		t.Fatal(err)
	}
	x := &runtest.Executor{Slots: 2, Do: func(job *ensemble.Job, _ int) runtest.Attempt {
		if job.ID == "bad" {
			return runtest.Attempt{Status: ensemble.Failed}
		}
		return runtest.Attempt{Stdout: "hello from " + job.ID + "\n"}
	}}
	if _, err := (&run.Driver{Dir: d, Executor: x, Environment: &run.Environment{Hostname: "here"}}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
		for _, id := range []string{"a", "b", "bad"} {
			if !yield(runtest.Job(id, "true"), nil) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	write(t, d, "jobs/a/1/files/deep/out.txt", "asked for\n")
	write(t, d, "jobs/a/1/files/.hidden", "asked for too\n")
	write(t, d, "jobs/a/1/work/huge", "left out\n")
	write(t, d, "jobs/a/1/lock", "1\n")
	write(t, d, ".exit.json-1234", "cut off\n")
	return d, e
}

func write(t *testing.T, d run.Dir, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(d.Path(name)), 0o755), os.WriteFile(d.Path(name), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func openStore(t *testing.T) *image.Store {
	t.Helper()
	s, err := image.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pack(t *testing.T, s *image.Store, d run.Dir, e *spec.Ensemble) image.Artifact {
	t.Helper()
	a, err := archive.Pack(t.Context(), s, "some:1", d, e)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// filesOf gives the files below a folder with their content.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestARunComesBackFromARegistryAsItWas(t *testing.T) {
	t.Parallel()
	d, e := someRun(t)
	registry, err := image.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	ref := registry.Address + "/runs/some:1"
	s := openStore(t)
	a := pack(t, s, d, e)
	digest, err := s.PushArtifact(t.Context(), a, ref, image.PushOptions{})
	if err != nil || digest != a.Digest {
		t.Fatalf("pushed %s, %v, want %s", digest, err, a.Digest)
	}

	other := openStore(t)
	got, err := archive.Fetch(t.Context(), other, ref, archive.Limits{}, image.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, got); diff != "" {
		t.Errorf("the artifact came back as another (-sent +got):\n%s", diff)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := archive.Unpack(t.Context(), other, got, again, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	want := filesOf(t, string(d))
	for _, name := range []string{"jobs/a/1/work/huge", "jobs/a/1/lock", ".exit.json-1234"} {
		if _, ok := want[name]; !ok {
			t.Errorf("the run has no %s: the test shows nothing of it", name)
		}
		delete(want, name)
	}
	delete(want, run.RecordsFile)
	if diff := cmp.Diff(want, filesOf(t, again)); diff != "" {
		t.Errorf("the run came back as another (-was +is):\n%s", diff)
	}
	c, err := archive.ReadConfig(t.Context(), other, got)
	if err != nil {
		t.Fatal(err)
	}
	if sum := c.Summary; sum.Jobs != 3 || sum.Status[ensemble.Succeeded] != 2 || sum.Failed() != 1 || sum.Records != 3 || !sum.Finished || sum.Name != "some" {
		t.Errorf("the summary is %+v", sum)
	}
	if got.Annotations[archive.SucceededAnnotation] != "2" || got.Annotations[archive.FailedAnnotation] != "1" || got.Annotations["org.opencontainers.image.created"] == "" {
		t.Errorf("the annotations are %v", got.Annotations)
	}
	// What is packed again is the same bundle, from either place.
	if _, e2, err := run.Open(again); err != nil {
		t.Error(err)
	} else if b := pack(t, openStore(t), run.Dir(again), e2); b.Digest != a.Digest {
		t.Errorf("what was unpacked is packed as %s, want %s", b.Digest, a.Digest)
	}
}

func TestARunWithADriverIsNotPacked(t *testing.T) {
	t.Parallel()
	d, e := someRun(t)
	j, err := run.OpenJournal(d.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := archive.Pack(t.Context(), openStore(t), "some:1", d, e); !errors.Is(err, run.ErrLocked) {
		t.Errorf("got %v, want %v", err, run.ErrLocked)
	}
}

func TestManyFilesAreInSeveralLayers(t *testing.T) {
	t.Parallel()
	d, e := someRun(t)
	block := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for i := range 70 {
		write(t, d, fmt.Sprintf("jobs/b/1/files/%03d", i), block)
	}
	s := openStore(t)
	a := pack(t, s, d, e)
	n := 0
	for _, b := range a.Blobs {
		if b.MediaType == archive.FilesType {
			n++
		}
	}
	if n != 3 {
		t.Errorf("70 MiB are in %d layers, want 3", n)
	}
	if a.Size > 1<<20 {
		t.Errorf("the bundle has %d bytes: it is not compressed", a.Size)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := archive.Unpack(t.Context(), s, a, again, archive.Limits{}); err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, again)["jobs/b/1/files/069"]; got != block {
		t.Error("a file of the last layer is not what it was")
	}
	// Somebody who allows less gets nothing.
	small := filepath.Join(t.TempDir(), "small")
	if err := archive.Unpack(t.Context(), s, a, small, archive.Limits{Bytes: 1 << 20}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v, want a refusal", err)
	}
}

// hostile composes a bundle of a config and layers that somebody made up.
func hostile(t *testing.T, s *image.Store, c archive.Config, layers map[string][]byte) image.Artifact {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.Write(t.Context(), archive.ConfigType, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	a := image.Artifact{Type: archive.ArtifactType, Config: config}
	for _, mediaType := range slices.Sorted(maps.Keys(layers)) {
		var z bytes.Buffer
		w, err := zstd.NewWriter(&z)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(layers[mediaType]); err != nil {
			t.Fatal(err)
		}
		w.Close()
		b, err := s.Write(t.Context(), mediaType, &z)
		if err != nil {
			t.Fatal(err)
		}
		a.Blobs = append(a.Blobs, b)
	}
	if a, err = s.Compose(t.Context(), "hostile:1", a); err != nil {
		t.Fatal(err)
	}
	return a
}

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestHostileBundlesLeaveNothing(t *testing.T) {
	t.Parallel()
	var input bytes.Buffer
	if err := spec.Encode(&input, someEnsemble()); err != nil {
		t.Fatal(err)
	}
	good := archive.Config{Ensemble: input.String(), Summary: archive.Summary{Files: 3, Bytes: int64(input.Len()) + 100}}
	said := func(files int, bytes int64) archive.Config {
		c := good
		c.Summary.Files, c.Summary.Bytes = files, bytes
		return c
	}
	file := func(name string, size int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}
	}
	for _, c := range []struct {
		name   string
		config archive.Config
		files  []byte
		err    string
	}{
		{"a path that leads out", good, tarOf(t, file("../out", 1)), `"../out" is no name of a file in a run directory`},
		{"an absolute path", good, tarOf(t, file("/etc/out", 1)), "is no name of a file"},
		{"a path that is not clean", good, tarOf(t, file("jobs/../jobs/a/1/stdout", 1)), "is no name of a file"},
		{"another journal", good, tarOf(t, file("journal.jsonl", 1)), "is no name of a file"},
		{"a lock", good, tarOf(t, file("jobs/a/1/lock", 1)), "is no name of a file"},
		{"a link", good, tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "jobs/a", Linkname: "/etc"}), `"jobs/a" is no regular file`},
		{"a file twice", good, tarOf(t, file("jobs/a/1/stdout", 1), file("jobs/a/1/stdout", 1)), "twice"},
		{"a file in the place of a folder", good, tarOf(t, file("jobs/a/1", 1), file("jobs/a/1/stdout", 1)), "file exists"},
		{"more than it says", good, tarOf(t, file("jobs/a/1/stdout", 101)), "larger than it says"},
		{"a bomb", good, tarOf(t, file("jobs/a/1/stdout", 300<<20)), "larger than it says"},
		{"more files than it says", said(2, 1000+int64(input.Len())), tarOf(t, file("jobs/a/1/stdout", 1), file("jobs/a/1/stderr", 1)), "more files than it says"},
		{"more than anybody takes", said(3, 1<<50), nil, "at most"},
		{"an ensemble that is none", archive.Config{Ensemble: "kind: Nothing\n", Summary: good.Summary}, nil, "holds no run that can be read"},
		{"something that is no archive", good, []byte("nothing"), "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			layers := map[string][]byte{}
			if c.files != nil {
				layers[archive.FilesType] = c.files
			}
			a := hostile(t, s, c.config, layers)
			parent := t.TempDir()
			err := archive.Unpack(t.Context(), s, a, filepath.Join(parent, "run"), archive.Limits{})
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want an error with %q", err, c.err)
			}
			if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
				t.Errorf("left is %v (%v)", entries, err)
			}
		})
	}
	t.Run("and the same without anything hostile is taken", func(t *testing.T) {
		t.Parallel()
		s := openStore(t)
		a := hostile(t, s, good, map[string][]byte{archive.FilesType: tarOf(t, file("jobs/a/1/stdout", 1)), archive.JournalType: nil})
		if err := archive.Unpack(t.Context(), s, a, filepath.Join(t.TempDir(), "run"), archive.Limits{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a layer of an unknown type", func(t *testing.T) {
		t.Parallel()
		s := openStore(t)
		a := hostile(t, s, good, map[string][]byte{"text/plain": []byte("x")})
		if err := archive.Unpack(t.Context(), s, a, filepath.Join(t.TempDir(), "run"), archive.Limits{}); err == nil || !strings.Contains(err.Error(), "does not know") {
			t.Errorf("got %v", err)
		}
	})
}

func TestADirectoryThatHoldsSomethingStays(t *testing.T) {
	t.Parallel()
	d, e := someRun(t)
	s := openStore(t)
	a := pack(t, s, d, e)
	before := filesOf(t, string(d))
	if err := archive.Unpack(t.Context(), s, a, string(d), archive.Limits{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v, want a refusal", err)
	}
	if diff := cmp.Diff(before, filesOf(t, string(d))); diff != "" {
		t.Error(diff)
	}
	empty := t.TempDir()
	if err := archive.Unpack(t.Context(), s, a, empty, archive.Limits{}); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestADamagedBundleIsNotUnpacked(t *testing.T) {
	t.Parallel()
	d, e := someRun(t)
	s := openStore(t)
	a := pack(t, s, d, e)
	for _, b := range a.Blobs {
		if b.MediaType != archive.JournalType {
			continue
		}
		path := filepath.Join(s.Dir(), "blobs", strings.Replace(b.Digest, ":", "/", 1))
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-1] ^= 1
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var damaged *image.DamagedError
	again := filepath.Join(t.TempDir(), "again")
	if err := archive.Unpack(t.Context(), s, a, again, archive.Limits{}); !errors.As(err, &damaged) {
		t.Errorf("got %v, want that it is damaged", err)
	}
	if _, err := os.Stat(again); err == nil {
		t.Error("a directory was made all the same")
	}
}

func TestWhatIsNoBundleIsRefused(t *testing.T) {
	t.Parallel()
	registry, err := image.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	s := openStore(t)
	b, err := s.Write(t.Context(), "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Compose(t.Context(), "other:1", image.Artifact{Type: "application/vnd.example.other", Blobs: []image.Blob{b}})
	if err != nil {
		t.Fatal(err)
	}
	ref := registry.Address + "/other:1"
	if _, err := s.PushArtifact(t.Context(), a, ref, image.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Fetch(t.Context(), openStore(t), ref, archive.Limits{}, image.PushOptions{}); err == nil || !strings.Contains(err.Error(), `it is of the type "application/vnd.example.other"`) {
		t.Errorf("got %v, want a refusal", err)
	}
	if err := archive.Unpack(t.Context(), s, a, filepath.Join(t.TempDir(), "run"), archive.Limits{}); err == nil {
		t.Error("it was unpacked")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, e := someRun(t)
	bundle := pack(t, s, d, e)
	if _, err := s.PushArtifact(ctx, bundle, registry.Address+"/runs:1", image.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Fetch(ctx, openStore(t), registry.Address+"/runs:1", archive.Limits{Bytes: 100}, image.PushOptions{}); err == nil || !strings.Contains(err.Error(), "at most 100 are taken") {
		t.Errorf("got %v, want a refusal of its size", err)
	}
}
