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

// hookGrace is how long a command around a run has to end after it was asked.
const hookGrace = 5 * time.Second

// hook runs one command before or after the whole run, in the run directory,
// with its output in before-N.log or after-N.log.
func (r *session) hook(ctx context.Context, when string, i int, argv []string) error {
	name := fmt.Sprintf("%s-%d.log", when, i+1)
	log, err := os.Create(r.Dir.path(name))
	if err != nil {
		return &StorageError{Path: r.Dir.path(name), Err: err}
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = string(r.Dir), log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = hookGrace
	err = cmd.Run()
	if cmd.Process != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it left in the background
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("the command %s the run: %q is not found", when, argv[0])
	default:
		return fmt.Errorf("the command %s the run, %q, failed: %w; its output is in %s", when, argv, err, r.Dir.path(name))
	}
}
