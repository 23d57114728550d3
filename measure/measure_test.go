// SPDX-License-Identifier: MIT

package measure_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/measure/mpi"
	"github.com/converged-computing/ensemble/run"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

const input = `apiVersion: converged-computing.org/v1alpha1
kind: Ensemble
metadata: {name: hand}
spec:
  applications:
    - apiVersion: converged-computing.org/v1alpha1
      kind: Application
      metadata: {name: app}
      spec:
        description: prints its rate
        command: [app]
        output:
          metrics:
            - {name: rate, match: '^rate (\S+)', unit: MB/s, better: higher, role: figure-of-merit}
            - {name: mpi_percent, match: '^MPI (\S+)', unit: '%'}
          success:
            - {match: '^done$', reason: it did not say that it was done}
  study:
    sweeps:
      - apps: [app]
`

func second(n int64) time.Time { return time.Unix(n, 0).UTC() }

// finished are the events of one attempt of job j.
func finished(attempt int, status ensemble.Status, reason string) []ensemble.Event {
	at := int64(100 * attempt)
	return []ensemble.Event{
		{Time: second(at), Name: ensemble.Submit, Job: "j", Attempt: attempt},
		{Time: second(at + 4), Name: ensemble.Finish, Job: "j", Attempt: attempt, Status: status, Reason: reason},
	}
}

// handMade makes a run directory of events and of files, by their paths in it.
// A value that is no text becomes JSON.
func handMade(t *testing.T, events []ensemble.Event, files map[string]any) (run.Dir, *spec.Ensemble) {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, v any) {
		path := filepath.Join(dir, name)
		b, isText := v.(string)
		if !isText {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			b = string(text)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(b), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put(run.EnsembleFile, input)
	var journal strings.Builder
	for _, e := range events {
		if err := json.NewEncoder(&journal).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	put(run.JournalFile, journal.String())
	for name, v := range files {
		put(name, v)
	}
	d, e, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d, e
}

var job = ensemble.Job{
	ID: "j", Group: "g", App: "app", Variant: "v", Environment: "here", Problem: "small", Repetition: 2,
	Parameters: map[string]spec.Value{"n": spec.Of(int64(5))},
	Shape:      ensemble.Shape{Nodes: 1, Tasks: 2, Threads: 3, CoresPerTask: 1},
	Launch:     ensemble.Launch{Command: []string{"app", "-n", "5"}},
}

func TestRecordsOfAttempts(t *testing.T) {
	t.Parallel()
	nought, two := 0, 2
	exit := run.Exit{Status: ensemble.Succeeded, ExitCode: &nought, Start: second(101), Finish: second(103), End: second(104),
		Resources: &run.Resources{UserSeconds: 1.5, MaxRSSBytes: 9}, Load: &run.Load{During: 0.25}, Flags: []string{"noisy"}}
	described := measure.Record{
		App: "app", Variant: "v", Environment: "here", Problem: "small", Ensemble: "hand", Group: "g", Trial: "j", Job: "j", Attempt: 1,
		Parameters: job.Parameters, Iteration: &two, Nodes: 1, Tasks: 2, Threads: 3, Command: "app -n 5",
		Status: ensemble.Succeeded, Times: read.Times{Submit: second(100)},
	}
	full := described
	full.ExitCode, full.Flags, full.Resources, full.Load = &nought, exit.Flags, exit.Resources, exit.Load
	full.Times.Start, full.Times.Finish = exit.Start, exit.Finish
	full.Metrics = map[string]read.Value{"rate": {Value: 12.5, Unit: "MB/s"}}
	with := func(r measure.Record, change func(*measure.Record)) []measure.Record {
		change(&r)
		return []measure.Record{r}
	}
	ok := finished(1, ensemble.Succeeded, "")
	for _, c := range []struct {
		name   string
		events []ensemble.Event
		files  map[string]any
		want   []measure.Record
	}{
		{"all that an attempt leaves is in its record", ok, map[string]any{
			"jobs/j/1/job.json": job, "jobs/j/1/exit.json": exit, "jobs/j/1/stdout": "rate 12.5\ndone\n",
		}, []measure.Record{full}},
		{"an attempt that has not ended has none", ok[:1], map[string]any{"jobs/j/1/job.json": job}, nil},
		{"a lost attempt has no exit", finished(1, ensemble.Lost, "gone"), map[string]any{"jobs/j/1/job.json": job},
			with(described, func(r *measure.Record) { r.Status, r.Reason = ensemble.Lost, "gone" })},
		{"a lost attempt keeps what it printed", finished(1, ensemble.Lost, "gone"), map[string]any{
			"jobs/j/1/job.json": job, "jobs/j/1/stdout": "rate 12.5\n"},
			with(described, func(r *measure.Record) { r.Status, r.Reason, r.Metrics = ensemble.Lost, "gone", full.Metrics })},
		{"without stdout there are no metrics", ok, map[string]any{"jobs/j/1/job.json": job, "jobs/j/1/exit.json": exit},
			with(full, func(r *measure.Record) { r.Metrics = nil })},
		{"a torn exit is flagged", ok, map[string]any{"jobs/j/1/job.json": job, "jobs/j/1/exit.json": `{"status": "succ`, "jobs/j/1/stdout": "rate 12.5\n"},
			with(described, func(r *measure.Record) { r.Flags, r.Metrics = []string{"unreadable"}, full.Metrics })},
		{"a directory that is gone is flagged", ok, nil,
			[]measure.Record{{Ensemble: "hand", Trial: "j", Job: "j", Attempt: 1, Status: ensemble.Succeeded, Flags: []string{"unreadable"}, Times: described.Times}}},
		{"each attempt has its own record", append(finished(1, ensemble.Failed, "exit code 1"), finished(2, ensemble.Succeeded, "")...), map[string]any{
			"jobs/j/1/job.json": job, "jobs/j/1/exit.json": run.Exit{Status: ensemble.Failed},
			"jobs/j/2/job.json": job, "jobs/j/2/exit.json": exit, "jobs/j/2/stdout": "rate 12.5\ndone\n",
		}, append(with(described, func(r *measure.Record) { r.Status, r.Reason = ensemble.Failed, "exit code 1" }),
			with(full, func(r *measure.Record) { r.Attempt, r.Times.Submit = 2, second(200) })...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, e := handMade(t, c.events, c.files)
			var got []measure.Record
			for r, err := range measure.Records(t.Context(), d, e) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r)
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b spec.Value) bool { return a.String() == b.String() })); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// profileOf is what a rank of two leaves that was in no call of MPI, for one
// second: the header of version 2.
func profileOf(rank uint32) string {
	b := append([]byte("ENSMPI\n\x00"), make([]byte, 1440)...)
	put := func(at int, numbers ...uint32) {
		for i, x := range numbers {
			binary.NativeEndian.PutUint32(b[at+4*i:], x)
		}
	}
	put(8, 2, 1448, 40, 72, 24) // the version, and the sizes of header, name, call and peer
	put(40, 2, rank, 2)         // complete, the rank, the ranks
	binary.NativeEndian.PutUint64(b[120:], 1e9)
	return string(b)
}

func TestShareOfMPI(t *testing.T) {
	t.Parallel()
	profiled := job
	profiled.Launch.Profile = spec.ProfileMPI
	exit := run.Exit{Status: ensemble.Succeeded, Start: second(101), Finish: second(103)}
	told := map[string]read.Value{"mpi_percent": {Value: 27.4, Unit: "%"}}
	for _, c := range []struct {
		name    string
		job     ensemble.Job
		files   map[string]any
		want    *mpi.Summary
		metrics map[string]read.Value
		flags   []string
	}{
		{"what the application says alone is the share", job, map[string]any{"jobs/j/1/stdout": "MPI 27.4\n"}, &mpi.Summary{Percent: 27.4}, told, nil},
		{"a profile wins, and what the application says stays a metric", profiled, map[string]any{
			"jobs/j/1/stdout": "MPI 27.4\n", "jobs/j/1/profile/0.7.mpi": profileOf(0), "jobs/j/1/profile/1.8.mpi": profileOf(1),
		}, &mpi.Summary{Ranks: 2, Size: 2, Seconds: 1}, told, nil},
		{"a profile that is missing is flagged, and leaves what the application says", profiled,
			map[string]any{"jobs/j/1/stdout": "MPI 27.4\n"}, &mpi.Summary{Percent: 27.4}, told, []string{"no-profile"}},
		{"a profile that makes no sense is flagged as such", profiled,
			map[string]any{"jobs/j/1/stdout": "done\n", "jobs/j/1/profile/0.7.mpi": "no profile"}, nil, nil, []string{"unreadable", "no-profile"}},
		{"a share that nobody tells is none", job, map[string]any{"jobs/j/1/stdout": "done\n"}, nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.files["jobs/j/1/job.json"], c.files["jobs/j/1/exit.json"] = c.job, exit
			d, e := handMade(t, finished(1, ensemble.Succeeded, ""), c.files)
			for r, err := range measure.Records(t.Context(), d, e) {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, r.MPI) + cmp.Diff(c.metrics, r.Metrics) + cmp.Diff(c.flags, r.Flags); diff != "" {
					t.Errorf("MPI, metrics and flags (-want +got):\n%s", diff)
				}
			}
		})
	}
	for _, unit := range []string{"", "s"} {
		r := measure.FromLog(read.Run{Metrics: map[string]read.Value{"mpi_percent": {Value: 1, Unit: unit}}}, nil)
		if r.MPI != nil {
			t.Errorf("got %+v of a metric in [%s], want nothing", r.MPI, unit)
		}
	}
}

func TestSamplesBecomeSeries(t *testing.T) {
	t.Parallel()
	const samples = `{"t":0,"cpu_s":0,"rss_bytes":100,"read_bytes":0,"write_bytes":0,"rx_bytes":0,"tx_bytes":0,"processes":1}
{"t":2,"cpu_s":3,"rss_bytes":200,"read_bytes":10,"write_bytes":20,"rx_bytes":30,"tx_bytes":40,"processes":2}
{"t":4,"cpu_s":2.5,"rss_bytes":150,"read_bytes":11,"write_bytes":21,"rx_bytes":31,"tx_bytes":41,"processes":1}
{"t":5,"cpu_s":4,"rss`
	d, e := handMade(t, finished(1, ensemble.Lost, "gone"), map[string]any{"jobs/j/1/job.json": job, "jobs/j/1/samples.jsonl": samples})
	for r, err := range measure.Records(t.Context(), d, e) {
		if err != nil {
			t.Fatal(err)
		}
		series := func(unit string, points ...[2]float64) read.Series {
			return read.Series{Unit: [2]string{"s", unit}, Points: points}
		}
		want := map[string]read.Series{
			// Time that was counted and is not any more, as of a process that ended
			// between two looks, is no time.
			"sample_cpu":      series("cores", [2]float64{2, 1.5}, [2]float64{4, 0}),
			"sample_rss":      series("bytes", [2]float64{0, 100}, [2]float64{2, 200}, [2]float64{4, 150}),
			"sample_read":     series("bytes", [2]float64{0, 0}, [2]float64{2, 10}, [2]float64{4, 11}),
			"sample_write":    series("bytes", [2]float64{0, 0}, [2]float64{2, 20}, [2]float64{4, 21}),
			"sample_received": series("bytes", [2]float64{0, 0}, [2]float64{2, 30}, [2]float64{4, 31}),
			"sample_sent":     series("bytes", [2]float64{0, 0}, [2]float64{2, 40}, [2]float64{4, 41}),
		}
		if diff := cmp.Diff(want, r.Series); diff != "" {
			t.Errorf("series (-want +got):\n%s", diff)
		}
	}
}

func TestRecordsEndWhereTheyAreToldTo(t *testing.T) {
	t.Parallel()
	events := append(finished(1, ensemble.Failed, "no"), finished(2, ensemble.Failed, "no")...)
	files := map[string]any{"jobs/j/1/job.json": job, "jobs/j/2/job.json": job}
	d, e := handMade(t, events, files)
	n := 0
	for range measure.Records(t.Context(), d, e) {
		n++
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range measure.Records(ctx, d, e) {
		cancel()
		n, last = n+1, err
	}
	if n != 3 || !errors.Is(last, context.Canceled) {
		t.Errorf("got %d records and %v, want one, and one and %v", n, last, context.Canceled)
	}
	events[1].Job = "../j"
	d, e = handMade(t, events, files)
	for _, err := range measure.Records(t.Context(), d, e) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), `journal.jsonl:2: got the job ID "../j"`) {
		t.Errorf("got %v, want an error that names the line and the ID", last)
	}
}

func TestRecordsAreWrittenOneALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), run.RecordsFile)
	records := []measure.Record{{Job: "a", Status: ensemble.Succeeded}, {Job: "b", Status: ensemble.Lost}}
	if err := measure.WriteJSONL(path, records); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []measure.Record
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var r measure.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(records, got); diff != "" || bytes.Count(b, []byte("\n")) != 2 {
		t.Errorf("%s\n(-want +got):\n%s", b, diff)
	}
}
