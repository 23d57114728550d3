// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// Outcome is how an attempt goes where nothing cuts it short.
type Outcome struct {
	// Time is that from its start to its finish.
	Time time.Duration
	// Status is how it ends; empty is succeeded. Reason says why.
	Status ensemble.Status
	Reason string
	// Metrics are what rules read of its output.
	Metrics map[string]float64
}

// A Model says how attempts go. It says the same of the same attempt, whenever it
// is asked.
type Model func(job *ensemble.Job, attempt int) (Outcome, error)

// A Draw gives a duration of an attempt, such as its time or an overhead. Those of
// this package draw from the seed, the ID of the job and the number of the attempt
// alone: the same job takes the same time in whatever order jobs run. Two draws of
// an attempt that are to be independent want two seeds.
type Draw func(job *ensemble.Job, attempt int) time.Duration

// Lasting is the model of attempts that succeed after a time.
func Lasting(d Draw) Model {
	return func(job *ensemble.Job, attempt int) (Outcome, error) {
		return Outcome{Time: d(job, attempt)}, nil
	}
}

// Constant is always the same.
func Constant(d time.Duration) Draw {
	return func(*ensemble.Job, int) time.Duration { return d }
}

// source gives numbers that depend on the seed, the job and the attempt.
func source(seed uint64, job *ensemble.Job, attempt int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(job.ID))
	return rand.New(rand.NewPCG(seed, h.Sum64()+uint64(attempt)))
}

// Normal draws from a normal distribution without its part below zero.
func Normal(seed uint64, mean, deviation time.Duration) Draw {
	return func(job *ensemble.Job, attempt int) time.Duration {
		r := source(seed, job, attempt)
		for range 1000 { // a mean far below zero has next to nothing above it
			if d := float64(mean) + float64(deviation)*r.NormFloat64(); d >= 0 {
				return whole64(d)
			}
		}
		return 0
	}
}

// LogNormal draws from a lognormal distribution, by its median and by the standard
// deviation of the logarithm.
func LogNormal(seed uint64, median time.Duration, sigma float64) Draw {
	return func(job *ensemble.Job, attempt int) time.Duration {
		return whole64(float64(median) * math.Exp(sigma*source(seed, job, attempt).NormFloat64()))
	}
}

// Exponential draws from an exponential distribution.
func Exponential(seed uint64, mean time.Duration) Draw {
	return func(job *ensemble.Job, attempt int) time.Duration {
		return whole64(float64(mean) * source(seed, job, attempt).ExpFloat64())
	}
}

// Among draws from durations that were seen; of none it gives 0.
func Among(seed uint64, seen []time.Duration) Draw {
	return func(job *ensemble.Job, attempt int) time.Duration {
		if len(seen) == 0 {
			return 0
		}
		return seen[source(seed, job, attempt).IntN(len(seen))]
	}
}

// whole64 makes a duration of nanoseconds, however many.
func whole64(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return never
	}
	return time.Duration(ns)
}

// Commands is the model of plain commands that tell how they go: true succeeds,
// and so does echo, false fails, all at once, and sleep takes its seconds. Of others the other model
// tells; where it is nil, they are errors.
func Commands(other Model) Model {
	return func(job *ensemble.Job, attempt int) (Outcome, error) {
		argv := job.Launch.Command
		switch {
		case len(argv) > 0 && (argv[0] == "true" || argv[0] == "echo"):
			return Outcome{}, nil
		case len(argv) > 0 && argv[0] == "false":
			return Outcome{Status: ensemble.Failed, Reason: "exit code 1"}, nil
		case len(argv) == 2 && argv[0] == "sleep":
			if s, err := strconv.ParseFloat(argv[1], 64); err == nil && s >= 0 {
				return Outcome{Time: whole64(s * 1e9)}, nil
			}
		}
		if other == nil {
			return Outcome{}, fmt.Errorf("nothing says how long %q takes", argv)
		}
		return other(job, attempt)
	}
}
