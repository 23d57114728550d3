// SPDX-License-Identifier: MIT

package container

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// bases gives the image to start from for each base that the builder was given one for
// and the point uses. A root file system is known by its digest.
func (b *Builder) bases(p *Point) (map[string]string, error) {
	all := map[string]string{}
	for _, base := range p.usedBases() {
		own := b.Bases[base.Name]
		if own == "" {
			continue
		}
		if !isFile(own) {
			all[base.Name] = own
			continue
		}
		digest, err := fileDigest(own)
		if err != nil {
			return nil, fmt.Errorf("reading the base %s: %w", base.Name, err)
		}
		all[base.Name] = RootFS + digest
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// usedBases are the bases of all stages, the point's own first.
func (p *Point) usedBases() []*spec.Base {
	used := []*spec.Base{p.Base}
	for _, part := range p.parts() {
		if b := p.builtOn(part); len(part.Build.Run) > 0 && !slices.Contains(used, b) {
			used = append(used, b)
		}
	}
	return used
}

// isFile says whether a base is a file rather than the name of an image.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// link puts the root file systems that the point starts from into its context.
func (b *Builder) link(bases map[string]string, dir string) error {
	for base, name := range bases {
		if !strings.HasPrefix(name, RootFS) {
			continue
		}
		to := filepath.Join(dir, RootFSFile(base, name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		from, err := filepath.EvalSymlinks(b.Bases[base]) // a link to a link would lead nowhere
		if err != nil {
			return fmt.Errorf("finding the base %s: %w", base, err)
		}
		if os.Link(from, to) == nil {
			continue
		}
		if err := copyFile(from, to); err != nil {
			return fmt.Errorf("copying the base %s: %w", base, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
