// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/convert"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/spf13/cobra"
)

// runOptions are the flags of run.
type runOptions struct {
	on, dir, environment string
	uri                  string // of the Flux instance that the environment is
	resume, dryRun       bool
	sim                  simFlags
	kube                 kubeFlags
}

func newRun(e *env) *cobra.Command {
	var o runOptions
	var finish func()
	c := &cobra.Command{
		Use:   "run [FILE]",
		Short: "Carry out a study and leave a run directory",
		Long: `Carry out a study and leave a run directory.

The directory is runs/NAME unless --dir names another. It holds everything: the
resolved input, the journal, what each job printed. A run that was cut off, by
Ctrl-C, a crash or kill -9, goes on with --resume: what is finished is neither
lost nor repeated. --resume needs no FILE, since the directory has it.

A study that names several environments and says with "on" how each is reached is run
in each, one after another, in runs/NAME/ENVIRONMENT.

--on sim rehearses: nothing is executed, time is virtual, and everything else is as
in a run. How long jobs take comes from --times, from commands such as sleep 5, from
earlier runs (--from), or from the patterns of these.

The path of the run directory is printed on standard output. The exit code is 1
when a trial failed; its record says why.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			finish()
			if c.Flags().Changed("on") {
				return e.run(c.Context(), args, o)
			}
			name, all, err := e.environments(c.Context(), args, o)
			if err != nil {
				return err
			}
			if o.environment == "" && everywhere(all) {
				return e.runInEach(c.Context(), o, name, all)
			}
			o.reach(all)
			return e.run(c.Context(), args, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.on, "on", "local", "where to run, unless the environment says it: local, flux, in the Flux instance around or one that is started, kubernetes, as an Ensemble of a cluster, or sim, which only simulates")
	f.StringVar(&o.dir, "dir", "", "the run directory (default runs/NAME)")
	f.StringVar(&o.environment, "environment", "", "the `NAME` of the environment that this is, where the study names several")
	f.BoolVar(&o.resume, "resume", false, "go on with the run in the directory")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything and run nothing; with --on kubernetes print what kubectl apply takes")
	o.kube.add(c)
	finish = o.sim.add(c)
	return c
}

func (e *env) run(ctx context.Context, args []string, o runOptions) error {
	if o.on == "kubernetes" {
		return e.runOnKubernetes(ctx, args, o)
	}
	begin, ok := members[o.on]
	if !ok {
		return input(errors.New(spec.Unknown("executor", o.on, append(slices.Sorted(maps.Keys(members)), "kubernetes"))))
	}
	r, err := e.open(ctx, args, o)
	if err != nil {
		return err
	}
	if err := r.rehearsal(e, o); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return input(r.locate(err))
	}
	if r.executor, err = begin(ctx, r); err != nil {
		return err
	}
	if x, ok := r.executor.(io.Closer); ok {
		defer x.Close()
	}
	var c check
	n, err := c.jobs(r)
	if err == nil {
		err = ctx.Err() // before what then seems to be lacking
	}
	if err == nil {
		err = c.error()
	}
	if err != nil {
		return err
	}
	r.titles = c.titles
	for _, f := range c.findings {
		for _, doubt := range f.doubts {
			e.say("warning: %v", doubt)
		}
	}
	if o.dryRun {
		e.say("%s: %s can run on %s (%d cores); nothing was run", r.ensemble.Metadata.Name, plural(n, "trial"), r.executor.Name(), r.executor.Cores())
		return nil
	}
	return e.carryOut(ctx, r, r.Plan.Len())
}

// prepared is a run about to begin.
type prepared struct {
	ensemble    *spec.Ensemble
	locate      func(error) error // puts places of the file on faults of the plan
	environment string
	uri         string  // of the Flux instance that it is
	path        string  // of the run directory
	dir         run.Dir // empty until it is made
	*session.Session
	executor   member
	titles     titles // of the jobs that were checked
	env        *env
	sim        simFlags
	simulation *simulation // of a rehearsal
}

// open resolves the input of a run: a file, or the directory of a run that goes
// on.
func (e *env) open(ctx context.Context, args []string, o runOptions) (*prepared, error) {
	r := &prepared{path: o.dir, environment: o.environment, uri: o.uri, locate: func(err error) error { return err }}
	var given *spec.Ensemble
	if len(args) > 0 {
		var err error
		if given, r.locate, err = e.resolve(ctx, args[0]); err != nil {
			return nil, err
		}
		if r.path == "" {
			r.path = filepath.Join("runs", given.Metadata.Name)
		}
	}
	if !o.resume {
		if given == nil {
			return nil, input(errors.New("run wants a FILE, or --resume with --dir RUN"))
		}
		r.ensemble = given
		return r, r.choose()
	}
	if r.path == "" {
		return nil, input(errors.New("--resume wants --dir RUN or the FILE of the run"))
	}
	dir, ens, err := run.Open(r.path)
	if err != nil {
		return nil, input(err)
	}
	if given != nil && !same(given, ens) {
		return nil, input(fmt.Errorf("%s has changed since the run in %s began: resume without it, or begin a new run in another --dir", args[0], r.path))
	}
	r.dir, r.ensemble = dir, ens
	return r, r.choose()
}

// choose settles the environment of the run.
func (r *prepared) choose() error {
	var names []string
	for _, x := range r.ensemble.Spec.Study.Environments {
		names = append(names, x.Name)
	}
	switch {
	case r.environment == "" && len(names) == 1:
		r.environment = names[0]
	case r.environment == "" && len(names) > 1:
		return input(fmt.Errorf("the study names several environments and a run is in one of them: give --environment %s, or have each say with on how it is reached", spec.OneOf(names)))
	case r.environment != "" && !slices.Contains(names, r.environment):
		return input(errors.New(spec.Unknown("environment", r.environment, names)))
	}
	return nil
}

// resolve reads a Study or Ensemble file, or one of another format. The function that it gives puts
// places of the file on faults that show only in the plan.
func (e *env) resolve(ctx context.Context, file string) (*spec.Ensemble, func(error) error, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, input(fmt.Errorf("reading the study: %w", err))
	}
	doc, err := spec.Decode(file, data)
	if doc == nil && convert.IsEnsemblePython(data) {
		var ens *spec.Ensemble
		if ens, err = e.ensemblePython(file, data); err == nil {
			ens.Default()
			doc = &spec.Document{File: file, Object: ens}
		}
	}
	if doc == nil {
		return nil, nil, err
	}
	cat, err := e.catalog()
	if err != nil {
		return nil, nil, err
	}
	if cat, err = e.withImages(doc.Object, cat); err != nil {
		return nil, nil, err
	}
	ens, err := study.Resolve(ctx, doc, cat) // has the faults of both
	return ens, func(err error) error { return study.Locate(doc, err) }, err
}

// same says whether two ensembles are written alike.
func same(a, b *spec.Ensemble) bool {
	text := func(x *spec.Ensemble) string {
		var s strings.Builder
		if err := spec.Encode(&s, x); err != nil {
			return err.Error()
		}
		return s.String()
	}
	return text(a) == text(b)
}

// prepare plans the study and readies groups and rules.
func (r *prepared) prepare(ctx context.Context) (err error) {
	r.Session, err = session.Prepare(ctx, r.ensemble, r.environment, nil)
	return err
}

// samples are the jobs of the study, and one of each group.
func (r *prepared) samples() iter.Seq2[*ensemble.Job, error] {
	return func(yield func(*ensemble.Job, error) bool) {
		for job, err := range r.Plan.Jobs(r.ensemble) {
			if !yield(job, err) {
				return
			}
		}
		for i := range r.ensemble.Spec.Groups {
			g := &r.ensemble.Spec.Groups[i]
			jobs, err := r.Make(g, g.Parameters, 0, 1)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(jobs[0], nil) {
				return
			}
		}
	}
}

// carryOut makes or goes on with the run directory and drives the run.
func (e *env) carryOut(ctx context.Context, r *prepared, jobs int) (err error) {
	if r.dir == "" {
		if r.dir, err = run.Create(r.path, r.ensemble); err != nil {
			var storage *run.StorageError
			if errors.As(err, &storage) {
				return err
			}
			return input(err)
		}
		if r.simulation != nil {
			if err := run.WriteJSON(r.dir.Path(simulationFile), r.simulation); err != nil {
				return err
			}
		}
	}
	d, err := r.Driver(r.dir, r.executor, session.Version())
	if err != nil {
		return err
	}
	if r.simulation != nil { // there is no output to judge by, and nothing is executed
		d.Before, d.After, d.Judge = nil, nil, nil
	}
	machine := run.Capture(ctx, r.packages(), r.executor.Cores())
	if x, ok := r.executor.(interface{ Instance() *run.FluxInstance }); ok {
		machine.Flux = x.Instance()
	}
	d.Environment = &machine
	if x, ok := r.executor.(simulated); ok {
		d.Environment = x.environment()
	}
	p := newProgress(e.stderr, r.titles, took(r.dir), jobs)
	d.Observer = p
	summary, err := d.Run(ctx, r.Plan.Jobs(r.ensemble))
	p.close()
	if summary.Status == nil {
		return err // it did not begin
	}
	records, derr := deriveRecords(context.WithoutCancel(ctx), r.dir, r.ensemble)
	if err == nil {
		err = derr
	}
	if jobs = max(jobs, summary.Jobs); err != nil {
		jobs = max(jobs, p.total) // those too that were asked for and not come to
	}
	e.say("%s", describeSummary(jobs, summary, records))
	if outcome, _ := r.Engine.Ended(); d.Engine != nil && (err == nil || outcome != "") {
		e.sayEnding(d.Engine)
	}
	fmt.Fprintln(e.stdout, r.path)
	var sig interrupted
	if errors.As(err, &sig) {
		e.say("go on with: ensemble run --resume --dir %s", r.path)
	}
	if err == nil && !r.Good(summary) {
		return &codeError{exitFailed, nil} // the summary has said it
	}
	return err
}

// sayEnding says what ended the run and what came to nothing.
func (e *env) sayEnding(g *ensemble.Engine) {
	if outcome, why := g.Ended(); outcome != "" {
		e.say("ended with %s: %s", outcome, why)
	}
	for _, note := range g.Unused() {
		e.say("note: %s", note)
	}
}

// packages lists those of the variants that the run uses.
func (r *prepared) packages() (all []string) {
	for _, a := range r.ensemble.Spec.Applications {
		for _, v := range a.Spec.Variants {
			all = append(all, v.Packages...)
		}
	}
	return all
}

// deriveRecords writes records.jsonl.
func deriveRecords(ctx context.Context, dir run.Dir, e *spec.Ensemble) ([]measure.Record, error) {
	records, err := allRecords(ctx, dir, e)
	if err != nil {
		return nil, err
	}
	return records, measure.WriteJSONL(dir.Path(run.RecordsFile), records)
}
