// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// variety says what a random case may hold.
type variety struct {
	scheduler                   Scheduler
	urgencies, changes, exactly bool
	overheads, dependencies     bool
}

// chance makes a small cluster and jobs for it. The same seed makes the same.
func chance(seed uint64, v variety) (c Config, jobs []*Job) {
	r := rand.New(rand.NewPCG(seed, 1))
	c = Config{Scheduler: v.scheduler, Depth: 2 + r.IntN(6)}
	cores := 1 + r.IntN(4)
	for range 1 + r.IntN(6) {
		n := Node{Cores: cores}
		if v.changes && r.IntN(3) == 0 {
			n.Cores, n.Absent = 1+r.IntN(4), r.IntN(2) == 0
			for at := range r.IntN(4) {
				n.Changes = append(n.Changes, seconds(1+8*at+r.IntN(8))...)
			}
		}
		c.Nodes = append(c.Nodes, n)
	}
	at := 0
	for i := range 1 + r.IntN(20) {
		j := &Job{ID: fmt.Sprintf("%02d", i), Tasks: r.IntN(6), Cores: r.IntN(3), Run: time.Duration(r.IntN(10)) * second}
		at += r.IntN(3)
		j.At = time.Duration(at) * second
		if r.IntN(3) > 0 {
			j.Nodes, j.Exclusive = 1+r.IntN(len(c.Nodes)), r.IntN(2) == 0
		}
		switch {
		case v.exactly:
			j.Run += second
			j.Limit = j.Run
		case r.IntN(4) > 0:
			j.Limit = time.Duration(1+r.IntN(12)) * second
		}
		if v.urgencies {
			j.Urgency = []int{0, 0, 0, 1, 2, Held}[r.IntN(6)]
		}
		if v.overheads {
			j.Before, j.After = time.Duration(r.IntN(3))*second, time.Duration(r.IntN(3))*second
		}
		for v.dependencies && i > 0 && r.IntN(3) == 0 {
			j.Dependencies = append(j.Dependencies, jobs[r.IntN(i)])
		}
		jobs = append(jobs, j)
	}
	return c, jobs
}

// varieties are told apart by the lowest bits of a number.
func varieties(n uint64) variety {
	return variety{
		scheduler: Scheduler(n % 5), urgencies: n&4 != 0, changes: n&8 != 0, exactly: n&16 != 0,
		overheads: n&32 != 0, dependencies: n&64 != 0,
	}
}

func TestPlay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		compare(t, seed, varieties(seed/5*7))
	}
}

// What is first in the queue starts no later than planned when it got there: with
// limits that are exact that is when it would start if nothing were backfilled.
func TestBackfillingDelaysNobodyWhoIsFirst(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		compare(t, seed, variety{scheduler: Easy, exactly: true})
		compare(t, seed, variety{scheduler: Backfill, exactly: true})
	}
}

func FuzzPlay(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed, seed/5*7)
	}
	f.Fuzz(func(t *testing.T, seed, bits uint64) { compare(t, seed, varieties(bits)) })
}

// compare compares the simulation with the slow one and checks what holds of any
// schedule.
func compare(t *testing.T, seed uint64, v variety) {
	c, jobs := chance(seed, v)
	slow := newSlow(c, jobs)
	want := slow.run()
	w := &watch{T: t, config: c, used: make([]int32, len(c.Nodes)), seen: map[*Job][]Kind{}, after: map[*Job][]*Job{}, began: map[*Job]time.Duration{}}
	got := w.play(jobs)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("seed %d, %+v\n(-slow +fast):\n%s", seed, v, diff)
	}
	if !v.scheduler.backfills() && !v.urgencies && !v.dependencies && !slices.IsSortedFunc(w.order, func(a, b *Job) int { return int(a.serial - b.serial) }) {
		t.Errorf("jobs started out of the order of submission: %v", got)
	}
	if v.exactly && !v.changes && !v.overheads && !v.urgencies && !v.dependencies {
		for j, at := range slow.foreseen {
			if began, ok := w.began[j.Job]; ok && began > at {
				t.Errorf("job %s began at %v, and was first in the queue when it was planned for %v", j.ID, began, at)
			}
		}
	}
}

// watch checks events as they come.
type watch struct {
	*testing.T
	config Config
	now    time.Duration
	used   []int32
	work   time.Duration // core-seconds
	seen   map[*Job][]Kind
	after  map[*Job][]*Job // dependencies
	began  map[*Job]time.Duration
	order  []*Job // as they got their nodes
	story  story
}

// play gives what becomes of the jobs that end, like the function of the name.
func (w *watch) play(jobs []*Job) []string {
	x, err := New(w.config)
	if err != nil {
		w.Fatal(err)
	}
	for _, j := range jobs {
		w.after[j] = j.Dependencies // a job that ended forgets them
	}
	for e, err := range x.Play(slices.Values(jobs)) {
		if err != nil {
			break // jobs wait for ever
		}
		if e.At < w.now {
			w.Fatalf("%v of job %s at %v comes after an event at %v", e.Kind, e.Job.ID, e.At, w.now)
		}
		w.now = e.At
		if e.Job == nil {
			continue
		}
		w.story.take(e)
		w.seen[e.Job] = append(w.seen[e.Job], e.Kind)
		switch e.Kind {
		case Alloc:
			w.take(x, e.Job)
		case Free:
			for _, h := range e.Job.Shares() {
				w.used[h.Node] -= h.Cores
				w.work += (e.At - w.began[e.Job]) * time.Duration(h.Cores)
			}
		}
	}
	w.bounds(jobs, x)
	return w.story.lines
}

// take checks what a job gets.
func (w *watch) take(x *Cluster, j *Job) {
	w.order = append(w.order, j)
	w.began[j] = w.now
	for _, h := range j.Shares() {
		if w.used[h.Node] += h.Cores; int(w.used[h.Node]) > w.config.Nodes[h.Node].Cores || !x.up[h.Node] {
			w.Fatalf("job %s gets %d cores of node %d, of which %d are used then; up: %v", j.ID, h.Cores, h.Node, w.used[h.Node], x.up[h.Node])
		}
	}
	if j.Exclusive && len(j.Shares()) != j.Nodes {
		w.Errorf("job %s gets %d nodes, want %d", j.ID, len(j.Shares()), j.Nodes)
	}
}

// bounds checks what holds when all is over.
func (w *watch) bounds(jobs []*Job, x *Cluster) {
	waiting, cores := 0, 0
	for _, j := range jobs {
		switch got := fmt.Sprint(w.seen[j]); {
		case got == "[submit]":
			waiting++
		case !slices.Contains([]string{"[submit finish]", "[submit alloc finish free]", "[submit alloc start finish free]"}, got):
			w.Errorf("job %s: %s", j.ID, got)
		}
		for _, d := range w.after[j] {
			if at, ok := w.began[j]; ok && at < w.began[d]+d.Run {
				w.Errorf("job %s begins at %v, before job %s can have ended", j.ID, at, d.ID)
			}
		}
	}
	for _, n := range w.config.Nodes {
		cores += n.Cores
	}
	if w.work > w.now*time.Duration(cores) {
		w.Errorf("%v of work were done in %v on %d cores", w.work, w.now, cores)
	}
	if x.Pending() > waiting || len(x.running) > 0 {
		w.Errorf("%d jobs are pending and %d run when nothing happens any more", x.Pending(), len(x.running))
	}
}
