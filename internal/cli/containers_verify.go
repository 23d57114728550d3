// SPDX-License-Identifier: MIT

package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/container"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
	"github.com/spf13/cobra"
)

func newContainersVerify(e *env) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "verify POINT...",
		Short: "Run built images and look whether they are what they are said to be",
		Long: `Run built images and look whether they are what they are said to be.

The application runs its smallest problem on one rank and on two, or on as many as
it accepts; it has to succeed, its metrics have to be read, and its ranks have to be
profiled. The MPI has to be the one that is named; oras has to push to a registry
that is made for it, and to pull; the user must not be root, and any other has to be
able to take its place; and the image has to have what the Flux view needs.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			points, err := m.Select(args...)
			if err != nil {
				return input(err)
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			v := &verification{env: e, store: store}
			if v.cat, err = e.catalog(); err != nil {
				return err
			}
			return v.all(c.Context(), points, len(args) == 1 && !strings.ContainsAny(args[0], "*") && strings.Contains(args[0], ":"), format)
		},
	}
	outputFlag(c, &format)
	return c
}

// verification looks at several images.
type verification struct {
	*env
	store *container.Store
	cat   interface {
		App(string) (*spec.Application, bool)
	}
}

// verifiedPoint is what came of one.
type verifiedPoint struct {
	Point  string            `json:"point"`
	Digest string            `json:"digest"`
	Passed bool              `json:"passed"`
	Checks []container.Check `json:"checks"`
}

// all verifies what is built of the points; one that is asked for by its name has to be.
func (v *verification) all(ctx context.Context, points []*container.Point, one bool, format string) error {
	l := &listing{header: []string{"point", "check", "passed", "note"}}
	var all []verifiedPoint
	var unfit []string
	for _, p := range points {
		build, err := v.store.Build(p)
		if err != nil {
			return err
		}
		if build == nil && !one {
			continue
		}
		if build == nil {
			return &run.MissingError{Program: "the image " + p.Name(), Hint: "build it with: ensemble containers build " + p.Name()}
		}
		line := v.status(p.Name())
		checks, err := v.point(ctx, p, build)
		line.clear()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var missing *run.MissingError
		if errors.As(err, &missing) { // of the machine: no image can be looked at
			return err
		}
		if err != nil {
			checks = append(checks, container.Check{Name: "looked at", Note: err.Error()})
		}
		result := &container.Verified{Time: time.Now(), Checks: checks}
		if err := v.store.SaveVerified(p, build, result); err != nil {
			return err
		}
		all = append(all, verifiedPoint{p.Name(), build.Digest, result.Passed(), checks})
		for _, c := range checks {
			l.rows = append(l.rows, []string{p.Name(), c.Name, map[bool]string{true: "yes", false: "NO"}[c.Passed], c.Note})
		}
		if !result.Passed() {
			unfit = append(unfit, p.Name())
		}
	}
	if len(all) == 0 {
		return input(errors.New(`none of these is built; see "ensemble containers list"`))
	}
	l.value = all
	if err := l.write(v.stdout, format); err != nil {
		return err
	}
	if len(unfit) > 0 {
		return fmt.Errorf("%d of %d images failed a check: %s", len(unfit), len(all), strings.Join(unfit, ", "))
	}
	return nil
}

// point makes all checks of one image.
func (v *verification) point(ctx context.Context, p *container.Point, build *container.Build) ([]container.Check, error) {
	img, err := v.store.Images.Image(build.Digest)
	if err != nil {
		return nil, err
	}
	img.Name = p.Name()
	checks := container.Inspect(p, img, build)
	if p.Arch != runtime.GOARCH { // nothing of it runs here
		return append(checks, container.Check{Name: "runs", Note: fmt.Sprintf("it is for %s and this machine is %s: look at it there", p.Arch, runtime.GOARCH)}), nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	x, err := local.New(self, "supervise")
	if err != nil {
		return nil, err
	}
	x.UseImages(ctx, func() (*image.Store, error) { return v.store.Images, nil }, self, "enter")
	dir, err := os.MkdirTemp("", "ensemble-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	inside := insider{x, p.Name() + "@" + build.Digest, dir}
	for _, check := range []func(context.Context, *container.Point, insider) (container.Check, error){
		checkMPI, checkPrograms, checkUser, checkOras,
	} {
		c, err := check(ctx, p, inside)
		if err != nil {
			return nil, err
		}
		if c.Name != "" {
			checks = append(checks, c)
		}
	}
	ran, err := v.smallest(ctx, p, build, x, filepath.Join(dir, "run"))
	return append(checks, ran...), err
}

// insider runs commands in one image.
type insider struct {
	x   *local.Executor
	ref string
	dir string
}

// run gives what a command prints; its failure is not an error but the second value.
func (i insider) run(ctx context.Context, user int, argv ...string) (text string, failed error, err error) {
	dir, err := os.MkdirTemp(i.dir, "command-")
	if err != nil {
		return "", nil, err
	}
	text, failed = i.x.InImage(ctx, i.ref, dir, user, argv...)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", nil, context.Cause(ctx)
	case failed != nil && !errors.As(failed, &exit): // it is not the image's fault
		return "", nil, failed
	}
	return strings.TrimSpace(text), failed, nil
}

func checkMPI(ctx context.Context, p *container.Point, i insider) (container.Check, error) {
	launcher := local.ImageLaunchers[p.MPI.MPI]
	if launcher == "" {
		return container.Check{}, nil
	}
	text, failed, err := i.run(ctx, os.Geteuid(), launcher, "--version")
	if err != nil {
		return container.Check{}, err
	}
	c := container.MPIVersion(p, text)
	if failed != nil {
		c.Passed, c.Note = false, fmt.Sprintf("%s --version: %v: %s", launcher, failed, text)
	}
	return c, nil
}

// checkPrograms looks for what the script of the Flux view calls.
func checkPrograms(ctx context.Context, p *container.Point, i insider) (container.Check, error) {
	c := container.Check{Name: "Flux view's programs", Passed: true}
	var missing []string
	for _, name := range p.Base.View.Programs {
		_, failed, err := i.run(ctx, os.Geteuid(), "sh", "-c", `command -v "$1"`, "sh", name)
		if err != nil {
			return c, err
		}
		if failed != nil {
			missing = append(missing, name)
		}
	}
	c.Note = fmt.Sprintf("all %d", len(p.Base.View.Programs))
	if len(missing) > 0 {
		c.Passed, c.Note = false, "missing: "+strings.Join(missing, ", ")
	}
	return c, nil
}

// anyUser is a user that no image knows.
const anyUser = 54321

// checkUser runs as a user that the image does not know. Here every file is that
// user's, so it is their modes that say where any user may write.
func checkUser(ctx context.Context, _ *container.Point, i insider) (container.Check, error) {
	text, failed, err := i.run(ctx, anyUser, "sh", "-c", `id -u && find "$@" -maxdepth 0 -perm -0002`, "sh", container.WorkDir, container.ViewDir)
	c := container.Check{Name: "any user", Passed: failed == nil && text == fmt.Sprintf("%d\n%s\n%s", anyUser, container.WorkDir, container.ViewDir),
		Note: fmt.Sprintf("user %d can write to %s and %s", anyUser, container.WorkDir, container.ViewDir)}
	if !c.Passed {
		c.Note = fmt.Sprintf("as user %d: %v: %s", anyUser, failed, text)
	}
	return c, err
}

// checkOras pushes something to a registry and pulls it.
func checkOras(ctx context.Context, _ *container.Point, i insider) (c container.Check, err error) {
	c.Name = "oras"
	registry, err := image.NewScratch()
	if err != nil {
		return c, err
	}
	defer registry.Close()
	artifact, what := registry.Address+"/verify:1", rand.Text()
	text, failed, err := i.run(ctx, os.Geteuid(), "sh", "-euc", `
		echo "$2" > sent
		oras push --plain-http "$1" sent >&2
		mkdir back
		oras pull --plain-http -o back "$1" >&2
		cmp sent back/sent >&2
		oras version`, "sh", artifact, what)
	c.Passed = failed == nil
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "Version:"); ok {
			c.Note = "pushed and pulled with " + strings.TrimSpace(v)
		}
	}
	if failed != nil {
		c.Note = fmt.Sprintf("%v: %s", failed, text)
	}
	return c, err
}

// smallest runs the smallest problem of the application on one rank and on two.
func (v *verification) smallest(ctx context.Context, p *container.Point, build *container.Build, x *local.Executor, path string) ([]container.Check, error) {
	e := smallestStudy(p, build)
	dir, err := run.Create(path, e)
	if err != nil {
		return nil, err
	}
	plan, err := study.New(ctx, &e.Spec, "")
	if err != nil {
		return nil, fmt.Errorf("planning the smallest run of %s: %w", p.Name(), err)
	}
	judge, err := run.NewJudge(e.Spec.Applications)
	if err != nil {
		return nil, err
	}
	d := &run.Driver{Dir: dir, Executor: x, Version: session.Version(), Judge: judge}
	if _, err := d.Run(ctx, plan.Jobs(e)); err != nil {
		return nil, err
	}
	var checks []container.Check
	for r, err := range measure.Records(ctx, dir, e) {
		if err != nil {
			return nil, err
		}
		checks = append(checks, ranWell(&r, p)...)
	}
	if len(checks) == 0 {
		checks = append(checks, container.Check{Name: "runs", Note: "the application was not run: it takes none of the numbers of ranks that were tried"})
	}
	slices.SortStableFunc(checks, func(a, b container.Check) int { return strings.Compare(a.Name, b.Name) })
	return checks, nil
}

// ranWell says how one run went.
func ranWell(r *measure.Record, p *container.Point) []container.Check {
	name := fmt.Sprintf("%d ranks", r.Tasks)
	if r.Tasks == 1 {
		name = "1 rank"
	}
	c := container.Check{Name: name, Passed: r.Status == ensemble.Succeeded, Note: r.Reason}
	for _, flag := range r.Flags {
		if strings.HasPrefix(flag, "no-") && flag != "no-profile" || flag == "unreadable" {
			c.Passed, c.Note = false, "it is flagged "+flag
		}
	}
	if c.Passed && len(r.Metrics) == 0 && len(r.Series) == 0 {
		c.Passed, c.Note = false, "no metric was read"
	}
	if c.Passed {
		c.Note = fmt.Sprintf("succeeded, %d metrics", len(r.Metrics)+len(r.Series))
	}
	checks := []container.Check{c}
	if p.MPI.MPI != spec.NoMPI {
		profile := container.Check{Name: name + ", profiled", Passed: r.MPI != nil && !slices.Contains(r.Flags, "no-profile") && !slices.Contains(r.Flags, "other-mpi")}
		if profile.Note = strings.Join(r.Flags, ", "); profile.Passed {
			profile.Note = fmt.Sprintf("%.1f %% in MPI", r.MPI.Percent)
		}
		checks = append(checks, profile)
	}
	return checks
}

// mostRanks is the largest number of ranks that an image is tried with.
const mostRanks = 16

// numbersOfRanks are the two smallest that the application accepts, or the smallest where
// it has no MPI.
func numbersOfRanks(app *spec.Application, mpi spec.MPI) (numbers []int) {
	want := 2
	if mpi == spec.NoMPI {
		want = 1
	}
	for n := 1; n <= mostRanks && len(numbers) < want; n++ {
		if catalog.Accepts(app, catalog.Config{Nodes: 1, Tasks: n, TasksPerNode: n, Threads: 1, CoresPerTask: 1, Parameters: container.SmallestParameters(app, n)}) == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// smallestStudy is a study of the smallest problem on the smallest numbers of ranks, most
// often one and two.
func smallestStudy(p *container.Point, build *container.Build) *spec.Ensemble {
	app := *p.App
	app.Spec.Variants = []spec.Variant{*p.AsVariant(p.Name() + "@" + build.Digest)}
	e := &spec.Ensemble{
		Header: spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "verify"}},
		Spec:   spec.EnsembleSpec{Applications: []spec.Application{app}},
	}
	for _, n := range numbersOfRanks(&app, p.MPI.MPI) {
		sweep := spec.Sweep{Name: fmt.Sprintf("ranks-%d", n)}
		sweep.Apps = spec.Axis{Values: []spec.Value{spec.Of(app.Metadata.Name)}}
		sweep.Tasks = &spec.Axis{Values: []spec.Value{spec.Of(int64(n))}}
		sweep.Parameters = map[string]spec.Axis{}
		for name, value := range container.SmallestParameters(&app, n) {
			sweep.Parameters[name] = spec.Axis{Values: []spec.Value{value}}
		}
		e.Spec.Study.Sweeps = append(e.Spec.Study.Sweeps, sweep)
	}
	yes, none := true, 0
	e.Spec.Study.Run = spec.RunPolicy{Oversubscribe: &yes, Shared: &yes, Retries: &none, Timeout: spec.Duration(5 * time.Minute)}
	if p.MPI.MPI != spec.NoMPI {
		e.Spec.Study.Run.Profile = spec.ProfileMPI
	}
	e.Default()
	return e
}
