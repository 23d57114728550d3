// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/flux/wire"
)

// cpu is what this process has used of the processors.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mocks are n jobs that run nothing.
func mocks(b *testing.B, n int) func(func(flux.Submission) bool) {
	js, err := (&flux.Job{Command: []string{"x"}, Dir: "/", Mock: &flux.Mock{Duration: time.Millisecond},
		User: map[string]any{"ensemble": map[string]any{"trial": "t0000000000"}}}).Jobspec()
	if err != nil {
		b.Fatal(err)
	}
	return func(yield func(flux.Submission) bool) {
		for range n {
			if !yield(flux.Submission{Jobspec: js}) {
				return
			}
		}
	}
}

// BenchmarkSubmit submits over one connection. Limit: 400 jobs/s or more.
func BenchmarkSubmit(b *testing.B) {
	b.Run("fake", func(b *testing.B) {
		benchSubmit(b, fluxtest.Start(b, fluxtest.Options{Nodes: 16, Cores: 64}).URI(), 5000)
	})
	b.Run("real", func(b *testing.B) { benchSubmit(b, real(b), 1000) })
	b.Run("real, and nothing runs meanwhile", func(b *testing.B) {
		uri := real(b)
		c := dial(b, uri)
		if err := c.StopQueue(timeout(b), "", true, "to submit"); err != nil {
			b.Fatal(err)
		}
		ids := benchSubmit(b, uri, 1000)
		calls := make([]*flux.Call, len(ids))
		for i, id := range ids {
			var err error
			if calls[i], err = c.Start(b.Context(), wire.NodeAny, "job-manager.raise", map[string]any{"id": id, "type": "cancel", "severity": 0}); err != nil {
				b.Fatal(err)
			}
		}
		for _, call := range calls {
			if err := call.Wait(timeout(b), nil); err != nil {
				b.Error(err)
			}
		}
		if err := c.StopQueue(timeout(b), "", false, ""); err != nil {
			b.Error(err)
		}
	})
}

func benchSubmit(b *testing.B, uri string, n int) (ids []flux.JobID) {
	c := dial(b, uri)
	submit := func(ctx context.Context, n int) {
		for id, err := range c.SubmitMany(ctx, mocks(b, n)) {
			if err != nil {
				b.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	submit(timeout(b), 1) // the validator starts
	used := cpu(b)
	for b.Loop() {
		submit(b.Context(), n)
	}
	report(b, n, used)
	return ids
}

// BenchmarkJobs submits, and reads the journal until all jobs are over. Limit:
// less than 1 ms of CPU for a job; with the fake broker, its part is in it.
func BenchmarkJobs(b *testing.B) {
	b.Run("fake", func(b *testing.B) {
		benchJobs(b, fluxtest.Start(b, fluxtest.Options{Nodes: 16, Cores: 64}).URI(), 5000)
	})
	b.Run("real", func(b *testing.B) { benchJobs(b, real(b), 500) })
}

func benchJobs(b *testing.B, uri string, n int) {
	c := dial(b, uri)
	j, err := c.Journal(b.Context(), flux.JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	over := make(chan error)
	used := cpu(b)
	for b.Loop() {
		go func() { over <- untilClean(j, n) }()
		for _, err := range c.SubmitMany(b.Context(), mocks(b, n)) {
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := <-over; err != nil {
			b.Fatal(err)
		}
	}
	report(b, n, used)
}

// BenchmarkBesideFluxSubmit runs real jobs that do nothing, by this client and by
// flux submit, which is one process for all of them as well: each in an instance of
// its own, from the first submission until all jobs are over. Limit: a ratio of 0.95
// or more.
func BenchmarkBesideFluxSubmit(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes minutes: left out by -short")
	}
	const n = 1000
	var ours, theirs time.Duration
	for turn := 0; b.Loop(); turn++ {
		if turn%2 == 0 {
			ours += ownTrue(b, real(b), n)
		}
		theirs += fluxTrue(b, real(b), n)
		if turn%2 == 1 {
			ours += ownTrue(b, real(b), n)
		}
	}
	jobs := float64(b.N * n)
	b.ReportMetric(jobs/ours.Seconds(), "ours-jobs/s")
	b.ReportMetric(jobs/theirs.Seconds(), "theirs-jobs/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ours/theirs")
}

// ownTrue runs true so many times and says how long it took.
func ownTrue(b *testing.B, uri string, n int) time.Duration {
	c := dial(b, uri)
	env := map[string]string{}
	for _, pair := range os.Environ() { // as flux submit does
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	js, err := (&flux.Job{Command: []string{"true"}, Dir: "/", Env: env}).Jobspec()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	j, err := c.Journal(b.Context(), flux.JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	over := make(chan error, 1)
	go func() { over <- untilClean(j, n) }()
	for _, err := range c.SubmitMany(b.Context(), slices.Values(slices.Repeat([]flux.Submission{{Jobspec: js}}, n))) {
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := <-over; err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// untilClean reads a journal until so many jobs are over.
func untilClean(j *flux.Journal, n int) error {
	for n > 0 {
		e, err := j.Next()
		if err != nil {
			return err
		}
		if e.Name == "clean" {
			n--
		}
	}
	return nil
}

// fluxTrue is ownTrue by flux submit.
func fluxTrue(b *testing.B, uri string, n int) time.Duration {
	cmd := exec.Command("flux", "submit", fmt.Sprintf("--cc=1-%d", n), "--wait", "--quiet", "--cwd=/", "true")
	cmd.Env = append(os.Environ(), flux.URIEnv+"="+uri)
	cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// BenchmarkMany follows 10,000 jobs that run nothing by one journal, and checks that
// each event comes once and in its order. heap-MB is what is in use after 1,000 and
// after 10,000 jobs; with the fake broker, its part is in it. The journal keeps some
// 100 bytes for a job.
func BenchmarkMany(b *testing.B) {
	b.Run("fake", func(b *testing.B) {
		benchMany(b, fluxtest.Start(b, fluxtest.Options{Nodes: 16, Cores: 64}).URI())
	})
	b.Run("real", func(b *testing.B) {
		if testing.Short() {
			b.Skip("it takes minutes: left out by -short")
		}
		benchMany(b, real(b))
	})
}

func benchMany(b *testing.B, uri string) {
	const some, n = 1000, 10_000
	c := dial(b, uri)
	heaps, used := map[int]float64{}, cpu(b)
	for b.Loop() {
		j, err := c.Journal(b.Context(), flux.JournalOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for _, more := range []int{some, n - some} {
			over := make(chan error, 1)
			go func() { over <- once(j, more) }()
			for _, err := range c.SubmitMany(b.Context(), mocks(b, more)) {
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := <-over; err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heaps[more] = float64(m.HeapAlloc) / 1e6
		}
		j.Close()
	}
	report(b, n, used)
	b.ReportMetric(heaps[some], "heap-MB-at-1000")
	b.ReportMetric(heaps[n-some], "heap-MB-at-10000")
}

// life are the events of a job that ends well.
var life = []string{"submit", "validate", "depend", "priority", "alloc", "start", "finish", "release", "free", "clean"}

// once reads a journal until so many jobs are over, and says which event is not the
// next one of its job.
func once(j *flux.Journal, n int) error {
	open := map[flux.JobID]int{} // how many events there were
	for over := 0; over < n; {
		e, err := j.Next()
		switch {
		case err != nil:
			return err
		case e.CaughtUp() || e.Backlog || e.Seq < 0:
			continue
		case e.Seq != open[e.ID] || e.Name != life[e.Seq]:
			return fmt.Errorf("event %d of job %s is %s, want event %d, %s", e.Seq, e.ID, e.Name, open[e.ID], life[open[e.ID]])
		}
		if open[e.ID]++; open[e.ID] < len(life) {
			continue
		}
		delete(open, e.ID)
		over++
	}
	if len(open) > 0 {
		return fmt.Errorf("%d jobs have events and did not end", len(open))
	}
	return nil
}

func report(b *testing.B, n int, used time.Duration) {
	jobs := float64(b.N * n)
	b.ReportMetric(jobs/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/jobs, "cpu-µs/job")
}
