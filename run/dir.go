// SPDX-License-Identifier: MIT

package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// The names inside a run directory.
const (
	EnsembleFile    = "ensemble.yaml"
	JournalFile     = "journal.jsonl"
	EnvironmentFile = "environment.json"
	RecordsFile     = "records.jsonl"
	JobsDir         = "jobs"

	JobFile     = "job.json"
	StdoutFile  = "stdout"
	StderrFile  = "stderr"
	StepsFile   = "steps"
	ExitFile    = "exit.json"
	SamplesFile = "samples.jsonl"
	LockFile    = "lock" // held by what owns the attempt's processes
	FilesDir    = "files"
	WorkDir     = "work" // where the job works
	ProfileDir  = "profile"
)

// Dir is a run directory.
type Dir string

// Create makes a run directory for an ensemble. A directory that holds anything
// is refused: runs are not mixed.
func Create(path string, e *spec.Ensemble) (Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	d := Dir(abs)
	if entries, err := os.ReadDir(abs); err == nil && len(entries) > 0 {
		if _, err := os.Stat(d.path(EnsembleFile)); err == nil {
			return "", fmt.Errorf("%s holds a run already: go on with it (--resume) or name another directory (--dir)", path)
		}
		return "", fmt.Errorf("%s is not empty: name another directory (--dir)", path)
	}
	var b bytes.Buffer
	if err := spec.Encode(&b, e); err != nil {
		return "", err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", &StorageError{Path: abs, Err: err}
	}
	if d, err = d.real(); err != nil {
		return "", err
	}
	// The input first: whatever cuts this off leaves a run to go on with.
	if err := WriteFile(d.path(EnsembleFile), b.Bytes()); err != nil {
		return "", err
	}
	if err := os.Mkdir(d.path(JobsDir), 0o755); err != nil {
		return "", &StorageError{Path: d.path(JobsDir), Err: err}
	}
	return d, nil
}

// Open finds a run directory and the ensemble that it carries out.
func Open(path string) (Dir, *spec.Ensemble, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	d, err := Dir(abs).real()
	var data []byte
	if err == nil {
		data, err = os.ReadFile(d.path(EnsembleFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%s is not a run directory: it has no %s", path, EnsembleFile)
	}
	if err != nil {
		return "", nil, err
	}
	doc, err := spec.Decode(d.path(EnsembleFile), data)
	if err != nil {
		return "", nil, err
	}
	e, ok := doc.Object.(*spec.Ensemble)
	if !ok {
		return "", nil, fmt.Errorf("%s holds a %s, want an Ensemble", d.path(EnsembleFile), doc.Object.Head().Kind)
	}
	return d, e, nil
}

// real follows symbolic links: processes are known by the directory that they
// belong to, which has to have one name in every session.
func (d Dir) real() (Dir, error) {
	path, err := filepath.EvalSymlinks(string(d))
	return Dir(path), err
}

func (d Dir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Path gives the path of a file of the run.
func (d Dir) Path(name string) string { return d.path(name) }

// Attempt gives the directory of one attempt.
func (d Dir) Attempt(job string, attempt int) string {
	return d.path(JobsDir, job, strconv.Itoa(attempt))
}

// Events gives each event of the journal, without locking it: it may be read
// while the run goes on. A run that was killed before it had a journal has none.
func (d Dir) Events(each func(ensemble.Event) error) error {
	f, err := os.Open(d.path(JournalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = ReadJournal(f, f.Name(), each)
	return err
}

// State replays the journal.
func (d Dir) State() (*ensemble.State, error) {
	s := new(ensemble.State)
	return s, d.Events(s.Apply)
}

// ReadJSON reads a JSON file into v.
func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// WriteJSON writes v as JSON as WriteFile does.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(path, append(b, '\n'))
}

// WriteFile writes a file so that after a crash it is there as a whole or not
// at all. The error is a *StorageError.
func WriteFile(path string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = &StorageError{Path: path, Err: err}
		}
	}()
	// Not os.CreateTemp, whose files are private: who may read is the umask's
	// to say.
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s-%x", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // fails once it is renamed
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
