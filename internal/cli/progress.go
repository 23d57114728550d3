// SPDX-License-Identifier: MIT

package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// progress shows a run: on a terminal one line for each running job and a total
// with the time that remains, elsewhere one line for each attempt that ended.
type progress struct {
	w      io.Writer
	titles titles
	took   func(job string, attempt int) (time.Duration, bool)
	total  int

	begin  time.Time
	bars   *mpb.Progress // nil without a terminal
	all    *mpb.Bar
	failed atomic.Int64
	end    atomic.Pointer[time.Time] // when the run is expected to end; nil is unknown

	mu     sync.Mutex
	jobs   map[string]*jobLine
	enough map[string]bool // cells that were said to need no more
}

var _ run.Observer = (*progress)(nil)

// jobLine is the line of a running job. It is drawn while events come in.
type jobLine struct {
	bar   *mpb.Bar
	text  atomic.Pointer[string]
	since atomic.Pointer[time.Time]
}

func newProgress(w io.Writer, titles titles, took func(string, int) (time.Duration, bool), total int) *progress {
	p := &progress{w: w, titles: titles, took: took, total: total, begin: time.Now(), jobs: map[string]*jobLine{}, enough: map[string]bool{}}
	if !terminal(w) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(200*time.Millisecond))
	p.all = p.bars.New(int64(total), mpb.BarStyle(), mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d trials ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.pace() })))
	return p
}

// terminal says whether a writer is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func elapsed(since time.Time) string { return time.Since(since).Truncate(time.Second).String() }

// pace is what is said behind the total.
func (p *progress) pace() string {
	text := " " + elapsed(p.begin)
	if end := p.end.Load(); end != nil {
		text += fmt.Sprintf(", %v left", max(0, time.Until(*end)).Truncate(time.Second))
	}
	if n := p.failed.Load(); n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	return text
}

// remaining is how long the rest of a run takes at the pace so far; 0 is unknown.
// Jobs that an earlier session settled took this one no time, and neither did
// those that were not needed.
func remaining(s run.Standing, total int, elapsed time.Duration) time.Duration {
	here := s.Settled - s.Skipped - s.Omitted
	if here <= 0 || s.Settled >= total {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(here) * float64(total-s.Settled))
}

// expected is when what takes so long ends; nil is unknown.
func expected(now time.Time, remaining time.Duration) *time.Time {
	if remaining <= 0 {
		return nil
	}
	end := now.Add(remaining)
	return &end
}

// took gives the time of an attempt's launcher, without what was done around it.
func took(d run.Dir) func(job string, attempt int) (time.Duration, bool) {
	return func(job string, attempt int) (time.Duration, bool) {
		var exit run.Exit
		err := run.ReadJSON(filepath.Join(d.Attempt(job, attempt), run.ExitFile), &exit)
		return exit.Finish.Sub(exit.Start), err == nil && !exit.Start.IsZero() && !exit.Finish.IsZero()
	}
}

// Event shows one event.
func (p *progress) Event(job *ensemble.Job, e ensemble.Event, s run.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = max(p.total, s.Jobs)
	if job == nil {
		if e.Name == ensemble.Decide {
			p.say(fmt.Sprintf("[%d/%d] %s: %s", s.Settled, p.total, cmp.Or(e.Rule, "ready"), e.Note), true)
		}
		return
	}
	title := p.titles.of(job)
	if e.Attempt > 1 || s.Again {
		title += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	switch e.Name {
	case ensemble.Submit:
		p.line(e, "preparing: "+title)
	case ensemble.Wait:
		p.line(e, "waiting for an idle machine: "+title)
		p.say(fmt.Sprintf("[%d/%d] %s: waits for an idle machine: %s", s.Settled, p.total, title, e.Note), true)
	case ensemble.Start:
		p.line(e, title)
	case ensemble.Omit:
		if job.Cell != "" && !p.enough[job.Cell] {
			p.enough[job.Cell] = true
			all := *job
			all.Repetition = 0
			p.say(fmt.Sprintf("[%d/%d] %s: enough: %s", s.Settled, p.total, p.titles.of(&all), e.Reason), true)
		}
	case ensemble.Finish:
		if e.Status.Settles() && e.Status != ensemble.Succeeded && !s.Again {
			p.failed.Add(1)
		}
		p.say(p.finished(title, e, s), e.Status == ensemble.Succeeded)
		if l := p.jobs[e.Job]; l != nil {
			l.bar.Abort(true)
			delete(p.jobs, e.Job)
		}
	}
	if p.bars != nil {
		p.all.SetTotal(int64(p.total), false)
		p.all.SetCurrent(int64(s.Settled))
		if e.Name == ensemble.Finish {
			p.end.Store(expected(time.Now(), remaining(s, p.total, time.Since(p.begin))))
		}
	}
}

// finished puts the end of an attempt into words.
func (p *progress) finished(title string, e ensemble.Event, s run.Standing) string {
	text := fmt.Sprintf("[%d/%d] %s: %s", s.Settled, p.total, title, e.Status)
	if d, ok := p.took(e.Job, e.Attempt); ok {
		digits := 1
		if d < time.Second {
			digits = 3
		}
		text += fmt.Sprintf(" in %.*f s", digits, d.Seconds())
	}
	if e.Reason != "" && e.Reason != string(e.Status) {
		text += ": " + e.Reason
	}
	switch {
	case s.Again:
		text += "; it is tried again"
	case s.Dropped:
		text += "; it is not tried again"
	case !e.Status.Settles():
		text += "; it is tried again when the run goes on (--resume)"
	}
	return text
}

// say prints a line. On a terminal the lines that are drawn say the usual.
func (p *progress) say(text string, usual bool) {
	switch {
	case p.bars == nil:
		fmt.Fprintln(p.w, text)
	case !usual: // above the lines that are drawn again
		fmt.Fprintln(p.bars, text)
	}
}

// line shows what a job is doing since an event.
func (p *progress) line(e ensemble.Event, text string) {
	if p.bars == nil {
		return
	}
	l := p.jobs[e.Job]
	if l == nil {
		l = new(jobLine)
	}
	l.text.Store(&text)
	l.since.Store(&e.Time)
	if l.bar == nil {
		p.jobs[e.Job] = l
		l.bar = p.bars.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Any(
			func(decor.Statistics) string { return fmt.Sprintf("%6s  %s", elapsed(*l.since.Load()), *l.text.Load()) })))
	}
}

// close ends the display.
func (p *progress) close() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.jobs {
		l.bar.Abort(true)
	}
	p.all.Abort(false)
	p.bars.Wait()
}
