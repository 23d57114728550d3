// SPDX-License-Identifier: MIT

package cli_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/measure"
)

const shortStudy = `
apiVersion: converged-computing.org/v1alpha1
kind: Study
metadata: {name: short}
spec:
  repetitions: 4
  run: {noise: {wait: 0s}}
  sweeps: [{apps: short, parameters: {n: {from: 1, to: 10, by: 1}}}]
`

const shortApp = `
apiVersion: converged-computing.org/v1alpha1
kind: Application
metadata: {name: short}
spec:
  description: Prints a number after a moment.
  parameters: {n: {type: int, default: 1}}
  command: [sh, -c, "sleep 0.02; echo n {{.n}}"]
  variants: [{name: own, mpi: none}]
  output:
    metrics: [{name: n, match: '^n (\d+)$'}]
    success: [{match: '^n \d+$', reason: no number}]
`

// shortEnsemble runs as many jobs as shortStudy; each of its rules makes some of
// them, of what jobs print.
const shortEnsemble = `
apiVersion: converged-computing.org/v1alpha1
kind: Ensemble
metadata: {name: short}
spec:
  run: {noise: {wait: 0s}}
  groups:
    - {name: first, app: short, count: 10}
    - {name: second, app: short, count: 2}
    - {name: third, app: short}
  rules:
    - {name: each, on: job-succeed, group: first, repetitions: 10, do: {submit: second, parameters: {n: groups.first.finished}}}
    - {name: third, on: job-succeed, group: second, repetitions: 100, when: 'job.metrics.n >= 6.0', do: {submit: third, parameters: {n: int(job.metrics.n)}}}
`

// The promises about kill -9 are tested where they are kept, in run/local; here
// the whole command line is killed, with all that it does around a run.
func TestACommandLineThatIsKilledGoesOnAndHasEveryRecordOnce(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"study": shortStudy, "ensemble": shortEnsemble} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed(t, file)
		})
	}
}

func killed(t *testing.T, file string) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "apps/short/app.yaml"), shortApp)
	write(t, filepath.Join(dir, "short.yaml"), file)
	rng := rand.New(rand.NewPCG(7, 7))
	kills := 0
	for {
		args := []string{"--catalog", "apps", "run", "short.yaml"}
		if _, err := os.Stat(filepath.Join(dir, "runs/short/ensemble.yaml")); err == nil {
			args = []string{"run", "--resume", "--dir", "runs/short"}
		} else if err := os.RemoveAll(filepath.Join(dir, "runs")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("ensemble", args...)
		cmd.Dir = dir
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Later and later, so that a slow machine comes to an end too.
		timer := time.AfterFunc(time.Duration(100+rng.IntN(700)+20*kills)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		kills++
	}
	out, err := exec.Command("ensemble", "records", filepath.Join(dir, "runs/short"), "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var records []measure.Record
	if err := json.Unmarshal(out, &records); err != nil {
		t.Fatal(err)
	}
	succeeded := map[string]int{}
	for _, r := range records {
		if r.Status == "succeeded" {
			succeeded[r.Trial]++
			if n, _ := r.Parameters["n"].Float(); r.Metrics["n"].Value != n {
				t.Errorf("trial %s printed %g, want %g", r.Trial, r.Metrics["n"].Value, n)
			}
		}
	}
	if len(succeeded) != 40 {
		t.Errorf("%d trials succeeded, want 40", len(succeeded))
	}
	for trial, n := range succeeded {
		if n != 1 {
			t.Errorf("trial %s succeeded %d times", trial, n)
		}
	}
	t.Logf("killed %d times", kills)
}
