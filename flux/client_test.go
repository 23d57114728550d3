// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/flux/fluxtest"
	"github.com/converged-computing/ensemble/flux/wire"
)

// leaks says when a test leaves goroutines behind, its own and the broker's.
func leaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			now := runtime.NumGoroutine()
			if now <= before {
				return
			}
			if time.Now().After(end) {
				b := make([]byte, 1<<20)
				t.Errorf("%d goroutines are left where %d were:\n%s", now, before, b[:runtime.Stack(b, true)])
				return
			}
		}
	})
}

func TestSocketsOfURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"local:///run/flux/local":      "/run/flux/local",
		"local:///tmp/100%25/x":        "/tmp/100%25/x",
		"local://%2Ftmp%2Fa%20b/local": "/tmp/a b/local",
		"local:///a/b ":                "/a/b",
		"local://":                     "",
		"local://%2Fa%zz":              "",
		"ssh://host/run/flux/local":    "",
		"/run/flux/local":              "",
		"":                             "",
	} {
		got, err := flux.SocketOf(uri)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is at %q, %v; want %q", uri, got, err, want)
		}
	}
}

func TestDialling(t *testing.T) {
	b := fluxtest.Start(t, fluxtest.Options{})
	old := fluxtest.Start(t, fluxtest.Options{Version: "0.60.0"})
	newer := fluxtest.Start(t, fluxtest.Options{Version: "0.99.0-12-gabcdef0"})
	t.Run("by the environment", func(t *testing.T) {
		t.Setenv(flux.URIEnv, b.URI())
		c, err := flux.DialEnv(timeout(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if info := c.Info(); !info.Tried || c.URI() != b.URI() {
			t.Errorf("%s: %+v", c.URI(), info)
		}
	})
	t.Run("a broker that is too old", func(t *testing.T) {
		var version *flux.VersionError
		if _, err := flux.Dial(timeout(t), old.URI()); !errors.As(err, &version) || version.Version != "0.60.0" || !strings.Contains(err.Error(), flux.MinVersion) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a broker that is newer than any tried", func(t *testing.T) {
		if info := dial(t, newer.URI()).Info(); info.Tried {
			t.Errorf("got %+v", info)
		}
	})
	t.Run("where nobody listens", func(t *testing.T) {
		if _, err := flux.Dial(timeout(t), "local:///nowhere/local"); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "no broker is running") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("where one is not let in", func(t *testing.T) {
		if _, err := flux.Dial(timeout(t), server(t, []byte{1})); !errors.Is(err, syscall.EPERM) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("where nobody says a word", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if _, err := flux.Dial(ctx, server(t, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("where rubbish is spoken", func(t *testing.T) {
		if _, err := flux.Dial(timeout(t), server(t, []byte("\x00HTTP/1.1 400 Bad Request\r\n\r\n"))); !errors.Is(err, flux.ErrLost) {
			t.Errorf("got %v", err)
		}
	})
}

// server says the same to everybody and keeps the connection.
func server(t *testing.T, words []byte) (uri string) {
	dir, err := os.MkdirTemp("", "flux")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(words)
			all.Go(func() { _, _ = io.Copy(io.Discard, conn); conn.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait(); os.RemoveAll(dir) })
	return "local://" + path
}

func TestManyRequestsShareAConnection(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	ctx := timeout(t)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			name, want := "version", "0.88.0"
			if i%2 == 0 {
				name, want = "size", "4"
			}
			for range 100 {
				if got, err := c.Attr(ctx, name); err != nil || got != want {
					t.Errorf("attribute %s is %q, %v", name, got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestARequestIsGivenUpWithItsContext(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	b.Inject(fluxtest.Fault{Topic: "job-manager.queue-status", Silent: true},
		fluxtest.Fault{Topic: "job-manager.alloc-query", Delay: 50 * time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Queue(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.SchedQueue(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	// The late answer is passed over, and the connection is as good as new.
	if _, err := c.SchedQueue(timeout(t)); err != nil {
		t.Error(err)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	b.Inject(fluxtest.Fault{Topic: "job-ingest.submit", Errno: syscall.EAGAIN, Text: "come again"})
	js, err := (&flux.Job{Command: []string{"true"}}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Submit(timeout(t), flux.Submission{Jobspec: js})
	var refused *flux.Error
	if !errors.As(err, &refused) || !errors.Is(err, syscall.EAGAIN) || refused.Text != "come again" || refused.Topic != "job-ingest.submit" {
		t.Errorf("got %v", err)
	}
	if _, err = c.Submit(timeout(t), flux.Submission{Jobspec: js}); err != nil {
		t.Error(err)
	}
	if _, err = c.Submit(timeout(t), flux.Submission{Jobspec: js, Urgency: 99}); err == nil {
		t.Error("urgency 99 is taken")
	}
	if _, err = c.Submit(timeout(t), flux.Submission{}); err == nil {
		t.Error("nothing is submitted")
	}
}

func TestOnlyTheOwnerSubmits(t *testing.T) {
	other := os.Getuid() + 1
	c := dial(t, fluxtest.Start(t, fluxtest.Options{Owner: &other}).URI())
	if _, err := c.Submit(timeout(t), flux.Submission{JSON: []byte("{}")}); !errors.Is(err, syscall.EPERM) {
		t.Errorf("got %v", err)
	}
}

func TestOneRefusedJobOfManyHoldsUpNoOther(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	js, err := (&flux.Job{Command: []string{"x"}, Mock: &flux.Mock{}}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	n, refused := 0, 0
	for id, err := range c.SubmitMany(timeout(t), func(yield func(flux.Submission) bool) {
		for i := range 2000 {
			s := flux.Submission{Jobspec: js}
			if i%100 == 7 {
				s = flux.Submission{JSON: []byte("{}")}
			}
			if !yield(s) {
				return
			}
		}
	}) {
		if bad := n%100 == 7; bad != (err != nil) || bad != (id == 0) {
			t.Fatalf("number %d: %s, %v", n, id, err)
		}
		if n++; err != nil {
			refused++
		}
	}
	if n != 2000 || refused != 20 {
		t.Errorf("%d answers, %d refused", n, refused)
	}
}

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

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	ctx := timeout(t)
	b.Inject(fluxtest.Fault{Topic: "job-manager.queue-status", Silent: true})
	call, err := c.Start(ctx, wire.NodeAny, "job-manager.queue-status", map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := c.Journal(ctx, flux.JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := j.Next(); err != nil || !e.CaughtUp() {
		t.Fatal(e, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { c.Close() })
	if _, err := j.Next(); !errors.Is(err, flux.ErrClosed) {
		t.Errorf("the journal ends with %v", err)
	}
	if err := call.Wait(ctx, nil); !errors.Is(err, flux.ErrClosed) {
		t.Errorf("the request ends with %v", err)
	}
	if _, err := c.Stream(ctx, "x.y", nil); !errors.Is(err, flux.ErrClosed) {
		t.Errorf("a new stream: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestASlowReaderHoldsUpNobodyElse(t *testing.T) {
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{Run: func(ctx context.Context, r *fluxtest.Running) flux.WaitStatus {
		line := []byte(strings.Repeat("x", 1000) + "\n")
		for range 5000 {
			r.Write("stdout", 0, line)
		}
		return 0
	}})
	c := dial(t, b.URI())
	id := submit(t, c, flux.Job{Command: []string{"x"}})
	o, err := c.Output(timeout(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Next(); err != nil {
		t.Fatal(err)
	}
	// Five megabytes wait to be read, and everything else goes on.
	if r := wait(t, c, id); !r.Success() {
		t.Errorf("it ended %+v", r)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	size := 0
	for chunk, err := range o.All() {
		if err != nil {
			t.Fatal(err)
		}
		if size += len(chunk.Data); size%1001 != 0 {
			t.Fatalf("a line is torn after %d bytes", size)
		}
	}
	runtime.ReadMemStats(&after)
	if size != 5000*1001 {
		t.Errorf("%d bytes came", size)
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
	leaks(t)
	b := fluxtest.Start(t, fluxtest.Options{})
	c := dial(t, b.URI())
	why := errors.New("not again")
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
