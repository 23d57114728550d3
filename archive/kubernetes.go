// SPDX-License-Identifier: MIT

package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/klauspost/compress/zstd"
)

// The types of what Kubernetes tells of a run, an artifact that refers to the bundle.
const (
	KubernetesType = "application/vnd.converged-computing.ensemble.kubernetes.v1"
	ObjectsType    = "application/vnd.converged-computing.ensemble.kubernetes.objects.v1.jsonl+zstd"
	EventsType     = "application/vnd.converged-computing.ensemble.kubernetes.events.v1.jsonl+zstd"
)

// KubernetesDir is where a run directory has what Kubernetes told, in objects.jsonl and
// events.jsonl.
const KubernetesDir = "kubernetes"

// maxKubernetes is how much of it is taken, in bytes.
const maxKubernetes = 256 << 20

// Kubernetes is what Kubernetes told of a run: objects as they were in the end, and events,
// one a line, in the form of its API.
type Kubernetes struct {
	Objects, Events []json.RawMessage
}

// PackKubernetes makes an artifact of what Kubernetes told, which refers to a bundle.
func PackKubernetes(ctx context.Context, store *image.Store, name string, subject image.Blob, k Kubernetes) (image.Artifact, error) {
	a := image.Artifact{Type: KubernetesType, Subject: subject}
	for _, part := range []struct {
		mediaType, file string
		lines           []json.RawMessage
	}{{ObjectsType, "objects.jsonl", k.Objects}, {EventsType, "events.jsonl", k.Events}} {
		r, w := io.Pipe()
		go func() { w.CloseWithError(writeLines(w, part.lines)) }()
		b, err := store.Write(ctx, part.mediaType, r)
		r.Close()
		if err != nil {
			return image.Artifact{}, fmt.Errorf("packing %s: %w", part.file, err)
		}
		b.Annotations = map[string]string{title: part.file}
		a.Blobs = append(a.Blobs, b)
	}
	return store.Compose(ctx, name, a)
}

func writeLines(to io.Writer, lines []json.RawMessage) error {
	w, err := zstd.NewWriter(to)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if _, err := w.Write(append(slices.Clip(l), '\n')); err != nil {
			return err
		}
	}
	return w.Close()
}

// UnpackKubernetes writes it into a run directory.
func UnpackKubernetes(ctx context.Context, store *image.Store, a image.Artifact, dir string) error {
	if a.Type != KubernetesType {
		return fmt.Errorf("%s is of the type %q, want %q", a.Digest, a.Type, KubernetesType)
	}
	at := filepath.Join(dir, KubernetesDir)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	for _, b := range a.Blobs {
		file := map[string]string{ObjectsType: "objects.jsonl", EventsType: "events.jsonl"}[b.MediaType]
		if file == "" {
			continue // of a later version
		}
		if err := store.ReadBlob(ctx, b, maxKubernetes, func(r io.Reader) error { return writeFile(filepath.Join(at, file), r) }); err != nil {
			return fmt.Errorf("unpacking %s: %w", file, err)
		}
	}
	return nil
}

// writeFile has a file whole or not at all.
func writeFile(path string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// FetchKubernetes brings what Kubernetes told of a bundle of a registry. ok is false where
// it has none.
func FetchKubernetes(ctx context.Context, store *image.Store, ref, bundle string, opts image.PushOptions) (a image.Artifact, ok bool, err error) {
	list, err := image.Referrers(ctx, ref, bundle, opts)
	if err != nil {
		return a, false, err
	}
	i := slices.IndexFunc(list, func(r image.Referrer) bool { return r.Type == KubernetesType })
	if i < 0 {
		return a, false, nil
	}
	of, err := image.Sibling(ref, list[i].Digest)
	if err != nil {
		return a, false, err
	}
	a, err = store.FetchArtifact(ctx, of, image.FetchOptions{PushOptions: opts, Type: KubernetesType, MaxSize: maxKubernetes})
	return a, err == nil, err
}
