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
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/google/go-cmp/cmp"
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
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), path+c.want) || !strings.Contains(err.Error(), "put back a copy of it") {
				t.Errorf("got %v, want %s%s and what to do", err, path, c.want)
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
