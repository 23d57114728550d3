// SPDX-License-Identifier: MIT

package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/run"
)

// Limits are how large a bundle may be that somebody else made.
type Limits struct {
	// Bytes is what it may have, packed and unpacked each; 0 is 64 GiB.
	Bytes int64
	// Files is how many it may have; 0 is ten million.
	Files int
}

const (
	defaultBytes = 64 << 30
	defaultFiles = 10_000_000
	// maxConfig limits what is read into memory: a resolved ensemble has decks in it.
	maxConfig = 256 << 20
)

func (l Limits) bytes() int64 {
	if l.Bytes > 0 {
		return l.Bytes
	}
	return defaultBytes
}

func (l Limits) files() int {
	if l.Files > 0 {
		return l.Files
	}
	return defaultFiles
}

// Fetch brings a bundle from a registry into the store, where the reference names it.
func Fetch(ctx context.Context, store *image.Store, ref string, limits Limits, opts image.PushOptions) (image.Artifact, error) {
	return store.FetchArtifact(ctx, ref, image.FetchOptions{PushOptions: opts, Type: ArtifactType, MaxSize: limits.bytes()})
}

// ReadConfig reads the config of a bundle of the store.
func ReadConfig(ctx context.Context, store *image.Store, a image.Artifact) (c Config, err error) {
	if a.Type != ArtifactType || a.Config.MediaType != ConfigType {
		return c, fmt.Errorf("%s is of the type %q with a config %q, want %q with %q", a.Digest, a.Type, a.Config.MediaType, ArtifactType, ConfigType)
	}
	err = store.ReadBlob(ctx, a.Config, maxConfig, func(r io.Reader) error {
		b, err := io.ReadAll(r)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		return err
	})
	return c, err
}

// Unpack makes a run directory of a bundle of the store. A directory that holds
// anything is refused.
func Unpack(ctx context.Context, store *image.Store, a image.Artifact, dir string, limits Limits) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("unpacking %s: %w", a.Digest, err)
		}
	}()
	c, err := ReadConfig(ctx, store, a)
	if err != nil {
		return err
	}
	if s := c.Summary; s.Bytes > limits.bytes() || s.Files > limits.files() {
		return fmt.Errorf("it has %d bytes in %d files, and at most %d in %d are taken", s.Bytes, s.Files, limits.bytes(), limits.files())
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name another directory", dir)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	u := &unpacker{ctx: ctx, store: store, left: c.Summary.Bytes, files: c.Summary.Files}
	if u.root, err = os.OpenRoot(part); err != nil {
		return err
	}
	defer u.root.Close()
	if err := u.all(c, a); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	if _, _, err := run.Open(part); err != nil {
		return fmt.Errorf("it holds no run that can be read: %w", err)
	}
	_ = os.Remove(dir) // it may be there, and empty
	return os.Rename(part, dir)
}

// unpacker writes the files of one bundle below one folder.
type unpacker struct {
	ctx   context.Context // of the one call of Unpack
	store *image.Store
	root  *os.Root
	left  int64 // bytes that the bundle said it has
	files int   // and files
}

func (u *unpacker) all(c Config, a image.Artifact) error {
	if err := u.write(run.EnsembleFile, strings.NewReader(c.Ensemble)); err != nil {
		return err
	}
	if err := u.root.Mkdir(run.JobsDir, 0o755); err != nil {
		return err
	}
	single := map[string]string{JournalType: run.JournalFile, EnvironmentType: run.EnvironmentFile}
	for _, b := range a.Blobs {
		var take func(io.Reader) error
		switch {
		case single[b.MediaType] != "":
			take = func(r io.Reader) error { return u.write(single[b.MediaType], r) }
		case b.MediaType == FilesType:
			take = u.archive
		case b.MediaType == RecordsType: // made again from the rest
			continue
		default:
			return fmt.Errorf("it has a layer of the type %q, which this version does not know", b.MediaType)
		}
		// An archive has heads beside its files: the limit below is what counts.
		if err := u.store.ReadBlob(u.ctx, b, u.left+overhead(u.files), take); err != nil {
			return err
		}
	}
	return nil
}

// overhead is what an archive of so many files may have beside their content: a head,
// padding, and a longer head where a name is long, each.
func overhead(files int) int64 { return 1<<20 + 4096*int64(files) }

// write makes one file. What is larger than the bundle said is refused.
func (u *unpacker) write(name string, r io.Reader) error {
	if u.files--; u.files < 0 {
		return errors.New("it has more files than it says")
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("it has the file %q twice", name)
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, u.left+1))
	u.left -= n
	if err == nil && u.left < 0 {
		err = fmt.Errorf("its files are larger than it says: at %q", name)
	}
	return errors.Join(err, f.Close())
}

// archive takes the files of an archive.
func (u *unpacker) archive(r io.Reader) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.ctx.Err(); err != nil {
			return context.Cause(u.ctx)
		}
		switch {
		case h.Typeflag != tar.TypeReg:
			return fmt.Errorf("%q is no regular file", h.Name)
		case !filepath.IsLocal(h.Name) || path.Clean(h.Name) != h.Name || !isKept(h.Name, false) || slices.Contains(own, h.Name):
			return fmt.Errorf("%q is no name of a file in a run directory", h.Name)
		}
		if err := u.root.MkdirAll(path.Dir(h.Name), 0o755); err != nil {
			return err
		}
		if err := u.write(h.Name, t); err != nil {
			return err
		}
		if err := u.root.Chtimes(h.Name, h.ModTime, h.ModTime); err != nil {
			return err
		}
	}
}
