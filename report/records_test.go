// SPDX-License-Identifier: MIT

package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
)

// began is when the study of the examples began.
var began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// maker makes records one after another, as a run would: noise comes from a
// fixed seed, and the clock goes on with every job.
type maker struct {
	rng     *rand.Rand
	clock   time.Time
	records []measure.Record
}

func newMaker() *maker {
	return &maker{rng: rand.New(rand.NewPCG(7, 11)), clock: began}
}

// scatter is one plus normal noise of the size given.
func (m *maker) scatter(cv float64) float64 { return 1 + cv*m.rng.NormFloat64() }

// record adds a succeeded attempt that took so many seconds of application and
// of launch overhead.
func (m *maker) record(r measure.Record, seconds, overhead float64) *measure.Record {
	r.Ensemble, r.Status = "scaling-demo", ensemble.Succeeded
	r.Job = fmt.Sprintf("%016x", m.rng.Uint64())
	r.Trial = r.Job
	if r.Attempt == 0 {
		r.Attempt = 1
	}
	r.Times.Submit = m.clock
	r.Times.Start = m.clock.Add(200 * time.Millisecond)
	r.Times.Finish = r.Times.Start.Add(time.Duration((seconds + overhead) * float64(time.Second)))
	m.clock = r.Times.Finish.Add(300 * time.Millisecond)
	m.records = append(m.records, r)
	return &m.records[len(m.records)-1]
}

// fail turns a record into a failure.
func fail(r *measure.Record, status ensemble.Status, reason string, exit int) {
	r.Status, r.Reason, r.ExitCode = status, reason, &exit
	r.Metrics, r.Series = nil, nil
}

func number(n int) *int { return &n }

func seconds(x float64) read.Value { return read.Value{Value: x, Unit: "s"} }

// apps are applications with the roles that reports go by.
func apps() map[string]*spec.Application {
	app := func(scaling spec.Scaling, roles map[string]spec.ParameterRole, metrics ...spec.Metric) *spec.Application {
		a := &spec.Application{}
		a.Spec.Scaling = scaling
		a.Spec.Parameters = map[string]spec.Parameter{}
		for name, role := range roles {
			a.Spec.Parameters[name] = spec.Parameter{Role: role}
		}
		a.Spec.Output.Metrics = metrics
		return a
	}
	return map[string]*spec.Application{
		"lammps": app(spec.ScalingStrong, map[string]spec.ParameterRole{"cells": spec.RoleProblemSize, "steps": spec.RoleIterations},
			spec.Metric{Name: "loop_time", Unit: "s", Better: spec.BetterLower, Role: spec.RoleApplicationTime},
			spec.Metric{Name: "timesteps_per_second", Unit: "1/s", Better: spec.BetterHigher, Role: spec.RoleFigureOfMerit}),
		"hpcc": app(spec.ScalingStrong, map[string]spec.ParameterRole{"n": spec.RoleProblemSize, "p": spec.RoleProcessGrid, "q": spec.RoleProcessGrid},
			spec.Metric{Name: "hpl_time", Unit: "s", Better: spec.BetterLower, Role: spec.RoleApplicationTime},
			spec.Metric{Name: "hpl_gflops", Unit: "Gflop/s", Better: spec.BetterHigher, Role: spec.RoleFigureOfMerit}),
		"minife": app(spec.ScalingWeak, map[string]spec.ParameterRole{"nx": spec.RoleProblemSize},
			spec.Metric{Name: "wall_time", Unit: "s", Better: spec.BetterLower, Role: spec.RoleApplicationTime},
			spec.Metric{Name: "cg_mflops", Unit: "Mflop/s", Better: spec.BetterHigher, Role: spec.RoleFigureOfMerit}),
		"netpipe": app(spec.ScalingStrong, map[string]spec.ParameterRole{"upper": spec.RoleProblemSize},
			spec.Metric{Name: "max_bandwidth", Unit: "Gbit/s", Better: spec.BetterHigher, Role: spec.RoleFigureOfMerit}),
	}
}

// lammps is the usual demonstration: two variants on one and two ranks.
func (m *maker) lammps(variant string, ranks []int, repetitions int, serial float64) {
	for _, n := range ranks {
		for rep := range repetitions {
			t := (serial/float64(n) + 0.11*math.Log2(float64(n))) * m.scatter(0.012)
			r := measure.Record{
				App: "lammps", Variant: variant, Environment: "laptop", Problem: "32000 atoms",
				Parameters: map[string]spec.Value{"cells": spec.Of(20), "steps": spec.Of(100)},
				Nodes:      1, Tasks: n, Threads: 1, Iteration: number(rep + 1),
			}
			r.Metrics = map[string]read.Value{
				"loop_time": seconds(t), "wall_time": seconds(math.Round(t)),
				"timesteps_per_second": {Value: 100 / t, Unit: "1/s"},
			}
			m.record(r, t, 0.62+0.05*float64(n)*m.scatter(0.1))
		}
	}
}

// rich are records of several applications with everything that happens:
// noise, outliers, failures, retries, curves, many nodes, hostile names.
func rich() []measure.Record {
	m := newMaker()
	m.lammps("debian-openmpi", []int{1, 2, 4, 8, 16}, 6, 24.3)
	m.lammps("debian-mpich", []int{1, 2, 4, 8, 16}, 6, 26.9)
	m.disturb()
	m.hpcc()
	m.minife()
	m.netpipe()
	m.failures()
	m.hostile()
	return m.records
}

// disturb makes two trials of the records so far noisy, and one of these slow.
func (m *maker) disturb() {
	slow := func(r *measure.Record, by float64, flags ...string) {
		t := r.Metrics["loop_time"].Value
		r.Metrics["loop_time"] = seconds(t * by)
		r.Metrics["timesteps_per_second"] = read.Value{Value: 100 / (t * by), Unit: "1/s"}
		r.Times.Finish = r.Times.Finish.Add(time.Duration(t * (by - 1) * float64(time.Second)))
		r.Flags = flags
	}
	slow(&m.records[8], 1.9, "noisy", "shared")
	slow(&m.records[10], 1.08, "noisy", "shared")
	slow(&m.records[13], 2.6)
	m.records[20].Flags = []string{"oversubscribed"}
}

func (m *maker) hpcc() {
	for _, grid := range [][2]int{{1, 1}, {1, 2}} {
		for rep := range 3 {
			n := grid[0] * grid[1]
			t := 4.41 / math.Pow(float64(n), 0.83) * m.scatter(0.01)
			r := measure.Record{
				App: "hpcc", Variant: "debian-openmpi", Environment: "laptop", Problem: fmt.Sprintf("N=2000 NB=80 %dx%d", grid[0], grid[1]),
				Parameters: map[string]spec.Value{"n": spec.Of(2000), "nb": spec.Of(80), "p": spec.Of(grid[0]), "q": spec.Of(grid[1])},
				Nodes:      1, Tasks: n, Threads: 1, Iteration: number(rep + 1),
			}
			r.Metrics = map[string]read.Value{"hpl_time": seconds(t), "hpl_gflops": {Value: 5.34 / t, Unit: "Gflop/s"}}
			m.record(r, t, 21.5)
		}
	}
}

func (m *maker) minife() {
	for i, nodes := range []int{1, 2, 4, 8} {
		for rep := range 4 {
			t := (31.2 + 1.7*float64(i)) * m.scatter(0.02)
			r := measure.Record{
				App: "minife", Variant: "rocky-openmpi-efa", Environment: "hpc7g", Problem: fmt.Sprintf("nx=%d", 200<<i),
				Parameters: map[string]spec.Value{"nx": spec.Of(200 << i)},
				Nodes:      nodes, Tasks: 64 * nodes, Threads: 1, Iteration: number(rep + 1),
			}
			r.Metrics = map[string]read.Value{"wall_time": seconds(t), "cg_mflops": {Value: 412e3 * float64(nodes) / t, Unit: "Mflop/s"}}
			m.record(r, t, 9+6*float64(nodes))
		}
	}
}

func (m *maker) netpipe() {
	for _, variant := range []string{"debian-openmpi", "debian-mpich"} {
		latency, bandwidth := 0.42e-6, 6.1e9
		if variant == "debian-mpich" {
			latency, bandwidth = 0.31e-6, 8.7e9
		}
		for rep := range 3 {
			var s read.Series
			s.Unit = [2]string{"bytes", "us"}
			for size := 1.0; size <= 1<<20; size *= 2 {
				s.Points = append(s.Points, [2]float64{size, 1e6 * (latency + size/bandwidth) * m.scatter(0.04)})
			}
			r := measure.Record{
				App: "netpipe", Variant: variant, Environment: "laptop", Problem: "1 to 1048576 B",
				Parameters: map[string]spec.Value{"lower": spec.Of(1), "upper": spec.Of(1 << 20)},
				Nodes:      1, Tasks: 2, Threads: 1, Iteration: number(rep + 1),
			}
			r.Metrics = map[string]read.Value{"max_bandwidth": {Value: 8e-9 * bandwidth * m.scatter(0.02), Unit: "Gbit/s"}}
			r.Series = map[string]read.Series{"netpipe_latency": s, "sample_cpu": {Unit: [2]string{"s", "cores"}, Points: [][2]float64{{1, 2}}}}
			m.record(r, 3.1*m.scatter(0.03), 0.4)
		}
	}
}

// failures are a program that never ends, one that is not there, and one that
// lost its atoms and recovered at the second attempt.
func (m *maker) failures() {
	base := measure.Record{
		App: "nwchem", Variant: "debian-mpich-windows", Environment: "laptop", Problem: "4 H2O scf 6-31g*",
		Parameters: map[string]spec.Value{"waters": spec.Of(4)}, Nodes: 1, Tasks: 2, Threads: 1,
	}
	fail(m.record(base, 60, 0), ensemble.Timeout, "ran longer than 1m0s", 124)
	base.Tasks = 1
	fail(m.record(base, 0.05, 0), ensemble.Failed, "nwchem.mpich: not found in $PATH", 127)
	lj := measure.Record{
		App: "lammps", Variant: "debian-mpich", Environment: "laptop", Problem: "32000 atoms",
		Parameters: map[string]spec.Value{"cells": spec.Of(20), "steps": spec.Of(100)}, Nodes: 1, Tasks: 4, Threads: 1, Iteration: number(7),
	}
	failed := m.record(lj, 3.3, 0.5)
	fail(failed, ensemble.Failed, "ERROR on proc 3: Lost atoms: original 32000 current 31997 (src/thermo.cpp:494) Last command: run 100 and a long tail of text that will not fit on one line of any terminal", 1)
	id := failed.Job
	lj.Attempt = 2
	lj.Metrics = map[string]read.Value{"loop_time": seconds(6.97), "timesteps_per_second": {Value: 100 / 6.97, Unit: "1/s"}}
	again := m.record(lj, 6.97, 0.8)
	again.Job, again.Trial = id, id
}

// Text that a page or a terminal must not obey.
const (
	hostileName    = `<script>alert(1)</script>`
	hostileVariant = `"><img src=x onerror=alert(2)>`
	hostileReason  = "\x1b[2J\x1b]0;owned\a</title></svg><style>*{display:none}</style> javascript:alert(3) \u202eevil"
)

var longName = "a-name-" + fmt.Sprint(math.Pi) + "-that-goes-on-and-on-and-on-without-any-place-to-break-it-at-all-until-it-is-far-wider-than-a-phone"

func (m *maker) hostile() {
	r := measure.Record{App: hostileName, Variant: hostileVariant, Environment: longName, Problem: "100% & <b>bold</b>", Nodes: 1, Tasks: 1}
	r.Parameters = map[string]spec.Value{"key with = and /": spec.Of("a b/c-4")}
	m.record(r, 2.5, 0)
	m.record(r, 2.6, 0)
	fail(m.record(r, 1, 0), ensemble.Failed, hostileReason, 1)
}
