// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/api/v1alpha1"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/internal/ensembles"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
)

// resourcePrefix begins what names an Ensemble of a cluster, as with kubectl.
const resourcePrefix = "ensemble/"

// kubeFlags say which cluster is meant.
type kubeFlags struct{ context, namespace string }

func (f *kubeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.context, "context", "", "on Kubernetes: the `CONTEXT` of kubeconfig")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "", "on Kubernetes: the namespace")
}

func (f kubeFlags) dial() (*ensembles.Client, error) {
	k, err := ensembles.Dial(f.context, f.namespace)
	if err != nil {
		return nil, &codeError{exitMachine, fmt.Errorf("finding the cluster: %w", err)}
	}
	return k, nil
}

// clusterFault gives what a cluster answers its exit code.
func clusterFault(err error) error {
	var invalid *ensembles.InvalidError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &invalid), errors.Is(err, ensembles.ErrExists), errors.Is(err, ensembles.ErrNotFound):
		return input(err)
	case errors.Is(err, ensembles.ErrNoDefinition):
		return &codeError{exitMachine, err}
	}
	return &codeError{exitService, err}
}

// lookEvery is how often an Ensemble is looked at while it runs.
const lookEvery = time.Second

// runOnKubernetes makes an Ensemble of a file, follows it, and brings its results here.
func (e *env) runOnKubernetes(ctx context.Context, args []string, o runOptions) error {
	if len(args) == 0 {
		return input(errors.New("run --on kubernetes wants a FILE"))
	}
	ens, locate, err := e.resolve(ctx, args[0])
	if err != nil {
		return err
	}
	if len(ens.Spec.Members) == 0 {
		return input(fmt.Errorf("%s: missing spec.members: on Kubernetes an ensemble says on which nodes and in which images it runs; see docs/kubernetes.md", args[0]))
	}
	if _, err := session.Prepare(ctx, ens, o.environment, nil); err != nil {
		return input(locate(err))
	}
	name, path := ens.Metadata.Name, cmp.Or(o.dir, filepath.Join("runs", ens.Metadata.Name))
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return input(fmt.Errorf("%s is not empty: name another directory (--dir)", path))
	}
	k, err := o.kube.dial()
	if err != nil {
		return err
	}
	if o.dryRun {
		e.say("%s: %s on %s; nothing was made", name, plural(len(ens.Spec.Members), "member"), k.Where)
		return spec.Encode(e.stdout, ens)
	}
	if !o.resume {
		if _, err := k.Create(ctx, ens, o.environment); err != nil {
			if errors.Is(err, ensembles.ErrExists) {
				err = fmt.Errorf("%w: follow it with --resume, or delete it", err)
			}
			return clusterFault(err)
		}
	}
	done, err := e.follow(ctx, k, name)
	var sig interrupted
	if errors.As(err, &sig) {
		e.say("it goes on; follow it with: ensemble run --on kubernetes --resume %s; end it with: ensemble cancel %s%s", args[0], resourcePrefix, name)
	}
	if err != nil {
		return err
	}
	return e.bring(ctx, done, path)
}

// follow tells how an Ensemble stands until nothing more comes of it.
func (e *env) follow(ctx context.Context, k *ensembles.Client, name string) (*v1alpha1.Ensemble, error) {
	line := e.status(resourcePrefix + name)
	defer line.clear()
	last := ""
	for failures := 0; ; {
		got, err := k.Get(ctx, name)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, ensembles.ErrNotFound):
			return nil, &codeError{exitService, fmt.Errorf("%s%s was deleted while it ran", resourcePrefix, name)}
		case err != nil: // an API server may be away for a while
			if failures++; failures > 60 {
				return nil, clusterFault(err)
			}
		default:
			failures = 0
			s := ensembles.StandingOf(got)
			if s.Refused != "" {
				return nil, input(errors.New(s.Refused))
			}
			if s.Line != last {
				last = s.Line
				line.tell(s.Line)
				if !terminal(e.stderr) {
					e.say("%s", s.Line)
				}
			}
			if s.Over {
				return got, nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// bring makes run directories of the bundles of an Ensemble: of one member the directory
// itself, of several a folder each. Its exit code is that of the run.
func (e *env) bring(ctx context.Context, got *v1alpha1.Ensemble, path string) error {
	s := ensembles.StandingOf(got)
	for i := range got.Status.Members {
		m := &got.Status.Members[i]
		if m.Report == nil || m.Report.Digest == "" {
			e.say("%s left no bundle: %s", m.Name, cmp.Or(m.Message, "it had no archive"))
			continue
		}
		to := path
		if len(got.Status.Members) > 1 {
			to = filepath.Join(path, m.Name)
		}
		if strings.HasPrefix(m.Report.Reference, layoutPrefix) {
			e.say("%s is in the claim, as %s", m.Name, m.Report.Reference)
			continue
		}
		ref, _, _ := strings.Cut(m.Report.Reference, "@")
		doc, err := got.Decode()
		if err != nil {
			return err
		}
		store, a, err := e.fetchBundle(ctx, ref, image.PushOptions{PlainHTTP: doc.Spec.Archive.Insecure})
		if err != nil {
			return fmt.Errorf("the run is saved as %s@%s, and could not be fetched from here: %w", ref, m.Report.Digest, err)
		}
		if a.Digest != m.Report.Digest {
			return &codeError{exitService, fmt.Errorf("%s has the digest %s, want %s as the agent pushed it", ref, a.Digest, m.Report.Digest)}
		}
		if err := unpackBundle(ctx, store, a, to); err != nil {
			return err
		}
		if err := e.fetchKubernetes(ctx, store, ref, a.Digest, to, image.PushOptions{PlainHTTP: doc.Spec.Archive.Insecure}); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, to)
	}
	e.say("%s%s: %s", resourcePrefix, got.Name, cmp.Or(s.Message, string(s.Outcome)))
	switch s.Outcome {
	case v1alpha1.OutcomeSucceeded:
		return nil
	case v1alpha1.OutcomeFailed, v1alpha1.OutcomeInstanceLost:
		return &codeError{exitService, fmt.Errorf("%s: %s", s.Outcome, s.Message)}
	}
	return &codeError{exitFailed, nil} // said above
}

func newCancel(e *env) *cobra.Command {
	var kube kubeFlags
	var why string
	c := &cobra.Command{
		Use:   "cancel ensemble/NAME",
		Short: "End a run on Kubernetes, and save what there is",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, ok := strings.CutPrefix(args[0], resourcePrefix)
			if !ok || name == "" {
				return input(fmt.Errorf("got %q, want ensemble/NAME; a run in a directory ends with Ctrl-C", args[0]))
			}
			k, err := kube.dial()
			if err != nil {
				return err
			}
			return clusterFault(k.Annotate(c.Context(), name, v1alpha1.CancelAnnotation, why))
		},
	}
	kube.add(c)
	c.Flags().StringVar(&why, "reason", "cancelled on the command line", "the `REASON`, which the resource keeps")
	return c
}

// resourceStatus shows how an Ensemble on a cluster stands.
func (e *env) resourceStatus(ctx context.Context, kube kubeFlags, name, format string) error {
	k, err := kube.dial()
	if err != nil {
		return err
	}
	got, err := k.Get(ctx, name)
	if err != nil {
		return clusterFault(err)
	}
	l := &listing{header: []string{"member", "state", "nodes", "active", "succeeded", "failed", "jobs", "reference", "message"}, value: got.Status}
	for i := range got.Status.Members {
		m := &got.Status.Members[i]
		r := cmp.Or(m.Report, &v1alpha1.Report{})
		l.rows = append(l.rows, []string{m.Name, string(m.State), count(m.Nodes), count(r.Jobs.Active), count(r.Jobs.Succeeded), count(r.Jobs.Failed), count(r.Jobs.Total), r.Reference, m.Message})
	}
	if format == formats[0] {
		s := ensembles.StandingOf(got)
		fmt.Fprintf(e.stdout, "%s%s: %s\n\n", resourcePrefix, name, cmp.Or(s.Refused, s.Line))
	}
	return l.write(e.stdout, format)
}
