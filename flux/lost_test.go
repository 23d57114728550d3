// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/flux/wire"
)

// TestTheBrokerIsLost has the broker die in different ways under everything that
// can be under way.
func TestTheBrokerIsLost(t *testing.T) {
	for name, kill := range map[string]func(*fluxtest.Broker){
		"it is killed": func(b *fluxtest.Broker) { b.Lose() },
		"it breaks off in the middle of a message": func(b *fluxtest.Broker) {
			b.Inject(fluxtest.Fault{Topic: "attr.get", Torn: true})
		},
		"it drops the connection": func(b *fluxtest.Broker) { b.Inject(fluxtest.Fault{Topic: "attr.get", Drop: true}) },
		"it talks rubbish":        func(b *fluxtest.Broker) { b.Inject(fluxtest.Fault{Topic: "attr.get", Raw: []byte("rubbish rubbish")}) },
		"it announces more than it may": func(b *fluxtest.Broker) {
			frame, _ := wire.Append(nil, &wire.Message{Type: wire.Response})
			copy(frame[4:8], "\xff\xff\xff\xff")
			b.Inject(fluxtest.Fault{Topic: "attr.get", Raw: frame})
		},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			b := fluxtest.Start(t, fluxtest.Options{})
			c := dial(t, b.URI())
			ctx := timeout(t)
			b.Inject(fluxtest.Fault{Topic: "job-manager.queue-status", Silent: true, Times: -1})
			var waiting sync.WaitGroup
			started := make(chan struct{}, 10)
			for range 10 {
				call, err := c.Start(ctx, wire.NodeAny, "job-manager.queue-status", map[string]int{})
				if err != nil {
					t.Fatal(err)
				}
				waiting.Go(func() {
					started <- struct{}{}
					if err := call.Wait(ctx, nil); !errors.Is(err, flux.ErrLost) {
						t.Errorf("a request ends with %v", err)
					}
				})
			}
			for range 10 {
				<-started
			}
			kill(b)
			_, err := c.Attr(ctx, "version")
			waiting.Wait()
			<-c.Done()
			if !errors.Is(err, flux.ErrLost) || !errors.Is(c.Err(), flux.ErrLost) || !strings.Contains(c.Err().Error(), b.URI()) {
				t.Errorf("got %v, and afterwards %v", err, c.Err())
			}
			if _, err := c.Attr(ctx, "version"); !errors.Is(err, flux.ErrLost) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func TestStreamsEndWithTheBroker(t *testing.T) {
	for name, fault := range map[string]*fluxtest.Fault{
		"killed":      nil,
		"torn":        {Topic: "job-info.eventlog-watch", Skip: 3, Torn: true},
		"dropped":     {Topic: "job-info.eventlog-watch", Skip: 3, Drop: true},
		"turned away": {Topic: "job-info.eventlog-watch", Skip: 3, Raw: []byte("what is this?")},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			b := fluxtest.Start(t, fluxtest.Options{})
			c := dial(t, b.URI())
			id := submit(t, c, flux.Job{Command: []string{"sleep", "60"}})
			if fault != nil {
				b.Inject(*fault)
			}
			events, err := c.WatchEvents(timeout(t), id, "eventlog")
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, err = range events.All() {
				if err != nil {
					break
				}
				if n++; n == 3 && fault == nil {
					b.Lose()
				}
			}
			if !errors.Is(err, flux.ErrLost) || n < 3 {
				t.Errorf("after %d events it ends with %v", n, err)
			}
		})
	}
}

func TestTheJournalGoesOnAfterTheBrokerReturns(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full %v", full), func(t *testing.T) {
			leaks(t)
			b := fluxtest.Start(t, fluxtest.Options{Annotations: true})
			first := dial(t, b.URI())
			ctx := timeout(t)
			before := submit(t, first, flux.Job{Command: []string{"true"}})
			wait(t, first, before)
			var clients []*flux.Client
			j, err := first.Journal(ctx, flux.JournalOptions{Full: full, Redial: func(ctx context.Context, cause error) (*flux.Client, error) {
				if !errors.Is(cause, flux.ErrLost) {
					t.Errorf("it is told that %v", cause)
				}
				c, err := flux.Dial(ctx, b.URI())
				if err == nil {
					clients = append(clients, c)
				}
				return c, err
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			defer func() {
				for _, c := range clients {
					c.Close()
				}
			}()
			// Jobs run all the time, also while the broker is away: one ends and
			// one begins meanwhile.
			long := submit(t, first, flux.Job{Command: []string{"x"}, Mock: &flux.Mock{Duration: 300 * time.Millisecond}})
			next := submit(t, first, flux.Job{Command: []string{"true"}, Dependencies: []flux.Dependency{flux.AfterOK(long)}})
			after := flux.JobID(0)
			seq := map[flux.JobID]int{}
			var caughtUp, lost int
			for e, err := range j.All() {
				if err != nil {
					t.Fatal(err)
				}
				again := e.ID == long && lost == 0
				if e.CaughtUp() {
					caughtUp++
					again = caughtUp == 2 || caughtUp == 3
				}
				if again {
					lost++
					b.Lose()
					if lost == 3 {
						time.Sleep(600 * time.Millisecond) // until both are over
					}
					if err := b.Return(); err != nil {
						t.Fatal(err)
					}
				}
				if e.CaughtUp() {
					if caughtUp == 4 {
						after = submit(t, j.Client(), flux.Job{Command: []string{"true"}})
					}
					continue
				}
				if e.Seq >= 0 {
					if e.Seq != seq[e.ID] {
						t.Fatalf("event %s of %s is number %d, not %d", e.Name, e.ID, e.Seq, seq[e.ID])
					}
					seq[e.ID]++
				}
				if e.ID == after && e.Name == "clean" {
					break
				}
			}
			want := map[flux.JobID]int{long: 10, next: 12, after: 10}
			if full {
				want[before] = 10
			}
			for id, n := range want {
				if seq[id] != n {
					t.Errorf("of %s %d events came, not %d", id, seq[id], n)
				}
			}
			if len(seq) != len(want) || caughtUp != 4 || len(clients) != 3 {
				t.Errorf("events of %d jobs, %d backlogs, %d clients", len(seq), caughtUp, len(clients))
			}
		})
	}
}

func TestTheJournalEndsWithWhatRedialSays(t *testing.T) {
	for name, why := range map[string]error{"its own reason": errors.New("not again"), "that the broker is lost": fmt.Errorf("given up: %w", flux.ErrLost)} {
		t.Run(name, func(t *testing.T) { redialSays(t, why) })
	}
}

func redialSays(t *testing.T, why error) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	j, err := c.Journal(timeout(t), flux.JournalOptions{Redial: func(context.Context, error) (*flux.Client, error) { return nil, why }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Next(); err != nil {
		t.Fatal(err)
	}
	b.Lose()
	for range 2 {
		if _, err := j.Next(); !errors.Is(err, why) {
			t.Errorf("it ends with %v", err)
		}
	}
}

func TestTheJournalTellsNoEventThatIsNone(t *testing.T) {
	for name, c := range map[string]struct{ payload, want string }{
		"no name":            {`{"id":5,"events":[{"timestamp":1,"name":""}]}`, "no name"},
		"no time":            {`{"id":5,"events":[{"timestamp":1e300,"name":"submit"}]}`, "seconds since 1970"},
		"no object with it":  {`{"id":5,"events":[{"timestamp":1,"name":"submit","context":[1]}]}`, "no object"},
		"no events":          {`{"id":5,"events":7}`, "cannot unmarshal"},
		"no JSON at all":     {`{"id":5,`, "unexpected end"},
		"an ID that is none": {`{"id":1e99,"events":[]}`, "no whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			b := fluxtest.Start(t, fluxtest.Options{})
			answer, err := wire.Append(nil, &wire.Message{Type: wire.Response, Flags: wire.HasTopic | wire.HasPayload | wire.Streaming,
				Tag: 1, Topic: "job-manager.events-journal", Payload: append([]byte(c.payload), 0)})
			if err != nil {
				t.Fatal(err)
			}
			b.Inject(fluxtest.Fault{Topic: "job-manager.events-journal", Raw: answer})
			j, err := dial(t, b.URI()).Journal(timeout(t), flux.JournalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			if e, err := j.Next(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v, want a word about %q", e, err, c.want)
			}
		})
	}
}

func TestAJournalIsClosedWhileAnotherBrokerIsLookedFor(t *testing.T) {
	leaks(t)
	b, other := fluxtest.Start(t, fluxtest.Options{}), fluxtest.Start(t, fluxtest.Options{})
	asked, closed := make(chan struct{}), make(chan struct{})
	j, err := dial(t, b.URI()).Journal(timeout(t), flux.JournalOptions{Redial: func(ctx context.Context, cause error) (*flux.Client, error) {
		close(asked)
		<-closed
		return dial(t, other.URI()), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Next(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(closed)
		<-asked
		j.Close()
	}()
	b.Lose()
	if _, err := j.Next(); !errors.Is(err, flux.ErrClosed) {
		t.Errorf("it ends with %v", err)
	}
}

func TestASubmissionWhoseAnswerIsLostIsFoundByItsAttributes(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	b.Inject(fluxtest.Fault{Topic: "job-ingest.submit", Drop: true})
	js, err := (&flux.Job{Command: []string{"true"}, User: map[string]any{"trial": "t7"}}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(timeout(t), flux.Submission{Jobspec: js}); !errors.Is(err, flux.ErrLost) {
		t.Fatalf("got %v", err)
	}
	j, err := dial(t, b.URI()).Journal(timeout(t), flux.JournalOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range j.All() {
		if err != nil {
			t.Fatal(err)
		}
		if e.CaughtUp() {
			t.Fatal("it is not in the backlog")
		}
		if e.Name != "submit" {
			continue
		}
		found, err := flux.ParseJobspec(e.Jobspec)
		if err != nil || found.Attributes.User["trial"] != "t7" {
			t.Errorf("the job is %+v, %v", found, err)
		}
		return
	}
}
