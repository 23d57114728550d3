// SPDX-License-Identifier: MIT

package flux_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
)

// asks are the sizes that were asked for.
type asks struct {
	mu    sync.Mutex
	done  string // the file in which each task of the wide job leaves a line
	sizes []int
	early []int // sizes below 3 that were asked for before the wide job's tasks were over
}

func (a *asks) ask(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sizes = append(a.sizes, n)
	if b, _ := os.ReadFile(a.done); n < 3 && strings.Count(string(b), "\n") < 3 {
		a.early = append(a.early, n)
	}
}

// resized gives nodes back while a job runs on them, and asks for one again.
func resized(t *testing.T, uri string, resize func(nodes int)) {
	dir := create(t)
	seen := asks{done: dir.Path("done")}
	x, err := fluxrun.NewElastic(t.Context(), dial(t, uri), fluxrun.Options{}, fluxrun.Sizing{Size: 3, Min: 1, Max: 3, Look: 20 * time.Millisecond, Ask: func(n int) {
		seen.ask(n)
		resize(n)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if err := x.Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if n := x.Nodes(); n != 3 {
		t.Fatalf("there are %d nodes, want 3", n)
	}
	submit := func(id string, nodes int, command ...string) {
		j := runtest.Job(id, command...)
		j.Shape.Nodes, j.Shape.Tasks = nodes, nodes
		at := dir.Attempt(id, 1)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := x.Submit(j, 1, at); err != nil {
			t.Fatal(err)
		}
	}
	var nodes []int
	until := func(name ensemble.EventName, what func(e ensemble.Event) bool) {
		for {
			select {
			case e := <-x.Events():
				if e.Name == ensemble.Resize {
					nodes = append(nodes, e.Nodes)
				}
				if e.Name == ensemble.Finish {
					if e.Status != ensemble.Succeeded {
						t.Fatalf("%s ended as %s: %s", e.Job, e.Status, e.Reason)
					}
				}
				if e.Name == name && what(e) {
					return
				}
			case err := <-x.Failed():
				t.Fatal(err)
			case <-time.After(patience):
				t.Fatalf("no %s", name)
			}
		}
	}
	submit("wide", 3, "sh", "-c", "sleep 1; echo >> "+seen.done)
	until(ensemble.Start, func(ensemble.Event) bool { return true })
	if err := x.Resize(-5); err != nil { // more than may go
		t.Fatal(err)
	}
	until(ensemble.Resize, func(e ensemble.Event) bool { return e.Nodes == 1 })
	until(ensemble.Finish, func(ensemble.Event) bool { return true })
	submit("small", 1, "true")
	until(ensemble.Finish, func(ensemble.Event) bool { return true })
	if err := x.Resize(1); err != nil {
		t.Fatal(err)
	}
	until(ensemble.Resize, func(e ensemble.Event) bool { return e.Nodes == 2 })
	submit("two", 2, "true")
	until(ensemble.Finish, func(ensemble.Event) bool { return true })
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.early) > 0 {
		t.Errorf("%v nodes were asked for while a job ran on the others", seen.early)
	}
	if last := seen.sizes[len(seen.sizes)-1]; last != 2 || !slices.Equal(nodes, []int{1, 2}) {
		t.Errorf("asked for were %v, and there were %v; want 2 in the end, and 1 and 2", seen.sizes, nodes)
	}
}

func TestNodesGoWhenNothingRunsThereAndComeBack(t *testing.T) {
	t.Parallel()
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		b := fluxtest.Start(t, fluxtest.Options{Nodes: 3, Cores: 2, Run: fluxtest.Exec})
		resized(t, b.URI(), b.Resize)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		resized(t, real(t, "3"), func(int) {})
	})
}

func TestWhatAnEarlierSessionWasAskedForStaysAskedFor(t *testing.T) {
	t.Parallel()
	b := fluxtest.Start(t, fluxtest.Options{Nodes: 4, Online: 1})
	dir := create(t)
	j, err := run.OpenJournal(dir.Path(run.JournalFile), func(ensemble.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{5, -1, 0} { // 4, which is the most, and then 3
		if err := j.Append(ensemble.Event{Time: time.Now(), Name: ensemble.Decide, Rule: "r", Nodes: n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	asked := make(chan int, 10)
	x, err := fluxrun.NewElastic(t.Context(), dial(t, b.URI()), fluxrun.Options{}, fluxrun.Sizing{Size: 1, Min: 1, Max: 4, Ask: func(n int) { asked <- n }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if err := x.Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if n := <-asked; n != 3 {
		t.Errorf("asked for are %d nodes, want 3", n)
	}
}
