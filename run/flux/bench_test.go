// SPDX-License-Identifier: MIT

package flux_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
	"golang.org/x/sys/unix"
)

// alike gives jobs that share nodes and run a command.
func alike(jobs int, argv ...string) func(yield func(*ensemble.Job, error) bool) {
	return func(yield func(*ensemble.Job, error) bool) {
		for i := range jobs {
			j := runtest.Job(fmt.Sprintf("job-%05d", i), argv...)
			j.Policy.Shared = true
			if !yield(j, nil) {
				return
			}
		}
	}
}

// heap is what is in use, in MB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// cpu is what this process used so far.
func cpu() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watched tells the heap in use after some ends.
type watched struct {
	ends int
	at   map[int]float64
}

func (w *watched) Event(_ *ensemble.Job, e ensemble.Event, _ run.Standing) {
	if e.Name == ensemble.Finish {
		w.ends++
		if _, ok := w.at[w.ends]; ok {
			w.at[w.ends] = heap()
		}
	}
}

// BenchmarkMocked has one driver take 10,000 jobs through a real instance that only
// seems to run them: the journal, the run directory and the exits are all written.
func BenchmarkMocked(b *testing.B) {
	const jobs = 10_000
	uri := real(b, "1")
	for b.Loop() {
		dir := create(b)
		x := executor(b, uri, "", fluxrun.Options{Window: 1000, Mock: func(*ensemble.Job) *flux.Mock { return &flux.Mock{Duration: time.Millisecond} }})
		w := &watched{at: map[int]float64{1000: 0, 5000: 0, jobs - 1000: 0}}
		used, begin := cpu(), time.Now()
		s, err := (&run.Driver{Dir: dir, Executor: x, Observer: w}).Run(b.Context(), alike(jobs, "true"))
		took := time.Since(begin)
		used = cpu() - used
		if err != nil || s.Status[ensemble.Succeeded] != jobs {
			b.Fatalf("got %v, %v", s.Status, err)
		}
		events := map[ensemble.EventName]int{}
		if err := dir.Events(func(e ensemble.Event) error { events[e.Name]++; return nil }); err != nil {
			b.Fatal(err)
		}
		if events[ensemble.Submit] != jobs || events[ensemble.Start] != jobs || events[ensemble.Finish] != jobs {
			b.Errorf("got %v, want each event once for each job", events)
		}
		b.ReportMetric(jobs/took.Seconds(), "jobs/s")
		b.ReportMetric(float64(used.Microseconds())/jobs, "cpu-µs/job")
		b.ReportMetric(w.at[1000], "heap-MB@1000")
		b.ReportMetric(w.at[jobs-1000], "heap-MB@9000")
		x.Close()
	}
}

// BenchmarkAgainstFluxSubmit pairs 1,000 jobs of this executor with as many of Flux's
// own command, in one instance and in turns.
func BenchmarkAgainstFluxSubmit(b *testing.B) {
	const jobs = 1000
	uri := real(b, "1")
	theirs := func() time.Duration {
		cmd := exec.Command("flux", "submit", "--quiet", "--cc", fmt.Sprintf("1-%d", jobs), "--wait", "true")
		cmd.Env = append(os.Environ(), flux.URIEnv+"="+uri)
		begin := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(begin)
	}
	ours := func() time.Duration {
		dir, begin := create(b), time.Now()
		x := executor(b, uri, "", fluxrun.Options{})
		defer x.Close()
		s, err := (&run.Driver{Dir: dir, Executor: x}).Run(b.Context(), alike(jobs, "true"))
		if err != nil || s.Status[ensemble.Succeeded] != jobs {
			b.Fatalf("got %v, %v", s.Status, err)
		}
		return time.Since(begin)
	}
	for b.Loop() {
		var ratios []float64
		var mine time.Duration
		for i := range 2 { // each goes first once
			var a, f time.Duration
			if i%2 == 0 {
				a, f = ours(), theirs()
			} else {
				f, a = theirs(), ours()
			}
			mine += a / 2
			ratios = append(ratios, f.Seconds()/a.Seconds())
		}
		b.ReportMetric(jobs/mine.Seconds(), "jobs/s")
		b.ReportMetric((ratios[0]+ratios[1])/2, "of-flux-submit")
	}
}
