// SPDX-License-Identifier: MIT

package sim

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// A recorded schedule is what a real Flux made of a list of jobs: a text
// testdata/NAME.schedule such as
//
//	# How it was recorded, by what command, on what.
//	version flux-core 0.88.0
//	scheduler fifo
//	nodes 4 8
//	overhead 0.030
//	job a 2 8 1 exclusive 16 60 | 0.013 0.026 0.030 12.041 12.055 0,1
//
// version may be repeated. scheduler is simple, fluxion, easy, fifo or backfill;
// nodes is how many there are and the cores of each. A job has its name, nodes (0:
// any), tasks, cores of a task, exclusive or shared, urgency as Flux has it (16 is
// usual) and time limit in seconds (0: none). After the bar are the times of its
// events priority, with which it comes to the queue, alloc, start, finish and free in
// seconds, from any begin, and the ranks of its nodes, or - where they do not matter.
// Jobs stand in the order of submission.
//
// overhead is how long the scheduler and the launch of a job take: the longest that one
// of the jobs took that waited for one another ahead of these, from the event that let
// it start to its start.
//
// A job is played with what the recording says of itself: when it came to the queue,
// how long it took to launch, to run and to clean up. To a simulation the scheduler
// takes no time, so what it took in the mean is added: a job comes to the queue by it
// later, and takes it longer to clean up.
//
// What is compared is what the scheduler made of that. The allocation of every job has
// to be within overhead of the recorded one, in time and from the event that it
// follows: in the simulation a job gets its nodes when it comes or when another is
// cleaned up, and in the recording it has to get them after the same event. The nodes
// have to be the same.

// recording is a recorded schedule.
type recording struct {
	versions []string
	config   Config
	overhead time.Duration
	jobs     []recorded
}

type recorded struct {
	Job
	alloc, free time.Duration
	ranks       string
}

func readRecording(r io.Reader) (*recording, error) {
	rec := &recording{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		key, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		var err error
		switch key {
		case "", "#":
		case "version":
			rec.versions = append(rec.versions, rest)
		case "scheduler":
			i := slices.Index([]string{"simple", "fluxion", "easy", "fifo", "backfill"}, rest)
			if i < 0 {
				err = fmt.Errorf("unknown scheduler %q", rest)
			}
			rec.config.Scheduler = Scheduler(i)
		case "nodes":
			var nodes, cores int
			_, err = fmt.Sscan(rest, &nodes, &cores)
			rec.config.Nodes = Nodes(nodes, cores)
		case "overhead":
			var s float64
			_, err = fmt.Sscan(rest, &s)
			rec.overhead = duration(s)
		case "job":
			err = rec.job(rest)
		default:
			err = fmt.Errorf("unknown line %q", key)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(rec.versions) == 0 || len(rec.jobs) == 0 {
		return nil, fmt.Errorf("got %d versions and %d jobs, want some of each", len(rec.versions), len(rec.jobs))
	}
	return rec, lines.Err()
}

// job reads the line of a job.
func (r *recording) job(line string) error {
	var j recorded
	var use, bar string
	var limit float64
	var times [5]float64
	_, err := fmt.Sscan(line, &j.ID, &j.Nodes, &j.Tasks, &j.Cores, &use, &j.Urgency, &limit, &bar,
		&times[0], &times[1], &times[2], &times[3], &times[4], &j.ranks)
	switch {
	case err != nil:
		return fmt.Errorf("job %q: %w", line, err)
	case bar != "|" || use != "exclusive" && use != "shared" || !slices.IsSorted(times[:]):
		return fmt.Errorf("job %q: want exclusive or shared, a bar, and rising times", line)
	}
	j.Exclusive, j.Limit = use == "exclusive", duration(limit)
	j.Urgency += Held
	j.At, j.alloc, j.free = duration(times[0]), duration(times[1]), duration(times[4])
	j.Before, j.Run, j.After = duration(times[2]-times[1]), duration(times[3]-times[2]), duration(times[4]-times[3])
	r.jobs = append(r.jobs, j)
	return nil
}

// latency is what the scheduler took in the mean: from the last event after which a job
// can get nodes to an allocation.
func (r *recording) latency() time.Duration {
	var events []time.Duration
	for _, j := range r.jobs {
		events = append(events, j.At, j.free)
	}
	slices.Sort(events)
	sum := time.Duration(0)
	for _, j := range r.jobs {
		if i, _ := slices.BinarySearch(events, j.alloc); i > 0 {
			sum += j.alloc - events[i-1]
		}
	}
	return sum / time.Duration(len(r.jobs))
}

// difference is how far a simulation is from a recording.
type difference struct {
	worst  time.Duration // of an allocation, in time
	after  time.Duration // of an allocation, from the event that it follows
	beyond []string      // jobs whose allocation is further off than the overhead
	moved  []string      // jobs that are on other nodes
}

// compare plays the jobs of a recording.
func (r *recording) compare() (d difference, err error) {
	x, err := New(r.config)
	if err != nil {
		return d, err
	}
	begin, latency := r.jobs[0].At, r.latency()
	jobs, by := []*Job(nil), map[*Job]recorded{}
	for _, recorded := range r.jobs {
		j := recorded.Job
		j.At += latency - begin
		j.After += latency
		jobs = append(jobs, &j)
		by[&j] = recorded
	}
	slices.SortStableFunc(jobs, func(a, b *Job) int { return cmp.Compare(a.At, b.At) })
	event, at := "", time.Duration(0) // the last at which jobs can get nodes, as it is recorded
	for e, err := range x.Play(slices.Values(jobs)) {
		if err != nil {
			return d, err
		}
		job := by[e.Job]
		switch e.Kind {
		case Submit:
			event, at = job.ID+" comes", job.At
		case Free:
			event, at = job.ID+" is cleaned up", job.free
		case Alloc:
			off, after := e.At-(job.alloc-begin), job.alloc-at
			d.worst, d.after = max(d.worst, off.Abs()), max(d.after, after.Abs())
			if max(off.Abs(), after.Abs()) > r.overhead {
				d.beyond = append(d.beyond, fmt.Sprintf("%s: %v, recorded %v, which is %v after %s", job.ID, e.At, job.alloc-begin, after, event))
			}
			if got := ranks(e.Job.Shares()); job.ranks != "-" && got != job.ranks {
				d.moved = append(d.moved, fmt.Sprintf("%s: %s, recorded %s", job.ID, got, job.ranks))
			}
		}
	}
	return d, nil
}

// ranks lists nodes as a recording has them.
func ranks(shares []Share) string {
	var nodes []string
	for _, s := range slices.SortedFunc(slices.Values(shares), func(a, b Share) int { return int(a.Node - b.Node) }) {
		nodes = append(nodes, fmt.Sprint(s.Node))
	}
	return strings.Join(nodes, ",")
}

func TestRecordedSchedules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.schedule"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no schedule of a real Flux is recorded in testdata")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			r, err := readRecording(in)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			d, err := r.compare()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("recorded schedule %s (%s): %d of %d jobs within %v, the furthest off by %v, and by %v from the event before it; %d on other nodes\n",
				filepath.Base(file), strings.Join(r.versions, ", "), len(r.jobs)-len(d.beyond), len(r.jobs), r.overhead, d.worst, d.after, len(d.moved))
			if len(d.beyond) > 0 {
				t.Errorf("beyond the overhead:\n%s", strings.Join(d.beyond, "\n"))
			}
			if len(d.moved) > 0 {
				t.Errorf("on other nodes:\n%s", strings.Join(d.moved, "\n"))
			}
		})
	}
}

// duration makes a duration of seconds.
func duration(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// byHand is no recording: it shows the form.
const byHand = `
# Made by hand.
version none
scheduler easy
nodes 2 4
overhead 0.5
job a 1 1 1 exclusive 16 12 | 100.0 100.1 100.2 110.2 110.3 0
job b 2 2 1 exclusive 16 0  | 100.1 110.5 110.6 112.6 112.7 0,1
job c 0 3 1 shared    16 5  | 100.2 100.4 100.5 104.5 104.6 -
`

func TestARecordingIsComparedJobByJob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, last string
		want       difference
	}{
		{"all is within the overhead", "job d 1 1 1 shared 31 0 | 100.3 100.5 100.6 105.0 105.1 1", difference{worst: 50 * time.Millisecond, after: 200 * time.Millisecond}},
		{"an allocation is beyond it", "job d 1 1 1 shared 31 0 | 100.3 101.0 101.1 105.0 105.1 1",
			difference{worst: 425 * time.Millisecond, after: 700 * time.Millisecond, beyond: []string{"d: 575ms, recorded 1s, which is 700ms after d comes"}}},
		{"a job is on another node", "job d 1 1 1 shared 31 0 | 100.3 100.5 100.6 105.0 105.1 0",
			difference{worst: 50 * time.Millisecond, after: 200 * time.Millisecond, moved: []string{"d: 1, recorded 0"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := readRecording(strings.NewReader(byHand + c.last))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.compare()
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(c.want, got, gocmp.AllowUnexported(difference{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
