// SPDX-License-Identifier: MIT

package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study"
)

// Config is what an agent is told.
type Config struct {
	// Unit is that of the Ensemble, and Index the number of the pod.
	Unit  string
	Index int
	// UID is that of the Ensemble: another of its name is none of the agent's business.
	UID string
	// Socket is the broker's, and Complete the file that marks the end of Flux.
	Socket, Complete string
	// Dir is where the agent keeps its things, in a volume that outlives its container.
	Dir string
	// Repository is where the bundle goes, Push says how, and Layout is the directory of
	// an OCI layout that it goes to instead. Both empty is nowhere.
	Repository string
	Push       image.PushOptions
	Layout     string
	// Look is how often the Ensemble is looked at; 0 is 5 s.
	Look time.Duration
	// Retry is the first wait between two tries to save; 0 is 10 s.
	Retry time.Duration
	// Grace is how long saving has when the pod was asked to end; 0 is 25 s, less than
	// Kubernetes gives it by default.
	Grace time.Duration
	// Version is written into the journal.
	Version string
	Log     *slog.Logger
}

// The ends that others bring about. Each is the cause of a context.
var (
	errCancelled = errors.New("the run was cancelled")
	errDeadline  = errors.New("the deadline is over")
	errDeleted   = errors.New("the Ensemble is being deleted")
	errEnded     = errors.New("the pod was asked to end")
)

// Run does what the agent of a pod does. The end of ctx is a request to end.
func Run(ctx context.Context, c Config, k Cluster) error {
	c.Look, c.Retry = cmp.Or(c.Look, 5*time.Second), cmp.Or(c.Retry, 10*time.Second)
	c.Grace = cmp.Or(c.Grace, 25*time.Second)
	if c.Index == 0 {
		a := &agent{Config: c, cluster: k}
		if err := a.drive(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return stay(ctx, c.Complete)
}

// stay waits for the end of Flux.
func stay(ctx context.Context, file string) error {
	for {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// agent is the one that drives.
type agent struct {
	Config
	cluster Cluster
	unit    v1alpha1.Unit
	report  *reporter
	image   string // of the applications, with its digest where that is known
	client  *flux.Client
	dir     run.Dir
	ens     *spec.Ensemble
}

func (a *agent) drive(ctx context.Context) error {
	e, err := a.read(ctx)
	if err != nil {
		return err
	}
	me, err := a.identity()
	if err != nil {
		return err
	}
	a.report = newReporter(a.cluster, a.Unit, me, a.Log)
	defer a.report.close()
	before := e.Status.Member(a.Unit)
	if before != nil && before.Report != nil && before.Report.Pod != me && before.Report.Pod != "" && before.Report.State != v1alpha1.AgentStarting {
		return a.lost(ctx, before.Report)
	}
	if before != nil && before.Report != nil && before.Report.Pod == me && before.Report.State == v1alpha1.AgentSaved {
		return a.finish(ctx) // a restart behind the end
	}
	a.report.set(func(r *v1alpha1.Report) { r.State = v1alpha1.AgentStarting })
	if err := a.connect(ctx); err != nil {
		return err
	}
	defer a.client.Close()
	outcome, message := a.carryOut(ctx, e)
	a.Log.Info("the run is over", "outcome", outcome, "message", message)
	a.report.set(func(r *v1alpha1.Report) {
		r.State, r.Outcome, r.Message = v1alpha1.AgentSaving, outcome, message
	})
	if err := a.save(ctx, e); err != nil {
		return err
	}
	return a.finish(ctx)
}

// read gets the Ensemble, for as long as the API server cannot be reached.
func (a *agent) read(ctx context.Context) (*v1alpha1.Ensemble, error) {
	for {
		e, err := a.cluster.Get(ctx)
		if err == nil && string(e.UID) != a.UID {
			return nil, fmt.Errorf("the Ensemble is another one of that name: its UID is %s, want %s", e.UID, a.UID)
		}
		if err == nil {
			return e, nil
		}
		a.Log.Warn("reading the Ensemble", "error", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(a.Look):
		}
	}
}

// identity tells this pod from one that takes its place: it is kept in the volume that
// goes with the pod.
func (a *agent) identity() (string, error) {
	if err := os.MkdirAll(a.Dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(a.Dir, "id")
	if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
		return string(b), nil
	}
	me := rand.Text()
	return me, run.WriteFile(file, []byte(me))
}

// lost is of a pod in the place of another, whose broker had run jobs.
func (a *agent) lost(ctx context.Context, before *v1alpha1.Report) error {
	a.report.set(func(r *v1alpha1.Report) {
		*r = *before
		r.Outcome = v1alpha1.OutcomeInstanceLost
		r.Message = "the first pod was replaced, and with it went the instance and what was not saved"
	})
	if err := a.connect(ctx); err != nil {
		return err
	}
	defer a.client.Close()
	return a.finish(ctx)
}

// connect waits for the broker, and for the instance to take jobs.
func (a *agent) connect(ctx context.Context) error {
	for {
		c, err := flux.Dial(ctx, "local://"+a.Socket)
		if err == nil {
			if err = c.Ready(ctx); err == nil {
				a.client = c
				a.Log.Info("Flux is ready")
				return nil
			}
			c.Close()
		}
		a.Log.Info("waiting for Flux", "error", err)
		select {
		case <-ctx.Done():
			return errEnded
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// carryOut runs what there is to run, and says how that ended.
func (a *agent) carryOut(ctx context.Context, e *v1alpha1.Ensemble) (v1alpha1.Outcome, string) {
	fail := func(err error) (v1alpha1.Outcome, string) { return v1alpha1.OutcomeFailed, err.Error() }
	s, err := a.prepare(ctx, e)
	if err != nil {
		return fail(err)
	}
	path := filepath.Join(a.Dir, "run")
	if a.dir, _, err = run.Open(path); err != nil {
		if a.dir, err = run.Create(path, a.ens); err != nil {
			return fail(err)
		}
	}
	x, err := a.executor(ctx)
	if err != nil {
		return fail(err)
	}
	defer x.Close()
	if faults := run.CanSteer(x, s.Engine); len(faults) > 0 {
		return fail(&spec.FileError{File: "ensemble/" + e.Name, Faults: faults})
	}
	d, err := s.Driver(a.dir, x, a.Version)
	if err != nil {
		return fail(err)
	}
	machine := run.Capture(ctx, nil, x.Cores())
	machine.Flux = x.Instance()
	machine.Nodes = a.nodes(ctx, e)
	d.Environment = &machine
	counts, err := newCounter(a.dir, a.report)
	if err != nil {
		return fail(err)
	}
	d.Observer = counts
	// Before the first job: who deletes the Ensemble now has to wait for its results.
	a.report.set(func(r *v1alpha1.Report) { r.State = v1alpha1.AgentRunning })
	a.report.flush(ctx)
	a.Log.Info("the run begins", "unit", a.Unit, "image", a.image, "cores", x.Cores(), "directory", path)
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	go a.watch(running, end)
	sum, err := d.Run(running, a.jobs(s))
	return outcomeOf(ctx, running, s, sum, err)
}

// nodes are those of the unit, as the operator found them since the Ensemble was read.
func (a *agent) nodes(ctx context.Context, e *v1alpha1.Ensemble) (kinds []run.NodeKind) {
	if now, err := a.cluster.Get(ctx); err == nil {
		e = now
	}
	if m := e.Status.Member(a.Unit); m != nil {
		for _, k := range m.Hardware {
			kinds = append(kinds, run.NodeKind(k))
		}
	}
	return kinds
}

// executor is one in the instance of the pods.
type executor interface {
	run.Executor
	Cores() int
	Instance() *run.FluxInstance
	Close()
}

// executor makes the executor: one that grows and shrinks where the member may.
func (a *agent) executor(ctx context.Context) (executor, error) {
	n, o := a.unit.Member.Nodes, fluxrun.Options{Image: true}
	least, most := n.Range()
	if least == most {
		return fluxrun.New(ctx, a.client, o)
	}
	return fluxrun.NewElastic(ctx, a.client, o, fluxrun.Sizing{Size: n.Size, Min: least, Max: most, Look: a.Look / 5, Ask: func(nodes int) {
		a.report.set(func(r *v1alpha1.Report) { r.Nodes = nodes })
	}})
}

// outcomeOf says how a run ended.
func outcomeOf(ctx, running context.Context, s *session.Session, sum run.Summary, err error) (v1alpha1.Outcome, string) {
	var member *run.MemberError
	cause := context.Cause(running)
	switch {
	case ctx.Err() != nil:
		return v1alpha1.OutcomeInstanceLost, errEnded.Error()
	case errors.Is(cause, errDeadline):
		return v1alpha1.OutcomeDeadlineExceeded, cause.Error()
	case errors.Is(cause, errCancelled), errors.Is(cause, errDeleted):
		return v1alpha1.OutcomeCancelled, cause.Error()
	case errors.As(err, &member):
		return v1alpha1.OutcomeInstanceLost, err.Error()
	case err != nil:
		return v1alpha1.OutcomeFailed, err.Error()
	case s.Good(sum):
		return v1alpha1.OutcomeSucceeded, ""
	}
	return v1alpha1.OutcomeJobsFailed, ""
}

// prepare takes of the ensemble what the unit runs.
func (a *agent) prepare(ctx context.Context, e *v1alpha1.Ensemble) (*session.Session, error) {
	doc, err := e.Document()
	if err != nil {
		return nil, err
	}
	cat, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	if a.ens, err = study.Resolve(ctx, doc, cat); err != nil {
		return nil, err
	}
	units := v1alpha1.Units(a.ens)
	i := slices.IndexFunc(units, func(u v1alpha1.Unit) bool { return u.Name == a.Unit })
	if i < 0 {
		return nil, fmt.Errorf("the Ensemble has no member %q", a.Unit)
	}
	a.unit = units[i]
	a.image = a.pinned(ctx, a.unit.Image)
	a.ens.Spec.Groups = slices.DeleteFunc(a.ens.Spec.Groups, func(g spec.Group) bool { return !a.unit.Runs(g.Name, g.Variant) })
	return session.Prepare(ctx, a.ens, e.Annotations[v1alpha1.EnvironmentAnnotation], a.inImage)
}

// inImage says which image a job is in.
func (a *agent) inImage(j *ensemble.Job) { j.Launch.Image = a.image }

// pinned adds its digest to the name of an image, once the operator has read it off the
// pods. It is not waited for for long: a record without it is better than none.
func (a *agent) pinned(ctx context.Context, image string) string {
	if image == "" || strings.Contains(image, "@") {
		return image
	}
	for range 10 {
		if e, err := a.cluster.Get(ctx); err == nil {
			if m := e.Status.Member(a.Unit); m != nil && m.ImageDigest != "" {
				return image + "@" + m.ImageDigest
			}
		}
		select {
		case <-ctx.Done():
			return image
		case <-time.After(a.Look / 5):
		}
	}
	a.Log.Warn("the operator does not tell the digest of the image", "image", image)
	return image
}

// jobs are those of the study that run here.
func (a *agent) jobs(s *session.Session) iter.Seq2[*ensemble.Job, error] {
	return func(yield func(*ensemble.Job, error) bool) {
		for j, err := range s.Plan.Jobs(a.ens) {
			if err == nil {
				if !a.unit.Runs(j.Group, j.Variant) {
					continue
				}
				a.inImage(j)
			}
			if !yield(j, err) {
				return
			}
		}
	}
}

// watch looks at the Ensemble for what ends the run.
func (a *agent) watch(ctx context.Context, end context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(a.Look):
		}
		e, err := a.cluster.Get(ctx)
		if err != nil {
			a.Log.Warn("reading the Ensemble", "error", err)
			continue
		}
		why, cancel := e.Annotations[v1alpha1.CancelAnnotation]
		limit := deadline(e)
		switch {
		case e.DeletionTimestamp != nil:
			end(errDeleted)
		case cancel && strings.TrimSpace(why) != "":
			end(fmt.Errorf("%w: %s", errCancelled, why))
		case cancel:
			end(errCancelled)
		case limit > 0 && time.Since(e.CreationTimestamp.Time) >= limit:
			end(errDeadline)
		}
	}
}

// deadline is how long all may take, as the Ensemble says it now.
func deadline(e *v1alpha1.Ensemble) time.Duration {
	var now struct{ Deadline spec.Duration }
	if json.Unmarshal(e.Spec, &now) != nil {
		return 0 // the API server took it: it is no duration that is wrong
	}
	return time.Duration(now.Deadline)
}

// finish shuts Flux down.
func (a *agent) finish(ctx context.Context) error {
	telling, cancel := a.grace(ctx)
	defer cancel()
	a.report.flush(telling)
	if a.client == nil {
		if err := a.connect(ctx); err != nil {
			return err
		}
		defer a.client.Close()
	}
	if !a.archives() && ctx.Err() == nil { // the results are here and nowhere else
		return nil
	}
	return a.client.Shutdown(telling)
}
