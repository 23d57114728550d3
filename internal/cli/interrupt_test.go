// SPDX-License-Identifier: MIT

package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const slowApp = `
apiVersion: converged-computing.org/v1alpha1
kind: Application
metadata: {name: slow}
spec:
  description: Takes its time, unless it is told not to.
  parameters: {n: {type: int, default: 1}}
  command: [sh, -c, "test -e DIR/quick || { sleep 600 & sleep 600; }"]
  variants: [{name: own, mpi: none}]
`

const slowStudy = `
apiVersion: converged-computing.org/v1alpha1
kind: Study
metadata: {name: slow}
spec:
  run: {noise: {wait: 0s}}
  sweeps: [{apps: slow, parameters: {n: [1, 2, 3]}}]
`

func TestAnInterruptedRunLeavesNothingBehindAndGoesOn(t *testing.T) {
	t.Parallel()
	for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "apps/slow/app.yaml"), strings.ReplaceAll(slowApp, "DIR", dir))
			write(t, filepath.Join(dir, "slow.yaml"), slowStudy)

			cmd := exec.Command("ensemble", "--catalog", "apps", "run", "slow.yaml")
			cmd.Dir = dir
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			journal := filepath.Join(dir, "runs/slow/journal.jsonl")
			for {
				if b, _ := os.ReadFile(journal); strings.Contains(string(b), `"start"`) {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCodeOf(cmd.Wait()); code != "130" {
				t.Errorf("got exit code %s, want 130", code)
			}
			if want := "go on with: ensemble run --resume --dir runs/slow"; !strings.Contains(stderr.String(), want) {
				t.Errorf("got %q, want it to say %q", stderr.String(), want)
			}
			if out, _ := exec.Command("pgrep", "-f", filepath.Join(dir, "quick")).Output(); len(out) > 0 {
				t.Errorf("processes %q are left", out)
			}

			show := exec.Command("ensemble", "report", "runs/slow")
			show.Dir = dir
			if out, err := show.CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 failed, ") || !strings.Contains(string(out), " not finished\n") {
				t.Errorf("the report of what was cut off, %v:\n%s\nwant no failure, as at the end of the run:\n%s", err, out, stderr.String())
			}

			write(t, filepath.Join(dir, "quick"), "")
			resume := exec.Command("ensemble", "run", "--resume", "--dir", "runs/slow")
			resume.Dir = dir
			out, err := resume.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "3 trials: 3 succeeded") {
				t.Errorf("going on: %v\n%s", err, out)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
