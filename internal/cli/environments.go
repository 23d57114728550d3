// SPDX-License-Identifier: MIT

package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/converged-computing/ensemble/internal/ensembles"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// environments are those that the study of a run names, with the run's own name.
func (e *env) environments(ctx context.Context, args []string, o runOptions) (name string, all []spec.NamedEnvironment, err error) {
	var ens *spec.Ensemble
	if len(args) > 0 {
		ens, _, err = e.resolve(ctx, args[0])
	} else if o.dir != "" {
		_, ens, err = run.Open(o.dir)
		err = input(err)
	}
	if err != nil || ens == nil {
		return "", nil, err
	}
	return ens.Metadata.Name, ens.Spec.Study.Environments, nil
}

// everywhere says whether a study is to be run in several environments by one command.
func everywhere(all []spec.NamedEnvironment) bool {
	return len(all) > 1 && !slices.ContainsFunc(all, func(x spec.NamedEnvironment) bool { return x.On == "" })
}

// reach takes from the environment of a run how it is reached, where flags do not say it.
func (o *runOptions) reach(all []spec.NamedEnvironment) {
	i := slices.IndexFunc(all, func(x spec.NamedEnvironment) bool { return x.Name == o.environment })
	if o.environment == "" && len(all) == 1 {
		i = 0
	}
	if i < 0 || all[i].On == "" {
		return
	}
	o.on, o.uri = all[i].On, all[i].URI
	o.kube.context = cmp.Or(o.kube.context, all[i].Context)
	o.kube.namespace = cmp.Or(o.kube.namespace, all[i].Namespace)
}

// runInEach runs a study in each of its environments, one after another, each by a command
// of its own: it does what the same command does with --environment. All are checked before
// the first is run; one that fails keeps no other from running. The exit code is that of the
// first that failed for another reason than its trials, or else 1.
func (e *env) runInEach(ctx context.Context, o runOptions, name string, all []spec.NamedEnvironment) error {
	var todo []runOptions
	for _, x := range all {
		own := o
		own.environment, own.dir = x.Name, filepath.Join(cmp.Or(o.dir, filepath.Join("runs", name)), x.Name)
		own.reach(all)
		there, err := os.ReadDir(own.dir)
		own.resume = o.resume && err == nil && len(there) > 0
		if own.on == "kubernetes" && own.resume {
			e.say("in %s: %s has its results", x.Name, own.dir)
			continue
		}
		if own.on == "kubernetes" && o.resume {
			if own.resume, err = own.made(ctx, name); err != nil {
				return err
			}
		}
		todo = append(todo, own)
	}
	var checked bytes.Buffer
	if err := each(todo, func(own runOptions) error {
		checked.Reset()
		err := own.command(ctx, e.stdin, io.Discard, &checked, "--dry-run")
		if err != nil || o.dryRun {
			e.say("in %s:\n%s", own.environment, strings.TrimSuffix(checked.String(), "\n"))
		}
		return err
	}); err != nil || o.dryRun {
		return err
	}
	return each(todo, func(own runOptions) error {
		e.say("in %s:", own.environment)
		return own.command(ctx, e.stdin, e.stdout, e.stderr)
	})
}

// each goes through all, also behind one that ended with an exit code.
func each(all []runOptions, do func(runOptions) error) error {
	worst := 0
	for _, own := range all {
		err := do(own)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return err
		}
		if err != nil && worst <= exitFailed {
			if worst = exit.ExitCode(); worst < 0 { // a signal ended it
				worst = exitService
			}
		}
	}
	if worst != 0 {
		return &codeError{worst, nil} // each said what was wrong
	}
	return nil
}

// command runs this command again, for one environment.
func (o *runOptions) command(ctx context.Context, in io.Reader, out, talk io.Writer, more ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := slices.Concat(os.Args[1:], []string{"--environment", o.environment, "--dir", o.dir, fmt.Sprintf("--resume=%v", o.resume)}, more)
	c := exec.CommandContext(ctx, self, args...)
	c.Stdin, c.Stdout, c.Stderr = in, out, talk
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is told to it once, by this command
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	err = c.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// made says whether there is an Ensemble of a name in a cluster.
func (o *runOptions) made(ctx context.Context, name string) (bool, error) {
	k, err := o.kube.dial()
	if err != nil {
		return false, err
	}
	_, err = k.Get(ctx, name)
	if errors.Is(err, ensembles.ErrNotFound) {
		return false, nil
	}
	return err == nil, clusterFault(err)
}
