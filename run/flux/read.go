// SPDX-License-Identifier: MIT

package flux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
)

// read saves what an attempt left that is clean, and tells its end. It returns at
// once where it has room.
func (x *Executor) read(a *attempt) {
	select {
	case x.reading <- struct{}{}:
	case <-x.ctx.Done():
		return
	}
	x.work.Go(func() {
		defer func() { <-x.reading }()
		exit, err := x.save(x.ctx, a)
		if err == nil && a.exception != nil && nodeFailed(a.exception) {
			err = x.noticed(x.ctx, a)
		}
		if err == nil {
			err = run.WriteJSON(exitPath(a.dir), exit)
		}
		if err != nil {
			x.fail(err)
			return
		}
		x.end(a, exit)
	})
}

// save writes what the tasks left, and makes the exit.
func (x *Executor) save(ctx context.Context, a *attempt) (*run.Exit, error) {
	exit := &run.Exit{Command: a.job.Launch.Command, Flux: &a.told, End: a.told.Clean}
	exit.Status, exit.Reason = a.verdict()
	if exit.Begin = a.told.Alloc; exit.Begin.IsZero() {
		exit.Begin = a.told.Clean // it never got anything
	}
	if a.job.Policy.Shared {
		exit.Flags = append(exit.Flags, "shared")
	}
	if a.told.Start.IsZero() {
		return exit, nil
	}
	if a.job.Policy.Sample > 0 {
		exit.Flags = append(exit.Flags, "not-sampled")
	}
	exit.Start, exit.Finish = a.told.Start, a.told.Finish
	if exit.Finish.IsZero() {
		exit.Finish = a.told.Clean
	} else {
		exit.ExitCode = new(a.status.ExitCode())
	}
	if a.job.Policy.Oversubscribe && a.job.Shape.Cores() > a.told.Cores {
		exit.Flags = append(exit.Flags, "oversubscribed")
	}
	if x.options.Mock != nil && x.options.Mock(a.job) != nil {
		exit.Flags = append(exit.Flags, "simulated")
		return exit, nil
	}
	if err := x.stored(ctx, a); err != nil {
		return nil, err
	}
	if err := x.launched(ctx, a, exit); err != nil {
		return nil, err
	}
	said, err := x.output(ctx, a)
	if err != nil {
		return nil, err
	}
	said.into(exit, a.job)
	return exit, nil
}

// stored waits until Flux has written down that the job is over: the journal is ahead of
// that, and an output that is asked for in between never ends (flux-core 0.88).
func (x *Executor) stored(ctx context.Context, a *attempt) error {
	_, err := x.client.WaitEvent(ctx, a.id, "clean")
	var refused *flux.Error
	if err != nil && !errors.As(err, &refused) {
		return lost(x.client, err)
	}
	return nil
}

// launched takes the start of the tasks from the log of the job shell: Flux's own
// start is that of the shell.
func (x *Executor) launched(ctx context.Context, a *attempt, exit *run.Exit) error {
	const log = "guest.exec.eventlog"
	values, err := x.client.Lookup(ctx, a.id, log)
	var refused *flux.Error
	if errors.As(err, &refused) {
		return nil // a job that was cancelled early has none
	}
	if err != nil {
		return lost(x.client, err)
	}
	events, err := flux.ParseEventlog(values[log])
	if err != nil {
		return lost(x.client, err)
	}
	for _, e := range events {
		if e.Name == "shell.start" {
			exit.Start = within(e.Time().UTC(), exit.Start, exit.Finish)
		}
	}
	return nil
}

// within keeps a time of another clock inside of what is known.
func within(t, from, to time.Time) time.Time {
	if t.Before(from) {
		return from
	}
	if t.After(to) {
		return to
	}
	return t
}

// output reads what the tasks wrote.
func (x *Executor) output(ctx context.Context, a *attempt) (*said, error) {
	root, err := os.OpenRoot(a.dir)
	if err != nil {
		return nil, &run.StorageError{Path: a.dir, Err: err}
	}
	defer root.Close()
	if err := root.Remove(run.StepsFile); err != nil && !errors.Is(err, errNone) { // of a driver that died here
		return nil, &run.StorageError{Path: a.dir, Err: err}
	}
	files := map[string]*bufio.Writer{}
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for _, name := range []string{run.StdoutFile, run.StderrFile} {
		f, err := root.Create(name)
		if err != nil {
			return nil, &run.StorageError{Path: filepath.Join(a.dir, name), Err: err}
		}
		open, files[name] = append(open, f), bufio.NewWriter(f)
	}
	d := &demux{said: said{root: root}, mark: []byte("\n@" + a.tag.mark() + "\n"), alone: a.job.Shape.Tasks == 1,
		out: files[run.StdoutFile], tasks: map[int]*task{}}
	if err := x.chunks(ctx, a, d, files[run.StderrFile]); err != nil {
		return nil, err
	}
	for i, name := range []string{run.StdoutFile, run.StderrFile} {
		if err := errors.Join(files[name].Flush(), open[i].Sync()); err != nil {
			return nil, &run.StorageError{Path: filepath.Join(a.dir, name), Err: err}
		}
	}
	return &d.said, nil
}

// chunks takes the output apart, as it comes.
func (x *Executor) chunks(ctx context.Context, a *attempt, d *demux, stderr io.Writer) error {
	out, err := x.client.Output(ctx, a.id)
	if err != nil {
		return lost(x.client, err)
	}
	for chunk, err := range out.All() {
		var refused *flux.Error
		switch {
		case errors.As(err, &refused):
			return d.end() // there is none: it never came so far
		case err != nil:
			return lost(x.client, err)
		case chunk.Stream == "stdout":
			for rank := range chunk.Ranks.All() {
				if err := d.stdout(rank, chunk.Data); err != nil {
					return &run.StorageError{Path: a.dir, Err: err}
				}
			}
		case len(chunk.Data) == 0:
		case chunk.Stream == "stderr":
			for range chunk.Ranks.All() {
				_, err = stderr.Write(chunk.Data)
			}
		default:
			_, err = fmt.Fprintf(stderr, "flux-shell: %s\n", strings.TrimSpace(string(chunk.Data)))
		}
		if err != nil {
			return &run.StorageError{Path: a.dir, Err: err}
		}
	}
	if err := d.end(); err != nil {
		return &run.StorageError{Path: a.dir, Err: err}
	}
	return nil
}

// into puts what the tasks said into the exit.
func (s *said) into(exit *run.Exit, job *ensemble.Job) {
	if !s.begin.IsZero() && !s.end.IsZero() {
		exit.Start = within(s.begin, exit.Flux.Start, exit.Finish)
		exit.Finish = within(s.end, exit.Start, exit.Finish)
		exit.Resources = &run.Resources{UserSeconds: s.user, SystemSeconds: s.system}
	}
	slices.SortStableFunc(s.steps, func(a, b step) int { return a.node - b.node })
	for _, p := range s.steps {
		commands := map[string][][]string{"before": job.Launch.Before, "prepare": job.Launch.Prepare, "after": job.Launch.After}[p.Name]
		if p.number >= len(commands) {
			continue
		}
		if p.Command = commands[p.number]; p.node == 0 || p.ExitCode != 0 {
			exit.Steps = append(exit.Steps, p.Step)
		}
		why := fmt.Sprintf("the %s command %q failed: exit code %d", p.Name, p.Command[0], p.ExitCode)
		switch {
		case p.ExitCode == 0:
		case p.Name != "after" && exit.Status == ensemble.Failed && s.begin.IsZero():
			exit.Reason, exit.ExitCode, exit.Start, exit.Finish = why, nil, time.Time{}, time.Time{}
		case exit.Status == ensemble.Succeeded:
			exit.Status, exit.Reason = ensemble.Failed, why
		}
	}
	if exit.Status == ensemble.Succeeded && s.wrong != nil {
		exit.Status, exit.Reason = ensemble.Failed, fmt.Sprintf("what the job sent to be kept cannot be: %v", s.wrong)
	}
}
