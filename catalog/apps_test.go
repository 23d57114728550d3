// SPDX-License-Identifier: MIT

package catalog_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/spec"
)

// packaged are the applications that Debian 12 has, with the program that
// tells whether they are installed.
var packaged = []struct {
	app, program string
	// given are parameters other than the defaults, for time.
	given map[string]spec.Value
	ranks int
}{
	{app: "lammps", program: "lmp", ranks: 1, given: map[string]spec.Value{"steps": spec.Of(100)}},
	{app: "gromacs", program: "gmx_mpi", ranks: 1, given: map[string]spec.Value{"steps": spec.Of(200)}},
	{app: "quantum-espresso", program: "pw.x", ranks: 1, given: map[string]spec.Value{"cutoff": spec.Of(18)}},
	{app: "nwchem", program: "nwchem.openmpi", ranks: 1},
	{app: "hpcc", program: "hpcc", ranks: 1, given: map[string]spec.Value{"n": spec.Of(1200)}},
	{app: "netpipe", program: "NPopenmpi", ranks: 2, given: map[string]spec.Value{"upper": spec.Of(1024), "repeats": spec.Of(20)}},
	{app: "fio", program: "fio", ranks: 1, given: map[string]spec.Value{"size": spec.Of(64)}},
	{app: "stress-ng", program: "stress-ng", ranks: 1, given: map[string]spec.Value{"operations": spec.Of(1000)}},
	{app: "iperf3", program: "iperf3", ranks: 1, given: map[string]spec.Value{"volume": spec.Of(4)}},
}

func load(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// configure gives the defaults for n ranks on one node; a process grid becomes
// 1 x … x n.
func configure(t *testing.T, app *spec.Application, n int, given map[string]spec.Value) catalog.Config {
	t.Helper()
	all := map[string]spec.Value{}
	if of := app.Spec.Ranks.Of; len(of) > 0 {
		for _, name := range of {
			all[name] = spec.Of(1)
		}
		all[of[len(of)-1]] = spec.Of(n)
	}
	for name, v := range given {
		all[name] = v
	}
	parameters, err := catalog.Parameters(app, all)
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Config{Nodes: 1, Tasks: n, TasksPerNode: n, Threads: 1, CoresPerTask: 1, Parameters: parameters}
}

func TestEveryApplicationRendersWithItsDefaults(t *testing.T) {
	c := load(t)
	for _, name := range c.Names() {
		app, _ := c.App(name)
		for i := range app.Spec.Variants {
			v := &app.Spec.Variants[i]
			t.Run(name+"/"+v.Name, func(t *testing.T) {
				accepted := 0
				for _, n := range []int{1, 2} {
					config := configure(t, app, n, nil)
					if catalog.Accepts(app, config) != nil {
						continue
					}
					accepted++
					r, err := catalog.Render(app, v, config)
					if err != nil {
						t.Fatalf("%d ranks: %v", n, err)
					}
					complete(t, app, r)
				}
				if accepted == 0 && app.Spec.Ranks.Max != 0 {
					t.Errorf("neither 1 nor 2 ranks are accepted")
				}
			})
		}
	}
}

// complete checks that nothing is missing from what a trial needs.
func complete(t *testing.T, app *spec.Application, r *catalog.Rendered) {
	t.Helper()
	commands := append([][]string{r.Command}, r.Prepare...)
	for _, s := range r.Services {
		commands = append(commands, s.Command)
	}
	for _, argv := range commands {
		if len(argv) == 0 || argv[0] == "" {
			t.Fatalf("an empty command in %q", commands)
		}
		if strings.Contains(strings.Join(argv, " "), "<no value>") {
			t.Errorf("a value is missing in %q", argv)
		}
		if base := filepath.Base(argv[0]); base == "sh" || base == "bash" {
			t.Errorf("%q asks for a shell", argv)
		}
	}
	if len(r.Files) != len(app.Spec.Decks) {
		t.Errorf("got %d files, want %d", len(r.Files), len(app.Spec.Decks))
	}
	for path, text := range r.Files {
		if strings.TrimSpace(text) == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
			t.Errorf("the deck %s is not complete:\n%s", path, text)
		}
	}
	if strings.Contains(r.Problem, "<no value>") {
		t.Errorf("a value is missing in %q", r.Problem)
	}
}

func TestPackagedApplicationsSayWhereTheyComeFrom(t *testing.T) {
	c := load(t)
	for _, p := range packaged {
		app, ok := c.App(p.app)
		if !ok {
			t.Errorf("%s is not in the catalog", p.app)
			continue
		}
		s := app.Spec
		if s.Description == "" || s.Homepage == "" || s.License == "" || s.Problem == "" {
			t.Errorf("%s lacks a description, homepage, licence or problem", p.app)
		}
		for _, v := range s.Variants {
			if len(v.Packages) == 0 {
				t.Errorf("the variant %s of %s names no package", v.Name, p.app)
			}
		}
		for name, parameter := range s.Parameters {
			if parameter.Default == nil || parameter.Role == "" || parameter.Description == "" {
				t.Errorf("the parameter %s of %s lacks a default, role or description", name, p.app)
			}
		}
	}
}

func deck(t *testing.T, c *catalog.Catalog, name, path string, given map[string]spec.Value) string {
	t.Helper()
	app, _ := c.App(name)
	r, err := catalog.Render(app, &app.Spec.Variants[0], configure(t, app, 1, given))
	if err != nil {
		t.Fatal(err)
	}
	return r.Files[path]
}

func TestDecksGrowWithTheProblem(t *testing.T) {
	c := load(t)
	count := func(text, expression string) int {
		return len(regexp.MustCompile(`(?m)`+expression).FindAllString(text, -1))
	}
	for _, n := range []int{1, 2, 3, 8} {
		text := deck(t, c, "quantum-espresso", "scf.in", map[string]spec.Value{"cells": spec.Of(n)})
		if got, want := count(text, `^ Si [\d.]+ [\d.]+ [\d.]+$`), 8*n*n*n; got != want || !strings.Contains(text, "nat = "+strconv.Itoa(want)+"\n") {
			t.Errorf("quantum-espresso: %d cells give %d atoms, want %d of each kind of count", n, got, want)
		}
		text = deck(t, c, "nwchem", "water.nw", map[string]spec.Value{"waters": spec.Of(n)})
		if got := count(text, `^  [OH] -?[\d.]+ -?[\d.]+ -?[\d.]+$`); got != 3*n {
			t.Errorf("nwchem: %d molecules have %d atoms", n, got)
		}
	}
	// hpcc reads lines through a buffer of this length and counts the rest of
	// a longer one as a line of its own.
	text := deck(t, c, "hpcc", "hpccinf.txt", map[string]spec.Value{"n": spec.Of(1000000)})
	for line := range strings.Lines(text) {
		if len(line) > 80 {
			t.Errorf("a line of hpccinf.txt is longer than 80 characters: %q", line)
		}
	}
}

// attempt is one run in a directory, without an executor: decks, prepare,
// services, launcher, application.
type attempt struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	rendered *catalog.Rendered
	// elapsed is the time of launcher and application.
	elapsed time.Duration
}

func (a *attempt) command(argv []string) *exec.Cmd {
	cmd := exec.CommandContext(a.ctx, argv[0], argv[1:]...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), a.rendered.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// launcher gives the words before the command, or skips the test.
func launcher(t *testing.T, mpi spec.MPI, n int) []string {
	t.Helper()
	var argv []string
	switch mpi {
	case spec.OpenMPI:
		// Unbound: by default every mpirun binds its first rank to the first
		// core, and runs side by side share it.
		argv = []string{"mpirun.openmpi", "--oversubscribe", "--bind-to", "none", "-n", strconv.Itoa(n)}
		if os.Geteuid() == 0 {
			argv = append(argv, "--allow-run-as-root")
		}
	case spec.MPICH:
		argv = []string{"mpiexec.hydra", "-n", strconv.Itoa(n)}
	default:
		return nil
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("%s is not installed (openmpi-bin or mpich)", argv[0])
	}
	return argv
}

// serve starts a service and waits until it is ready; the test ends it.
func (a *attempt) serve(s spec.Service) {
	cmd := a.command(s.Command)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		a.t.Fatalf("starting the service %q: %v", s.Command, err)
	}
	ready := make(chan bool, 1)
	go func() {
		re := regexp.MustCompile(cmp.Or(s.Ready, "."))
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if re.MatchString(lines.Text()) {
				select {
				case ready <- true:
				default:
				}
			}
		}
		close(ready)
	}()
	a.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	if s.Ready != "" && !<-ready {
		a.t.Fatalf("the service %q ended before it was ready", s.Command)
	}
}

func (a *attempt) run(prefix []string) {
	for path, text := range a.rendered.Files {
		if err := os.WriteFile(filepath.Join(a.dir, path), []byte(text), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	for _, argv := range a.rendered.Prepare {
		if out, err := a.command(argv).CombinedOutput(); err != nil {
			a.t.Fatalf("preparing with %q: %v\n%s", argv, err, out)
		}
	}
	for _, s := range a.rendered.Services {
		a.serve(s)
	}
	cmd := a.command(append(prefix, a.rendered.Command...))
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	start := time.Now()
	err := cmd.Run()
	a.elapsed = time.Since(start)
	if err != nil {
		a.t.Errorf("running %q: %v\n%s\n%s", cmd.Args, err, tail(out.String()), tail(log.String()))
	}
	for name, b := range map[string][]byte{"stdout": out.Bytes(), "stderr": log.Bytes()} {
		if err := os.WriteFile(filepath.Join(a.dir, name), b, 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
}

func tail(s string) string {
	if len(s) > 2000 {
		return "…" + s[len(s)-2000:]
	}
	return s
}

// roles are the metrics that reports build on.
func roles(app *spec.Application) (names []string) {
	for _, m := range app.Spec.Output.Metrics {
		if m.Role == spec.RoleApplicationTime || m.Role == spec.RoleFigureOfMerit {
			names = append(names, m.Name)
		}
	}
	return names
}

func TestInstalledApplicationsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real applications: left out by -short")
	}
	c := load(t)
	for _, p := range packaged {
		t.Run(p.app, func(t *testing.T) {
			app, ok := c.App(p.app)
			if !ok {
				t.Fatal("not in the catalog")
			}
			v := &app.Spec.Variants[0]
			if _, err := exec.LookPath(p.program); err != nil {
				t.Skipf("%s is not installed: package %s", p.program, strings.Join(v.Packages, ", "))
			}
			prefix := launcher(t, v.MPI, p.ranks)
			config := configure(t, app, p.ranks, p.given)
			if err := catalog.Accepts(app, config); err != nil {
				t.Fatal(err)
			}
			rendered, err := catalog.Render(app, v, config)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			a := &attempt{t: t, ctx: ctx, dir: t.TempDir(), rendered: rendered}
			a.run(prefix)
			got := parse(t, app, os.DirFS(a.dir))
			if got.Status != read.Succeeded {
				t.Errorf("status %s: %s", got.Status, got.Reason)
			}
			names := roles(app)
			if len(names) == 0 {
				t.Error("no metric is an application time or a figure of merit")
			}
			for _, name := range names {
				if m, ok := got.Metrics[name]; !ok || m.Value <= 0 {
					t.Errorf("the metric %s is %v, want more than 0", name, m.Value)
				}
			}
			t.Logf("%d ranks, %s: %.2f s with its launcher; %v", p.ranks, rendered.Problem, a.elapsed.Seconds(), got.Metrics)
		})
	}
}
