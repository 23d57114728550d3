// SPDX-License-Identifier: MIT

package run

import "time"

// now is the time of the run.
func (r *session) now() time.Time {
	if c, ok := r.Executor.(Clock); ok {
		return c.Now()
	}
	return time.Now()
}

// wake tells when the engine wants a heartbeat.
func (r *session) wake() (c <-chan time.Time, stop func()) {
	if r.Engine == nil || r.ended() {
		return nil, func() {}
	}
	at := r.Engine.Wake()
	if c, ok := r.Executor.(Clock); ok {
		return c.Wake(at)
	}
	t := time.NewTimer(time.Until(at))
	return t.C, func() { t.Stop() }
}
