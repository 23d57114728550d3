// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
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
