// SPDX-License-Identifier: MIT

package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/internal/cli"
	"github.com/converged-computing/ensemble/run"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"ensemble": func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command line as a user would; each file tells one story.
func TestScripts(t *testing.T) {
	t.Parallel()
	registry, err := image.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"decisions": decisions,
			"broker":    broker,
		},
		Setup: func(e *testscript.Env) error {
			examples, err := filepath.Abs("../../examples/ensemble-python")
			e.Setenv("EXAMPLES", examples)
			e.Setenv("REGISTRY", registry.Address)
			e.Setenv("HOME", e.WorkDir) // what is kept of bundles and images
			return err
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// exits runs a command and wants its exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCodeOf(err); got != args[0] {
		ts.Fatalf("got exit code %s (%v), want %s", got, err, args[0])
	}
}

// broker starts a Flux broker of some nodes that executes on this machine, and has
// FLUX_URI name it: broker NODES CORES.
func broker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: broker NODES CORES")
	}
	nodes, err := strconv.Atoi(args[0])
	ts.Check(err)
	cores, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := fluxtest.New(fluxtest.Options{Nodes: nodes, Cores: cores, Run: fluxtest.Exec})
	ts.Check(err)
	ts.Defer(b.Close)
	ts.Setenv(flux.URIEnv, b.URI())
}

// decisions prints what the journal of a run says was decided, and by which rule:
// decisions RUN.
func decisions(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: decisions RUN")
	}
	for line := range strings.Lines(ts.ReadFile(filepath.Join(args[0], run.JournalFile))) {
		var e ensemble.Event
		ts.Check(json.Unmarshal([]byte(line), &e))
		if e.Name == ensemble.Decide {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", e.Rule, e.Note)
		}
	}
}

func exitCodeOf(err error) string {
	if err == nil {
		return "0"
	}
	var e *exec.ExitError
	if errors.As(err, &e) {
		return strconv.Itoa(e.ExitCode())
	}
	return err.Error()
}
