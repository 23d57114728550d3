// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hookGrace is how long a command around a run has to end after it was asked.
	hookGrace = 5 * time.Second
	// afterLimit is how long the commands that follow a run have once the run was
	// cancelled.
	afterLimit = 30 * time.Second
	// hookVariable marks every process of the commands around a run.
	hookVariable = "ENSEMBLE_RUN"
)

// before runs the commands ahead of the run. What an earlier session left
// running ends first: its jobs by themselves, since they still use what its
// commands have set up, and then what the commands left behind.
func (r *session) before(ctx context.Context) error {
	if len(r.Before)+len(r.After) == 0 {
		return nil
	}
	for len(r.open) > 0 {
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	KillMarked(hookVariable, string(r.Dir))
	for i, argv := range r.Before {
		if err := r.hook(ctx, "before", i, argv); err != nil {
			return err
		}
	}
	return nil
}

// after runs the commands that follow the run, whatever happened in it.
func (r *session) after(ctx context.Context) error {
	if !r.started || len(r.After) == 0 {
		return nil
	}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(afterLimit):
			cancel(fmt.Errorf("the commands after the run took longer than %v after it was cancelled", afterLimit))
		case <-run.Done():
		}
	})()
	var errs []error
	for i, argv := range r.After {
		errs = append(errs, r.hook(run, "after", i, argv))
	}
	return errors.Join(errs...)
}

// hook runs one command before or after the whole run, in the run directory,
// with its output in before-N.log or after-N.log. What it leaves in its process
// group is killed; a service has to leave it (setsid).
func (r *session) hook(ctx context.Context, when string, i int, argv []string) error {
	path := r.Dir.path(fmt.Sprintf("%s-%d.log", when, i+1))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	log, logErr := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if logErr != nil {
		logErr = &StorageError{Path: path, Err: logErr}
		if when == "before" {
			return logErr
		}
	} else { // on a full disk the clean-up is still done, without a log
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
	}
	cmd.Dir, cmd.Env = string(r.Dir), append(os.Environ(), hookVariable+"="+string(r.Dir))
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = hookGrace
	err := cmd.Run()
	if cmd.Process != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it left in the background
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		err = fmt.Errorf("the command %s the run: %q is not found", when, argv[0])
	default:
		err = fmt.Errorf("the command %s the run, %q, failed: %w; its output is in %s", when, argv, err, path)
	}
	return errors.Join(err, logErr)
}
