// SPDX-License-Identifier: MIT

package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Document is a decoded file that still knows where everything stood.
type Document struct {
	// File is the name that errors give.
	File string
	// Object is what the file holds, with defaults filled in.
	Object    Object
	positions map[Path]position
	faults    []Fault // found by Decode
	parts     map[Path]*Document
}

// Include says that what faults find at a path is another document.
func (d *Document) Include(at Path, part *Document) {
	if d.parts == nil {
		d.parts = map[Path]*Document{}
	}
	d.parts[at] = part
}

// Decode reads one file of any kind. The error is a *FileError with every
// fault of the file.
//
// With an error it still gives a document where the file has a kind: without
// the faulty fields, so that a later stage can look for more to report. Fail
// then has the faults of both.
func Decode(file string, data []byte) (*Document, error) {
	doc, t := parse(data)
	d := &Document{File: file, positions: t.positions}
	if len(t.faults) > 0 {
		return nil, d.Fail(t.faults)
	}
	object, fault := newObject(doc)
	if fault != nil {
		return nil, d.Fail([]Fault{*fault})
	}
	faults, wrong := validate(object.Head().Kind, doc)
	slices.SortFunc(wrong, func(a, b []string) int { return len(b) - len(a) })
	for _, location := range wrong {
		prune(doc, location)
	}
	b, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(b, object)
	}
	if err != nil {
		if len(faults) == 0 {
			faults = append(faults, Faultf("", "%v", err))
		}
		return nil, d.Fail(faults)
	}
	object.Default()
	d.Object, d.faults = object, faults
	d.faults = append(d.faults, d.unreported(object.Check())...)
	return d, d.Fail(nil)
}

// Parse reads a YAML file of another format than this module's: mappings, lists,
// strings, booleans, nil for nothing, and json.Number. The document has no object;
// its At says where a value stood and its Fail puts places on faults.
//
// The error is a *FileError.
func Parse(file string, data []byte) (any, *Document, error) {
	value, t := parse(data)
	d := &Document{File: file, positions: t.positions}
	if err := d.Fail(t.faults); err != nil {
		return nil, nil, err
	}
	return value, d, nil
}

// unreported leaves out faults on or around a field that was reported already,
// which say nothing new. Around a kind or type is all that it decides about.
func (d *Document) unreported(faults []Fault) (fresh []Fault) {
	for _, f := range faults {
		if !slices.ContainsFunc(d.faults, func(k Fault) bool {
			p := k.Path
			if s := string(p); strings.HasSuffix(s, ".kind") || strings.HasSuffix(s, ".type") {
				p = p.parent()
			}
			return p.holds(f.Path) || f.Path.holds(k.Path)
		}) {
			fresh = append(fresh, f)
		}
	}
	return fresh
}

// newObject picks the Go type by the document's kind.
func newObject(doc any) (Object, *Fault) {
	m, ok := doc.(map[string]any)
	if !ok {
		f := Faultf("", "got %s, want apiVersion, kind, metadata and spec", Describe(doc))
		return nil, &f
	}
	kind, ok := m["kind"].(string)
	if !ok {
		f := Faultf("kind", "missing; want %s", OneOf(kinds()))
		if got, given := m["kind"]; given {
			f = Faultf("kind", "got %s, want %s", Describe(got), OneOf(kinds()))
		}
		return nil, &f
	}
	create, ok := newByKind[Kind(kind)]
	if !ok {
		f := Faultf("kind", "%s", Unknown("kind", Kind(kind), kinds()))
		return nil, &f
	}
	o := create()
	o.Head().Kind = Kind(kind)
	return o, nil
}

var newByKind = map[Kind]func() Object{
	KindApplication: func() Object { return new(Application) },
	KindStudy:       func() Object { return new(Study) },
	KindEnsemble:    func() Object { return new(Ensemble) },
	KindEnvironment: func() Object { return new(Environment) },
	KindParts:       func() Object { return new(Parts) },
	KindLock:        func() Object { return new(Lock) },
}

func kinds() []Kind {
	return []Kind{KindApplication, KindStudy, KindEnsemble, KindEnvironment, KindParts, KindLock}
}

// At gives the line and column of a path, or of the nearest value around it.
func (d *Document) At(p Path) (line, column int) {
	for {
		if at, ok := d.positions[p]; ok {
			return at.line, at.column
		}
		if p == "" {
			return 0, 0
		}
		p = p.parent()
	}
}

// Fail puts positions on faults and gives them, together with those that Decode
// found, as one *FileError; without any it gives nil.
func (d *Document) Fail(faults []Fault) error {
	faults = slices.Concat(d.faults, d.unreported(faults))
	if len(faults) == 0 {
		return nil
	}
	for i := range faults {
		if f := &faults[i]; f.Line == 0 {
			d.locate(f)
		}
	}
	sortFaults(faults)
	return &FileError{File: d.File, Faults: faults}
}

// locate gives a fault its position, in the document that it is about.
func (d *Document) locate(f *Fault) {
	for at, part := range d.parts {
		if at.holds(f.Path) {
			f.File, f.Path = part.File, Path(strings.TrimPrefix(string(f.Path[len(at):]), "."))
			d = part
			break
		}
	}
	f.Line, f.Column = d.At(f.Path)
}

// Describe says what a decoded value is, for a message: got the string "x".
func Describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case json.Number:
		return fmt.Sprintf("the number %s", v)
	case string:
		if len(v) > 40 {
			v = v[:40] + "…"
		}
		return fmt.Sprintf("the string %q", strings.ToValidUTF8(v, "\uFFFD"))
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	default:
		return fmt.Sprintf("%T", v)
	}
}
