// SPDX-License-Identifier: MIT

package mpi_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// BenchmarkCall runs programs of one rank bare and profiled in turn and takes the
// best of each. It reports the time and the instructions (as callgrind counts
// them) that profiling adds to a call.
func BenchmarkCall(b *testing.B) {
	const rounds, pairs = "400000", 8
	for _, name := range []string{"openmpi", "mpich"} {
		b.Run(name, func(b *testing.B) {
			m := find(b, name)
			program := m.compile(b, "cost.c")
			bare, profiled := map[string]float64{}, map[string]float64{}
			for b.Loop() {
				for range pairs {
					least(bare, times(b, m.command(b, "", 1, program, rounds)))
					least(profiled, times(b, m.command(b, b.TempDir(), 1, program, rounds)))
				}
			}
			for _, call := range []string{"rank", "sum", "message"} {
				b.ReportMetric(profiled[call]-bare[call], "added-ns/"+call)
				b.ReportMetric(bare[call], "bare-ns/"+call)
			}
			if found("valgrind") {
				const few, many = 100, 10100
				added := func(dir string) float64 {
					return (instructions(b, m, dir, program, many) - instructions(b, m, dir, program, few)) / (3 * (many - few))
				}
				b.ReportMetric(added(b.TempDir())-added(""), "added-instructions/call")
			}
		})
	}
}

func least(best, x map[string]float64) {
	for k, v := range x {
		if was, ok := best[k]; !ok || v < was {
			best[k] = v
		}
	}
}

// times runs a program and reads the lines of a name and a number.
func times(b *testing.B, c *exec.Cmd) map[string]float64 {
	out, err := c.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		var name string
		var x float64
		if n, _ := fmt.Sscan(line, &name, &x); n == 2 {
			all[name] = x
		}
	}
	return all
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// instructions counts those of a program on one rank, without a launcher.
func instructions(b *testing.B, m *machine, dir, program string, rounds int) float64 {
	c := exec.Command("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, strconv.Itoa(rounds))
	c.Env = append(os.Environ(), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "LD_PRELOAD="+m.preload, "ENSEMBLE_MPI_PROFILE="+dir)
	if dir == "" {
		c.Env = c.Env[:len(c.Env)-2]
	}
	out, err := c.CombinedOutput()
	found := collected.FindSubmatch(out)
	if err != nil || found == nil {
		b.Skipf("callgrind: %v\n%s", err, out)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

var loop = regexp.MustCompile(`Loop time of ([0-9.]+) `)

// BenchmarkLAMMPS runs LAMMPS bare and profiled in turn and reports what profiling
// adds to the loop time, in percent: of the best of each, and of the medians.
func BenchmarkLAMMPS(b *testing.B) {
	if !found("lmp") {
		b.Skip("there is no LAMMPS")
	}
	apps, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	app, ok := apps.App("lammps")
	if !ok {
		b.Fatal("there is no lammps in the catalog")
	}
	for _, ranks := range []int{1, 2} {
		b.Run(fmt.Sprintf("ranks=%d", ranks), func(b *testing.B) {
			m := find(b, "openmpi")
			parameters, err := catalog.Parameters(app, map[string]spec.Value{"steps": spec.Of(100)})
			if err != nil {
				b.Fatal(err)
			}
			r, err := catalog.Render(app, &app.Spec.Variants[0], catalog.Config{Nodes: 1, Tasks: ranks, TasksPerNode: ranks, Threads: 1, CoresPerTask: 1, Parameters: parameters})
			if err != nil {
				b.Fatal(err)
			}
			work := b.TempDir()
			for path, text := range r.Files {
				if err := os.WriteFile(filepath.Join(work, path), []byte(text), 0o644); err != nil {
					b.Fatal(err)
				}
			}
			run := func(dir string) float64 {
				c := m.command(b, dir, ranks, r.Command...)
				c.Dir = work
				out, err := c.CombinedOutput()
				found := loop.FindSubmatch(out)
				if err != nil || found == nil {
					b.Fatalf("%v\n%s", err, out)
				}
				x, err := strconv.ParseFloat(string(found[1]), 64)
				if err != nil {
					b.Fatal(err)
				}
				return x
			}
			bare, profiled := math.Inf(1), math.Inf(1)
			for b.Loop() {
				for range 6 {
					bare, profiled = min(bare, run("")), min(profiled, run(b.TempDir()))
				}
			}
			b.ReportMetric(100*(profiled/bare-1), "added-%")
			b.ReportMetric(bare, "bare-s")
		})
	}
}
