// SPDX-License-Identifier: MIT

package read_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

var update = flag.Bool("update", false, "write testdata/*.json")

// TestApplications reads testdata/NAME.log with the rules of NAME.
func TestApplications(t *testing.T) {
	logs, err := filepath.Glob("testdata/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, log := range logs {
		app := strings.TrimSuffix(filepath.Base(log), ".log")
		t.Run(app, func(t *testing.T) {
			all := runs(t, reader(t, app), log)
			if len(all) != 1 {
				t.Fatalf("got %d runs, want 1", len(all))
			}
			got, err := json.MarshalIndent(all[0], "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			file := strings.TrimSuffix(log, ".log") + ".json"
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)+"\n"); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestHalfALogIsNoSuccess cuts every log at its middle.
func TestHalfALogIsNoSuccess(t *testing.T) {
	logs, err := filepath.Glob("testdata/*.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		app := strings.TrimSuffix(filepath.Base(log), ".log")
		if app == "osu" || app == "magma" {
			continue // whose rows say nothing of how many are to come
		}
		t.Run(app, func(t *testing.T) {
			b, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			got := last(t, reader(t, app), strings.NewReader(string(b[:len(b)/2])))
			if got.Status != read.Incomplete || got.Reason == "" {
				t.Errorf("got %s: %q, want incomplete with a reason", got.Status, got.Reason)
			}
		})
	}
}

func TestFailuresOfApplications(t *testing.T) {
	for _, c := range []struct{ name, app, log, want string }{
		{"a LAMMPS error is the reason", "lammps", "LAMMPS (2 Aug 2023)\nERROR on proc 3: Lost atoms: original 32000 current 31999 (src/thermo.cpp:494)\n", "ERROR on proc 3: Lost atoms: original 32000 current 31999 (src/thermo.cpp:494)"},
		{"an HPL residual that fails is the reason", "hpl", "||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)=   5.5e+03 ...... FAILED\nEnd of Tests.\n", "||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)=   5.5e+03 ...... FAILED"},
		{"an OSU test with too many ranks says so", "osu", "# OSU MPI Latency Test v5.8\nThis test requires exactly two processes\n", "This test requires exactly two processes"},
		{"a GROMACS fatal error is the reason", "gromacs", "Fatal error:\n", "Fatal error:"},
		{"a particle lost in Quicksilver is the reason", "quicksilver", "FAIL:: Particles Were Lost During Run, test for num lost - num killed\n", "FAIL:: Particles Were Lost During Run, test for num lost - num killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := last(t, reader(t, c.app), strings.NewReader(c.log))
			if got.Status != read.Failed || got.Reason != c.want {
				t.Errorf("got %s: %q, want failed: %q", got.Status, got.Reason, c.want)
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	yaml, err := os.ReadFile("testdata/minife.log")
	if err != nil {
		t.Fatal(err)
	}
	old := strings.ReplaceAll(string(yaml), "Total CG Mflops: 340", "Total CG Mflops: 1")
	stdout := "MiniFE Mini-App, OpenMP Peer Implementation\nmaking matrix indices local...0.125s, total time: 0.75\nFinal Resid Norm: 2.5e-05\n"
	for _, c := range []struct {
		name   string
		files  fstest.MapFS
		mflops float64
		status read.Status
	}{
		{"the newest collected file counts", fstest.MapFS{
			"stdout":           {Data: []byte(stdout)},
			"miniFE.2024.yaml": {Data: []byte(old)},
			"miniFE.2025.yaml": {Data: yaml},
		}, 340, read.Succeeded},
		{"a file that is not there leaves its values out", fstest.MapFS{"stdout": {Data: []byte(stdout)}}, 0, read.Succeeded},
		{"rules of collected files do not read standard output", fstest.MapFS{"stdout": {Data: yaml}}, 0, read.Succeeded},
		{"standard error is read too", fstest.MapFS{"stdout": {}, "stderr": {Data: []byte(stdout)}}, 0, read.Succeeded},
		{"a run without its result has failed", fstest.MapFS{"stdout": {}}, 0, read.Failed},
		{"marks in our own output are output", fstest.MapFS{"stdout": {Data: []byte(stdout + "FLUX-RUN START x\nFLUX-RUN END x\n")}}, 0, read.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := reader(t, "minife").ReadFiles(context.Background(), c.files)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != c.status || got.Metrics["total_cg_mflops"].Value != c.mflops {
				t.Errorf("got %s, %v, want %s, %v", got.Status, got.Metrics["total_cg_mflops"], c.status, c.mflops)
			}
		})
	}
	if _, err := reader(t, "minife").ReadFiles(context.Background(), fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("got the error %v, want one that names stdout", err)
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		out  spec.Output
		want string
	}{
		{"an expression that does not compile", spec.Output{Success: []spec.Rule{{Match: "("}}}, "success[0]"},
		{"a metric without a group", spec.Output{Metrics: []spec.Metric{{Name: "a", Match: "x"}}}, `metrics[0] "a": "x" has no group`},
		{"a metric without a rule", spec.Output{Metrics: []spec.Metric{{Name: "a"}}}, "either match or formula"},
		{"a formula of something unknown", spec.Output{Metrics: []spec.Metric{{Name: "a", Formula: "b + 1"}}}, `formula "b + 1", column 1: undeclared reference to 'b'`},
		{"a formula that stops", spec.Output{Metrics: []spec.Metric{{Name: "a", Formula: "(1 + "}}}, `formula "(1 + ", column 6: Syntax error`},
		{"a formula that is no number", spec.Output{Metrics: []spec.Metric{{Name: "a", Formula: "1 > 2"}}}, `formula "1 > 2" gives a bool, want a number`},
		{"alternatives of two units", spec.Output{Metrics: []spec.Metric{{Name: "a", Match: "(x)", Unit: "s"}, {Name: "a", Match: "(y)", Unit: "m"}}}, "want one unit and one take"},
		{"a reader that is not there", spec.Output{Reader: "tea-leaves"}, "unknown reader \"tea-leaves\"; want"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := read.New("toy", c.out); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestFilesThatAreNoLogs(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a compressed file", "\x1f\x8b\x08\x00\x00", "gunzip"},
		{"a program", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00\x01\x02", 900), "are not text"},
		{"UTF-16", "\xff\xfeL\x00A\x00", "want UTF-8"},
	} {
		for _, app := range []string{"lammps", "osu", "k8s-events"} {
			t.Run(c.name+" as "+app, func(t *testing.T) {
				for _, err := range reader(t, app).Read(context.Background(), "x.out", strings.NewReader(c.file)) {
					if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"x.out"`) {
						t.Errorf("got the error %v, want %q and the file in it", err, c.want)
					}
				}
			})
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, app := range []string{"lammps", "ensemble", "k8s-events"} {
		for _, err := range reader(t, app).Read(ctx, "x.out", strings.NewReader("text\n")) {
			if err == nil {
				t.Errorf("%s: no error from a context that has ended", app)
			}
		}
	}
}
