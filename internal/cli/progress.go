// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// progress shows a run: on a terminal one line for each running job and a total
// with the time that remains, elsewhere one line for each job that ended.
type progress struct {
	w     io.Writer
	total int

	mu    sync.Mutex
	done  int
	begun map[string]time.Time
	bars  *mpb.Progress // nil without a terminal
	all   *mpb.Bar
	jobs  map[string]*mpb.Bar
}

var _ run.Observer = (*progress)(nil)

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total, begun: map[string]time.Time{}, jobs: map[string]*mpb.Bar{}}
	if !terminal(w) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(200*time.Millisecond))
	p.all = p.bars.New(int64(total), mpb.BarStyle(), mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d trials ")),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 12}), ""), decor.OnComplete(decor.Name(" left"), "")))
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

// Event shows one event.
func (p *progress) Event(job *ensemble.Job, e ensemble.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Name {
	case ensemble.Submit, ensemble.Start:
		p.begun[e.Job] = e.Time
		if p.bars != nil && p.jobs[e.Job] == nil {
			p.jobs[e.Job] = p.bars.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name("  "+title(job)+" "), decor.Elapsed(decor.ET_STYLE_GO)))
		}
	case ensemble.Finish:
		took := ""
		if begun, ok := p.begun[e.Job]; ok { // an earlier session may have begun it
			took = fmt.Sprintf(" in %.1f s", e.Time.Sub(begun).Seconds())
		}
		delete(p.begun, e.Job)
		p.done++
		text := fmt.Sprintf("[%d/%d] %s: %s%s", p.done, p.total, title(job), e.Status, took)
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		if p.bars == nil {
			fmt.Fprintln(p.w, text)
			return
		}
		if bar := p.jobs[e.Job]; bar != nil {
			bar.Abort(true)
			delete(p.jobs, e.Job)
		}
		if e.Status != ensemble.Succeeded {
			fmt.Fprintln(p.bars, text)
		}
		p.all.Increment()
	}
}

// title names a job for a person.
func title(job *ensemble.Job) string {
	s := job.ID
	if job.App != "" {
		s = job.App
	}
	if job.Variant != "" {
		s += " " + job.Variant
	}
	if job.Problem != "" {
		s += " " + job.Problem
	} else if len(job.Parameters) > 0 {
		s += " " + parameterText(job.Parameters)
	}
	s += fmt.Sprintf(", %d ranks", job.Shape.Tasks)
	if job.Shape.Tasks == 1 {
		s = s[:len(s)-1]
	}
	if job.Repetition > 0 {
		s += fmt.Sprintf(", repetition %d", job.Repetition)
	}
	return s
}

// close ends the display.
func (p *progress) close() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, bar := range p.jobs {
		bar.Abort(true)
	}
	p.all.Abort(false)
	p.bars.Wait()
}
