// SPDX-License-Identifier: MIT

// Package catalog provides the applications: what can be run, how, and how its
// output is read.
//
// The model: an application is a folder apps/NAME with app.yaml and its decks.
// Those that the module carries are embedded; a user's own folders are read
// from disk and win over an embedded application of the same name. An
// application is data. Adding one needs no Go.
//
// The steps: [Load] decodes and checks every file, decks included, so that a
// loaded application needs no folder any more; [Render] fills the templates of
// one application with the configuration of one trial. How output is read is
// the work of catalog/read.
package catalog

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

//go:embed apps parts.yaml
var embedded embed.FS

// partsFile is the file of the parts of images, beside the applications.
const partsFile = "parts.yaml"

// Catalog is a set of applications by name. It is not changed after Load.
type Catalog struct {
	apps  map[string]*spec.Document
	parts *spec.Document
}

// Load reads the embedded applications and those in the folders given; each
// folder holds NAME/app.yaml, and parts.yaml where it has parts of images of its
// own, which stand in for the embedded ones as a whole. A later folder wins over an
// earlier one. The error joins the faults of all files.
func Load(dirs ...string) (*Catalog, error) {
	c := &Catalog{apps: map[string]*spec.Document{}}
	builtin, err := fs.Sub(embedded, "apps")
	if err != nil {
		return nil, err
	}
	errs := []error{c.add(builtin, "apps"), c.addParts(embedded, "")}
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("opening the catalog %q: %w", dir, err))
			continue
		}
		errs = append(errs, c.add(root.FS(), dir), c.addParts(root.FS(), dir), root.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// add reads every NAME/app.yaml of one folder.
func (c *Catalog) add(dir fs.FS, at string) error {
	files, err := fs.Glob(dir, "*/app.yaml")
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("the catalog %q has no NAME/app.yaml", at)
	}
	var errs []error
	for _, file := range files {
		doc, err := load(dir, file, path.Join(at, file))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.apps[doc.Object.Head().Metadata.Name] = doc
	}
	return errors.Join(errs...)
}

// addParts reads the parts of images, where a folder has any.
func (c *Catalog) addParts(dir fs.FS, at string) error {
	data, err := fs.ReadFile(dir, partsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	name := path.Join(at, partsFile)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	doc, err := spec.Decode(name, data)
	if err != nil {
		return err
	}
	if _, ok := doc.Object.(*spec.Parts); !ok {
		return doc.Fail([]spec.Fault{spec.Faultf("kind", "got %s, want Parts", doc.Object.Head().Kind)})
	}
	c.parts = doc
	return nil
}

// Parts gives what images are composed of. It is not to be changed.
func (c *Catalog) Parts() *spec.Parts { return c.parts.Object.(*spec.Parts) }

// PartsDocument gives the file of the parts.
func (c *Catalog) PartsDocument() *spec.Document { return c.parts }

// load reads one application and its decks. The error has the faults of both,
// and of templates and rules.
func load(dir fs.FS, file, name string) (*spec.Document, error) {
	data, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	doc, err := spec.Decode(name, data)
	if doc == nil {
		return nil, err
	}
	app, ok := doc.Object.(*spec.Application)
	if !ok {
		return nil, doc.Fail([]spec.Fault{spec.Faultf("kind", "got %s, want Application", doc.Object.Head().Kind)})
	}
	var faults []spec.Fault
	if folder := path.Base(path.Dir(file)); app.Metadata.Name != folder {
		faults = append(faults, spec.Faultf("metadata.name", "got %q, want %q, the name of its folder", app.Metadata.Name, folder))
	}
	for i := range app.Spec.Decks {
		d := &app.Spec.Decks[i]
		if d.Content != "" {
			continue
		}
		b, err := fs.ReadFile(dir, path.Join(path.Dir(file), d.Source))
		if err != nil {
			faults = append(faults, spec.Faultf(spec.Path("spec.decks").Index(i), "reading the deck: %v", err))
			continue
		}
		d.Content = string(b)
	}
	return doc, doc.Fail(append(faults, Check(app, "")...))
}

// Check lists what is wrong with an application beyond what its types say:
// templates that do not parse or read what no trial has, and output rules that
// do not compile. The paths begin at the one given.
func Check(app *spec.Application, at spec.Path) (faults []spec.Fault) {
	at = at.Key("spec")
	known := append(slices.Sorted(maps.Keys(app.Spec.Parameters)), own...)
	for p, text := range texts(app, at) {
		for _, problem := range checkTemplate(text, known) {
			faults = append(faults, spec.Faultf(p, "%s", problem))
		}
	}
	if _, err := read.New(app.Metadata.Name, app.Spec.Output); err != nil {
		faults = append(faults, spec.Faultf(at.Key("output"), "%v", err))
	}
	return faults
}

// App gives the application of that name, decks included. It is not to be
// changed.
func (c *Catalog) App(name string) (*spec.Application, bool) {
	doc, ok := c.apps[name]
	if !ok {
		return nil, false
	}
	return doc.Object.(*spec.Application), true
}

// With gives a catalog in which an application that is there has further variants.
func (c *Catalog) With(name string, variants ...spec.Variant) *Catalog {
	doc := *c.apps[name]
	app := *doc.Object.(*spec.Application)
	app.Spec.Variants = slices.Concat(app.Spec.Variants, variants)
	doc.Object = &app
	with := &Catalog{apps: maps.Clone(c.apps), parts: c.parts}
	with.apps[name] = &doc
	return with
}

// Document gives the file of an application that the catalog has.
func (c *Catalog) Document(name string) *spec.Document { return c.apps[name] }

// Names lists the applications in alphabetical order.
func (c *Catalog) Names() []string { return slices.Sorted(maps.Keys(c.apps)) }

// Variant finds a variant by name; the empty name is the first variant.
func Variant(app *spec.Application, name string) (*spec.Variant, error) {
	var names []string
	for i := range app.Spec.Variants {
		v := &app.Spec.Variants[i]
		if v.Name == name || name == "" {
			return v, nil
		}
		names = append(names, v.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the application %q has no variant: its output can be read, but it cannot be run here", app.Metadata.Name)
	}
	return nil, errors.New(spec.Unknown("variant of "+app.Metadata.Name, name, names))
}
