// SPDX-License-Identifier: MIT

package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/converged-computing/ensemble/run"
)

// collect saves the files asked for. Only regular files inside the job's
// directory are taken: a link that leads out of it is passed over.
func (s *supervisor) collect() error {
	if len(s.job.Launch.Collect) == 0 {
		return nil
	}
	from, err := os.OpenRoot(s.work)
	if err != nil {
		return err
	}
	defer from.Close()
	target := filepath.Join(s.dir, run.FilesDir)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return &run.StorageError{Path: target, Err: err}
	}
	to, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, pattern := range s.job.Launch.Collect {
		names, err := fs.Glob(from.FS(), pattern)
		if err != nil {
			return fmt.Errorf("collecting %q: %w", pattern, err)
		}
		for _, name := range names {
			if err := save(from, to, name); err != nil {
				return fmt.Errorf("collecting %q: %w", name, err)
			}
		}
	}
	return nil
}

// save copies one regular file and makes sure that it is on disk.
func save(from, to *os.Root, name string) error {
	info, err := from.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	src, err := from.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := to.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	dst, err := to.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Sync(), dst.Close())
}
