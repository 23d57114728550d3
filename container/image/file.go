// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// maxFile is how long a file that is read may be, and maxLinks how many symbolic links
// may lead to it.
const (
	maxFile  = 64 << 20
	maxLinks = 40
)

// ReadFile gives the content of one file of an image. The error wraps fs.ErrNotExist
// where it has none.
func (s *Store) ReadFile(ctx context.Context, i Image, name string) ([]byte, error) {
	content, err := s.readFile(ctx, i, clean(name))
	if err != nil {
		return nil, fmt.Errorf("reading %s of the image %s: %w", name, i.Name, err)
	}
	return content, nil
}

// clean makes a path of an archive or of a user a path of the image, without the slash
// before it; none leads out of it.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// readFile follows links, which can be in folders on the way too.
func (s *Store) readFile(ctx context.Context, i Image, name string) ([]byte, error) {
	for range maxLinks {
		found, err := s.look(ctx, i, name)
		switch {
		case err != nil:
			return nil, err
		case found.link == "" && found.regular:
			return found.content, nil
		case found.link == "":
			return nil, errors.New("it is not a regular file")
		}
		name = found.link
	}
	return nil, errors.New("there are too many links on the way")
}

// entry is what stands at a path: the content of a regular file, or where to look
// instead.
type entry struct {
	regular bool
	content []byte
	link    string
}

// look goes through the layers from the top to the first that says something of a path.
func (s *Store) look(ctx context.Context, i Image, name string) (entry, error) {
	img, err := s.image(i.Digest)
	if err != nil {
		return entry{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return entry{}, err
	}
	for n := len(layers) - 1; n >= 0; n-- {
		r, err := layers[n].Uncompressed()
		if err != nil {
			return entry{}, err
		}
		found, known, err := lookLayer(ctx, r, name)
		r.Close()
		if err != nil || known {
			return found, err
		}
	}
	return entry{}, fs.ErrNotExist
}

// The names by which a layer says that something of the layers below is gone.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// lookLayer looks for a path in one layer; known says that the layer decides.
func lookLayer(ctx context.Context, r io.Reader, name string) (found entry, known bool, err error) {
	gone := false // whatever is below
	for t := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return entry{}, false, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return entry{}, false, err
		}
		at := clean(h.Name)
		switch dir, base := path.Split(at); {
		case base == opaque:
			gone = gone || within(name, path.Clean(dir))
		case strings.HasPrefix(base, whiteout):
			gone = gone || within(name, path.Join(dir, base[len(whiteout):]))
		case at == name && h.Typeflag == tar.TypeReg:
			if h.Size > maxFile {
				return entry{}, false, fmt.Errorf("it is %d bytes long, more than %d", h.Size, maxFile)
			}
			content, err := io.ReadAll(io.LimitReader(t, maxFile))
			if err != nil {
				return entry{}, false, err
			}
			found, known = entry{regular: true, content: content}, true
		case at == name && h.Typeflag == tar.TypeLink:
			found, known = entry{link: clean(h.Linkname)}, true
		case within(name, at) && h.Typeflag == tar.TypeSymlink:
			to := h.Linkname
			if !path.IsAbs(to) {
				to = path.Join("/", dir, to)
			}
			found, known = entry{link: clean(to + strings.TrimPrefix("/"+name, "/"+at))}, true
		case at == name:
			found, known = entry{}, true
		}
	}
	if !known && gone {
		return entry{}, true, fs.ErrNotExist
	}
	return found, known, nil
}

// within says whether a path is at another or below it.
func within(name, dir string) bool {
	return name == dir || dir == "." || strings.HasPrefix(name, dir+"/")
}
