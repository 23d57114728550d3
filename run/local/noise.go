// SPDX-License-Identifier: MIT

package local

import (
	"time"

	"github.com/prometheus/procfs"
)

// idleWindow is how long the machine is watched to tell whether it is idle. The
// kernel counts in ticks of 10 ms, so a window on 2 cores tells 5 % apart.
const idleWindow = 100 * time.Millisecond

// noiseFloor is the time that others may use during a job before a share of it
// means anything: a few ticks.
const noiseFloor = 50 * time.Millisecond

// machine is the time that all processors of the machine spent on work so far,
// and how many there are. Waiting for storage is no work; time that a hypervisor
// took away is.
type machine struct {
	busy       time.Duration
	processors int
	err        error // where the kernel does not tell
}

func look() machine {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return machine{err: err}
	}
	s, err := fs.Stat()
	if err != nil {
		return machine{err: err}
	}
	c := s.CPUTotal
	seconds := c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal
	return machine{busy: time.Duration(seconds * float64(time.Second)), processors: len(s.CPU)}
}

// share gives the part of the machine, from 0 to 1, that a time of work over a
// span is. It is bounded because the kernel's ticks are not: one of 10 ms can end
// in a span of 1 ms.
func share(work, span time.Duration, processors int) float64 {
	if span <= 0 || processors == 0 {
		return 0
	}
	return min(1, max(0, work.Seconds()/(span.Seconds()*float64(processors))))
}

// waitIdle waits until others use less than busy of the machine, for limit at
// most, and gives the share of the last window. Before it waits it tells waiting
// why. A stop ends it early.
func waitIdle(busy float64, limit time.Duration, stop <-chan struct{}, waiting func(share float64)) (last float64, waited time.Duration) {
	told := false
	begin := time.Now()
	for {
		before := look()
		if before.err != nil {
			return 0, time.Since(begin)
		}
		from := time.Now()
		select {
		case <-stop:
			return last, time.Since(begin)
		case <-time.After(idleWindow):
		}
		after := look()
		if after.err != nil {
			return 0, time.Since(begin)
		}
		last = share(after.busy-before.busy, time.Since(from), after.processors)
		if waited = time.Since(begin); last <= busy || waited >= limit {
			return last, waited
		}
		if !told {
			waiting(last)
			told = true
		}
	}
}
