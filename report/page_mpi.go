// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/measure/mpi"
)

// profileView is what the page shows of what a series did in MPI.
type profileView struct {
	Name   string
	Shares *tableView
	Notes  []string
	// The rest is of one trial, which Typical names.
	Typical             string
	Calls, Sizes, Peers *tableView
	Heat                *heatView
}

// heatView is the communication matrix: cells whose shade is the logarithm of
// the bytes.
type heatView struct {
	Title, Desc, Note string
	W, H              px
	Frame             heatCell
	// Cells have titles; where there are too many of them, Shades are all cells of
	// one shade as one path.
	Cells    []heatCell
	Shades   []shape
	From, To []tick
	Keys     []heatKey
}

type heatCell struct {
	X, Y, W px
	Shade   int
	Title   string
}

type heatKey struct {
	Shade int
	Text  string
}

// shades is how many there are beside that of nothing, and leastRange what the
// darkest stands for over the lightest at least.
const (
	shades     = 6
	leastRange = 1000
)

// titledCells is how many cells along one side have titles of their own: of more,
// each is too small to be pointed at, and a page of many series would be large.
const titledCells = 32

func profileViews(a *Application) (views []profileView) {
	for i := range a.Series {
		s := &a.Series[i]
		shares := shareFields(s)
		if len(shares) == 0 {
			continue
		}
		v := profileView{Name: plain(s.title()), Shares: fieldTable("Time in MPI: "+s.Label, shares)}
		for _, note := range shareNotes(s) {
			v.Notes = append(v.Notes, plain(note))
		}
		if p := s.Profile; p != nil {
			v.Typical = plain(fmt.Sprintf("On %s, in trial %s", p.place(), shortID(p.Trial)))
			v.Calls = fieldTable("Functions of MPI by time: "+s.Label, callFields(p.Summary))
			v.Sizes, v.Peers, v.Heat = sizeTable(p.Summary), peerTable(p.Summary), newHeat(p)
		}
		views = append(views, v)
	}
	return views
}

// fieldTable is a table of one group, or nil without rows.
func fieldTable(caption string, fields []*field) *tableView {
	if len(fields) == 0 {
		return nil
	}
	t := &tableView{Caption: plain(caption)}
	rows := make([][]cell, len(fields[0].cells))
	for _, f := range fields {
		t.Heads = append(t.Heads, head{Name: f.name, Unit: f.unit, Help: f.help, Number: !f.text})
		for i, text := range f.cells {
			rows[i] = append(rows[i], cell{Text: text, Number: !f.text})
		}
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

// sizeTable is the histogram of message sizes.
func sizeTable(s *mpi.Summary) *tableView {
	total := uint64(0)
	for _, size := range s.Sizes {
		total += size.Messages
	}
	if total == 0 {
		return nil
	}
	sizes, messages, share := &field{name: "size", text: true}, &field{name: "messages"}, &field{name: "share", unit: "%"}
	for _, size := range s.Sizes {
		text := "empty"
		if size.Below > 1 {
			e := bits.TrailingZeros64(size.Below)
			text = fmt.Sprintf("%s to below %s", bytesText(e-1), bytesText(e))
		}
		sizes.add(text)
		messages.add(strconv.FormatUint(size.Messages, 10))
		share.add(fixed(100*float64(size.Messages)/float64(total), 1))
	}
	return fieldTable("Messages by size", []*field{sizes, messages, share})
}

// shownPeers is how many pairs of ranks the table below the matrix has.
const shownPeers = 20

// peerTable is the pairs of ranks of which one sent most to the other.
func peerTable(s *mpi.Summary) *tableView {
	pairs := sentPairs(s)
	if len(pairs) == 0 {
		return nil
	}
	from, to, messages, bytes := &field{name: "from rank"}, &field{name: "to rank"}, &field{name: "messages"}, &field{name: "sent"}
	for _, p := range pairs[:min(len(pairs), shownPeers)] {
		from.add(strconv.Itoa(p.From))
		to.add(strconv.Itoa(p.To))
		messages.add(strconv.FormatUint(p.Messages, 10))
		bytes.add(bytesOrNone(float64(p.Bytes)))
	}
	t := fieldTable("Pairs of ranks by what one sent to the other", []*field{from, to, messages, bytes})
	if n := len(pairs); n > shownPeers {
		t.More = fmt.Sprintf("The first %d of %d pairs.", shownPeers, n)
	}
	return t
}

// sentPairs sums up the ways of sending, most bytes first.
func sentPairs(s *mpi.Summary) (pairs []mpi.PeerSum) {
	at := map[[2]int]int{}
	for _, p := range s.Sent {
		i, ok := at[[2]int{p.From, p.To}]
		if !ok {
			i = len(pairs)
			at[[2]int{p.From, p.To}] = i
			pairs = append(pairs, mpi.PeerSum{From: p.From, To: p.To})
		}
		pairs[i].Messages, pairs[i].Bytes = pairs[i].Messages+p.Messages, pairs[i].Bytes+p.Bytes
	}
	slices.SortFunc(pairs, func(a, b mpi.PeerSum) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return pairs
}

// newHeat draws the matrix, or nothing where no rank sent to another.
func newHeat(p *MPIProfile) *heatView {
	m := newMatrix(p.Summary)
	if m == nil {
		return nil
	}
	const left, top, side = 46, 40, 320
	h := &heatView{
		W: left + side + 6, H: top + side + 6, Frame: heatCell{X: left, Y: top, W: side},
		Title: "Bytes from rank to rank", Desc: fmt.Sprintf("On %s, point to point. %s", p.place(), describePairs(sentPairs(p.Summary))),
	}
	if m.block > 1 {
		h.Note = fmt.Sprintf("each cell is the sum over blocks of %d by %d ranks", m.block, m.block)
	}
	scale, w := m.scale(), side/float64(m.size)
	paths := make([]strings.Builder, shades+1)
	for i, bytes := range m.bytes {
		shade := scale.shade(bytes)
		if shade == 0 {
			continue
		}
		c := heatCell{X: px(left + w*float64(i%m.size)), Y: px(top + w*float64(i/m.size)), W: px(w), Shade: shade}
		if m.size > titledCells {
			fmt.Fprintf(&paths[shade], "M%s %sh%sv%sh-%sz", c.X, c.Y, c.W, c.W, c.W)
			continue
		}
		c.Title = fmt.Sprintf("%s to %s: %s", m.label(i/m.size), m.label(i%m.size), bytesOrNone(bytes))
		h.Cells = append(h.Cells, c)
	}
	for shade := range paths {
		if d := paths[shade].String(); d != "" {
			h.Shades = append(h.Shades, shape{S: shade, D: d})
		}
	}
	every := (m.size + 7) / 8
	for i := 0; i < m.size; i += every {
		at, text := w*(float64(i)+0.5), strconv.Itoa(i*m.block)
		h.From = append(h.From, tick{px(top + at), text})
		h.To = append(h.To, tick{px(left + at), text})
	}
	h.Keys = append(h.Keys, heatKey{0, "nothing"})
	for shade := 1; shade <= shades; shade++ {
		h.Keys = append(h.Keys, heatKey{shade, "about " + scale.text(shade)})
	}
	return h
}

// label names the ranks of a row or a column: rank 3, ranks 8 to 15.
func (m *matrix) label(i int) string {
	first, last := i*m.block, min((i+1)*m.block, m.ranks)-1
	if first == last {
		return fmt.Sprintf("rank %d", first)
	}
	return fmt.Sprintf("ranks %d–%d", first, last)
}

// describePairs puts a matrix into words: who sent most to whom.
func describePairs(pairs []mpi.PeerSum) string {
	text := fmt.Sprintf("Senders from top to bottom, receivers from left to right. There are %s of a sender and a receiver.", plural(len(pairs), "pair"))
	for i, p := range pairs[:min(len(pairs), 3)] {
		word := "then"
		if i == 0 {
			word = "Most: "
		}
		text += fmt.Sprintf(" %s rank %d to rank %d %s;", strings.TrimSpace(word), p.From, p.To, bytesOrNone(float64(p.Bytes)))
	}
	return strings.TrimSuffix(text, ";") + "."
}

// heatScale maps bytes to shades by their logarithm.
type heatScale struct{ least, most float64 }

// scale is that of the cells which are not empty, over a range wide enough for
// small differences to look small.
func (m *matrix) scale() heatScale {
	least := m.most / leastRange
	for _, bytes := range m.bytes {
		if bytes > 0 {
			least = min(least, bytes)
		}
	}
	return heatScale{least, m.most}
}

// shade is 0 for nothing and from 1 to shades else.
func (s heatScale) shade(bytes float64) int {
	if bytes <= 0 {
		return 0
	}
	return 1 + int(math.Round((shades-1)*math.Log(bytes/s.least)/math.Log(s.most/s.least)))
}

// text is what the middle of a shade stands for.
func (s heatScale) text(shade int) string {
	bytes := s.least * math.Pow(s.most/s.least, float64(shade-1)/(shades-1))
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(max(1, bytes), 'e', 1, 64), 64)
	if err != nil {
		rounded = bytes
	}
	return sizeText(uint64(rounded))
}

func bytesOrNone(n float64) string {
	if n < 1 {
		return "nothing"
	}
	return sizeText(uint64(n))
}
