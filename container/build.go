// SPDX-License-Identifier: MIT

package container

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/container/image"
)

// Builder builds points into a store.
type Builder struct {
	Store  *Store
	Engine Engine
	// Bases are images or root file systems (tar archives) to start from in place of
	// the parts' own, by the name of the base.
	Bases map[string]string
	// Lock is what an earlier build of the point resolved; nil takes what there is.
	Lock *Locked
	// Progress is told what the engine says, a line at a time; nil is nobody.
	Progress func(line string)
}

// BuildError says that a build failed.
type BuildError struct {
	Point string
	// Log is the file with all that the engine said, Tail its last lines.
	Log  string
	Tail []string
	Err  error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("building %s: %v; the last lines of %s:\n    %s", e.Point, e.Err, e.Log, strings.Join(e.Tail, "\n    "))
}

func (e *BuildError) Unwrap() error { return e.Err }

// Build builds a point. Where its image is there and nothing that it is made from has
// changed, there is nothing to do, and done is false. A build that fails leaves its log
// and the image that was there before.
func (b *Builder) Build(ctx context.Context, p *Point) (build *Build, done bool, err error) {
	bases, err := b.bases(p)
	if err != nil {
		return nil, false, err
	}
	rendered, err := Render(p, RenderOptions{Bases: bases, Lock: b.Lock})
	if err != nil {
		return nil, false, err
	}
	digest := rendered.Digest()
	if build, err = b.Store.Build(p); err != nil || build != nil && build.Context == digest {
		return build, false, err
	}
	release, err := b.Store.lock(p)
	if err != nil {
		return nil, false, err
	}
	defer release()
	// Another process may have built it meanwhile.
	if build, err = b.Store.Build(p); err != nil || build != nil && build.Context == digest {
		return build, false, err
	}
	build = &Build{Point: p.Name(), Context: digest, Bases: bases, Locked: b.Lock != nil, Engine: b.Engine.Name, Began: time.Now()}
	// Until all is known of the new image it has a name of its own, so that the one
	// that was there before stays whatever happens.
	half := p.Name() + "-half"
	defer func() { _ = b.Store.Images.Remove(context.WithoutCancel(ctx), half) }()
	if err := b.carryOut(ctx, p, half, rendered, bases); err != nil {
		return nil, false, err
	}
	build.Resolved.Bases = b.Engine.baseDigests(ctx, p, bases, b.Lock)
	if err := b.describe(ctx, p, half, build); err != nil {
		return nil, false, err
	}
	if err := b.Store.Images.Name(ctx, build.Digest, p.Name()); err != nil {
		return nil, false, err
	}
	return build, true, b.Store.save(p, build)
}

// carryOut has the engine build and put the image into the store.
func (b *Builder) carryOut(ctx context.Context, p *Point, ref string, rendered *Context, bases map[string]string) error {
	dir, err := os.MkdirTemp("", "ensemble-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	j := job{
		dir: filepath.Join(dir, "context"), arch: p.Arch, name: "localhost/ensemble/" + p.Name(),
		layout: b.Store.Layout(), ref: ref, file: filepath.Join(dir, "image.tar"),
	}
	if err := rendered.Write(j.dir); err != nil {
		return err
	}
	if err := b.link(bases, j.dir); err != nil {
		return err
	}
	file, err := os.Create(b.Store.LogFile(p))
	if err != nil {
		return err
	}
	defer file.Close()
	log := &logWriter{to: file, tell: b.Progress}
	commands, archive := b.Engine.commands(j)
	for _, args := range commands {
		unlock := func() {}
		if args[0] == "push" { // it writes into the store
			if unlock, err = b.Store.Images.Lock(ctx); err != nil {
				return err
			}
		}
		err := b.Engine.run(ctx, args, log, log)
		unlock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return log.failed(p, fmt.Errorf("running %s %s: %w", b.Engine.Name, args[0], err))
		}
	}
	if archive {
		return b.Store.importArchive(ctx, j)
	}
	return nil
}

// describe fills in what is known of the image that was built.
func (b *Builder) describe(ctx context.Context, p *Point, ref string, build *Build) error {
	img, err := b.Store.Images.Image(ref)
	if err != nil {
		return err
	}
	build.Digest, build.Size, build.Built = img.Digest, img.Size, time.Now()
	text, err := b.Store.Images.ReadFile(ctx, img, PackageList)
	if err != nil {
		return fmt.Errorf("reading the package list of %s: %w", p.Name(), err)
	}
	if build.Resolved.Packages, err = ParsePackages(string(text)); err != nil {
		return fmt.Errorf("%s: %w", p.Name(), err)
	}
	sbom, err := json.MarshalIndent(SBOM(p, build), "", "  ")
	if err != nil {
		return err
	}
	return writeFile(b.Store.SBOMFile(p), append(sbom, '\n'))
}

// contextTime is the time of every file of a context, so that it is the same folder
// whenever it is written.
var contextTime = time.Unix(0, 0)

// Write writes the files into a folder.
func (c *Context) Write(dir string) error {
	folders := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("got the file %q, want a path inside the folder", name)
		}
		to := filepath.Join(dir, name)
		if parent := filepath.Dir(to); !folders[parent] {
			if err := os.MkdirAll(parent, 0o755); err != nil {
				return err
			}
			for ; !folders[parent] && len(parent) > len(dir); parent = filepath.Dir(parent) {
				folders[parent] = true
			}
		}
		if err := os.WriteFile(to, c.Files[name], 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(to, contextTime, contextTime); err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := os.Chtimes(folder, contextTime, contextTime); err != nil {
			return err
		}
	}
	return nil
}

// tailLines is how much of a log an error shows.
const tailLines = 15

// logWriter keeps a log and its last lines.
type logWriter struct {
	to   io.Writer
	tell func(string)
	part []byte
	tail []string
}

func (w *logWriter) Write(text []byte) (int, error) {
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	s := bufio.NewScanner(strings.NewReader(string(append(w.part, text...))))
	s.Buffer(nil, len(w.part)+len(text)+1)
	var lines []string
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	w.part = nil
	if len(text) > 0 && text[len(text)-1] != '\n' && len(lines) > 0 {
		w.part = []byte(lines[len(lines)-1])
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		if w.tail = append(w.tail, line); len(w.tail) > tailLines {
			w.tail = w.tail[1:]
		}
		if w.tell != nil {
			w.tell(line)
		}
	}
	return len(text), nil
}

// failed makes an error of a failed step.
func (w *logWriter) failed(p *Point, err error) error {
	tail := w.tail
	if len(w.part) > 0 {
		tail = append(tail, string(w.part))
	}
	log := ""
	if f, ok := w.to.(*os.File); ok {
		log = f.Name()
	}
	return &BuildError{Point: p.Name(), Log: log, Tail: tail, Err: err}
}

// importArchive takes the archive that an engine wrote into the store.
func (s *Store) importArchive(ctx context.Context, j job) error {
	f, err := os.Open(j.file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = s.Images.Import(ctx, f, j.ref, image.ImportOptions{Architecture: j.arch})
	return err
}
