// SPDX-License-Identifier: MIT

package ensemble_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// event reads "submit 1", "finish 2 failed" as an event of job j.
func event(t *testing.T, text string) ensemble.Event {
	t.Helper()
	e := ensemble.Event{Job: "j"}
	if n, err := fmt.Sscan(text, &e.Name, &e.Attempt, &e.Status); n < 2 {
		t.Fatalf("%q: %v", text, err)
	}
	return e
}

func TestStateFollowsEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events []string
		want   ensemble.JobState
	}{
		{"a job that was submitted is queued", []string{"submit 1"}, ensemble.JobState{Phase: ensemble.Queued, Attempt: 1}},
		{"a job that waits for an idle machine is queued", []string{"submit 1", "wait 1"}, ensemble.JobState{Phase: ensemble.Queued, Attempt: 1}},
		{"a job that waited can start", []string{"submit 1", "wait 1", "start 1"}, ensemble.JobState{Phase: ensemble.Running, Attempt: 1}},
		{"a job that started is running", []string{"submit 1", "start 1"}, ensemble.JobState{Phase: ensemble.Running, Attempt: 1}},
		{"a job that finished waits for a decision", []string{"submit 1", "start 1", "finish 1 succeeded"}, ensemble.JobState{Attempt: 1, Tries: 1, Status: ensemble.Succeeded}},
		{"an application that never started can finish", []string{"submit 1", "finish 1 failed"}, ensemble.JobState{Attempt: 1, Tries: 1, Status: ensemble.Failed}},
		{"a cancelled attempt is no try", []string{"submit 1", "finish 1 cancelled"}, ensemble.JobState{Attempt: 1, Status: ensemble.Cancelled}},
		{"a lost attempt is no try", []string{"submit 1", "start 1", "finish 1 lost"}, ensemble.JobState{Attempt: 1, Status: ensemble.Lost}},
		{"a second attempt keeps what the first was", []string{"submit 1", "finish 1 timeout", "submit 2"}, ensemble.JobState{Phase: ensemble.Queued, Attempt: 2, Tries: 1, Status: ensemble.Timeout}},
		{"tries add up", []string{"submit 1", "finish 1 failed", "submit 2", "finish 2 lost", "submit 3", "start 3", "finish 3 incomplete"}, ensemble.JobState{Attempt: 3, Tries: 2, Status: ensemble.Incomplete}},
		{"a job that is not needed is omitted", []string{"omit 0"}, ensemble.JobState{Phase: ensemble.Omitted}},
		{"a job that was cancelled is omitted", []string{"submit 1", "finish 1 cancelled", "omit 0"}, ensemble.JobState{Phase: ensemble.Omitted, Attempt: 1, Status: ensemble.Cancelled}},
		{"attempts may be left out", []string{"submit 4"}, ensemble.JobState{Phase: ensemble.Queued, Attempt: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s ensemble.State
			for _, text := range c.events {
				if err := s.Apply(event(t, text)); err != nil {
					t.Fatal(err)
				}
			}
			got, ok := s.Job("j")
			if diff := cmp.Diff(c.want, got); !ok || diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if next := s.Next("j"); next != c.want.Attempt+1 {
				t.Errorf("got next attempt %d, want %d", next, c.want.Attempt+1)
			}
		})
	}
}

func TestAnEventThatCannotFollowIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	queued, running := []string{"submit 1"}, []string{"submit 1", "start 1"}
	waiting := []string{"submit 1", "finish 1 failed"}
	for _, c := range []struct {
		name   string
		before []string
		event  string
		want   string
	}{
		{"a start of a job that was never submitted", nil, "start 1", "never submitted"},
		{"a finish of a job that was never submitted", nil, "finish 1 failed", "never submitted"},
		{"an unknown event of a job that was never submitted", nil, "pause 1", "never submitted"},
		{"a first attempt of number nought", nil, "submit 0", "attempt 0 came before it"},
		{"a submission while the job is queued", queued, "submit 2", "not waiting"},
		{"a submission while the job runs", running, "submit 2", "not waiting"},
		{"a submission of the same attempt", waiting, "submit 1", "attempt 1 came before it"},
		{"a second start", running, "start 1", "not queued"},
		{"a start after the finish", waiting, "start 1", "not queued"},
		{"a wait of a job that was never submitted", nil, "wait 1", "never submitted"},
		{"a wait while the job runs", running, "wait 1", "not queued"},
		{"a wait after the finish", waiting, "wait 1", "not queued"},
		{"a second finish", waiting, "finish 1 failed", "not running"},
		{"a start of another attempt", queued, "start 2", "attempt 1 is the current one"},
		{"a finish of another attempt", running, "finish 2 failed", "attempt 1 is the current one"},
		{"a finish without a status", running, "finish 1", `unknown status ""`},
		{"a finish with an unknown status", running, "finish 1 fine", `unknown status "fine"`},
		{"a submission of a job that was omitted", []string{"omit 0"}, "submit 1", "not waiting"},
		{"a second omission", []string{"omit 0"}, "omit 0", "not waiting"},
		{"an omission of a job that runs", running, "omit 0", "not waiting"},
		{"an unknown event", running, "pause 1", "an unknown event"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s ensemble.State
			for _, text := range c.before {
				if err := s.Apply(event(t, text)); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := s.Job("j")
			err := s.Apply(event(t, c.event))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			after, _ := s.Job("j")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the state changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestEventsOfTheRunChangeNoJob(t *testing.T) {
	t.Parallel()
	var s ensemble.State
	for _, name := range []ensemble.EventName{ensemble.RunStart, ensemble.RunFinish} {
		if err := s.Apply(ensemble.Event{Name: name}); err != nil {
			t.Error(err)
		}
	}
	for id := range s.Open() {
		t.Errorf("job %q is open", id)
	}
}

func TestIDsAreNamesOfDirectories(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", "..", "a/b", "/a", "../a", `a\b`, "a\x00b"} {
		if err := ensemble.CheckID(id); err == nil {
			t.Errorf("%q is taken for the name of a directory", id)
		}
		var s ensemble.State
		if err := s.Apply(ensemble.Event{Name: ensemble.Submit, Job: id, Attempt: 1}); err == nil {
			t.Errorf("an event of job %q is taken", id)
		}
	}
	for _, id := range []string{"a", "0f3c", "job-1", "..a", "a b"} {
		if err := ensemble.CheckID(id); err != nil {
			t.Error(err)
		}
	}
}

func TestAJobThatNobodyCanCarryOutIsRefused(t *testing.T) {
	t.Parallel()
	good := []string{"true"}
	for _, c := range []struct {
		name   string
		launch ensemble.Launch
		want   string
	}{
		{"a job with commands of every kind is fine", ensemble.Launch{Command: good, Before: [][]string{good}, Prepare: [][]string{good},
			After: [][]string{good}, Services: []spec.Service{{Command: good}}}, ""},
		{"no command", ensemble.Launch{}, "job j: got the command [], want a program and its arguments"},
		{"a command whose program a template left empty", ensemble.Launch{Command: []string{"", "-x"}}, `got the command ["" "-x"]`},
		{"an empty command before it", ensemble.Launch{Command: good, Before: [][]string{{}}}, "got the command []"},
		{"an empty preparation", ensemble.Launch{Command: good, Prepare: [][]string{{}}}, "got the command []"},
		{"an empty command after it", ensemble.Launch{Command: good, After: [][]string{{}}}, "got the command []"},
		{"an empty service", ensemble.Launch{Command: good, Services: []spec.Service{{}}}, "got the command []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := (&ensemble.Job{ID: "j", Launch: c.launch}).Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if err := (&ensemble.Job{ID: "../j", Launch: ensemble.Launch{Command: good}}).Check(); err == nil {
		t.Error("a job whose ID leads out of the run is taken")
	}
}

func TestAJobIsSettledWhenItsPolicyLeavesNothingToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		events  []string
		retries int
		want    bool
	}{
		{"a job that nobody heard of is not", nil, 0, false},
		{"a queued job is not", []string{"submit 1"}, 0, false},
		{"a running job is not", []string{"submit 1", "start 1"}, 0, false},
		{"one that succeeded is", []string{"submit 1", "finish 1 succeeded"}, 5, true},
		{"one that failed is without retries", []string{"submit 1", "finish 1 failed"}, 0, true},
		{"one that failed is not with a retry left", []string{"submit 1", "finish 1 failed"}, 1, false},
		{"one that failed as often as it may is", []string{"submit 1", "finish 1 failed", "submit 2", "finish 2 timeout"}, 1, true},
		{"one that was cancelled is not", []string{"submit 1", "finish 1 cancelled"}, 0, false},
		{"one that was lost is not", []string{"submit 1", "finish 1 lost"}, 0, false},
		{"one that was lost after it failed is not", []string{"submit 1", "finish 1 failed", "submit 2", "finish 2 lost"}, 1, false},
		{"one that is tried again is not", []string{"submit 1", "finish 1 failed", "submit 2"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s ensemble.State
			for _, text := range c.events {
				if err := s.Apply(event(t, text)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // asking twice is the same
				if got := s.Settle("j", ensemble.Policy{Retries: c.retries}); got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
			if err := s.Apply(ensemble.Event{Name: ensemble.Submit, Job: "j", Attempt: 9}); c.want && err == nil {
				t.Error("a settled job was submitted again")
			}
		})
	}
}

// TestReplayIsDeterministic makes legal sequences at random and keeps books of
// its own about what should come out.
func TestReplayIsDeterministic(t *testing.T) {
	t.Parallel()
	statuses := []ensemble.Status{ensemble.Succeeded, ensemble.Failed, ensemble.Cancelled, ensemble.Timeout, ensemble.Incomplete, ensemble.Lost}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		want := map[string]ensemble.JobState{}
		var events []ensemble.Event
		for i := range 400 {
			id := fmt.Sprintf("job-%d", rng.IntN(20))
			j := want[id]
			e := ensemble.Event{Time: time.UnixMicro(int64(i) + 1).UTC(), Job: id}
			switch {
			case j.Phase == ensemble.Waiting:
				j.Phase, j.Attempt = ensemble.Queued, j.Attempt+1+rng.IntN(2)
				e.Name = ensemble.Submit
			case j.Phase == ensemble.Queued && rng.IntN(4) > 0:
				j.Phase, e.Name = ensemble.Running, ensemble.Start
			default:
				e.Name, e.Status, e.Reason = ensemble.Finish, statuses[rng.IntN(len(statuses))], fmt.Sprint("because ", i)
				j.Phase, j.Status, j.Reason = ensemble.Waiting, e.Status, e.Reason
				if e.Status.Settles() {
					j.Tries++
				}
			}
			e.Attempt = j.Attempt
			want[id] = j
			events = append(events, e)
		}
		for range 2 {
			var s ensemble.State
			for _, e := range events {
				b, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				var back ensemble.Event
				if err := json.Unmarshal(b, &back); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(e, back); diff != "" {
					t.Fatalf("an event changed on its way through the journal:\n%s", diff)
				}
				if err := s.Apply(back); err != nil {
					t.Fatal(err)
				}
			}
			got, open := map[string]ensemble.JobState{}, map[string]ensemble.JobState{}
			for id, j := range want {
				got[id], _ = s.Job(id)
				if j.Phase != ensemble.Waiting {
					open[id] = j
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
			}
			if diff := cmp.Diff(open, maps.Collect(s.Open())); diff != "" {
				t.Fatalf("seed %d, open jobs (-want +got):\n%s", seed, diff)
			}
		}
	}
}

func TestEventsAreWrittenAsFluxWritesThem(t *testing.T) {
	t.Parallel()
	e := ensemble.Event{Time: time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC), Name: ensemble.Finish, Job: "j", Attempt: 2, Status: ensemble.Failed, Reason: "exit code 3"}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"timestamp":1709208000.123456,"name":"finish","job":"j","attempt":2,"status":"failed","reason":"exit code 3"}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var back ensemble.Event
	if err := json.Unmarshal([]byte(`{"timestamp":1}`), &back); err == nil {
		t.Error("an event without a name was read")
	}
	if zero := ensemble.FromSeconds(ensemble.Seconds(time.Time{})); !zero.IsZero() {
		t.Errorf("got %v for no time", zero)
	}
}
