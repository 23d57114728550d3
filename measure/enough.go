// SPDX-License-Identifier: MIT

package measure

import (
	"context"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/stats"
)

// leastRepetitions is how many values an interval has to rest on before it may
// end the repetitions. Two that happen to agree say little; with three, a cell
// of lognormal times whose deviation is 1 to 12 % ends with a mean that is within
// the asked-for interval of the true one in more than nine of ten cases. It is not
// in 95 of a hundred, since a sequence that is ended by its own interval ends
// rather where that happens to be narrow (Chow and Robbins, Annals of Mathematical
// Statistics 36, 1965).
const leastRepetitions = 3

// Enough decides from records when the repetitions of a configuration are
// enough: when the interval of their mean time is as tight as the study asks.
// Neither trials that failed nor noisy ones tell anything.
func Enough(d run.Dir, e *spec.Ensemble) (run.Enough, error) {
	apps, err := readers(e)
	if err != nil {
		return nil, err
	}
	records := map[string]*Record{} // by job, of cells that are not done
	return func(ctx context.Context, job *ensemble.Job, done []run.Done) (string, error) {
		var cell []*Record
		for _, a := range done {
			if a.Status != ensemble.Succeeded {
				continue
			}
			r := records[a.Job]
			if r == nil {
				finish := ensemble.Event{Name: ensemble.Finish, Job: a.Job, Attempt: a.Attempt, Status: a.Status}
				one, err := attempt(ctx, d.Attempt(a.Job, a.Attempt), finish, apps)
				if err != nil {
					return "", err
				}
				r = &Record{Flags: one.Flags, Metrics: one.Metrics, Times: one.Times}
				records[a.Job] = r
			}
			cell = append(cell, r)
		}
		p := PrecisionOf(quietTimes(cell, apps[job.App].Application))
		if !p.Meets(job.Until.Interval) {
			return "", nil
		}
		for _, a := range done {
			delete(records, a.Job)
		}
		return p.String(), nil
	}, nil
}

// noisy flags a record of a trial beside which other work used the machine.
const noisy = "noisy"

// Precision is how well repetitions of one configuration tell its time.
type Precision struct {
	// N is how many times it rests on.
	N int
	// Half is half the width of the 95 % interval of the mean, by the mean; it
	// means nothing for fewer than two times.
	Half float64
}

// PrecisionOf is that of the times of trials that succeeded and were quiet.
func PrecisionOf(times []float64) Precision {
	s := stats.Summarize(times, stats.DefaultLevel)
	p := Precision{N: s.N}
	if i := s.MeanInterval; i != nil && s.Mean > 0 {
		p.Half = (i.High - i.Low) / 2 / s.Mean
	}
	return p
}

// Meets says whether the interval is as tight as asked for.
func (p Precision) Meets(interval spec.Percent) bool {
	return p.N >= leastRepetitions && p.Half <= float64(interval)
}

// String tells it as in ± 3.1 % after 5 repetitions.
func (p Precision) String() string {
	return fmt.Sprintf("± %.2g %% after %d repetitions", 100*p.Half, p.N)
}

// quietTimes are the application's own times in records that are not noisy, all
// in one unit, or the launcher's where none has them. The application may be nil.
func quietTimes(records []*Record, app *spec.Application) (times []float64) {
	quiet := slices.DeleteFunc(slices.Clone(records), func(r *Record) bool { return slices.Contains(r.Flags, noisy) })
	own := func(r *Record) (read.Value, bool) { return r.ownTime(app) }
	i := slices.IndexFunc(quiet, func(r *Record) bool { _, ok := own(r); return ok })
	for _, r := range quiet {
		if i < 0 {
			if x, ok := r.WallTime(); ok {
				times = append(times, x)
			}
			continue
		}
		unit, _ := own(quiet[i])
		if v, ok := own(r); ok && v.Unit == unit.Unit {
			times = append(times, v.Value)
		}
	}
	return times
}

// ownTime is the time that the application reports by its own account.
func (r *Record) ownTime(app *spec.Application) (read.Value, bool) {
	if app == nil {
		return read.Value{}, false
	}
	for _, m := range app.Spec.Output.Metrics {
		if v, ok := r.Metrics[m.Name]; ok && m.Role == spec.RoleApplicationTime {
			return v, true
		}
	}
	return read.Value{}, false
}
