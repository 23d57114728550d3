// SPDX-License-Identifier: MIT

package run_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/run/runtest"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// bench is a run directory under test, with a fake member.
type bench struct {
	*testing.T
	dir run.Dir
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	h := spec.Header{APIVersion: spec.APIVersion, Kind: spec.KindEnsemble, Metadata: spec.Metadata{Name: "test"}}
	d, err := run.Create(filepath.Join(t.TempDir(), "run"), &spec.Ensemble{Header: h, Spec: spec.EnsembleSpec{Applications: []spec.Application{},
		Study: spec.StudySpec{Sweeps: []spec.Sweep{{Apps: spec.Axis{Values: []spec.Value{spec.Of("none")}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, d}
}

func stream(jobs ...*ensemble.Job) iter.Seq2[*ensemble.Job, error] {
	return func(yield func(*ensemble.Job, error) bool) {
		for _, j := range jobs {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// session drives jobs, in a new session of the run.
func (b *bench) session(x *runtest.Executor, jobs ...*ensemble.Job) (run.Summary, error) {
	return (&run.Driver{Dir: b.dir, Executor: x}).Run(b.Context(), stream(jobs...))
}

// good is a session that has no error.
func (b *bench) good(x *runtest.Executor, jobs ...*ensemble.Job) run.Summary {
	b.Helper()
	s, err := b.session(x, jobs...)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// journal gives the events of jobs, such as "finish j 1 failed", by job: those of
// different jobs come in any order.
func (b *bench) journal() (events []string) {
	b.Helper()
	var s ensemble.State
	err := b.dir.Events(func(e ensemble.Event) error {
		if e.Job != "" {
			events = append(events, strings.TrimSpace(fmt.Sprint(e.Name, " ", e.Job, " ", e.Attempt, " ", e.Status)))
		}
		return s.Apply(e)
	})
	if err != nil {
		b.Fatalf("the journal does not replay: %v", err)
	}
	return byJob(events)
}

func byJob(lines []string) []string {
	job := func(line string) string { return strings.Fields(line)[1] }
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(job(a), job(b)) })
	return lines
}

func (b *bench) same(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wrote writes events into the journal, as a session that was cut off.
func (b *bench) wrote(events ...ensemble.Event) {
	b.Helper()
	j, err := run.OpenJournal(b.dir.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(j.Append(events...), j.Close()); err != nil {
		b.Fatal(err)
	}
}

// file writes a file of an attempt; v is a text or becomes JSON.
func (b *bench) file(job string, attempt int, name string, v any) {
	b.Helper()
	dir := b.dir.Attempt(job, attempt)
	err := os.MkdirAll(dir, 0o755)
	if text, ok := v.(string); ok {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	} else {
		err = errors.Join(err, run.WriteJSON(filepath.Join(dir, name), v))
	}
	if err != nil {
		b.Fatal(err)
	}
}

var (
	submitted = ensemble.Event{Time: time.Unix(1, 0), Name: ensemble.Submit, Job: "j", Attempt: 1}
	started   = ensemble.Event{Time: time.Unix(2, 0), Name: ensemble.Start, Job: "j", Attempt: 1}
	exited    = run.Exit{Status: ensemble.Succeeded, Begin: time.Unix(1, 0), Start: time.Unix(2, 0), Finish: time.Unix(3, 0), End: time.Unix(4, 0)}
)

func counts(jobs int, status map[ensemble.Status]int, skipped int) run.Summary {
	return run.Summary{Jobs: jobs, Status: status, Skipped: skipped}
}

type statuses = map[ensemble.Status]int

// observer is a function that is told of a run.
type observer func(ensemble.Event, run.Standing)

func (o observer) Event(_ *ensemble.Job, e ensemble.Event, s run.Standing) { o(e, s) }
