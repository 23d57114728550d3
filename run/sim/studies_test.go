// SPDX-License-Identifier: MIT

package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// published is a job of a published batch, as flux jobs --json lists it.
type published struct {
	ID                              int64
	NNodes, NTasks                  int
	TSubmit, TRun, TCleanup, TClean float64
	Ranks                           string
}

// batch reads the last queue that the operator's log of a batch holds, in the order
// of submission.
func batch(t *testing.T, name string) (jobs []published) {
	t.Helper()
	dir := os.Getenv("ENSEMBLE_STUDIES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "studies")
	}
	b, err := os.ReadFile(filepath.Join(dir, "ensemble", "run5__ensemble-"+name+"__results.json"))
	if err != nil {
		t.Skipf("no published batch at %s (ENSEMBLE_STUDIES names another place)", dir)
	}
	var results struct{ Logs map[string][]string }
	if err := json.Unmarshal(b, &results); err != nil {
		t.Fatal(err)
	}
	for _, log := range results.Logs {
		for _, line := range log {
			var queue struct {
				Jobs []struct {
					ID       int64   `json:"id"`
					NNodes   int     `json:"nnodes"`
					NTasks   int     `json:"ntasks"`
					TSubmit  float64 `json:"t_submit"`
					TRun     float64 `json:"t_run"`
					TCleanup float64 `json:"t_cleanup"`
					TClean   float64 `json:"t_inactive"`
					Ranks    string  `json:"ranks"`
				}
			}
			if i := strings.Index(line, `{"jobs"`); i < 0 || json.Unmarshal([]byte(line[i:]), &queue) != nil {
				continue
			}
			jobs = nil
			for _, j := range queue.Jobs {
				jobs = append(jobs, published(j))
			}
		}
	}
	slices.SortFunc(jobs, func(a, b published) int { return int(a.ID - b.ID) })
	return jobs
}

// ranks reads an idset such as [0-3,7].
func (j published) ranks(t *testing.T) (ranks []int) {
	t.Helper()
	for part := range strings.SplitSeq(strings.Trim(j.Ranks, "[]"), ",") {
		low, high, ok := strings.Cut(part, "-")
		if !ok {
			high = low
		}
		from, err := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err != nil || err2 != nil {
			t.Fatalf("ranks %q", j.Ranks)
		}
		for r := from; r <= to; r++ {
			ranks = append(ranks, r)
		}
	}
	return ranks
}

// TestPublishedBatches replays the published batches of LAMMPS on clusters of Flux,
// each with the times that its jobs took. The nodes of the batch static were there
// from the begin; those of the others came as the cluster grew. Their logs do not
// tell when. What they tell is which nodes a job got and when: a node is said here to
// have come when a job first got it. So of these batches the times at which jobs
// wait for nodes are input; what is tested is who gets which of them, and when,
// after that.
func TestPublishedBatches(t *testing.T) {
	for _, name := range []string{"static", "ascending", "descending", "random"} {
		t.Run(name, func(t *testing.T) {
			recorded := batch(t, name)
			began := recorded[0].TSubmit
			nodes := Nodes(24, 4) // c2d-standard-8 has 4 cores
			if name != "static" {
				nodes = came(t, recorded, began)
			}
			x, err := New(Config{Nodes: nodes})
			if err != nil {
				t.Fatal(err)
			}
			var jobs []*Job
			for _, j := range recorded {
				jobs = append(jobs, &Job{
					ID: strconv.FormatInt(j.ID, 10), At: duration(j.TSubmit - began), Nodes: j.NNodes, Tasks: j.NTasks,
					Run: duration(j.TCleanup - j.TRun), After: duration(j.TClean - j.TCleanup),
				})
			}
			starts, end, same := map[string]float64{}, 0.0, 0
			for e, err := range x.Play(slices.Values(jobs)) {
				if err != nil {
					t.Fatal(err)
				}
				switch e.Kind {
				case Start:
					starts[e.Job.ID] = e.At.Seconds()
				case Finish:
					end = max(end, e.At.Seconds())
				}
			}
			makespan, worst := 0.0, 0.0
			for i, j := range recorded {
				makespan = max(makespan, j.TCleanup-began)
				worst = max(worst, math.Abs(starts[jobs[i].ID]-(j.TRun-began)))
				var got []int
				for _, s := range jobs[i].Shares() {
					got = append(got, int(s.Node))
				}
				slices.Sort(got)
				if slices.Equal(got, j.ranks(t)) {
					same++
				}
			}
			off := end/makespan - 1
			fmt.Printf("published batch %s: makespan %.2f s, simulated %.2f s (%+.2f %%); starts off by %.3f s at most; %d of %d jobs on the same nodes\n",
				name, makespan, end, 100*off, worst, same, len(jobs))
			if math.Abs(off) > 0.05 {
				t.Errorf("the makespan is off by %.2f %%, want 5 at most", 100*off)
			}
		})
	}
}

// came gives nodes of 4 cores that come when a job first got them.
func came(t *testing.T, jobs []published, began float64) []Node {
	first := map[int]float64{}
	for _, j := range jobs {
		for _, r := range j.ranks(t) {
			if at, ok := first[r]; !ok || j.TRun < at {
				first[r] = j.TRun
			}
		}
	}
	nodes := make([]Node, slices.Max(slices.Collect(maps.Keys(first)))+1)
	for i := range nodes {
		nodes[i] = Node{Cores: 4, Absent: true}
		if at, ok := first[i]; ok {
			nodes[i].Changes = []time.Duration{duration(at - began)}
		}
	}
	return nodes
}
