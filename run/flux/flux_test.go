// SPDX-License-Identifier: MIT

package flux_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
)

// patience ends a test that waits in vain. No test is judged by the time it takes.
const patience = time.Minute

func dial(t testing.TB, uri string) *flux.Client {
	t.Helper()
	c, err := flux.Dial(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// fake is a broker that executes tasks on this machine.
func fake(t testing.TB, nodes, cores int) string {
	return fluxtest.Start(t, fluxtest.Options{Nodes: nodes, Cores: cores, Run: fluxtest.Exec}).URI()
}

// real is where a real broker of some nodes listens, started for the test where there
// is a flux command.
func real(t testing.TB, nodes string) string {
	t.Helper()
	command, err := exec.LookPath("flux")
	if err != nil {
		t.Skip("no real broker: there is no flux command")
	}
	cmd := exec.Command(command, "start", "--test-size="+nodes, "sh", "-c", "echo $FLUX_URI; cat")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		hung := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer hung.Stop()
		if err := cmd.Wait(); err != nil {
			t.Logf("flux start: %v", err)
		}
	})
	uri, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("flux start says nothing: %v", err)
	}
	return strings.TrimSpace(uri)
}

// create makes the directory of a run.
func create(t testing.TB) run.Dir {
	t.Helper()
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "test"}}
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), &spec.Ensemble{Header: h})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func executor(t testing.TB, uri string, dir run.Dir, o fluxrun.Options) *fluxrun.Executor {
	t.Helper()
	x, err := fluxrun.New(t.Context(), dial(t, uri), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if dir != "" { // else a driver opens it
		if err := x.Open(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func TestAFakeInstanceConforms(t *testing.T) {
	t.Parallel()
	runtest.Conform(t, func(t *testing.T) run.Executor {
		return executor(t, fake(t, 1, 2), create(t), fluxrun.Options{Window: 1})
	})
}

func TestARealInstanceConforms(t *testing.T) {
	t.Parallel()
	uri := real(t, "2")
	runtest.Conform(t, func(t *testing.T) run.Executor {
		return executor(t, uri, create(t), fluxrun.Options{Window: 1})
	})
}

func TestAnImageWithoutTheProfilingLibraryIsSaidToHaveNone(t *testing.T) {
	t.Parallel()
	dir := create(t)
	j := runtest.Job("profiled", "true")
	j.Launch.MPI, j.Launch.Profile, j.Launch.Image = spec.OpenMPI, spec.ProfileMPI, "example.org/app:1"
	s, err := (&run.Driver{Dir: dir, Executor: executor(t, fake(t, 1, 2), "", fluxrun.Options{Image: true})}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
		yield(j, nil)
	})
	if err != nil || s.Status[ensemble.Failed] != 1 {
		t.Fatalf("it ended as %v (%v), want one failure", s.Status, err)
	}
	said, err := os.ReadFile(filepath.Join(dir.Attempt("profiled", 1), run.StderrFile))
	if want := "the image has no MPI profiling library at " + run.ImageLibrary; err != nil || !strings.Contains(string(said), want) {
		t.Errorf("it said %q (%v), want %q", said, err, want)
	}
}
