// SPDX-License-Identifier: MIT

package sim

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

var record = flag.Bool("record", false, "record the schedules in testdata anew, with the flux command")

// records are the schedules that are recorded.
var records = []struct {
	name, module, text string
	scheduler          Scheduler
	seed               uint64
}{
	{"fcfs", "sched-fifo", "fifo", FIFO, 42},
	{"easy", "sched-backfill", "backfill", Backfill, 13194},
}

// TestRecord records what is in testdata: a list of jobs of mixed sizes and times
// that a real Flux schedules on nodes that are faked, and seems to run. It takes
// some minutes.
//
//	go test ./run/sim -run '^TestRecord$' -record -timeout 30m
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("only with -record")
	}
	for _, r := range records {
		t.Run(r.name, func(t *testing.T) {
			list := mixed(r.seed)
			c, command := broker(t, r.module)
			text := recordList(t, c, list)
			head := fmt.Sprintf("# Recorded on %s by `go test ./run/sim -run '^TestRecord$' -record`, which starts\n# %s\n"+
				"# and seems to run %d jobs there, after %d others that tell the overhead.\nversion flux-core %s\nversion %s of it\nscheduler %s\nnodes %d %d\n",
				time.Now().UTC().Format(time.DateOnly), command, len(list), probes, c.Info().Version, r.module, r.text, fakeNodes, fakeCores)
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("testdata", r.name+".schedule"), []byte(head+text), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The nodes that recordings fake, and how many jobs that wait for one another tell
// how long the scheduler and the launch take.
const (
	fakeNodes, fakeCores = 8, 8
	probes               = 10 * (1 + fakeNodes)
)

// mixed makes 200 jobs that take whole nodes, share nodes, or share cores, for half a
// second to 20 seconds, most of them with a limit. They come faster than they can be
// run.
func mixed(seed uint64) (list []*Job) {
	r := rand.New(rand.NewPCG(seed, 0))
	at := time.Duration(0)
	for i := range 200 {
		j := &Job{ID: fmt.Sprintf("j%03d", i), At: at}
		switch kind := r.IntN(10); {
		case kind < 5:
			j.Nodes = []int{1, 1, 1, 1, 1, 2, 2, 3, 4, 5 + r.IntN(4)}[r.IntN(10)]
			j.Tasks, j.Cores, j.Exclusive = j.Nodes, 1, true
		case kind < 7:
			j.Nodes, j.Cores = 1+r.IntN(4), 1+r.IntN(2)
			j.Tasks = j.Nodes + r.IntN(3*j.Nodes+1)
		default:
			j.Tasks, j.Cores = 1+r.IntN(12), 1+r.IntN(3)
		}
		j.Run = time.Duration(500*math.Pow(40, math.Pow(r.Float64(), 1.5))) * time.Millisecond
		switch r.IntN(10) {
		case 0:
			j.Urgency = -8 + r.IntN(8)
		case 1:
			j.Urgency = 1 + r.IntN(15)
		}
		if slack := 1.05 + 2*r.Float64(); r.IntN(16) > 0 {
			j.Limit = (time.Second + time.Duration(slack*float64(j.Run))).Round(100 * time.Millisecond)
		}
		list = append(list, j)
		at += time.Duration(100+r.IntN(700)) * time.Millisecond
	}
	return list
}

// broker starts a Flux of its own whose nodes are faked, with a scheduler.
func broker(t *testing.T, module string) (c *flux.Client, command string) {
	path, err := exec.LookPath("flux")
	if err != nil {
		t.Skip("there is no flux command")
	}
	args := []string{"start",
		fmt.Sprintf("--conf=fake-resources.nnodes=%d", fakeNodes), fmt.Sprintf("--conf=fake-resources.cores-per-node=%d", fakeCores),
		"--conf=modules.alternatives.sched=" + module}
	cmd := exec.Command(path, append(args, "sh", "-c", "echo $FLUX_URI; cat")...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("flux start: %v", err)
		}
	})
	uri, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("flux start says nothing: %v", err)
	}
	c, err = flux.Dial(t.Context(), strings.TrimSpace(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, "flux " + strings.Join(args, " ")
}

// history is what is recorded of a job.
type history struct {
	times map[string]float64
	ranks string
}

// recordList lets a Flux schedule jobs, and writes down what came of it.
func recordList(t *testing.T, c *flux.Client, list []*Job) string {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	journal, err := c.Journal(ctx, flux.JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	seen := map[flux.JobID]*history{}
	follow := func(n int) { // until so many jobs are over
		for n > 0 {
			e, err := journal.Next()
			if err != nil {
				t.Error(err)
				return
			}
			if e.CaughtUp() {
				continue
			}
			h := seen[e.ID]
			if h == nil {
				h = &history{times: map[string]float64{}}
				seen[e.ID] = h
			}
			h.times[e.Name] = e.Timestamp
			switch e.Name {
			case "alloc":
				if r, err := flux.ParseR(e.R); err != nil {
					t.Error(err)
				} else {
					h.ranks = strings.Trim(fmt.Sprint(slices.Collect(r.Ranks().All())), "[]")
					h.ranks = strings.ReplaceAll(h.ranks, " ", ",")
				}
			case "clean":
				n--
			}
		}
	}
	for n := range 2 { // the validator starts with the first
		submitJob(t, c, probe(n))
		follow(1)
	}
	var before []flux.JobID
	for n := range probes {
		before = append(before, submitJob(t, c, probe(n)))
	}
	follow(probes)
	overhead := longest(seen, before)
	over := make(chan bool)
	go func() { follow(len(list)); close(over) }()
	ids, begin := make([]flux.JobID, len(list)), time.Now()
	for i, j := range list {
		time.Sleep(time.Until(begin.Add(j.At)))
		ids[i] = submitJob(t, c, j)
	}
	<-over
	text := &strings.Builder{}
	fmt.Fprintf(text, "overhead %.3f\n", overhead)
	first := seen[ids[0]].times["submit"]
	for i, j := range list {
		use := map[bool]string{true: "exclusive", false: "shared"}[j.Exclusive]
		fmt.Fprintf(text, "job %s %d %d %d %s %d %v |", j.ID, j.Nodes, j.Tasks, j.Cores, use, j.Urgency-Held, j.Limit.Seconds())
		h := seen[ids[i]]
		for _, name := range []string{"priority", "alloc", "start", "finish", "free"} {
			at, ok := h.times[name]
			if !ok {
				t.Errorf("job %s has no event %s: %v", j.ID, name, h.times)
			}
			fmt.Fprintf(text, " %.3f", at-first)
		}
		fmt.Fprintf(text, " %s\n", cmp.Or(h.ranks, "-"))
	}
	return text.String()
}

// probe is a job that needs all nodes, or one of those that need one node each and
// come after it. They let one another start.
func probe(n int) *Job {
	j := &Job{ID: fmt.Sprint("probe", n), Nodes: 1, Tasks: 1, Exclusive: true, Run: 50 * time.Millisecond, Limit: time.Minute}
	if n%(1+fakeNodes) == 0 {
		j.Nodes, j.Tasks = fakeNodes, fakeNodes
	}
	return j
}

// longest is the longest that a probe took to its start, from the last end of those
// that it waited for.
func longest(seen map[flux.JobID]*history, ids []flux.JobID) (most float64) {
	free, next := 0.0, 0.0
	for n, id := range ids {
		at := seen[id].times
		if n%(1+fakeNodes) < 2 {
			free, next = next, 0
		}
		next = max(next, at["free"])
		if free > 0 {
			most = max(most, at["start"]-free)
		}
	}
	return most
}

// submitJob submits a job that only seems to run.
func submitJob(t *testing.T, c *flux.Client, j *Job) flux.JobID {
	js, err := (&flux.Job{
		Command: []string{j.ID}, Name: j.ID, Dir: "/", Nodes: j.Nodes, Tasks: j.Tasks, CoresPerTask: j.Cores, Exclusive: j.Exclusive,
		TimeLimit: j.Limit, Mock: &flux.Mock{Duration: j.Run},
	}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Submit(t.Context(), flux.Submission{Jobspec: js, Urgency: j.Urgency - Held})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// What a scheduler makes of jobs can hang on milliseconds, such as on which of two
// jobs ends first that end at the same time, and then a recording says little. The
// seeds are of lists that get the same nodes when the scheduler takes for each job a
// time of its own of up to 6, or up to 30 ms. Some milliseconds more for every one of
// the jobs are another thing: they add up to a second, which is why a recording is
// played with what its scheduler took.
func TestRecordedJobsHangOnNoMilliseconds(t *testing.T) {
	t.Parallel()
	for _, r := range records {
		if n := hangs(t, r.scheduler, r.seed, 30); n != 30 {
			t.Errorf("%s: the schedule is another with the times of try %d", r.name, n)
		}
	}
}

// hangs tries times that the scheduler may take, and gives the first try that has
// another schedule.
func hangs(t *testing.T, s Scheduler, seed uint64, tries int) int {
	want := places(t, s, late(mixed(seed), func() int { return 8 }))
	for try := range tries {
		r := rand.New(rand.NewPCG(seed, uint64(try)))
		most := 6 + r.IntN(25)
		if !maps.Equal(want, places(t, s, late(mixed(seed), func() int { return r.IntN(most) }))) {
			return try
		}
	}
	return tries
}

// late lets the scheduler take some milliseconds for each job, ahead of it and after
// it.
func late(list []*Job, ms func() int) []*Job {
	for _, j := range list {
		j.At += time.Duration(ms()) * time.Millisecond
		j.Before, j.After = 3*time.Millisecond, time.Duration(ms()+3)*time.Millisecond
	}
	slices.SortStableFunc(list, func(a, b *Job) int { return cmp.Compare(a.At, b.At) })
	return list
}

// places are the nodes that jobs get.
func places(t *testing.T, s Scheduler, list []*Job) map[string]string {
	x, err := New(Config{Nodes: Nodes(fakeNodes, fakeCores), Scheduler: s})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]string{}
	for e, err := range x.Play(slices.Values(list)) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == Alloc {
			on[e.Job.ID] = ranks(e.Job.Shares())
		}
	}
	return on
}
