// SPDX-License-Identifier: MIT

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// locks is a lock file; nil where there is none.
type locks struct{ file *spec.Lock }

// of gives what the file has of a point.
func (l locks) of(p *container.Point) (*container.Locked, error) {
	locked, err := container.Lock(l.file, p)
	return locked, input(err)
}

// readLocks reads a lock file; the empty name is none.
func readLocks(file string) (locks, error) {
	if file == "" {
		return locks{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return locks{}, input(err)
	}
	doc, err := spec.Decode(file, data)
	if err != nil {
		return locks{}, err
	}
	l, ok := doc.Object.(*spec.Lock)
	if !ok {
		return locks{}, doc.Fail([]spec.Fault{spec.Faultf("kind", "got %s, want Lock", doc.Object.Head().Kind)})
	}
	return locks{l}, nil
}

// writeLock writes what builds of points resolved; what the file has of others stays.
func (b *builds) writeLock(file string, points []*container.Point) error {
	all, err := readLocks(file)
	if errors.Is(err, fs.ErrNotExist) {
		all, err = locks{}, nil
	}
	if err != nil {
		return err
	}
	if all.file == nil {
		all.file = &spec.Lock{Header: spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindLock, Metadata: spec.Metadata{Name: "images"}}}
		all.file.Spec.Images = map[string]spec.LockedImage{}
	}
	for _, p := range points {
		build, err := b.store.Build(p)
		if err != nil {
			return err
		}
		if build != nil {
			all.file.Spec.Images[p.Name()] = build.Entry()
		}
	}
	var text bytes.Buffer
	if err := spec.Encode(&text, all.file); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return run.WriteFile(file, text.Bytes())
}
