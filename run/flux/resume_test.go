// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/run"
	fluxrun "github.com/converged-computing/ensemble/run/flux"
	"github.com/converged-computing/ensemble/run/runtest"
)

// TestMain is the driver of the tests below as well, a process of its own so that it
// can be killed: drive URI DIR JOBS.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "drive" {
		jobs, _ := strconv.Atoi(os.Args[4])
		if err := drive(os.Args[2], run.Dir(os.Args[3]), jobs); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// drive runs jobs that each leave a line, a third of them with a step before.
func drive(uri string, dir run.Dir, jobs int) error {
	ctx := context.Background()
	client, err := flux.Dial(ctx, uri)
	if err != nil {
		return err
	}
	defer client.Close()
	x, err := fluxrun.New(ctx, client, fluxrun.Options{Window: 8})
	if err != nil {
		return err
	}
	defer x.Close()
	s, err := (&run.Driver{Dir: dir, Executor: x}).Run(ctx, func(yield func(*ensemble.Job, error) bool) {
		for i := range jobs {
			id := fmt.Sprintf("job-%02d", i)
			// The line is written at the end: it stands for the finished work.
			j := runtest.Job(id, "sh", "-c", "sleep 0.05; echo "+id+" >> "+dir.Path("work-done"))
			j.Policy.Shared = true
			if i%3 == 0 {
				j.Launch.Before = [][]string{{"true"}}
			}
			if !yield(j, nil) {
				return
			}
		}
	})
	if err == nil && s.Status[ensemble.Succeeded] != jobs {
		err = fmt.Errorf("got %v, want %d successes", s.Status, jobs)
	}
	return err
}

// killed has drivers killed at random moments until one gets through, and then checks
// that no job was lost or doubled.
func killed(t *testing.T, uri string, jobs, kills, within int) {
	dir := create(t)
	rng := rand.New(rand.NewPCG(1, uint64(kills)))
	start := func() (*exec.Cmd, *strings.Builder, chan error) {
		cmd := exec.Command(os.Args[0], "drive", uri, string(dir), strconv.Itoa(jobs))
		out := new(strings.Builder)
		cmd.Stderr = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		return cmd, out, exited
	}
	done := 0
	for done < kills {
		cmd, out, exited := start()
		select {
		case err := <-exited:
			if err != nil {
				t.Fatalf("the driver failed: %v\n%s", err, out)
			}
			once(t, dir, jobs)
			dir = create(t) // all jobs are done before all kills are: begin again
		case <-time.After(time.Duration(rng.IntN(within)) * time.Millisecond):
			_ = cmd.Process.Kill()
			<-exited
			done++
		}
	}
	if _, out, exited := start(); <-exited != nil {
		t.Fatalf("the last driver failed:\n%s", out)
	}
	once(t, dir, jobs)
}

// once checks that each job did its work once and that the journal says so.
func once(t *testing.T, dir run.Dir, jobs int) {
	t.Helper()
	b, err := os.ReadFile(dir.Path("work-done"))
	if err != nil {
		t.Fatal(err)
	}
	state, err := dir.State()
	if err != nil {
		t.Fatalf("the journal does not replay: %v", err)
	}
	for i := range jobs {
		id := fmt.Sprintf("job-%02d", i)
		if n := strings.Count(string(b), id+"\n"); n != 1 {
			t.Errorf("%s did its work %d times", id, n)
		}
		if j, ok := state.Job(id); !ok || j.Status != ensemble.Succeeded || j.Tries != 1 {
			t.Errorf("the journal has %+v for %s, want one success", j, id)
		}
	}
}

func TestADriverKilledAtRandomMomentsLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	killed(t, fake(t, 2, 4), 40, 20, 300)
}

func TestADriverKilledBesideARealBrokerLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute: left out by -short")
	}
	killed(t, real(t, "2"), 60, 20, 1500)
}

// mark is a variable that the jobs of a session have: the tasks of a broker that is
// killed stay behind.
const mark = "ENSEMBLE_TEST_RUN"

// session drives sleeping jobs and reports how the session ended.
func session(t *testing.T, uri string, dir run.Dir, seconds string) <-chan error {
	t.Helper()
	t.Cleanup(func() { run.KillMarked(mark, string(dir)) })
	x := executor(t, uri, "", fluxrun.Options{})
	ended := make(chan error, 1)
	go func() {
		s, err := (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) {
			for i := range 3 {
				j := runtest.Job(fmt.Sprintf("job-%02d", i), "sh", "-c", "echo begun >> "+dir.Path("begun")+"; test -e "+dir.Path("quick")+" || sleep "+seconds)
				j.Policy.Shared, j.Launch.Env = true, []string{mark + "=" + string(dir)}
				if !yield(j, nil) {
					return
				}
			}
		})
		if err == nil && s.Status[ensemble.Succeeded] != 3 {
			err = fmt.Errorf("got %v, want 3 successes", s.Status)
		}
		ended <- err
	}()
	return ended
}

// begun waits until all jobs do their work.
func begun(t *testing.T, dir run.Dir) {
	t.Helper()
	begunSome(t, dir, 3)
}

// write makes an empty file.
func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// begunSome waits until as many jobs do their work.
func begunSome(t *testing.T, dir run.Dir, jobs int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b, _ := os.ReadFile(dir.Path("begun")); strings.Count(string(b), "\n") >= jobs {
			return
		}
	}
	t.Fatal("the jobs do not begin")
}

// lostWith has the broker go away under a run and the next session go on elsewhere.
func lostWith(t *testing.T, uri string, kill func(), next func() string) {
	dir := create(t)
	ended := session(t, uri, dir, "600")
	begun(t, dir)
	kill()
	var member *run.MemberError
	select {
	case err := <-ended:
		if !errors.As(err, &member) || !errors.Is(err, flux.ErrLost) || !strings.Contains(err.Error(), uri) {
			t.Errorf("the session ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the session does not end")
	}
	state, err := dir.State()
	if err != nil {
		t.Fatalf("the journal does not replay: %v", err)
	}
	if j, _ := state.Job("job-00"); j.Phase != ensemble.Running {
		t.Errorf("the journal does not have the job as running: %+v", j)
	}
	// A job that was open is tried again as it was.
	write(t, dir.Path("quick"))
	select {
	case err := <-session(t, next(), dir, "600"):
		if err != nil {
			t.Errorf("the next session: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the next session does not end")
	}
	if state, err = dir.State(); err != nil {
		t.Fatal(err)
	}
	if j, _ := state.Job("job-00"); j.Status != ensemble.Succeeded || j.Attempt != 2 {
		t.Errorf("in the other instance the job is %+v, want a success of attempt 2", j)
	}
}

func TestARunEndsWithItsBrokerAndGoesOnInAnother(t *testing.T) {
	t.Parallel()
	b := fluxtest.Start(t, fluxtest.Options{Run: fluxtest.Exec})
	lostWith(t, b.URI(), b.Lose, func() string { return fake(t, 2, 2) })
}

func TestARunEndsWithItsRealBrokerAndGoesOnInAnother(t *testing.T) {
	t.Parallel()
	uri := real(t, "2")
	pid, err := dial(t, uri).Attr(t.Context(), "broker.pid")
	if err != nil {
		t.Fatal(err)
	}
	lostWith(t, uri, func() {
		n, err := strconv.Atoi(pid)
		if err != nil || syscall.Kill(n, syscall.SIGKILL) != nil {
			t.Errorf("the broker %q could not be killed", pid)
		}
	}, func() string { return real(t, "2") })
}

func TestARunGoesOnWithTheSameBrokerWhoseConnectionBroke(t *testing.T) {
	t.Parallel()
	b := fluxtest.Start(t, fluxtest.Options{Run: fluxtest.Exec})
	dir := create(t)
	ended := session(t, b.URI(), dir, "1")
	begun(t, dir)
	b.Lose()
	if err := <-ended; !errors.Is(err, flux.ErrLost) {
		t.Errorf("the session ended with %v", err)
	}
	if err := b.Return(); err != nil {
		t.Fatal(err)
	}
	if err := <-session(t, b.URI(), dir, "1"); err != nil {
		t.Errorf("the next session: %v", err)
	}
	text, err := os.ReadFile(dir.Path("begun"))
	if err != nil || strings.Count(string(text), "begun\n") != 3 {
		t.Errorf("the jobs began %q times, %v; want 3", text, err)
	}
	if exits, _ := filepath.Glob(dir.Path("jobs/*/2")); len(exits) > 0 {
		t.Errorf("%v: jobs were tried again that were running", exits)
	}
}

func TestAJobWhoseNodeDiesRunsAgainWhenThereAreNodesForIt(t *testing.T) {
	t.Parallel()
	b := fluxtest.Start(t, fluxtest.Options{Nodes: 2, Cores: 1, Run: fluxtest.Exec})
	dir := create(t)
	x := executor(t, b.URI(), "", fluxrun.Options{})
	job := runtest.Job("wide", "sh", "-c", "echo begun >> "+dir.Path("begun")+"; until test -e "+dir.Path("go")+"; do sleep 0.05; done")
	job.Shape.Nodes, job.Shape.Tasks = 2, 2
	ended := make(chan error, 1)
	go func() {
		s, err := (&run.Driver{Dir: dir, Executor: x}).Run(t.Context(), func(yield func(*ensemble.Job, error) bool) { yield(job, nil) })
		if err == nil && s.Status[ensemble.Succeeded] != 1 {
			err = fmt.Errorf("got %v, want a success", s.Status)
		}
		ended <- err
	}()
	begunSome(t, dir, 2)
	b.KillLast(3)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(dir.Attempt("wide", 2)); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("there is no other attempt")
		}
	}
	write(t, dir.Path("go"))
	b.Resize(2)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the run does not end")
	}
	var first run.Exit
	if err := run.ReadJSON(filepath.Join(dir.Attempt("wide", 1), run.ExitFile), &first); err != nil || first.Status != ensemble.Lost || !strings.HasPrefix(first.Reason, "node failure on ") {
		t.Errorf("the first attempt is %s: %s, %v; want it lost by a node failure", first.Status, first.Reason, err)
	}
	if _, err := os.Stat(dir.Attempt("wide", 3)); err == nil {
		t.Error("the second attempt was lost too")
	}
}
