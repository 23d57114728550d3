// SPDX-License-Identifier: MIT

package local

import (
	"testing"
	"time"
)

func TestShares(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		work, span time.Duration
		processors int
		want       float64
	}{
		{"half of two processors", time.Second, time.Second, 2, 0.5},
		{"a tick that ended in a shorter span is all of it", 10 * time.Millisecond, time.Millisecond, 2, 1},
		{"less than nothing, which ticks can make, is nothing", -10 * time.Millisecond, time.Second, 2, 0},
		{"no span has no share", time.Second, 0, 2, 0},
		{"a machine that tells no processors has no share", time.Second, time.Second, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := share(c.work, c.span, c.processors); got != c.want {
				t.Errorf("got %g, want %g", got, c.want)
			}
		})
	}
}
