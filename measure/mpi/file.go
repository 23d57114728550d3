// SPDX-License-Identifier: MIT

package mpi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode"
)

// ErrNone says that there is no profile.
var ErrNone = errors.New("no rank left an MPI profile")

// maxFile bounds the size of one rank's file in bytes, maxRanks their number.
const (
	maxFile  = 64 << 20
	maxRanks = 1 << 16
)

// ReadDir reads the files RANK.PID.mpi of a directory. The error names the file
// that makes no sense; it is ErrNone where there is none.
func ReadDir(dir fs.FS) (*Profile, error) {
	names, err := fs.Glob(dir, "*.mpi")
	if err != nil {
		return nil, err
	}
	if len(names) > maxRanks {
		return nil, fmt.Errorf("reading MPI profiles: there are %d, want %d at most", len(names), maxRanks)
	}
	p := &Profile{}
	for _, name := range names {
		r, err := readFile(dir, name)
		if errors.Is(err, errNotBegun) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the MPI profile %q: %w", name, err)
		}
		p.Ranks = append(p.Ranks, r)
	}
	if len(p.Ranks) == 0 {
		return nil, ErrNone
	}
	slices.SortStableFunc(p.Ranks, func(a, b Rank) int { return a.Rank - b.Rank })
	return p, nil
}

// OtherMPI says whether processes wrote into a directory of profiles that they use
// another MPI than the profiling library and were not profiled.
func OtherMPI(dir fs.FS) bool {
	names, err := fs.Glob(dir, "*.other")
	return err == nil && len(names) > 0
}

func readFile(dir fs.FS, name string) (Rank, error) {
	if info, err := fs.Stat(dir, name); err != nil {
		return Rank{}, err
	} else if !info.Mode().IsRegular() { // a pipe would never end
		return Rank{}, errors.New("it is no regular file")
	}
	f, err := dir.Open(name)
	if err != nil {
		return Rank{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Rank{}, err
	}
	if len(b) > maxFile {
		return Rank{}, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return parse(b)
}

// errNotBegun is of a rank that was killed in MPI_Init.
var errNotBegun = errors.New("the profile had not begun")

// version is that of the layout, which is told by the library's profile.h.
const version = 2

// header is struct header of the library's profile.h; callSlot and peerSlot are
// its struct call, without the bins, and its struct peer.
type (
	header struct {
		Magic                                             [8]byte
		Version, HeaderSize, NameSize, CallSize, PeerSize uint32
		Calls, PeersMax, Bins, State                      uint32
		Rank, Size, PID, ThreadLevel, Spawned             uint32
		Exit                                              int32
		TSC                                               uint32
		Peers, PeersLost                                  uint64
		Clock, Init, Start, Last, End, Cost               uint64
		User, System, Peak                                uint64
		Host                                              [256]byte
		Library                                           [1024]byte
		Off                                               uint64
	}
	callSlot struct {
		Count, Time, Longest     uint64
		Wait, Met, Waits         uint64
		Messages, Bytes, Largest uint64
	}
	peerSlot struct {
		Rank, Way       uint32
		Messages, Bytes uint64
	}
)

var (
	headerSize = binary.Size(header{})
	callSize   = binary.Size(callSlot{})
	peerSize   = binary.Size(peerSlot{})
	magic      = [8]byte([]byte("ENSMPI\n\x00"))
)

// parse reads one rank's file, written on a machine with this one's order of
// bytes.
func parse(b []byte) (Rank, error) {
	var h header
	if len(b) == 0 {
		return Rank{}, errNotBegun
	}
	if _, err := binary.Decode(b, binary.NativeEndian, &h); err != nil {
		return Rank{}, fmt.Errorf("%d bytes are no header", len(b))
	}
	switch {
	case h.Magic == [8]byte{}:
		return Rank{}, errNotBegun
	case h.Magic != magic:
		return Rank{}, errors.New("it does not begin as one")
	case h.Version != version:
		return Rank{}, fmt.Errorf("it is of version %d, want %d", h.Version, version)
	case int(h.HeaderSize) != headerSize || int(h.CallSize) != callSize+8*int(h.Bins) || int(h.PeerSize) != peerSize,
		h.Bins > 64 || h.Calls > 1<<12 || h.NameSize > 1<<8:
		return Rank{}, fmt.Errorf("its parts have not the sizes of version %d", version)
	}
	if h.Rank >= h.Size {
		return Rank{}, fmt.Errorf("it is of rank %d of %d", h.Rank, h.Size)
	}
	names := int(h.HeaderSize)
	calls := names + int(h.Calls)*int(h.NameSize)
	peers := calls + int(h.Calls)*int(h.CallSize)
	if h.Peers > uint64(h.PeersMax) || h.Peers > maxFile || peers+int(h.Peers)*peerSize > len(b) {
		return Rank{}, errors.New("it is shorter than it says")
	}
	r, err := h.rank()
	if err != nil {
		return Rank{}, err
	}
	for i := range int(h.Calls) {
		c, err := parseCall(b[calls+i*int(h.CallSize):], int(h.Bins))
		if err != nil {
			return Rank{}, err
		}
		if c.Count > 0 || c.Messages > 0 {
			c.Name = text(b[names+i*int(h.NameSize):][:h.NameSize])
			r.Calls = append(r.Calls, c)
		}
	}
	slices.SortFunc(r.Calls, func(a, b Call) int { return strings.Compare(a.Name, b.Name) })
	for i := range int(h.Peers) {
		var p peerSlot
		if _, err := binary.Decode(b[peers+i*peerSize:], binary.NativeEndian, &p); err != nil {
			return Rank{}, err
		}
		ways := []Way{Blocking, Immediate, Persistent}
		if int(p.Way) >= len(ways) || p.Rank >= h.Size {
			return Rank{}, fmt.Errorf("a message went to rank %d of %d in way %d", p.Rank, h.Size, p.Way)
		}
		r.Peers = append(r.Peers, Peer{int(p.Rank), ways[p.Way], p.Messages, p.Bytes})
	}
	return r, nil
}

// rank gives what the header tells.
func (h *header) rank() (Rank, error) {
	r := Rank{
		Rank: int(h.Rank), Size: int(h.Size), Host: text(h.Host[:]), Library: text(h.Library[:]),
		ThreadLevel: int(h.ThreadLevel), Spawned: h.Spawned != 0,
		State: Incomplete, Began: time.Unix(0, int64(h.Clock)).UTC(),
		User: time.Duration(h.User), System: time.Duration(h.System), Peak: h.Peak,
		Cost: time.Duration(h.Cost/1000) * time.Nanosecond, Lost: h.PeersLost,
	}
	switch h.State {
	case 2:
		r.State = Complete
	case 3:
		r.State = Aborted
	}
	end := h.Last
	if r.State != Incomplete {
		end = h.End
	}
	r.App = time.Duration(end - h.Start - h.Off)
	return r, sane(r.App, r.User, r.System, r.Cost)
}

// longest is more than any time that a program takes, and leaves room to add.
const longest = 100 * 365 * 24 * time.Hour

// sane refuses times that no program took.
func sane(times ...time.Duration) error {
	for _, t := range times {
		if t < 0 || t > longest {
			return fmt.Errorf("it has a time of %d ns", uint64(t))
		}
	}
	return nil
}

func parseCall(b []byte, bins int) (Call, error) {
	var s callSlot
	n, err := binary.Decode(b, binary.NativeEndian, &s)
	if err != nil {
		return Call{}, err
	}
	c := Call{
		Count: s.Count, Time: time.Duration(s.Time), Longest: time.Duration(s.Longest),
		Waits: s.Waits, Met: time.Duration(s.Met), Wait: time.Duration(s.Wait),
		Messages: s.Messages, Bytes: s.Bytes, Largest: s.Largest,
	}
	if err := sane(c.Time, c.Longest, c.Met, c.Wait); err != nil {
		return Call{}, err
	}
	if s.Messages > 0 {
		c.Bins = make([]uint64, bins)
		_, err = binary.Decode(b[n:], binary.NativeEndian, c.Bins)
	}
	return c, err
}

// text cuts at the first zero. What does not print, as the tabs and lines of
// MPICH's description, becomes a blank.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(string(b), "\uFFFD")))
}
