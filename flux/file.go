// SPDX-License-Identifier: MIT

package flux

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"
)

// File is a file that travels inside a jobspec (RFC 37). The job shell puts it
// into the job's temporary directory, {{tmpdir}}, on every node of the job.
type File struct {
	Mode fs.FileMode // permissions, and fs.ModeSymlink for a link; 0 stands for 0600
	Data []byte      // the content, or where the link leads
}

// fileJSON is a file as RFC 37 writes it.
type fileJSON struct {
	Mode     uint32          `json:"mode"`
	Size     *int            `json:"size,omitempty"`
	Encoding string          `json:"encoding,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// The kinds of files of stat(2).
const (
	modeKind    = 0o170000
	modeRegular = 0o100000
	modeLink    = 0o120000
)

// MarshalJSON writes text as text and anything else in base 64.
func (f File) MarshalJSON() ([]byte, error) {
	perm := uint32(f.Mode.Perm())
	if f.Mode&fs.ModeSymlink != 0 {
		target, err := marshal(string(f.Data))
		if err != nil {
			return nil, err
		}
		return marshal(fileJSON{Mode: modeLink | 0o777, Data: target})
	}
	if perm == 0 {
		perm = 0o600
	}
	size := len(f.Data)
	out := fileJSON{Mode: modeRegular | perm, Size: &size}
	if size > 0 {
		out.Encoding = "utf-8"
		text := string(f.Data)
		if !utf8.Valid(f.Data) || bytes.IndexByte(f.Data, 0) >= 0 {
			out.Encoding, text = "base64", base64.StdEncoding.EncodeToString(f.Data)
		}
		var err error
		if out.Data, err = marshal(text); err != nil {
			return nil, err
		}
	}
	return marshal(out)
}

// UnmarshalJSON reads regular files and links. Content that is JSON itself is
// kept as text; content that is kept elsewhere (blobvec) is refused.
func (f *File) UnmarshalJSON(b []byte) error {
	var in fileJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	f.Mode, f.Data = fs.FileMode(in.Mode&0o777), nil
	switch in.Mode & modeKind {
	case modeRegular, 0:
	case modeLink:
		f.Mode |= fs.ModeSymlink
		in.Encoding = "utf-8"
	default:
		return fmt.Errorf("a file of mode %#o is neither a regular file nor a link", in.Mode)
	}
	var text string
	switch in.Encoding {
	case "":
		f.Data = in.Data
		return nil
	case "utf-8", "base64":
		if err := json.Unmarshal(in.Data, &text); err != nil {
			return fmt.Errorf("the data of a file: %w", err)
		}
	default:
		return fmt.Errorf("the encoding %q of a file is not known", in.Encoding)
	}
	f.Data = []byte(text)
	if in.Encoding == "base64" {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("the data of a file: %w", err)
		}
		f.Data = data
	}
	return nil
}

// checkFilePath says why a path cannot be one of a file in a jobspec.
func checkFilePath(path string) error {
	if !fs.ValidPath(path) || path == "." || strings.ContainsRune(path, 0) {
		return fmt.Errorf("file %q: the path has to lead down from {{tmpdir}}", path)
	}
	return nil
}

// Dependency is what a job waits for before it is scheduled (RFC 26).
type Dependency struct {
	Scheme string `json:"scheme"`
	Value  string `json:"value"`
}

// After waits until a job has started.
func After(id JobID) Dependency { return Dependency{"after", id.Plain()} }

// AfterAny waits until a job is done, however it ends.
func AfterAny(id JobID) Dependency { return Dependency{"afterany", id.Plain()} }

// AfterOK waits until a job has succeeded. When it fails, so does the waiting job.
func AfterOK(id JobID) Dependency { return Dependency{"afterok", id.Plain()} }

// AfterNotOK waits until a job has failed. When it succeeds, the waiting job fails.
func AfterNotOK(id JobID) Dependency { return Dependency{"afternotok", id.Plain()} }

// Singleton waits until all earlier jobs of the same user and name are done.
func Singleton() Dependency { return Dependency{"singleton", ""} }

// Begin waits until a time.
func Begin(t time.Time) Dependency {
	return Dependency{"begin-time", fmt.Sprintf("%.6f", timestamp(t))}
}
