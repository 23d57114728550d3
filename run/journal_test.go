// SPDX-License-Identifier: MIT

package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func journalPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), JournalFile)
}

// someEvents are those of n jobs that succeed.
func someEvents(n int) (events []ensemble.Event) {
	at := func() time.Time { return time.UnixMicro(1_700_000_000_123_456 + int64(len(events))).UTC() }
	for i := range n {
		id := fmt.Sprintf("job-%d", i)
		events = append(events, ensemble.Event{Time: at(), Name: ensemble.Submit, Job: id, Attempt: 1})
		events = append(events, ensemble.Event{Time: at(), Name: ensemble.Start, Job: id, Attempt: 1})
		events = append(events, ensemble.Event{Time: at(), Name: ensemble.Finish, Job: id, Attempt: 1, Status: ensemble.Succeeded})
	}
	return events
}

func lines(t testing.TB, events []ensemble.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// open opens a journal and gives what it replayed.
func open(t testing.TB, path string) (*Journal, []ensemble.Event) {
	t.Helper()
	var got []ensemble.Event
	j, err := OpenJournal(path, func(e ensemble.Event) error { got = append(got, e); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return j, got
}

func TestAJournalThatEndsAnywhereIsReadUpToItsLastWholeEvent(t *testing.T) {
	t.Parallel()
	events := someEvents(2)
	whole := lines(t, events)
	more := ensemble.Event{Time: time.UnixMicro(7).UTC(), Name: ensemble.Submit, Job: "more", Attempt: 1}
	path := journalPath(t)
	for end := range len(whole) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00", "\x00\x00\n"} {
			if err := os.WriteFile(path, append(bytes.Clone(whole[:end]), tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			want := events[:bytes.Count(whole[:end], []byte("\n"))]
			j, got := open(t, path)
			if diff := cmp.Diff(len(want), len(got)); diff != "" {
				t.Fatalf("cut after %d bytes, with %q behind (-want +got):\n%s", end, tail, diff)
			}
			if err := errors.Join(j.Append(more), j.Close()); err != nil {
				t.Fatal(err)
			}
			j, got = open(t, path)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(want[:len(want):len(want)], more), got); diff != "" {
				t.Fatalf("cut after %d bytes, with %q behind, and another event (-want +got):\n%s", end, tail, diff)
			}
		}
	}
}

func TestABrokenLineInTheMiddleIsNamed(t *testing.T) {
	t.Parallel()
	good := string(lines(t, someEvents(1)))
	for _, c := range []struct{ name, broken, want string }{
		{"no JSON", "\x00\x00\x00", ":4: the event cannot be read"},
		{"half a line", `{"timestamp":1,"na`, ":4: the event cannot be read"},
		{"an empty line", "", ":4: the event cannot be read"},
		{"no name", `{"timestamp":1}`, ":4: the event cannot be read: an event without a name"},
		{"a wrong type", `{"name":"start","attempt":"one"}`, ":4: the event cannot be read"},
		{"an event that cannot follow", `{"name":"start","job":"x","attempt":1}`, ":4: event start of job x, attempt 1: the job was never submitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := journalPath(t)
			text := good + c.broken + "\n" + `{"name":"run-finish"}` + "\n"
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := OpenJournal(path, new(ensemble.State).Apply)
			if err == nil || !strings.Contains(err.Error(), path+c.want) {
				t.Errorf("got %v, want %s%s", err, path, c.want)
			}
			if b, _ := os.ReadFile(path); string(b) != text {
				t.Error("a journal that cannot be read was changed")
			}
		})
	}
}

func TestAJournalHasOneWriterAndAnyReaders(t *testing.T) {
	t.Parallel()
	path := journalPath(t)
	j, _ := open(t, path)
	if err := j.Append(someEvents(1)...); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want %v", err, ErrLocked)
	}
	n := 0
	err := Dir(filepath.Dir(path)).Events(func(ensemble.Event) error { n++; return nil })
	if n != 3 || err != nil {
		t.Errorf("a reader found %d events, %v, want 3", n, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, path)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

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
			if err != nil {
				t.Skip(err)
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

// FuzzReadJournal: whatever is in the file, what was read is a prefix of it that
// reads again as the same, and to which an event can be appended.
func FuzzReadJournal(f *testing.F) {
	whole := lines(f, someEvents(2))
	f.Add(whole)
	f.Add(whole[:len(whole)-7])
	f.Add(append(bytes.Clone(whole), "{}\n"...))
	f.Add([]byte("\n\n"))
	f.Add([]byte(`{"timestamp":1e300,"name":"submit","job":"j","attempt":-1}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first []ensemble.Event
		size, err := ReadJournal(bytes.NewReader(data), "J", func(e ensemble.Event) error { first = append(first, e); return nil })
		if size < 0 || size > int64(len(data)) || size > 0 && data[size-1] != '\n' {
			t.Fatalf("got %d of %d bytes, want whole lines", size, len(data))
		}
		if err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("J:%d: ", len(first)+1)) {
			t.Errorf("after %d events got %v, want the line's number", len(first), err)
		}
		more := someEvents(1)[:1]
		var again []ensemble.Event
		if _, err := ReadJournal(bytes.NewReader(append(data[:size:size], lines(t, more)...)), "J", func(e ensemble.Event) error { again = append(again, e); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append(first, more...), again); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
		_, _ = ReadJournal(bytes.NewReader(data), "J", new(ensemble.State).Apply)
	})
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
