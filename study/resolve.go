// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// Resolve makes an ensemble of a study: the study together with the
// applications of the catalog that it uses, their decks included. An ensemble
// is held against its own applications; those that it names and does not have are
// the catalog's, which may be nil. A relative directory to work in becomes an
// absolute one.
//
// The error is a *spec.FileError with everything that is wrong, each at its
// line and column, and includes constraints that leave no trial. Once ctx is
// done the error is ctx.Err().
func Resolve(ctx context.Context, doc *spec.Document, cat *catalog.Catalog) (*spec.Ensemble, error) {
	switch o := doc.Object.(type) {
	case *spec.Ensemble:
		faults, err := complete(ctx, o, doc, cat)
		if err != nil {
			return nil, err
		}
		if err := doc.Fail(faults); err != nil {
			return nil, err
		}
		return o, settlePaths(o, doc.File)
	case *spec.Study:
		in := scope{at: "spec", app: cat.App, names: cat.Names()}
		faults, err := check(ctx, &o.Spec, in)
		if err != nil {
			return nil, err
		}
		if err := doc.Fail(faults); err != nil {
			return nil, err
		}
		e := &spec.Ensemble{Header: o.Header, Spec: spec.EnsembleSpec{Study: o.Spec}}
		e.Kind = spec.KindEnsemble
		include(e, doc, cat)
		return e, nil
	default:
		return nil, doc.Fail([]spec.Fault{spec.Faultf("kind", "got %s, want %s or %s",
			doc.Object.Head().Kind, spec.KindStudy, spec.KindEnsemble)})
	}
}

// settlePaths makes paths of an ensemble absolute, which the file has from where it is: the
// run directory has a copy of it that is somewhere else.
func settlePaths(e *spec.Ensemble, file string) error {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return err
	}
	for i := range e.Spec.Groups {
		if w := &e.Spec.Groups[i].Workdir; *w != "" && !filepath.IsAbs(*w) {
			*w = filepath.Join(dir, *w)
		}
	}
	return nil
}

// include adds the applications of the catalog that an ensemble names and does not
// have.
func include(e *spec.Ensemble, doc *spec.Document, cat *catalog.Catalog) {
	if cat == nil {
		return
	}
	var names []string
	for _, w := range e.Spec.Study.Sweeps {
		for _, v := range w.Apps.Values {
			names = append(names, v.String())
		}
	}
	for _, g := range e.Spec.Groups {
		names = append(names, g.App)
	}
	for _, name := range names {
		has := slices.ContainsFunc(e.Spec.Applications, func(a spec.Application) bool { return a.Metadata.Name == name })
		if app, ok := cat.App(name); ok && !has {
			doc.Include(applicationsPath.Index(len(e.Spec.Applications)), cat.Document(name))
			e.Spec.Applications = append(e.Spec.Applications, *app)
		}
	}
}

// complete gives an ensemble the applications that it lacks, and lists what is
// wrong with it. The error is ctx.Err().
func complete(ctx context.Context, e *spec.Ensemble, doc *spec.Document, cat *catalog.Catalog) ([]spec.Fault, error) {
	var faults []spec.Fault
	for i := range e.Spec.Applications {
		faults = append(faults, catalog.Check(&e.Spec.Applications[i], applicationsPath.Index(i))...)
	}
	include(e, doc, cat)
	wrong, err := check(ctx, &e.Spec.Study, own(&e.Spec, ""))
	if err != nil {
		return nil, err
	}
	steering, err := checkSteering(ctx, e)
	return slices.Concat(faults, wrong, steering), err
}

// applicationsPath is where an ensemble has its applications.
const applicationsPath spec.Path = "spec.applications"

// check compiles a study and makes sure that every sweep has a trial. The error
// is ctx.Err().
func check(ctx context.Context, study *spec.StudySpec, in scope) ([]spec.Fault, error) {
	sweeps, faults := compile(study, in)
	for _, s := range sweeps {
		if !s.sound {
			continue
		}
		if f := new(spec.FileError); errors.As(s.satisfiable(ctx), &f) {
			faults = append(faults, f.Faults...)
		}
	}
	return faults, ctx.Err()
}

// Locate puts the positions of a document on the faults of an error of [New]
// for the ensemble that the document resolved to. Other errors stay as they
// are.
func Locate(doc *spec.Document, err error) error {
	var f *spec.FileError
	if !errors.As(err, &f) {
		return err
	}
	faults := slices.Clone(f.Faults)
	if _, ok := doc.Object.(*spec.Study); ok {
		for i, fault := range faults {
			if rest, ok := strings.CutPrefix(string(fault.Path), "spec.study"); ok {
				faults[i].Path = "spec" + spec.Path(rest)
			}
		}
	}
	return doc.Fail(faults)
}
