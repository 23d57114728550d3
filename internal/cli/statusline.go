// SPDX-License-Identifier: MIT

package cli

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// statusLine shows on a terminal what something long is at, and how long it takes
// already. Elsewhere it says once that it begins.
type statusLine struct {
	bars *mpb.Progress // nil without a terminal
	bar  *mpb.Bar
	last atomic.Pointer[string]
}

func (e *env) status(title string) *statusLine {
	s := &statusLine{}
	if !terminal(e.stderr) {
		e.say("%s", title)
		return s
	}
	began := time.Now()
	s.bars = mpb.New(mpb.WithOutput(e.stderr), mpb.WithRefreshRate(200*time.Millisecond), mpb.WithWidth(1))
	s.bar = s.bars.New(0, mpb.NopStyle(), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			text := title + "  " + elapsed(began)
			if last := s.last.Load(); last != nil {
				text += "  " + *last
			}
			return text
		})))
	return s
}

// tell shows the latest of many lines.
func (s *statusLine) tell(line string) {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	if line = strings.TrimSpace(line); line != "" {
		if r := []rune(line); len(r) > 60 {
			line = string(r[:60])
		}
		s.last.Store(&line)
	}
}

// clear takes the line away.
func (s *statusLine) clear() {
	if s.bars != nil {
		s.bar.Abort(true)
		s.bars.Wait()
	}
}
