// SPDX-License-Identifier: MIT

package study

import (
	"math"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// merge gives a sweep's policy: the study's, with each field replaced that the
// sweep has.
func merge(study, sweep spec.RunPolicy) spec.RunPolicy {
	p := study
	replace(&p.Timeout, sweep.Timeout)
	replace(&p.Retries, sweep.Retries)
	replace(&p.Shared, sweep.Shared)
	replace(&p.Oversubscribe, sweep.Oversubscribe)
	replace(&p.Sample, sweep.Sample)
	replace(&p.Profile, sweep.Profile)
	replace(&p.ProfileShare, sweep.ProfileShare)
	replace(&p.Noise.Busy, sweep.Noise.Busy)
	replace(&p.Noise.Wait, sweep.Noise.Wait)
	if len(sweep.BeforeJob) > 0 {
		p.BeforeJob = sweep.BeforeJob
	}
	if len(sweep.AfterJob) > 0 {
		p.AfterJob = sweep.AfterJob
	}
	return p
}

func replace[T comparable](p *T, by T) {
	var zero T
	if by != zero {
		*p = by
	}
}

// expectedHours is what one trial is taken to last before any has run: the
// budget's expectation, and no more than the timeout. It is NaN where neither
// is given.
func expectedHours(b *spec.Budget, timeout spec.Duration) float64 {
	expected := timeout
	if b != nil && b.ExpectedTime > 0 && (timeout == 0 || b.ExpectedTime < timeout) {
		expected = b.ExpectedTime
	}
	if expected <= 0 {
		return math.NaN()
	}
	return time.Duration(expected).Hours()
}
