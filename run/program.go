// SPDX-License-Identifier: MIT

package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// MissingError says that the machine lacks a program.
type MissingError struct {
	// Program is what is missing, and Of what it is needed for; empty says
	// nothing.
	Program, Of string
	// Packages are those of the distribution that provide it.
	Packages []string
	// Hint tells what to do where no package is known.
	Hint string
}

func (e *MissingError) Error() string {
	what := e.Program
	if e.Of != "" {
		what += fmt.Sprintf(" (of %s)", e.Of)
	}
	if len(e.Packages) > 0 {
		return fmt.Sprintf("%s is not installed; install it with: apt-get install %s", what, strings.Join(e.Packages, " "))
	}
	return fmt.Sprintf("%s is not found; %s", what, e.Hint)
}

// CheckCommands says which programs of commands that run one after another are
// missing. path is the list of folders to look in. A program in the directory that
// they run in can be made by what comes before; first says that nothing comes
// before the first command.
func CheckCommands(of string, commands [][]string, path string, first bool) error {
	var errs []error
	for i, argv := range commands {
		name := argv[0]
		if inDirectory := strings.Contains(name, "/") && !filepath.IsAbs(name); inDirectory && first && i == 0 {
			errs = append(errs, &MissingError{Program: name, Of: of, Hint: "it is looked for in the directory that the command runs in, which is new: give its absolute path"})
		}
		if !HasProgram(name, path) {
			errs = append(errs, &MissingError{Program: name, Of: of, Hint: "install it, or correct the command"})
		}
	}
	return errors.Join(errs...)
}

// HasProgram says whether a program is found in a list of folders, or at its own
// absolute path. One that may be in the directory of the job, which is not there
// yet, is taken to be found.
func HasProgram(name, path string) bool {
	if strings.Contains(name, "/") {
		return !filepath.IsAbs(name) || isProgram(name)
	}
	return slices.ContainsFunc(filepath.SplitList(path), func(folder string) bool {
		return !filepath.IsAbs(folder) || isProgram(filepath.Join(folder, name))
	})
}

func isProgram(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

// Path gives the list of folders of an environment that adds some variables, as
// NAME=VALUE, to this process's.
func Path(add []string) string {
	path := os.Getenv("PATH")
	for _, v := range add {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	return path
}

// Check says what the machine lacks for the commands around the run.
func (d *Driver) Check() error {
	return errors.Join(
		CheckCommands("beforeRun", d.Before, Path(nil), true),
		CheckCommands("afterRun", d.After, Path(nil), false),
	)
}
