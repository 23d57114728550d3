// SPDX-License-Identifier: MIT

package flux_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
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
}

func benchSubmit(b *testing.B, uri string, n int) {
	c := dial(b, uri)
	for _, err := range c.SubmitMany(timeout(b), mocks(b, 1)) { // the validator starts
		if err != nil {
			b.Fatal(err)
		}
	}
	used := cpu(b)
	for b.Loop() {
		for _, err := range c.SubmitMany(b.Context(), mocks(b, n)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, n, used)
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
		go func() {
			left := n
			for left > 0 {
				e, err := j.Next()
				if err != nil {
					over <- err
					return
				}
				if e.Name == "clean" {
					left--
				}
			}
			over <- nil
		}()
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

func report(b *testing.B, n int, used time.Duration) {
	jobs := float64(b.N * n)
	b.ReportMetric(jobs/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/jobs, "cpu-µs/job")
}
