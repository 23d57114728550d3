// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
)

// nested makes jobs of a group that has an instance of its own.
func nested(nodes int, jobs ...*ensemble.Job) []*ensemble.Job {
	for _, j := range jobs {
		j.Group, j.Partition, j.Policy.Shared = "nested", nodes, true
	}
	return jobs
}

// instances lists the jobs of an instance that are instances themselves, with whether
// they are over.
func instances(t *testing.T, uri string) (over map[flux.JobID]bool) {
	t.Helper()
	c := dial(t, uri)
	j, err := c.Journal(t.Context(), flux.JournalOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	over = map[flux.JobID]bool{}
	for e, err := range j.All() {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.CaughtUp():
			return over
		case e.Name == "submit" && strings.Contains(string(e.Jobspec), `"partition"`):
			over[e.ID] = false
		case e.Name == "clean":
			if _, ok := over[e.ID]; ok {
				over[e.ID] = true
			}
		}
	}
	return over
}

func TestAGroupHasAnInstanceOfItsOwn(t *testing.T) {
	t.Parallel()
	uri := real(t, "3")
	dir := create(t)
	x := executor(t, uri, "", fluxrun.Options{})
	jobs := nested(2, runtest.Job("a", "flux", "getattr", "instance-level"), runtest.Job("b", "flux", "getattr", "size"), runtest.Job("c", "false"),
		runtest.Job("d", "sleep", "600"))
	jobs[1].Shape.Nodes, jobs[1].Shape.Tasks = 2, 2
	jobs[3].Policy.Timeout = 500 * time.Millisecond
	outside := runtest.Job("outside", "flux", "getattr", "instance-level")
	outside.Policy.Shared = true
	for _, j := range jobs {
		if err := x.Check(j); err != nil {
			t.Fatal(err)
		}
	}
	s, err := (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
		for _, j := range append(jobs, outside) {
			if !yield(j, nil) {
				return
			}
		}
	})
	if err != nil || s.Status[ensemble.Succeeded] != 3 || s.Status[ensemble.Failed] != 1 || s.Status[ensemble.Timeout] != 1 {
		t.Fatalf("got %v, %v", s.Status, err)
	}
	for id, want := range map[string]string{"a": "1\n", "b": "2\n2\n", "outside": "0\n"} {
		if got := text(t, dir, id, run.StdoutFile); got != want {
			t.Errorf("%s prints %q, want %q", id, got, want)
		}
	}
	if got := instances(t, uri); len(got) != 1 {
		t.Errorf("there were instances %v, want one", got)
	}
	x.Close()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := 0
		for _, over := range instances(t, uri) {
			if !over {
				left++
			}
		}
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the instance does not end with the run")
		}
	}
}

func TestAnInstanceOfAGroupThatIsLostIsStartedAgain(t *testing.T) {
	t.Parallel()
	uri := real(t, "2")
	dir := create(t)
	x := executor(t, uri, "", fluxrun.Options{})
	ended := make(chan error, 1)
	var s run.Summary
	go func() {
		var err error
		s, err = (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
			for _, id := range []string{"x", "y", "z"} {
				j := nested(1, runtest.Job(id, "sh", "-c", "echo begun >> "+dir.Path("begun")+"; test -e "+dir.Path("quick")+" || sleep 600"))[0]
				if !yield(j, nil) {
					return
				}
			}
		})
		ended <- err
	}()
	begunSome(t, dir, 1)
	for id := range instances(t, uri) {
		if err := dial(t, uri).Cancel(t.Context(), id, "somebody else wants the node"); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir.Path("quick"))
	select {
	case err := <-ended:
		if err != nil || s.Status[ensemble.Succeeded] != 3 {
			t.Errorf("got %v, %v, want three successes", s.Status, err)
		}
	case <-time.After(patience):
		t.Fatal("the run does not end")
	}
	if got := instances(t, uri); len(got) != 2 {
		t.Errorf("there were instances %v, want two", got)
	}
}

func TestTheNextSessionFindsTheInstanceOfAGroup(t *testing.T) {
	t.Parallel()
	uri := real(t, "2")
	dir := create(t)
	jobs := func(yield func(*ensemble.Job, error) bool) {
		for _, id := range []string{"x", "y", "z"} {
			j := nested(1, runtest.Job(id, "sh", "-c", "echo "+id+" >> "+dir.Path("begun")+"; while ! test -e "+dir.Path("quick")+"; do sleep 0.1; done"))[0]
			if !yield(j, nil) {
				return
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	x := executor(t, uri, "", fluxrun.Options{})
	ended := make(chan error, 1)
	go func() {
		// As a driver that is killed: nothing is cancelled.
		_, err := (&run.Driver{Dir: dir, Executor: deaf{x}, StopLimit: time.Millisecond}).Run(ctx, jobs)
		ended <- err
	}()
	begunSome(t, dir, 1)
	stop := errors.New("enough")
	cancel(stop)
	if err := <-ended; !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	x.Close()
	write(t, dir.Path("quick"))
	x = executor(t, uri, "", fluxrun.Options{})
	s, err := (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), jobs)
	if err != nil || s.Status[ensemble.Succeeded] != 3 {
		t.Errorf("got %v, %v, want three successes", s.Status, err)
	}
	if got := instances(t, uri); len(got) != 1 {
		t.Errorf("there were instances %v, want one", got)
	}
	state, err := dir.State()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"x", "y", "z"} {
		if j, _ := state.Job(id); j.Attempt != 1 {
			t.Errorf("%s was tried %d times", id, j.Attempt)
		}
	}
}

// deaf is an executor that cancels nothing.
type deaf struct{ *fluxrun.Executor }

func (deaf) Cancel(string, int) {}

func TestAFarInstanceIsReachedThroughAProxy(t *testing.T) {
	t.Parallel()
	uri, stop, err := fluxrun.Proxy(t.Context(), real(t, "1"))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, uri)
	if v, err := c.Attr(t.Context(), "size"); err != nil || v != "1" {
		t.Errorf("got size %q, %v", v, err)
	}
	stop()
	<-c.Done()
	if _, _, err := fluxrun.Proxy(t.Context(), "local:///nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("of an instance that is not there: %v", err)
	}
}
