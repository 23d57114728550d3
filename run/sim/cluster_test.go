// SPDX-License-Identifier: MIT

package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/google/go-cmp/cmp"
)

const second = time.Second

// story is what becomes of jobs, as lines in the order of their ends: start and
// finish in seconds, - where a job never started, how it ended, and its nodes with
// the cores of each.
type story struct {
	starts map[*Job]time.Duration
	lines  []string
}

func (s *story) take(e Event) {
	switch e.Kind {
	case Start:
		if s.starts == nil {
			s.starts = map[*Job]time.Duration{}
		}
		s.starts[e.Job] = e.At
	case Finish:
		began := "-"
		if at, ok := s.starts[e.Job]; ok {
			began = fmt.Sprint(at.Seconds())
		}
		s.lines = append(s.lines, ending(e.Job.ID, began, e.At, e.Status, e.Job.Shares()))
	}
}

func ending(id, began string, at time.Duration, status ensemble.Status, shares []Share) string {
	line := fmt.Sprintf("%s %s-%v %s", id, began, at.Seconds(), status)
	for _, s := range shares {
		line += fmt.Sprintf(" %d:%d", s.Node, s.Cores)
	}
	return line
}

// play gives what becomes of jobs, and then the error where there is one.
func play(t *testing.T, c Config, jobs ...*Job) []string {
	t.Helper()
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var s story
	for e, err := range x.Play(slices.Values(jobs)) {
		if err != nil {
			return append(s.lines, err.Error())
		}
		s.take(e)
	}
	return s.lines
}

// whole is a job that has nodes for itself.
func whole(id string, at, nodes, run int) *Job {
	return &Job{ID: id, At: time.Duration(at) * second, Nodes: nodes, Exclusive: true, Run: time.Duration(run) * second}
}

// tasks is a job of tasks of one core.
func tasks(id string, at, n, run int) *Job {
	return &Job{ID: id, At: time.Duration(at) * second, Tasks: n, Run: time.Duration(run) * second}
}

func (j *Job) limited(seconds int) *Job { j.Limit = time.Duration(seconds) * second; return j }

func (j *Job) with(change func(*Job)) *Job { change(j); return j }

func seconds(s ...int) (d []time.Duration) {
	for _, s := range s {
		d = append(d, time.Duration(s)*second)
	}
	return d
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	after := whole("b", 0, 1, 5)
	for _, c := range []struct {
		name   string
		config Config
		jobs   []*Job
		want   []string
	}{
		{"a job that waits holds up those behind it", Config{Nodes: Nodes(2, 1)},
			[]*Job{whole("a", 0, 1, 10), whole("b", 0, 2, 5), whole("c", 0, 1, 1)},
			[]string{"a 0-10 succeeded 0:1", "b 10-15 succeeded 0:1 1:1", "c 15-16 succeeded 0:1"}},
		{"backfilling starts what ends before the first can start", Config{Nodes: Nodes(2, 1), Scheduler: Easy},
			[]*Job{whole("a", 0, 1, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 1, 10).limited(10), whole("d", 0, 1, 1).limited(1)},
			[]string{"a 0-10 succeeded 0:1", "c 0-10 succeeded 1:1", "b 10-15 succeeded 0:1 1:1", "d 15-16 succeeded 0:1"}},
		{"backfilling starts nothing that would delay the first", Config{Nodes: Nodes(2, 1), Scheduler: Easy},
			[]*Job{whole("a", 0, 1, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 1, 11).limited(11)},
			[]string{"a 0-10 succeeded 0:1", "b 10-15 succeeded 0:1 1:1", "c 15-26 succeeded 0:1"}},
		{"backfilling uses nodes that the first leaves over", Config{Nodes: Nodes(3, 1), Scheduler: Easy},
			[]*Job{whole("a", 0, 2, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 1, 100)},
			[]string{"a 0-10 succeeded 0:1 1:1", "b 10-15 succeeded 0:1 1:1", "c 0-100 succeeded 2:1"}},
		{"backfilling goes by limits and not by how long jobs take", Config{Nodes: Nodes(2, 1), Scheduler: Easy},
			[]*Job{whole("a", 0, 1, 10).limited(20), whole("b", 0, 2, 5), whole("c", 0, 1, 20).limited(20)},
			[]string{"a 0-10 succeeded 0:1", "c 0-20 succeeded 1:1", "b 20-25 succeeded 0:1 1:1"}},
		{"a job without a limit is not waited for", Config{Nodes: Nodes(2, 1), Scheduler: Easy},
			[]*Job{whole("a", 0, 1, 10), whole("b", 0, 2, 5), whole("c", 0, 1, 50)},
			[]string{"a 0-10 succeeded 0:1", "c 0-50 succeeded 1:1", "b 50-55 succeeded 0:1 1:1"}},
		{"backfilling looks no deeper than it is told", Config{Nodes: Nodes(2, 1), Scheduler: Easy, Depth: 2},
			[]*Job{whole("a", 0, 1, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 2, 5), whole("d", 0, 1, 1).limited(1)},
			[]string{"a 0-10 succeeded 0:1", "b 10-15 succeeded 0:1 1:1", "c 15-20 succeeded 0:1 1:1", "d 20-21 succeeded 0:1"}},
		{"sched-backfill starts what ends before the first can start, and nothing else", Config{Nodes: Nodes(3, 1), Scheduler: Backfill},
			[]*Job{whole("a", 0, 2, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 1, 1), whole("d", 0, 1, 11).limited(11), whole("e", 0, 1, 10).limited(10)},
			[]string{"a 0-10 succeeded 0:1 1:1", "e 0-10 succeeded 2:1", "b 10-15 succeeded 0:1 1:1", "c 10-11 succeeded 2:1", "d 11-22 succeeded 2:1"}},
		{"sched-backfill starts nothing where the first waits for a job without a limit", Config{Nodes: Nodes(2, 1), Scheduler: Backfill},
			[]*Job{whole("a", 0, 1, 10), whole("b", 0, 2, 5), whole("c", 0, 1, 1).limited(1)},
			[]string{"a 0-10 succeeded 0:1", "b 10-15 succeeded 0:1 1:1", "c 15-16 succeeded 0:1"}},
		{"sched-backfill starts nothing while the first is overdue", Config{Nodes: Nodes(2, 1), Scheduler: Backfill},
			[]*Job{whole("a", 0, 1, 10).limited(10).with(func(j *Job) { j.After = 2 * second }), whole("b", 0, 2, 5), whole("c", 11, 1, 1).limited(1)},
			[]string{"a 0-10 succeeded 0:1", "b 12-17 succeeded 0:1 1:1", "c 17-18 succeeded 0:1"}},
		{"sched-backfill looks no deeper than it is told", Config{Nodes: Nodes(2, 1), Scheduler: Backfill, Depth: 3},
			[]*Job{whole("a", 0, 1, 10).limited(10), whole("b", 0, 2, 5), whole("c", 0, 2, 5), whole("d", 0, 1, 1).limited(1), whole("e", 0, 2, 1), whole("f", 0, 1, 1).limited(1)},
			[]string{"a 0-10 succeeded 0:1", "d 0-1 succeeded 1:1", "b 10-15 succeeded 0:1 1:1", "c 15-20 succeeded 0:1 1:1", "e 20-21 succeeded 0:1 1:1", "f 21-22 succeeded 0:1"}},
		{"the highest urgency goes first", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 10), whole("b", 1, 1, 1), whole("c", 2, 1, 1).with(func(j *Job) { j.Urgency = 1 })},
			[]string{"a 0-10 succeeded 0:1", "c 10-11 succeeded 0:1", "b 11-12 succeeded 0:1"}},
		{"a held job is never started", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 10).with(func(j *Job) { j.Urgency = Held }), whole("b", 0, 1, 1)},
			[]string{"b 0-1 succeeded 0:1", "1 jobs wait for nodes that never come, or are held"}},
		{"a limit ends a job", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 10).limited(4), whole("b", 0, 1, 10).limited(10)},
			[]string{"a 0-4 timeout 0:1", "b 4-14 succeeded 0:1"}},
		{"a limit holds the overhead ahead of the start", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 9).limited(10).with(func(j *Job) { j.Before = 2 * second }), whole("b", 0, 1, 1).limited(1).with(func(j *Job) { j.Before = 2 * second })},
			[]string{"a 2-10 timeout 0:1", "b --11 timeout 0:1"}},
		{"the overhead keeps the nodes", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 10).with(func(j *Job) { j.Before, j.After = 2*second, 3*second }), whole("b", 0, 1, 1)},
			[]string{"a 2-12 succeeded 0:1", "b 15-16 succeeded 0:1"}},
		{"a job that fails ends as it says", Config{Nodes: Nodes(1, 1)},
			[]*Job{whole("a", 0, 1, 10).with(func(j *Job) { j.Status = ensemble.Failed })},
			[]string{"a 0-10 failed 0:1"}},
		{"a job is lost with its node, and its other nodes are free at once", Config{Nodes: []Node{{Cores: 1}, {Cores: 1, Changes: seconds(4)}}},
			[]*Job{whole("a", 0, 2, 10), whole("b", 0, 1, 5)},
			[]string{"a 0-4 lost 0:1 1:1", "b 4-9 succeeded 0:1"}},
		{"a job that ends just when its node goes has ended", Config{Nodes: []Node{{Cores: 1, Changes: seconds(4, 6)}}},
			[]*Job{whole("a", 0, 1, 4), whole("b", 0, 1, 1)},
			[]string{"a 0-4 succeeded 0:1", "b 6-7 succeeded 0:1"}},
		{"nodes that come later are used from then on", Config{Nodes: []Node{{Cores: 1}, {Cores: 1, Absent: true, Changes: seconds(7)}}},
			[]*Job{whole("a", 0, 2, 1), whole("b", 0, 1, 1)},
			[]string{"a 7-8 succeeded 0:1 1:1", "b 8-9 succeeded 0:1"}},
		{"a job for which there are never nodes waits for ever", Config{Nodes: Nodes(2, 1)},
			[]*Job{whole("a", 0, 3, 1)},
			[]string{"1 jobs wait for nodes that never come, or are held"}},
		{"an exclusive job wants idle nodes", Config{Nodes: Nodes(2, 4)},
			[]*Job{tasks("a", 0, 1, 10), whole("b", 0, 2, 5)},
			[]string{"a 0-10 succeeded 0:1", "b 10-15 succeeded 0:4 1:4"}},
		{"tasks go to the nodes with the most free cores", Config{Nodes: Nodes(3, 4)},
			[]*Job{tasks("a", 0, 2, 10), tasks("b", 0, 6, 10), tasks("c", 0, 3, 10)},
			[]string{"a 0-10 succeeded 0:2", "b 0-10 succeeded 1:4 2:2", "c 0-10 succeeded 0:2 2:1"}},
		{"nodes can have many cores", Config{Nodes: Nodes(2, 200)},
			[]*Job{tasks("a", 0, 136, 10), tasks("b", 0, 72, 10), tasks("c", 0, 100, 10), tasks("d", 0, 64, 10), tasks("e", 0, 29, 10)},
			[]string{"a 0-10 succeeded 0:136", "b 0-10 succeeded 1:72", "c 0-10 succeeded 1:100", "d 0-10 succeeded 0:64", "e 10-20 succeeded 0:29"}},
		{"Fluxion packs tasks on the first nodes", Config{Nodes: Nodes(3, 4), Scheduler: Fluxion},
			[]*Job{tasks("a", 0, 2, 10), tasks("b", 0, 6, 10), tasks("c", 0, 3, 10)},
			[]string{"a 0-10 succeeded 0:2", "b 0-10 succeeded 0:2 1:4", "c 0-10 succeeded 2:3"}},
		{"nodes that are shared have room for as many tasks each", Config{Nodes: Nodes(2, 4), Scheduler: Fluxion},
			[]*Job{{ID: "a", Nodes: 2, Tasks: 5, Run: second}, {ID: "b", Nodes: 1, Tasks: 2, Run: second}},
			[]string{"a 0-1 succeeded 0:3 1:3", "b 1-2 succeeded 0:2"}},
		{"sched-simple deals the tasks of a full node to the others", Config{Nodes: Nodes(3, 4)},
			[]*Job{tasks("a", 0, 3, 10), {ID: "b", Nodes: 3, Tasks: 9, Run: second}},
			[]string{"b 0-1 succeeded 1:4 2:4 0:1", "a 0-10 succeeded 0:3"}},
		{"sched-fifo wants room for as many tasks on each node", Config{Nodes: Nodes(3, 4), Scheduler: FIFO},
			[]*Job{tasks("a", 0, 3, 10), {ID: "b", Nodes: 3, Tasks: 9, Run: second}},
			[]string{"a 0-10 succeeded 0:3", "b 10-11 succeeded 0:3 1:3 2:3"}},
		{"a job comes after others", Config{Nodes: Nodes(2, 1)},
			[]*Job{after, whole("a", 0, 1, 1).with(func(j *Job) { j.Dependencies = []*Job{after} })},
			[]string{"b 0-5 succeeded 0:1", "a 5-6 succeeded 0:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := play(t, c.config, c.jobs...)
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatFollowsAFailureIsCancelled(t *testing.T) {
	t.Parallel()
	a := whole("a", 0, 1, 1).with(func(j *Job) { j.Status = ensemble.Failed })
	b := whole("b", 0, 1, 1).with(func(j *Job) { j.Dependencies = []*Job{a} })
	c := whole("c", 0, 1, 1).with(func(j *Job) { j.Dependencies = []*Job{a, b} })
	d := whole("d", 9, 1, 1).with(func(j *Job) { j.Dependencies = []*Job{c} })
	want := []string{"a 0-1 failed 0:1", "b --1 cancelled", "c --1 cancelled", "d --9 cancelled"}
	if diff := cmp.Diff(want, play(t, Config{Nodes: Nodes(1, 1)}, a, b, c, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// steps gives the events up to a time.
func steps(x *Cluster, until int) (lines []string) {
	for {
		if at, ok := x.Next(); !ok || at > time.Duration(until)*second {
			x.Advance(time.Duration(until) * second)
			return lines
		}
		e, _ := x.Step()
		line := fmt.Sprintf("%v %v", e.At.Seconds(), e.Kind)
		if e.Job != nil {
			line += " " + e.Job.ID
		} else {
			line += fmt.Sprint(" ", e.Node)
		}
		lines = append(lines, strings.TrimSpace(line+" "+string(e.Status)))
	}
}

func TestAClusterIsSteeredAsItGoes(t *testing.T) {
	t.Parallel()
	x, err := New(Config{Nodes: append(Nodes(2, 1), Node{Cores: 1, Absent: true}, Node{Cores: 1, Absent: true})})
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := whole("a", 0, 1, 10).with(func(j *Job) { j.After = 2 * second }), whole("b", 0, 2, 10), whole("c", 0, 1, 10)
	for _, j := range []*Job{a, b, c} {
		if err := x.Submit(j); err != nil {
			t.Fatal(err)
		}
	}
	same := func(until int, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, steps(x, until)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	same(1, "0 submit a", "0 submit b", "0 submit c", "0 alloc a", "0 start a")
	x.Urge(c, 3)
	same(2, "1 alloc c", "1 start c")
	if n := x.Resize(5, 3*second); n != 2 {
		t.Errorf("%d nodes can come, want 2", n)
	}
	if n := x.Resize(1, 3*second); n != 0 {
		t.Errorf("%d nodes can come, want none: they are on their way", n)
	}
	same(5, "5 node-up 2", "5 node-up 3", "5 alloc b", "5 start b")
	x.Cancel(a)
	x.Cancel(a)
	same(7, "5 finish a cancelled", "7 free a")
	if n := x.Resize(-3, 0); n != 3 || x.Up() != 4 {
		t.Errorf("%d nodes go and %d are up, want 3 and 4: jobs run there", n, x.Up())
	}
	same(20, "11 finish c succeeded", "11 free c", "11 node-down 1", "15 finish b succeeded", "15 free b", "15 node-down 2", "15 node-down 3")
	if x.Up() != 1 || x.Pending() != 0 {
		t.Errorf("%d nodes are up and %d jobs pending, want 1 and none", x.Up(), x.Pending())
	}
}

func TestWrongInputIsRefused(t *testing.T) {
	t.Parallel()
	used := whole("used", 0, 1, 1)
	for _, c := range []struct {
		name string
		job  *Job
		want string
	}{
		{"a job twice", used, `job "used" was submitted before`},
		{"exclusive tasks", &Job{ID: "j", Exclusive: true}, `job "j" wants nodes for itself and does not say how many`},
		{"an urgency that Flux does not have", &Job{ID: "j", Urgency: 16}, `job "j" has the urgency 16, want one from -16 to 15`},
		{"a time below zero", &Job{ID: "j", Run: -1}, `job "j" has a duration below zero`},
		{"a number of nodes below zero", &Job{ID: "j", Nodes: -1}, `job "j" asks for -1 nodes and 0 tasks of 0 cores`},
		{"an unknown dependency", &Job{ID: "j", Dependencies: []*Job{whole("d", 0, 1, 1)}}, `job "j" comes after job "d", which was not submitted`},
		{"a time that falls", &Job{ID: "j", At: -1}, `job "j" is submitted at -1ns and follows one of 0s, want rising times`},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := play(t, Config{Nodes: Nodes(1, 1)}, used.with(func(j *Job) { *j = *whole("used", 0, 1, 1) }), c.job)
			if diff := cmp.Diff([]string{c.want}, lines[max(0, len(lines)-1):]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, c := range []struct{ nodes []Node }{{nil}, {Nodes(1, 0)}, {[]Node{{Cores: 1, Changes: seconds(2, 1)}}}} {
		if _, err := New(Config{Nodes: c.nodes}); err == nil {
			t.Errorf("got a cluster of %v, want an error", c.nodes)
		}
	}
}
