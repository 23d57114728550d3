// SPDX-License-Identifier: MIT

package archive

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
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/klauspost/compress/zstd"
)

// The types of a bundle and of its parts.
const (
	ArtifactType    = "application/vnd.converged-computing.ensemble.run.v1"
	ConfigType      = "application/vnd.converged-computing.ensemble.run.config.v1+json"
	JournalType     = "application/vnd.converged-computing.ensemble.journal.v1.jsonl+zstd"
	RecordsType     = "application/vnd.converged-computing.ensemble.records.v1.jsonl+zstd"
	EnvironmentType = "application/vnd.converged-computing.ensemble.environment.v1+json"
	FilesType       = "application/vnd.converged-computing.ensemble.files.v1.tar+zstd"
)

// The annotations of a bundle, beside those of the OCI specification.
const (
	NameAnnotation         = "org.converged-computing.ensemble.name"
	ApplicationsAnnotation = "org.converged-computing.ensemble.applications" // comma-separated
	SucceededAnnotation    = "org.converged-computing.ensemble.succeeded"    // jobs
	FailedAnnotation       = "org.converged-computing.ensemble.failed"       // jobs that ended in any other way
	UnpackedAnnotation     = "org.converged-computing.ensemble.unpacked"     // bytes

	created = "org.opencontainers.image.created"
	title   = "org.opencontainers.image.title"
)

// chunkSize is how many bytes of files are in one layer, unless a single one is larger:
// enough for compression to work, and little to send again.
const chunkSize = 32 << 20

// Config is the config of a bundle.
type Config struct {
	// Ensemble is the resolved input, the run's ensemble.yaml.
	Ensemble string  `json:"ensemble"`
	Summary  Summary `json:"summary"`
}

// Summary is what a bundle says of its run.
type Summary struct {
	Name string `json:"name"`
	// Begin and End are the times of the first event and of the last.
	Begin time.Time `json:"begin,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Finished says that the last session came to its end; whether jobs were left then
	// is in the counts.
	Finished bool `json:"finished"`
	// Jobs counts what was submitted, and Status how jobs stand by their last attempt.
	Jobs    int                     `json:"jobs"`
	Status  map[ensemble.Status]int `json:"status,omitempty"`
	Records int                     `json:"records"`
	// Files and Bytes are those of the whole directory.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Failed counts the jobs that ended in another way than success.
func (s *Summary) Failed() (n int) {
	for status, k := range s.Status {
		if status != ensemble.Succeeded {
			n += k
		}
	}
	return n
}

// Pack makes a bundle of a run directory, under a name in the store. It locks the
// journal: while a driver has it, the error is [run.ErrLocked].
func Pack(ctx context.Context, store *image.Store, name string, dir run.Dir, e *spec.Ensemble) (image.Artifact, error) {
	fail := func(err error) (image.Artifact, error) {
		return image.Artifact{}, fmt.Errorf("packing %s: %w", dir, err)
	}
	p := &packer{ctx: ctx, store: store, dir: dir}
	p.summary.Name = e.Metadata.Name
	unlock, err := p.replay()
	if err != nil {
		return fail(err)
	}
	defer unlock()
	for _, part := range []func(*spec.Ensemble) error{p.journal, p.records, p.environment, p.files} {
		if err := part(e); err != nil {
			return fail(err)
		}
	}
	config, err := p.config(e)
	if err != nil {
		return fail(err)
	}
	a, err := store.Compose(ctx, name, image.Artifact{Type: ArtifactType, Config: config, Blobs: p.blobs, Annotations: p.annotations(e)})
	if err != nil {
		return fail(err)
	}
	return a, nil
}

// packer collects the parts of a bundle.
type packer struct {
	ctx     context.Context // of the one call of Pack
	store   *image.Store
	dir     run.Dir
	summary Summary
	blobs   []image.Blob
}

// replay locks the journal and counts what is in it.
func (p *packer) replay() (unlock func(), err error) {
	last := map[string]ensemble.Status{}
	first := true
	j, err := run.OpenJournal(p.dir.Path(run.JournalFile), func(e ensemble.Event) error {
		if first {
			p.summary.Begin, first = e.Time.UTC(), false
		}
		p.summary.End = e.Time.UTC()
		p.summary.Finished = e.Name == ensemble.RunFinish
		switch e.Name {
		case ensemble.Submit:
			last[e.Job] = ""
		case ensemble.Finish:
			last[e.Job] = e.Status
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.summary.Jobs, p.summary.Status = len(last), map[ensemble.Status]int{}
	for _, status := range last {
		if status != "" {
			p.summary.Status[status]++
		}
	}
	return func() { j.Close() }, nil
}

func (p *packer) journal(*spec.Ensemble) error {
	f, err := os.Open(p.dir.Path(run.JournalFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return p.add(JournalType, run.JournalFile+".zst", func(w io.Writer) error { return p.copy(w, f) })
}

func (p *packer) records(e *spec.Ensemble) error {
	return p.add(RecordsType, run.RecordsFile+".zst", func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for r, err := range measure.Records(p.ctx, p.dir, e) {
			if err == nil {
				err = enc.Encode(r)
			}
			if err != nil {
				return err
			}
			p.summary.Records++
		}
		return nil
	})
}

func (p *packer) environment(*spec.Ensemble) error {
	b, err := os.ReadFile(p.dir.Path(run.EnvironmentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	blob, err := p.store.Write(p.ctx, EnvironmentType, bytes.NewReader(b))
	blob.Annotations = map[string]string{title: run.EnvironmentFile}
	p.blobs = append(p.blobs, blob)
	p.summary.Files++
	p.summary.Bytes += int64(len(b))
	return err
}

// own are the files that have layers of their own, or are made again.
var own = []string{run.EnsembleFile, run.JournalFile, run.RecordsFile, run.EnvironmentFile}

// isKept says whether a file or folder of a run directory, by its path in it, belongs
// into a bundle: locks, what was cut off while it was written, and the directories that
// jobs worked in do not.
func isKept(name string, dir bool) bool {
	parts := strings.Split(name, "/")
	base := parts[len(parts)-1]
	attempt := len(parts) == 4 && parts[0] == run.JobsDir // jobs/ID/ATTEMPT/base
	switch {
	case dir:
		return !attempt || base != run.WorkDir
	case slices.Contains(own, name), parts[0] == KubernetesDir: // which has an artifact of its own
		return false
	}
	half := strings.HasPrefix(base, ".") && (attempt || len(parts) == 1)
	return !half && !(attempt && base == run.LockFile)
}

// files packs what is left, in the order of names, in layers of about one size.
func (p *packer) files(*spec.Ensemble) error {
	var chunk []string
	var size int64
	n := 0
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		n++
		err := p.add(FilesType, fmt.Sprintf("files-%04d.tar.zst", n), func(w io.Writer) error { return p.tar(w, chunk) })
		chunk, size = nil, 0
		return err
	}
	err := filepath.WalkDir(string(p.dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == string(p.dir) {
			return err
		}
		name, err := filepath.Rel(string(p.dir), path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && !isKept(name, true):
			return fs.SkipDir
		case d.IsDir() || !d.Type().IsRegular() || !isKept(name, false):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if size+info.Size() > chunkSize {
			if err := flush(); err != nil {
				return err
			}
		}
		chunk, size = append(chunk, name), size+info.Size()
		return p.ctx.Err()
	})
	if err != nil {
		return err
	}
	return flush()
}

// tar writes files of the directory.
func (p *packer) tar(w io.Writer, names []string) error {
	t := tar.NewWriter(w)
	for _, name := range names {
		if err := p.tarFile(t, name); err != nil {
			return err
		}
	}
	return t.Close()
}

func (p *packer) tarFile(t *tar.Writer, name string) error {
	f, err := os.Open(p.dir.Path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o644, ModTime: info.ModTime().Truncate(time.Second)}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	p.summary.Files++
	p.summary.Bytes += info.Size()
	_, err = io.Copy(t, f)
	return err
}

// copy counts a file of the directory while it is written.
func (p *packer) copy(w io.Writer, r io.Reader) error {
	n, err := io.Copy(w, r)
	p.summary.Files++
	p.summary.Bytes += n
	return err
}

// add writes a compressed layer.
func (p *packer) add(mediaType, file string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	go func() {
		// One thread, so that the bytes are the same everywhere.
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err == nil {
			err = errors.Join(write(z), z.Close())
		}
		w.CloseWithError(err)
	}()
	blob, err := p.store.Write(p.ctx, mediaType, r)
	r.CloseWithError(errors.New("the blob could not be written")) // so that the other end stops
	if err != nil {
		return err
	}
	blob.Annotations = map[string]string{title: file}
	p.blobs = append(p.blobs, blob)
	return nil
}

// config is written last: it counts what the others hold.
func (p *packer) config(*spec.Ensemble) (image.Blob, error) {
	input, err := os.ReadFile(p.dir.Path(run.EnsembleFile))
	if err != nil {
		return image.Blob{}, err
	}
	p.summary.Files++
	p.summary.Bytes += int64(len(input))
	b, err := json.Marshal(Config{string(input), p.summary})
	if err != nil {
		return image.Blob{}, err
	}
	return p.store.Write(p.ctx, ConfigType, bytes.NewReader(b))
}

func (p *packer) annotations(e *spec.Ensemble) map[string]string {
	s := &p.summary
	apps := map[string]bool{}
	for i := range e.Spec.Applications {
		apps[e.Spec.Applications[i].Metadata.Name] = true
	}
	a := map[string]string{
		NameAnnotation:      s.Name,
		SucceededAnnotation: strconv.Itoa(s.Status[ensemble.Succeeded]),
		FailedAnnotation:    strconv.Itoa(s.Failed()),
		UnpackedAnnotation:  strconv.FormatInt(s.Bytes, 10),
	}
	if len(apps) > 0 {
		a[ApplicationsAnnotation] = strings.Join(slices.Sorted(maps.Keys(apps)), ",")
	}
	if !s.End.IsZero() {
		a[created] = s.End.Format(time.RFC3339)
	}
	return a
}
