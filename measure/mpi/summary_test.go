// SPDX-License-Identifier: MIT

package mpi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	p := &Profile{Ranks: []Rank{
		{Rank: 0, Size: 2, State: Complete, App: 10 * time.Second, Peak: 5, Cost: 100 * time.Nanosecond, Library: "L", Calls: []Call{
			{Name: "MPI_Barrier", Count: 4, Time: time.Second, Longest: 400 * time.Millisecond, Waits: 2, Met: 500 * time.Millisecond, Wait: 250 * time.Millisecond},
			{Name: "MPI_Send", Count: 2, Time: time.Second, Longest: time.Second, Messages: 2, Bytes: 24, Largest: 16, Bins: []uint64{0, 0, 0, 0, 1, 1}},
		}, Peers: []Peer{{1, Immediate, 1, 8}, {1, Blocking, 1, 16}}},
		{Rank: 1, Size: 2, State: Incomplete, App: 10 * time.Second, Peak: 9, Lost: 3, Cost: 100 * time.Nanosecond, Calls: []Call{
			{Name: "MPI_Barrier", Count: 4, Time: 4 * time.Second, Longest: 2 * time.Second, Waits: 2, Met: 3500 * time.Millisecond, Wait: 1750 * time.Millisecond},
		}},
	}}
	wait := 50.0
	want := Summary{
		Percent: 30, MinPercent: 20, MeanPercent: 30, MaxPercent: 40,
		Imbalance: 100 * (8.0/7 - 1), WaitPercent: &wait, Seconds: 10, Ranks: 2, Size: 2, Incomplete: 1,
		CostPercent: 100 * 10 * 100e-9 / 20, PeakBytes: 9, Library: "L", Lost: 3,
		Calls: []CallSum{
			{Name: "MPI_Barrier", Count: 8, Seconds: 5, Percent: 25, Longest: 2, Waits: 4, WaitSeconds: 2},
			{Name: "MPI_Send", Count: 2, Seconds: 1, Percent: 5, Longest: 1, Messages: 2, Bytes: 24, Largest: 16},
		},
		Sizes: []SizeSum{{16, 1}, {32, 1}},
		Sent:  []PeerSum{{0, 1, Blocking, 1, 16}, {0, 1, Immediate, 1, 8}},
	}
	if d := cmp.Diff(want, Summarize(p), cmpopts.EquateApprox(1e-12, 0)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestJSONHasWhatIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		summary Summary
		want    string
	}{
		{"a share that somebody else told stands alone", Summary{Percent: 27.4}, `{"percent":27.4}`},
		{"the zeros of a profile were measured", Summary{Percent: 1, Ranks: 1, Size: 1},
			`{"percent":1,"min_percent":0,"mean_percent":0,"max_percent":0,"imbalance":0,"seconds":0,"ranks":1,"size":1,"cost_percent":0,"thread_level":0,"calls":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal(&c.summary)
			if err != nil || string(b) != c.want {
				t.Errorf("got %s, %v, want %s", b, err, c.want)
			}
			var back Summary
			if err := json.Unmarshal(b, &back); err != nil || !cmp.Equal(back, c.summary) {
				t.Errorf("read back: got %+v, %v, want %+v", back, err, c.summary)
			}
		})
	}
}

func TestARankWithoutTimeHasNoShare(t *testing.T) {
	t.Parallel()
	s := Summarize(&Profile{Ranks: []Rank{{State: Incomplete}}})
	for name, x := range map[string]float64{"percent": s.Percent, "least": s.MinPercent, "imbalance": s.Imbalance, "cost": s.CostPercent} {
		if x != 0 || math.IsNaN(x) {
			t.Errorf("%s: got %g, want 0", name, x)
		}
	}
}

// file writes a profile of one call as the library does.
func file(h header, name string, c callSlot, peers ...peerSlot) []byte {
	h.Magic, h.Version = magic, version
	h.HeaderSize, h.NameSize, h.Bins = uint32(headerSize), 40, 40
	h.CallSize, h.PeerSize = uint32(callSize+8*40), uint32(peerSize)
	h.Calls, h.PeersMax, h.Peers = 1, 16, uint64(len(peers))
	var b bytes.Buffer
	for _, part := range []any{h, [40]byte([]byte(name + strings.Repeat("\x00", 40-len(name)))), c, [40]uint64{3: c.Messages}, peers, make([]peerSlot, 16-len(peers))} {
		if err := binary.Write(&b, binary.NativeEndian, part); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func TestReadDir(t *testing.T) {
	t.Parallel()
	good := header{State: 2, Rank: 1, Size: 2, Start: 5, Last: 20, End: 25, Clock: 1e18, Cost: 50_000, ThreadLevel: 2, Host: [256]byte{'n', '\t', '1', '\n'}}
	rank := Rank{
		Rank: 1, Size: 2, Host: "n 1", ThreadLevel: 2, State: Complete, Began: time.Unix(1e9, 0).UTC(), App: 20, Cost: 50,
		Calls: []Call{{Name: "MPI_Send", Count: 2, Time: 7, Longest: 4, Messages: 2, Bytes: 8, Largest: 4, Bins: append([]uint64{0, 0, 0, 2}, make([]uint64, 36)...)}},
		Peers: []Peer{{0, Persistent, 2, 8}},
	}
	send := callSlot{Count: 2, Time: 7, Longest: 4, Messages: 2, Bytes: 8, Largest: 4}
	whole := file(good, "MPI_Send", send, peerSlot{0, 2, 2, 8})
	killed := good
	killed.State, killed.End = 1, 0
	cut := rank
	cut.State, cut.App = Incomplete, 15
	paused, short := good, rank
	paused.Off, short.App = 12, 8
	for _, c := range []struct {
		name string
		dir  fstest.MapFS
		want []Rank
		err  string
	}{
		{"a rank that ended well", fstest.MapFS{"1.7.mpi": {Data: whole}, "node.x": {Data: []byte("x")}}, []Rank{rank}, ""},
		{"a rank that was killed counts until its last call", fstest.MapFS{"1.7.mpi": {Data: file(killed, "MPI_Send", send, peerSlot{0, 2, 2, 8})}}, []Rank{cut}, ""},
		{"a rank that was killed in MPI_Init is left out", fstest.MapFS{"0.1.mpi": {}, "0.2.mpi": {Data: make([]byte, len(whole))}, "1.7.mpi": {Data: whole}}, []Rank{rank}, ""},
		{"no file", fstest.MapFS{"node.x": {}}, nil, "no rank left an MPI profile"},
		{"a file of something else", fstest.MapFS{"1.7.mpi": {Data: bytes.Repeat([]byte("x"), 9999)}}, nil, `reading the MPI profile "1.7.mpi": it does not begin as one`},
		{"a file cut in the header", fstest.MapFS{"1.7.mpi": {Data: whole[:100]}}, nil, `reading the MPI profile "1.7.mpi": 100 bytes are no header`},
		{"a file cut behind it", fstest.MapFS{"1.7.mpi": {Data: whole[:headerSize+100]}}, nil, `reading the MPI profile "1.7.mpi": it is shorter than it says`},
		{"time that was not counted is left out", fstest.MapFS{"1.7.mpi": {Data: file(paused, "MPI_Send", send, peerSlot{0, 2, 2, 8})}}, []Rank{short}, ""},
		{"a rank that cannot be", fstest.MapFS{"1.7.mpi": {Data: file(header{Rank: 2, Size: 2}, "MPI_Send", send)}}, nil, `reading the MPI profile "1.7.mpi": it is of rank 2 of 2`},
		{"an end before the start", fstest.MapFS{"1.7.mpi": {Data: file(header{State: 2, Size: 2, Start: 5, End: 4}, "MPI_Send", send)}}, nil, `reading the MPI profile "1.7.mpi": it has a time of 18446744073709551615 ns`},
		{"a call that took longer than the world is old", fstest.MapFS{"1.7.mpi": {Data: file(good, "MPI_Send", callSlot{Count: 1, Time: 1 << 63})}}, nil, `reading the MPI profile "1.7.mpi": it has a time of 9223372036854775808 ns`},
		{"a directory", fstest.MapFS{"1.7.mpi/x": {}}, nil, `reading the MPI profile "1.7.mpi": it is no regular file`},
		{"a message to nobody", fstest.MapFS{"1.7.mpi": {Data: file(good, "MPI_Send", send, peerSlot{2, 0, 2, 8})}}, nil, `reading the MPI profile "1.7.mpi": a message went to rank 2 of 2 in way 0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := ReadDir(c.dir)
			if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
				t.Fatalf("got the error %v, want %q", err, c.err)
			}
			if err == nil {
				if d := cmp.Diff(c.want, p.Ranks); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			}
		})
	}
}

// FuzzProfile reads files that may hold anything.
func FuzzProfile(f *testing.F) {
	whole := file(header{State: 2, Size: 2}, "MPI_Send", callSlot{Count: 1, Messages: 1}, peerSlot{1, 0, 1, 8})
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parse(b); err == nil {
			Summarize(&Profile{Ranks: []Rank{r}})
		}
	})
}
