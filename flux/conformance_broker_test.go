// SPDX-License-Identifier: MIT

package flux_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

func conformInfo(t *testing.T, c *flux.Client) {
	info := c.Info()
	if info.Size < 1 || info.Owner != os.Getuid() || info.Rank != 0 || info.Hosts.Len() != info.Size || info.Instance == "" {
		t.Errorf("got %+v", info)
	}
	if info.Tried != slices.Contains(flux.TriedVersions(), info.Version) {
		t.Errorf("version %s was tried: %v", info.Version, info.Tried)
	}
	if v, err := c.Attr(timeout(t), "version"); err != nil || v != info.Version {
		t.Errorf("attribute version is %q, %v", v, err)
	}
}

func conformRefusal(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	var refused *flux.Error
	if _, err := c.Attr(ctx, "no.such"); !errors.Is(err, syscall.ENOENT) || !errors.As(err, &refused) {
		t.Errorf("an attribute that is not there: %v", err)
	}
	if err := c.Call(ctx, "nosuch.service", nil, nil); !errors.Is(err, syscall.ENOSYS) {
		t.Errorf("a service that is not there: %v", err)
	}
	if _, err := c.Submit(ctx, flux.Submission{JSON: []byte(`{"version":1}`)}); !errors.As(err, &refused) || refused.Errno != syscall.EPERM || refused.Text == "" {
		t.Errorf("a jobspec that is none: %v", err)
	}
	for _, d := range []flux.Dependency{{Scheme: "nosuch"}, {Scheme: "afterok", Value: "f123"}} {
		js, err := (&flux.Job{Command: []string{"true"}, Dependencies: []flux.Dependency{d}}).Jobspec()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Submit(ctx, flux.Submission{Jobspec: js}); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "dependency") {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if err := c.Cancel(ctx, 12345, ""); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "unknown job id") {
		t.Errorf("cancelling what never was: %v", err)
	}
	if _, err := c.Lookup(ctx, 12345, "R"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("looking up what never was: %v", err)
	}
	if _, err := c.Wait(ctx, 12345); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("waiting for what never was: %v", err)
	}
}

func conformFilter(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	allow, err := c.Journal(ctx, flux.JournalOptions{Allow: []string{"submit", "clean"}})
	if err != nil {
		t.Fatal(err)
	}
	defer allow.Close()
	deny, err := c.Journal(ctx, flux.JournalOptions{Deny: []string{"validate", "annotations"}})
	if err != nil {
		t.Fatal(err)
	}
	defer deny.Close()
	for _, j := range []*flux.Journal{allow, deny} {
		if e, err := j.Next(); err != nil || !e.CaughtUp() {
			t.Fatalf("a journal without backlog begins with %+v, %v", e, err)
		}
	}
	id := submit(t, c, flux.Job{Command: []string{"true"}})
	for want, j := range map[string]*flux.Journal{"submit 0 clean 1": allow,
		"submit 0 depend 1 priority 2 alloc 3 start 4 finish 5 release 6 free 7 clean 8": deny} {
		var got []string
		for e, err := range j.All() {
			if err != nil {
				t.Fatal(err)
			}
			if e.ID != id {
				continue
			}
			if got = append(got, fmt.Sprint(e.Name, " ", e.Seq)); e.Name == "clean" {
				break
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func conformResources(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	status, err := c.Resources(ctx)
	if err != nil || status.R.Nodes() < 2 || status.Online.Len() != status.R.Nodes() || len(status.Drained) != 0 {
		t.Fatalf("got %+v, %v", status, err)
	}
	if err := c.Drain(ctx, "1", "to see"); err != nil {
		t.Fatal(err)
	}
	if status, err = c.Resources(ctx); err != nil || len(status.Drained) != 1 || status.Drained[0].Reason != "to see" || !status.Drained[0].Ranks.Contains(1) {
		t.Errorf("drained it is %+v, %v", status, err)
	}
	id := submit(t, c, flux.Job{Command: []string{"sleep", "60"}, Nodes: 1})
	if _, err := c.WaitEvent(ctx, id, "start"); err != nil {
		t.Fatal(err)
	}
	s, err := c.SchedStatus(ctx)
	if err != nil || s.Down.Ranks().String() != "1" || s.Allocated.Cores() != 1 || s.Free() != s.All.Cores()-s.Down.Cores()-1 {
		t.Errorf("all %v, down %v, allocated %v, %v", s.All, s.Down, s.Allocated, err)
	}
	if err := c.Undrain(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	wait(t, c, id)
	if err := c.Drain(ctx, "99999", ""); err == nil {
		t.Error("a rank that is not there is drained")
	}
}

func conformQueue(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	if err := c.StopQueue(ctx, "", true, "to see"); err != nil {
		t.Fatal(err)
	}
	id := submit(t, c, flux.Job{Command: []string{"true"}})
	q, err := c.Queue(ctx, "")
	if err != nil || q.Started || !q.Enabled {
		t.Errorf("stopped it is %+v, %v", q, err)
	}
	if err := c.StopQueue(ctx, "", false, ""); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, c, id); !r.Success() {
		t.Errorf("started again it ends %+v", r)
	}
	line, err := c.SchedQueue(ctx)
	if err != nil || line.Queued != 0 || line.Running != 0 {
		t.Errorf("when all is over, the line is %+v, %v", line, err)
	}
	counts, err := c.JobCounts(ctx)
	if err != nil || counts.States.Total == 0 || counts.Successful == 0 {
		t.Errorf("counted: %+v, %v", counts, err)
	}
}

func conformStreamEnds(t *testing.T, c *flux.Client) {
	ctx, cancel := context.WithCancelCause(timeout(t))
	id := submit(t, c, flux.Job{Command: []string{"sleep", "60"}})
	o, err := c.Output(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough seen")
	time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
	for _, err = range o.All() {
		if err != nil {
			break
		}
	}
	if !errors.Is(err, why) {
		t.Errorf("it ends with %v", err)
	}
	o, err = c.Output(timeout(t), id)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { o.Close() })
	for err == nil {
		_, err = o.Next()
	}
	if !errors.Is(err, flux.ErrClosed) {
		t.Errorf("closed, it ends with %v", err)
	}
	if err := c.Cancel(timeout(t), id, ""); err != nil {
		t.Errorf("the client is of no more use: %v", err)
	}
	wait(t, c, id)
}

func conformNothing(t *testing.T, c *flux.Client) {
	ctx := timeout(t)
	id := submit(t, c, flux.Job{Command: []string{"true"}, Nodes: 1000})
	wait(t, c, id)
	if _, err := c.WaitEvent(ctx, id, "start"); !errors.Is(err, io.EOF) {
		t.Errorf("an event that never was: %v", err)
	}
	if _, err := c.Lookup(ctx, id, "R"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("resources that it never got: %v", err)
	}
	o, err := c.Output(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if chunk, err := o.Next(); !errors.Is(err, io.EOF) || errors.Is(err, flux.ErrLost) {
		t.Errorf("output of what never ran: %+v, %v", chunk, err)
	}
}

func conformJournal(t *testing.T, c *flux.Client) {
	const jobs = 100
	ctx := timeout(t)
	old := submit(t, c, flux.Job{Command: []string{"true"}, User: map[string]any{"mine": 1}})
	wait(t, c, old)
	j, err := c.Journal(ctx, flux.JournalOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	told := map[flux.JobID][]flux.JobEvent{}
	for {
		e, err := j.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.CaughtUp() {
			break
		}
		if !e.Backlog {
			t.Errorf("%+v is not called backlog", e)
		}
		told[e.ID] = append(told[e.ID], e)
	}
	if b := told[old]; len(b) != 10 || !strings.Contains(string(b[0].Jobspec), `"mine":1`) || !strings.Contains(string(b[4].R), "R_lite") {
		t.Errorf("of an old job it tells %+v", b)
	}
	clear(told)
	js, err := (&flux.Job{Command: []string{"x"}, Mock: &flux.Mock{Duration: time.Millisecond}}).Jobspec()
	if err != nil {
		t.Fatal(err)
	}
	many := func(yield func(flux.Submission) bool) {
		for range jobs {
			if !yield(flux.Submission{Jobspec: js}) {
				return
			}
		}
	}
	submitted := map[flux.JobID]bool{}
	for id, err := range c.SubmitMany(ctx, many) {
		if err != nil {
			t.Fatal(err)
		}
		submitted[id] = true
	}
	if len(submitted) != jobs {
		t.Fatalf("%d jobs have %d IDs", jobs, len(submitted))
	}
	for left := jobs; left > 0; {
		e, err := j.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !submitted[e.ID] || e.Seq < 0 {
			continue
		}
		if e.Seq != len(told[e.ID]) {
			t.Fatalf("event %s of %s is number %d, not %d", e.Name, e.ID, e.Seq, len(told[e.ID]))
		}
		if told[e.ID] = append(told[e.ID], e); e.Name == "clean" {
			left--
		}
	}
	for id := range submitted {
		if got := told[id]; len(got) != 10 || got[0].Name != "submit" || got[9].Name != "clean" || got[4].R == nil || got[0].Jobspec == nil {
			t.Fatalf("job %s: %v", id, got)
		}
	}
}
