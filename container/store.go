// SPDX-License-Identifier: MIT

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/converged-computing/ensemble/container/image"
	"golang.org/x/sys/unix"
)

// Store keeps what was built here: images in one OCI layout, and for each point what is
// known of its last build.
//
//	DIR/images/                       the OCI layout
//	DIR/containers/APP/TAG/build.json what was built, written when all of it is there
//	DIR/containers/APP/TAG/build.log  what the engine said
//	DIR/containers/APP/TAG/sbom.spdx.json
type Store struct {
	dir string
	// Images is the layout.
	Images *image.Store
}

// DefaultDir is the user's directory of images: ensemble below XDG_DATA_HOME.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ensemble"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for images: %w", err)
	}
	return filepath.Join(home, ".local", "share", "ensemble"), nil
}

// Open opens the store in a directory, and makes it where there is none.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	images, err := image.Open(filepath.Join(dir, "images"))
	if err != nil {
		return nil, err
	}
	return &Store{dir: dir, Images: images}, nil
}

// Layout is the directory of the OCI layout.
func (s *Store) Layout() string { return filepath.Join(s.dir, "images") }

// Build is what is known of the last build of a point.
type Build struct {
	// Point is its name, and Context the digest of what it was built from.
	Point   string `json:"point"`
	Context string `json:"context"`
	// Bases are the images that stood in for the parts' own, by the name of the base,
	// and Locked says that the build was held to a lock file.
	Bases  map[string]string `json:"bases,omitempty"`
	Locked bool              `json:"locked,omitempty"`
	// Engine is the program that built it.
	Engine string `json:"engine"`
	// Digest is that of the image's manifest, Size what a pull moves, in bytes.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Began and Built are when the build began and when the image was there.
	Began time.Time `json:"began"`
	Built time.Time `json:"built"`
	// Resolved is what the build took of what the point leaves open.
	Resolved Locked `json:"resolved"`
	// Verified is what came of looking at the image; nil where nobody did.
	Verified *Verified `json:"verified,omitempty"`
}

// Verified is what came of looking at an image.
type Verified struct {
	Time   time.Time `json:"time"`
	Checks []Check   `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Note is what was seen, or what is wrong.
	Note string `json:"note,omitempty"`
}

// Passed says whether all checks passed.
func (v *Verified) Passed() bool {
	for _, c := range v.Checks {
		if !c.Passed {
			return false
		}
	}
	return len(v.Checks) > 0
}

// Dir is the folder of a point.
func (s *Store) Dir(p *Point) string {
	return filepath.Join(s.dir, "containers", p.App.Metadata.Name, p.Tag())
}

// LogFile is where the engine's output of the last build is.
func (s *Store) LogFile(p *Point) string { return filepath.Join(s.Dir(p), "build.log") }

// SBOMFile is where the bill of materials of the last build is.
func (s *Store) SBOMFile(p *Point) string { return filepath.Join(s.Dir(p), "sbom.spdx.json") }

func (s *Store) recordFile(p *Point) string { return filepath.Join(s.Dir(p), "build.json") }

// Build gives the last build of a point whose image is still there; nil where there is
// none.
func (s *Store) Build(p *Point) (*Build, error) {
	b, err := os.ReadFile(s.recordFile(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var build Build
	if err := json.Unmarshal(b, &build); err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.recordFile(p), err)
	}
	switch _, err := s.Images.Image(build.Digest); {
	case errors.Is(err, image.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &build, nil
}

// save keeps a build.
func (s *Store) save(p *Point, b *Build) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(s.recordFile(p), append(text, '\n'))
}

// SaveVerified keeps what came of looking at the image of a build. Where the point was
// built anew meanwhile, nothing is kept.
func (s *Store) SaveVerified(p *Point, b *Build, v *Verified) error {
	release, err := s.lock(p)
	if err != nil {
		return err
	}
	defer release()
	now, err := s.Build(p)
	if err != nil {
		return err
	}
	if now == nil || now.Digest != b.Digest {
		return fmt.Errorf("%s was built anew while its image was looked at", p.Name())
	}
	now.Verified = v
	return s.save(p, now)
}

// writeFile writes a file whole or not at all.
func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// lock keeps other processes from building the same point. The lock ends with release,
// or with the process.
func (s *Store) lock(p *Point) (release func(), err error) {
	if err := os.MkdirAll(s.Dir(p), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.Dir(p), "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is being built by another process", p.Name())
	}
	return func() { f.Close() }, nil
}
