// SPDX-License-Identifier: MIT

package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/converged-computing/ensemble/flux/wire"
	"github.com/google/go-cmp/cmp"
)

// session is a recorded session: what the client wrote and what it read after
// the byte that lets it in. A recording is of a machine whose low byte comes first.
func session(t testing.TB, path string) (sent, got []byte) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recording is of a machine with another byte order")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		side, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		data, err := hex.DecodeString(text)
		switch {
		case side != "<" && side != ">":
			continue
		case err != nil:
			t.Fatal(err)
		case side == ">":
			sent = append(sent, data...)
		default:
			got = append(got, data...)
		}
	}
	if len(got) == 0 || got[0] != 0 {
		t.Fatalf("%s does not begin with the byte that lets a client in", path)
	}
	return sent, got[1:]
}

// sessions are the recordings at hand.
func sessions(t testing.TB) []string {
	dir := os.Getenv("ENSEMBLE_FLUX")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "flux")
	}
	paths := []string{filepath.Join("testdata", "session.hex")}
	if path := filepath.Join(dir, "wire.hex"); exists(path) {
		paths = append(paths, path)
	} else {
		t.Logf("no recording at %s (ENSEMBLE_FLUX names another place)", dir)
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func decodeAll(r io.Reader) (all []*wire.Message, err error) {
	for d := wire.NewDecoder(r); ; {
		m, err := d.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

func encodeAll(t testing.TB, all []*wire.Message) (b []byte) {
	for _, m := range all {
		var err error
		if b, err = wire.Append(b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestEveryByteOfARecordedSessionIsUnderstoodAndWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, path := range sessions(t) {
		sent, got := session(t, path)
		for name, stream := range map[string][]byte{"sent": sent, "got": got} {
			all, err := decodeAll(bytes.NewReader(stream))
			if err != nil {
				t.Fatalf("%s, %s: %v", path, name, err)
			}
			if again := encodeAll(t, all); !bytes.Equal(again, stream) {
				t.Errorf("%s, %s: %d messages become other bytes (%d for %d)", path, name, len(all), len(again), len(stream))
			}
			one, err := decodeAll(iotest.OneByteReader(bytes.NewReader(stream)))
			if diff := cmp.Diff(all, one); err != nil || diff != "" {
				t.Errorf("%s, %s: byte by byte it is another session: %v\n%s", path, name, err, diff)
			}
		}
	}
}

func TestARecordedSessionSaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	sent, got := session(t, filepath.Join("testdata", "session.hex"))
	asked, err := decodeAll(bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Message{Type: wire.Request, Flags: wire.HasTopic | wire.HasPayload, UserID: wire.UserUnknown,
		Aux: wire.NodeAny, Tag: 1, Topic: "attr.get", Payload: []byte("{\"name\":\"version\"}\x00")}
	if diff := cmp.Diff(&want, asked[0]); diff != "" {
		t.Errorf("the first request (-want +got):\n%s", diff)
	}
	answers, err := decodeAll(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if m := answers[0]; m.Type != wire.Response || m.Tag != 1 || !bytes.Contains(m.Payload, []byte(`"value":"0.`)) {
		t.Errorf("the first answer is %+v %q", m, m.Payload)
	}
}

// A small message to be broken in tests.
func sample(t testing.TB) []byte {
	return encodeAll(t, []*wire.Message{{Type: wire.Request, Flags: wire.HasTopic | wire.HasPayload | wire.HasRoute,
		Route: []string{"a", "bc"}, Topic: "x.y", Payload: []byte("{}\x00"), Tag: 7}})
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	t.Parallel()
	good := sample(t)
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		if at < 0 {
			at += len(b)
		}
		copy(b[at:], to)
		return b
	}
	swapped := change(0, good[3], good[2], good[1], good[0])
	cases := []struct {
		name   string
		stream []byte
		max    int
		want   string
	}{
		{"another magic", change(0, 1, 2), 0, "begins with"},
		{"the magic of the other byte order", swapped, 0, "another byte order"},
		{"more bytes than are taken", change(4, 0xff, 0xff, 0xff, 0xff), 0, "more than the"},
		{"more bytes than the reader wants", good, 30, "more than the 30"},
		{"no room for a header", change(4, 0, 0, 0, 3), 0, "no room for a header"},
		{"no header at the end", change(-21, 19), 0, "does not end with a header"},
		{"another header", change(-20, 0x8d), 0, "header begins with"},
		{"another version", change(-19, 2), 0, "version 2"},
		{"no type", change(-18, 3), 0, "no type 0x3"},
		{"a part longer than the message", change(8, 250), 0, "longer than what is left"},
		{"a long part cut off", change(8, 0xff, 0xff, 0xff, 0xff, 0xff), 0, "longer than what is left"},
		{"a payload that the flags do not announce", change(-17, 0x09), 0, "announce 1"},
		{"more parts than there are things", change(-17, 0x03), 0, "more parts"},
		{"a route without an end", change(13, 8), 0, "no end"},
		{"a broken end", good[:len(good)-1], 0, "unexpected EOF"},
		{"a broken frame", good[:5], 0, "unexpected EOF"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := wire.NewDecoder(bytes.NewReader(c.stream))
			d.Max = c.max
			_, err := d.Next()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want a word about %q", err, c.want)
			}
			if _, again := d.Next(); again == nil || again.Error() != err.Error() {
				t.Errorf("the next call says %v, not %v again", again, err)
			}
		})
	}
}

// slow gives an error of its own between any two bytes, as a deadline does.
type slow struct {
	r    io.Reader
	turn bool
}

var errLater = errors.New("later")

func (s *slow) Read(b []byte) (int, error) {
	if s.turn = !s.turn; s.turn {
		return 0, errLater
	}
	return s.r.Read(b[:1])
}

func TestAReaderThatFailsForAWhileLosesNothing(t *testing.T) {
	t.Parallel()
	d := wire.NewDecoder(&slow{r: bytes.NewReader(sample(t))})
	for {
		m, err := d.Next()
		if errors.Is(err, errLater) {
			continue
		}
		if err != nil || m.Topic != "x.y" || len(m.Route) != 2 {
			t.Fatalf("got %+v, %v", m, err)
		}
		return
	}
}

func TestAnAnnouncedLengthTakesNoMemory(t *testing.T) {
	stream := append(sample(t)[:4:4], 0x0f, 0xff, 0xff, 0xff) // 256 MiB are announced, none sent
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := wire.NewDecoder(bytes.NewReader(stream)).Next()
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err == nil || taken > 1<<20 {
		t.Errorf("%d bytes are taken for a message that never came (%v)", taken, err)
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	for _, m := range []*wire.Message{{}, {Type: 3}, {Type: wire.Request, Flags: wire.HasRoute, Route: []string{""}}} {
		if b, err := wire.Append([]byte("x"), m); err == nil || string(b) != "x" {
			t.Errorf("%+v is written as %q, %v", m, b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(f))
	for _, path := range sessions(f) {
		sent, got := session(f, path)
		f.Add(sent)
		f.Add(got)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		d := wire.NewDecoder(bytes.NewReader(stream))
		d.Max = 1 << 20
		for {
			m, err := d.Next()
			if err != nil {
				return
			}
			b, err := wire.Append(nil, m)
			if err != nil {
				t.Fatalf("%+v cannot be written: %v", m, err)
			}
			again, err := wire.NewDecoder(bytes.NewReader(b)).Next()
			if diff := cmp.Diff(m, again); err != nil || diff != "" {
				t.Fatalf("written and read it is another message: %v\n%s", err, diff)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	stream := bytes.Repeat(sample(b), 1000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if all, err := decodeAll(bytes.NewReader(stream)); err != nil || len(all) != 1000 {
			b.Fatal(len(all), err)
		}
	}
}
