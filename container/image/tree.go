// SPDX-License-Identifier: MIT

package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits of what is believed of a file system.
const (
	maxEntries = 4 << 20 // in all layers of an image
	maxPath    = 4096    // bytes, as PATH_MAX
	maxNames   = 1 << 30 // bytes of all names and links
	maxLinks   = 40      // symbolic links on the way to a file, as Linux has it
)

// The marks of deleted files, by the image specification (layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// tree is the flattened file system of an image: where the content of each file
// is, and not the content.
type tree struct {
	digest  string // of the manifest
	root    *node
	entries int
	names   int
}

type node struct {
	parent   *node
	children map[string]*node // nil of anything but a directory
	kind     byte             // as in tar
	link     string
	size     int64
	// layer is the one that put the node here. The content is in the entry of
	// contentLayer, which is another one of a hard link to a file of a lower layer.
	layer        int
	contentLayer int
	entry        int
}

func newTree(digest string) *tree {
	return &tree{digest: digest, root: &node{kind: tar.TypeDir, children: map[string]*node{}, layer: -1}}
}

// add applies one layer.
func (t *tree) add(layer int, r io.Reader) error {
	tr := tar.NewReader(r)
	for entry := 0; ; entry++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := inside(h.Name)
		if err != nil {
			return err
		}
		if err := t.count(len(name) + len(h.Linkname)); err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := t.put(layer, entry, name, h); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// count limits the memory of a tree.
func (t *tree) count(names int) error {
	t.entries++
	t.names += names
	if t.entries > maxEntries || t.names > maxNames {
		return fmt.Errorf("the image has more than %d files, or names of more than %d bytes", maxEntries, maxNames)
	}
	return nil
}

// inside cleans the name of an entry; "" is the root. Names out of the root are
// refused, as engines do.
func inside(name string) (string, error) {
	if len(name) > maxPath {
		return "", fmt.Errorf("entry %.40q… has a name of %d bytes, want at most %d", name, len(name), maxPath)
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("entry %q is outside of the image", name)
	}
	if clean == "." {
		return "", nil
	}
	return clean, nil
}

func (t *tree) put(layer, entry int, name string, h *tar.Header) error {
	dirName, base := path.Split(name)
	if strings.HasPrefix(base, whiteout) {
		dir, err := t.walk(t.root, dirName, true)
		if err != nil || dir.children == nil {
			return nil // nothing is there to hide
		}
		if base == opaque {
			for name, child := range dir.children {
				if hide(child, layer) {
					delete(dir.children, name)
				}
			}
		} else if child := dir.children[base[len(whiteout):]]; child != nil && hide(child, layer) {
			delete(dir.children, base[len(whiteout):])
		}
		return nil
	}
	dir, err := t.makeDir(layer, dirName)
	if err != nil {
		return err
	}
	old := dir.children[base]
	n := &node{parent: dir, kind: h.Typeflag, link: h.Linkname, size: h.Size, layer: layer, contentLayer: layer, entry: entry}
	switch h.Typeflag {
	case tar.TypeDir:
		if old != nil && old.children != nil {
			old.layer = layer
			return nil
		}
		n.children = map[string]*node{}
	case tar.TypeLink:
		target, err := inside(h.Linkname)
		if err != nil {
			return err
		}
		to, err := t.walk(t.root, target, false)
		if err != nil || to.children != nil {
			return fmt.Errorf("it is a hard link to %q, which is no file of the image", h.Linkname)
		}
		n.kind, n.link, n.size, n.contentLayer, n.entry = to.kind, to.link, to.size, to.contentLayer, to.entry
	}
	dir.children[base] = n
	return nil
}

// hide removes what layers below one put at a node, and says whether nothing is
// left of it: a mark does not hide files of its own layer, wherever they stand.
func hide(n *node, layer int) bool {
	for name, child := range n.children {
		if hide(child, layer) {
			delete(n.children, name)
		}
	}
	return n.layer < layer && len(n.children) == 0
}

// makeDir finds the directory of an entry, over symbolic links (a layer may put
// lib/x where lib is a link to usr/lib), and makes what is missing of it.
func (t *tree) makeDir(layer int, name string) (*node, error) {
	dir := t.root
	for _, elem := range strings.Split(name, "/") {
		if elem == "" {
			continue
		}
		next, err := t.walk(dir, elem, true)
		switch {
		case err == nil && next.children != nil:
		case errors.Is(err, ErrNotFound), err == nil: // or something else is in the way
			if err := t.count(len(elem)); err != nil {
				return nil, err
			}
			next = &node{parent: dir, kind: tar.TypeDir, children: map[string]*node{}, layer: layer}
			dir.children[elem] = next
		default:
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// walk follows a path from a directory. Links are followed within the tree, where
// / and the parent of / are its root; the last one only if asked.
func (t *tree) walk(from *node, name string, last bool) (*node, error) {
	at := from
	todo := strings.Split(name, "/")
	for links := 0; len(todo) > 0; {
		elem := todo[0]
		todo = todo[1:]
		switch {
		case elem == "" || elem == ".":
			continue
		case at.children == nil:
			return nil, fmt.Errorf("%q: %w", name, ErrNotFound)
		case elem == "..":
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		next := at.children[elem]
		if next == nil {
			return nil, fmt.Errorf("%q: %w", name, ErrNotFound)
		}
		if next.kind != tar.TypeSymlink || (len(todo) == 0 && !last) {
			at = next
			continue
		}
		if links++; links > maxLinks || len(next.link) > maxPath {
			return nil, fmt.Errorf("%q: more than %d symbolic links", name, maxLinks)
		}
		if strings.HasPrefix(next.link, "/") {
			at = t.root
		}
		todo = append(strings.Split(next.link, "/"), todo...)
	}
	return at, nil
}
