// SPDX-License-Identifier: MIT

package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"golang.org/x/sys/unix"
)

func TestAClosedJournalTakesNothing(t *testing.T) {
	t.Parallel()
	j, _ := open(t, journalPath(t))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(someEvents(1)...); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
	if err := j.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
}

func TestWhatCannotBeWrittenIsAStorageErrorThatStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file func(*testing.T) *os.File
		errs error
		want string
	}{
		{"a full disk", func(t *testing.T) *os.File {
			f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
			if errors.Is(err, fs.ErrNotExist) {
				t.Skipf("this container has no full device: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			return f
		}, unix.ENOSPC, "no space left on device; free some space and go on with --resume"},
		{"a disk that does not take what it took", func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			return w // takes writes; fsync fails
		}, unix.EINVAL, "invalid argument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := journalPath(t)
			j, _ := open(t, path)
			good := someEvents(1)
			if err := errors.Join(j.Append(good...), j.Sync()); err != nil {
				t.Fatal(err)
			}
			j.mu.Lock()
			real := j.file
			j.file = c.file(t)
			j.mu.Unlock()
			defer real.Close()
			for range 2 {
				err := errors.Join(j.Append(someEvents(1)...), j.Sync())
				var storage *StorageError
				if !errors.As(err, &storage) || !errors.Is(err, c.errs) || !strings.Contains(err.Error(), "writing "+path+": ") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want a storage error with %q", err, c.want)
				}
			}
			if err := j.Close(); !errors.Is(err, c.errs) {
				t.Errorf("got %v on closing, want %v", err, c.errs)
			}
			if b, _ := os.ReadFile(path); string(b) != string(lines(t, good)) {
				t.Errorf("the journal holds %q", b)
			}
		})
	}
}

func TestAppendsOfManyGoroutinesAreWhole(t *testing.T) {
	t.Parallel()
	path := journalPath(t)
	j, _ := open(t, path)
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				pair := []ensemble.Event{
					{Name: ensemble.Submit, Job: fmt.Sprint(w), Attempt: i + 1},
					{Name: ensemble.Finish, Job: fmt.Sprint(w), Attempt: i + 1, Status: ensemble.Failed},
				}
				if err := j.Append(pair...); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if err := j.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, got := open(t, path)
	defer j.Close()
	if len(got) != 2*writers*each {
		t.Errorf("got %d events, want %d", len(got), 2*writers*each)
	}
	for i := 0; i+1 < len(got); i += 2 {
		if got[i].Name != ensemble.Submit || got[i+1].Name != ensemble.Finish || got[i].Job != got[i+1].Job || got[i].Attempt != got[i+1].Attempt {
			t.Fatalf("events %v and %v were appended together", got[i], got[i+1])
		}
	}
	if _, err := Dir(filepath.Dir(path)).State(); err != nil {
		t.Errorf("the events of a writer are out of order: %v", err)
	}
}

// BenchmarkJournalAppend appends events one by one and waits for the disk every
// thousand, and beside it, as the limit of doing without batches, writes and
// syncs every line of the same events by itself. It reports events a second of
// both, all of them on disk, and their ratio.
func BenchmarkJournalAppend(b *testing.B) {
	events := someEvents(1000)
	j, _ := open(b, journalPath(b))
	n := 0
	for b.Loop() {
		if err := j.Append(events[n%len(events)]); err != nil {
			b.Fatal(err)
		}
		if n++; n%1000 == 0 {
			if err := j.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := j.Sync(); err != nil {
		b.Fatal(err)
	}
	rate := float64(n) / b.Elapsed().Seconds()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}

	f, err := os.Create(journalPath(b))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const raw = 500
	line := lines(b, events[:1])
	begin := time.Now()
	for range raw {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	rawRate := raw / time.Since(begin).Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(rawRate, "synced-lines/s")
	b.ReportMetric(rate/rawRate, "ratio")
}
