// SPDX-License-Identifier: MIT

package sim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
)

// ReadTable reads a model from a table of outcomes. Each line is one that was seen:
//
//	NAME SECONDS [STATUS]
//
// NAME is the ID of a job, and then its lines are those of its attempts in order, the
// last one for all that follow; or a group, an application, or * for any job, and
// then an attempt draws one of the lines. The first of these that has a line counts.
// STATUS is one of records, such as failed; without it the attempt succeeds. Empty
// lines and those that begin with # are passed over.
//
// The error names every line that is wrong.
func ReadTable(r io.Reader, seed uint64) (Model, error) {
	seen := map[string][]Outcome{}
	var errs []error
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		o, err := outcome(fields)
		if err != nil {
			errs = append(errs, &LineError{n, err})
			continue
		}
		seen[fields[0]] = append(seen[fields[0]], o)
	}
	if err := errors.Join(append(errs, lines.Err())...); err != nil {
		return nil, err
	}
	return func(job *ensemble.Job, attempt int) (Outcome, error) {
		if list := seen[job.ID]; len(list) > 0 {
			return list[min(max(attempt, 1), len(list))-1], nil
		}
		for _, name := range []string{job.Group, job.App, "*"} {
			if list := seen[name]; len(list) > 0 {
				return list[source(seed, job, attempt).IntN(len(list))], nil
			}
		}
		return Outcome{}, fmt.Errorf("the table of outcomes has no line for the job, its group %q, its application %q, or *", job.Group, job.App)
	}, nil
}

// LineError is what is wrong with a line of a table, which counts from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// outcome reads the fields of a line.
func outcome(fields []string) (o Outcome, err error) {
	if len(fields) < 2 || len(fields) > 3 {
		return o, fmt.Errorf("got %d fields, want NAME SECONDS [STATUS]", len(fields))
	}
	s, err := strconv.ParseFloat(fields[1], 64)
	if err != nil || !(s >= 0) || s > never.Seconds() {
		return o, fmt.Errorf("got %q, want seconds", fields[1])
	}
	o.Time = whole64(s * 1e9)
	if len(fields) == 3 {
		switch o.Status = ensemble.Status(fields[2]); o.Status {
		case ensemble.Succeeded, ensemble.Failed, ensemble.Incomplete:
		default:
			return o, fmt.Errorf("got the status %q, want succeeded, failed or incomplete", fields[2])
		}
	}
	return o, nil
}
