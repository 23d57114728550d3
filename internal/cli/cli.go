// SPDX-License-Identifier: MIT

// Package cli is the command line. Its commands parse what the user wrote and
// hand it to the packages that do the work; what those return it shows.
//
// Results go to standard output and talk to standard error, so that a result
// can be piped while a person reads along. The exit codes are those of
// [Main].
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/internal/session"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/local"
	"github.com/converged-computing/ensemble/spec"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1   // some trial or check failed
	exitInput       = 2   // the input is wrong
	exitMachine     = 3   // the machine lacks something, found before anything ran
	exitService     = 4   // a service or the storage failed
	exitInterrupted = 130 // somebody pressed Ctrl-C
)

// env is what a command may touch of the world.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	catalogs       []string // --catalog
	registry       image.PushOptions
}

// catalog loads the embedded applications and the user's.
func (e *env) catalog() (*catalog.Catalog, error) {
	c, err := catalog.Load(e.catalogs...)
	return c, input(err)
}

// say writes a line of talk.
func (e *env) say(format string, args ...any) { fmt.Fprintf(e.stderr, format+"\n", args...) }

// codeError is an error that decides the exit code.
type codeError struct {
	code int
	err  error // nil where everything was said already
}

func (e *codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// input marks an error as one of the input.
func input(err error) error {
	if err == nil {
		return nil
	}
	return &codeError{exitInput, err}
}

// interrupted is the cause of a context that a signal cancelled.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string { return fmt.Sprintf("interrupted (%v)", i.signal) }

// Main runs one command line, program name first, and gives the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		s := <-signals
		signal.Stop(signals) // the next one ends the process at once
		cancel(interrupted{s})
	}()

	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(e)
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) { // only a signal cancels
		err = context.Cause(ctx)
	}
	if text := message(err); text != "" {
		fmt.Fprintln(stderr, text)
	}
	return exitCode(err)
}

func message(err error) string {
	if err == nil {
		return ""
	}
	var fe *spec.FileError
	if errors.As(err, &fe) {
		return err.Error() // every line names its file
	}
	if text := err.Error(); text != "" {
		return "ensemble: " + text
	}
	return ""
}

func exitCode(err error) int {
	var (
		code    *codeError
		file    *spec.FileError
		missing *run.MissingError
		storage *run.StorageError
		member  *run.MemberError
		broken  *run.BrokenError
		sig     interrupted
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &sig):
		return exitInterrupted
	case errors.As(err, &storage), errors.As(err, &member), errors.Is(err, unix.ENOSPC):
		return exitService
	case errors.Is(err, run.ErrLocked), errors.Is(err, run.ErrOtherRules), errors.As(err, &broken):
		return exitInput
	case errors.As(err, &missing):
		return exitMachine
	case errors.As(err, &code):
		return code.code
	case errors.As(err, &file):
		return exitInput
	default:
		return exitFailed
	}
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "ensemble",
		Short: "Design, run and study ensembles of HPC applications",
		Long: `ensemble designs, runs and studies ensembles of HPC applications.

A study is a file that says which applications at which sizes. "plan" shows its
trials, "run" carries it out and leaves a run directory, and "records" and
"report" read that directory.

Exit codes: 0 done; 1 some trial or check failed; 2 the input is wrong; 3 the
machine lacks something; 4 a service or the storage failed; 130 interrupted.`,
		Version:       session.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          subcommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetIn(e.stdin)
	root.PersistentFlags().StringArrayVar(&e.catalogs, "catalog", nil, "a `DIR` of your own applications (NAME/app.yaml); may be repeated")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return input(fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help"))
	})
	root.SetHelpCommand(newHelp())
	root.AddCommand(
		newApps(e), newDoctor(e), newParse(e), newPlan(e), newRun(e), newStatus(e),
		newRecords(e), newReport(e), newPattern(e), newPush(e), newPull(e), newLogs(e), newCancel(e), newConvert(e), newContainers(e), newSchema(e), newSupervise(), newEnter(),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.HasSubCommands() { // cobra explains such a command whatever it is given
			c.Args, c.RunE = subcommand, func(c *cobra.Command, _ []string) error { return c.Help() }
			continue
		}
		if args := c.Args; args != nil {
			c.Args = func(c *cobra.Command, a []string) error {
				if err := args(c, a); err != nil {
					return input(fmt.Errorf("%w; usage: %s", err, c.UseLine()))
				}
				return nil
			}
		}
	}
	return root
}

// newHelp is cobra's, but for a command that it does not know.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			switch {
			case err != nil:
				return unknownCommand(c.Root(), args[0])
			case len(rest) > 0 && found.HasSubCommands():
				return unknownCommand(found, rest[0])
			case len(rest) > 0:
				return input(fmt.Errorf("%q has no commands of its own; got %q", found.CommandPath(), rest[0]))
			}
			return found.Help()
		},
	}
}

// subcommand wants no argument of a command that has commands below it: one that
// got here is none of them.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(c, args[0])
}

func unknownCommand(above *cobra.Command, name string) error {
	var names []string
	for _, c := range above.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return input(errors.New(spec.Unknown("command", name, names)))
}

// newSupervise is what the local executor starts; it is not for users.
func newSupervise() *cobra.Command {
	return &cobra.Command{
		Use: "supervise ATTEMPT", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return local.Supervise(args[0]) },
	}
}

// newEnter becomes a process in an image; it is not for users.
func newEnter() *cobra.Command {
	return &cobra.Command{
		Use: "enter ROOT ATTEMPT WORKDIR [COMMAND...]", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := local.Enter(args); err != nil {
				return &codeError{127, err}
			}
			return nil
		},
	}
}
