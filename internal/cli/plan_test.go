// SPDX-License-Identifier: MIT

package cli_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// longPlan asks for a covering array that takes minutes.
const longPlan = `
apiVersion: converged-computing.org/v1alpha1
kind: Study
metadata: {name: long}
spec:
  sweeps:
  - apps: lammps
    nodes: {from: 1, to: 60, by: 1}
    tasksPerNode: {from: 1, to: 60, by: 1}
    threads: {from: 1, to: 60, by: 1}
    coresPerTask: {from: 1, to: 60, by: 1}
    parameters: {x: {from: 4, to: 60, by: 1}, y: {from: 4, to: 60, by: 1}}
    sampler: {kind: covering, strength: 3}
`

func TestAnInterruptEndsPlanningSoon(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "long.yaml")
	write(t, file, longPlan)
	cmd := exec.Command("ensemble", "plan", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // then it is at work
	begin := time.Now()
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := exitCodeOf(cmd.Wait()); code != "130" {
		t.Errorf("got exit code %s, want 130", code)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v to end", d)
	}
}
