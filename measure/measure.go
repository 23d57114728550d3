// SPDX-License-Identifier: MIT

package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
)

// Records gives a record for every attempt that has ended, in the order in
// which they ended. The applications say how output is read. The error names
// the file that cannot be read.
func Records(ctx context.Context, d run.Dir, e *spec.Ensemble) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		apps, err := readers(e)
		if err != nil {
			yield(Record{}, err)
			return
		}
		omitted, err := omitted(d, e)
		if err != nil {
			yield(Record{}, err)
			return
		}
		submitted := map[string]time.Time{} // by job; its last submission
		stop := errors.New("enough")
		err = d.Events(func(ev ensemble.Event) error {
			if ev.Job != "" { // a run from elsewhere must not name files outside it
				if err := ensemble.CheckID(ev.Job); err != nil {
					return err
				}
			}
			switch ev.Name {
			case ensemble.Submit:
				submitted[ev.Job] = ev.Time
				return nil
			case ensemble.Finish:
			default:
				return nil
			}
			r, err := attempt(ctx, d.Attempt(ev.Job, ev.Attempt), ev, apps)
			if err != nil {
				return err
			}
			r.Ensemble = e.Metadata.Name
			if why, ok := omitted[ev.Job]; ok && ev.Status == ensemble.Cancelled {
				r.Reason, r.Flags = why, append(r.Flags, notNeeded)
			}
			r.Times.Submit = submitted[ev.Job]
			if !yield(r, nil) {
				return stop
			}
			return ctx.Err()
		})
		if err != nil && !errors.Is(err, stop) {
			yield(Record{}, err)
		}
	}
}

// known is an application with the reader of its output.
type known struct {
	*spec.Application
	reader *read.Reader
}

// omitted says why jobs are not needed any more, which rules of an ensemble cancel
// while they run.
func omitted(d run.Dir, e *spec.Ensemble) (map[string]string, error) {
	why := map[string]string{}
	if len(e.Spec.Rules) == 0 {
		return why, nil
	}
	err := d.Events(func(ev ensemble.Event) error {
		if ev.Name == ensemble.Omit {
			why[ev.Job] = ev.Reason
		}
		return nil
	})
	return why, err
}

// notNeeded flags a record of an attempt that was cancelled for good.
const notNeeded = "not-needed"

// readers gives the applications of an ensemble by name.
func readers(e *spec.Ensemble) (map[string]known, error) {
	apps := map[string]known{}
	for i := range e.Spec.Applications {
		a := &e.Spec.Applications[i]
		r, err := read.New(a.Metadata.Name, a.Spec.Output)
		if err != nil {
			return nil, err
		}
		apps[a.Metadata.Name] = known{a, r}
	}
	return apps, nil
}

// attempt makes the record of one attempt from its directory and from the
// event that ended it.
func attempt(ctx context.Context, dir string, ev ensemble.Event, apps map[string]known) (Record, error) {
	var job ensemble.Job
	var exit run.Exit
	noJob, err := readJSON(filepath.Join(dir, run.JobFile), &job)
	if err != nil {
		return Record{}, err
	}
	noExit, err := readJSON(filepath.Join(dir, run.ExitFile), &exit)
	if err != nil {
		return Record{}, err
	}
	// An attempt that is lost has no exit; every one has a job, but for what a
	// crash of the machine took along.
	broken := noJob || noExit && ev.Status != ensemble.Lost
	var out read.Run
	app := apps[job.App]
	if app.reader != nil {
		if out, err = app.reader.ReadFiles(ctx, run.Output(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			out = read.Run{Flags: []string{unreadable}} // the judge has said why
		}
	}
	r := newRecord(out)
	r.App, r.Variant, r.Environment, r.Group = job.App, job.Variant, job.Environment, job.Group
	if job.Problem != "" {
		r.Problem = job.Problem
	}
	r.Parameters = job.Parameters
	r.Trial, r.Job, r.Attempt = ev.Job, ev.Job, ev.Attempt
	if job.Repetition > 0 {
		r.Iteration = &job.Repetition
	}
	r.Until = job.Until
	r.Nodes, r.Tasks, r.Threads = job.Shape.Nodes, job.Shape.Tasks, job.Shape.Threads
	r.Command = strings.Join(job.Launch.Command, " ")
	r.Image = job.Launch.Image
	r.Status, r.Reason, r.ExitCode = ev.Status, ev.Reason, exit.ExitCode
	r.Flags = append(exit.Flags, r.Flags...)
	if broken && !slices.Contains(r.Flags, unreadable) {
		r.Flags = append(r.Flags, unreadable)
	}
	r.Times.Start, r.Times.Finish = exit.Start, exit.Finish
	r.Load, r.Resources, r.Flux = exit.Load, exit.Resources, exit.Flux
	r.flagTime(app.Application)
	if job.Launch.Profile == spec.ProfileMPI && !exit.Start.IsZero() {
		addProfile(&r, filepath.Join(dir, run.ProfileDir))
	}
	return r, addSamples(&r, filepath.Join(dir, run.SamplesFile))
}

// addProfile puts what the ranks counted into the record. A profile that is not
// there, not whole or makes no sense is a flag and no zero.
func addProfile(r *Record, dir string) {
	if mpi.OtherMPI(os.DirFS(dir)) {
		r.Flags = append(r.Flags, otherMPI)
	}
	p, err := mpi.ReadDir(os.DirFS(dir))
	if err != nil {
		if !errors.Is(err, mpi.ErrNone) && !slices.Contains(r.Flags, unreadable) {
			r.Flags = append(r.Flags, unreadable)
		}
		r.Flags = append(r.Flags, noProfile)
		return
	}
	s := mpi.Summarize(p)
	if s.Incomplete > 0 || s.Ranks < r.Tasks || s.Ranks < s.Size {
		r.Flags = append(r.Flags, partialProfile)
	}
	r.MPI = &s
}

// The flags of a job that was to be profiled.
const (
	noProfile      = "no-profile"
	partialProfile = "partial-profile"
	otherMPI       = "other-mpi"
)

// unreadable flags a record of an attempt whose files are missing or broken in
// part: what could be read is in it.
const unreadable = "unreadable"

// readJSON reads a JSON file into v. A file that is not there, or that makes no
// sense, leaves v alone.
func readJSON[T any](path string, v *T) (missing bool, err error) {
	var read T
	err = run.ReadJSON(path, &read)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &syntax), errors.As(err, &kind):
		return true, nil
	case err != nil:
		return false, err
	}
	*v = read
	return false, nil
}

// addSamples turns samples into series over the seconds since the application
// started.
func addSamples(r *Record, path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	series := map[string]read.Series{}
	add := func(name, unit string, t, v float64) {
		s := series[name]
		s.Unit = [2]string{"s", unit}
		s.Points = append(s.Points, [2]float64{t, v})
		series[name] = s
	}
	var last run.Sample
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var x run.Sample
		if err := json.Unmarshal(sc.Bytes(), &x); err != nil {
			break // the supervisor was killed while it wrote the line
		}
		if span := x.Seconds - last.Seconds; span > 0 {
			add("sample_cpu", "cores", x.Seconds, max(0, x.CPUSeconds-last.CPUSeconds)/span)
		}
		add("sample_rss", "bytes", x.Seconds, float64(x.RSSBytes))
		add("sample_read", "bytes", x.Seconds, float64(x.ReadBytes))
		add("sample_write", "bytes", x.Seconds, float64(x.WriteBytes))
		add("sample_received", "bytes", x.Seconds, float64(x.ReceivedBytes))
		add("sample_sent", "bytes", x.Seconds, float64(x.SentBytes))
		last = x
	}
	if len(series) > 0 && r.Series == nil {
		r.Series = map[string]read.Series{}
	}
	for name, s := range series {
		r.Series[name] = s
	}
	return nil
}

// WriteJSONL writes records one a line, as records.jsonl holds them.
func WriteJSONL(path string, records []Record) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range records {
		if err := enc.Encode(&records[i]); err != nil {
			return fmt.Errorf("encoding the record of job %s: %w", records[i].Job, err)
		}
	}
	return run.WriteFile(path, b.Bytes())
}
