// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/converged-computing/ensemble/measure/mpi"
)

// profileView is what the page shows of a series' profile.
type profileView struct {
	Name, Text   string
	Calls, Sizes *tableView
	Heat         *heatView
}

// heatView is the communication matrix: squares whose shade is the logarithm of
// the bytes.
type heatView struct {
	Title, Desc string
	W, H        int
	Side        float64 // of the matrix
	Squares     []heatSquare
	Keys        []heatSquare
	From, To    []heatLabel
	Label       string
}

type heatSquare struct {
	X, Y, W float64
	Shade   int
	Title   string
}

type heatLabel struct {
	At   float64
	Text string
}

// shades is how many there are beside that of nothing, and leastRange what the
// darkest stands for over the lightest at least.
const (
	shades     = 6
	leastRange = 1000
)

func profileViews(a *Application) (views []profileView) {
	for i := range a.Series {
		s := &a.Series[i]
		if s.Profile == nil {
			continue
		}
		views = append(views, profileView{
			Name: plain(s.title()), Text: plain(s.mpiText()),
			Calls: callTable(s), Sizes: sizeTable(s.Profile.Summary), Heat: newHeat(s.Profile),
		})
	}
	return views
}

func callTable(s *Series) *tableView {
	t := &tableView{Caption: "Calls of MPI by time", Heads: []head{
		{Name: "call"}, {Name: "calls", Number: true}, {Name: "share", Unit: "%", Number: true, Help: "of the time between MPI_Init and MPI_Finalize, over all ranks"},
		{Name: "waiting", Unit: "%", Number: true, Help: "of the call's time, until the last rank came"}, {Name: "bytes", Number: true, Help: "handed over by all ranks"},
		{Name: "mean", Unit: "us", Number: true}, {Name: "longest", Unit: "us", Number: true},
	}}
	var rows [][]cell
	for _, c := range topCalls(s.Profile.Summary) {
		row := []cell{{Text: plain(c.Name)}}
		for _, text := range []string{
			strconv.FormatUint(c.Count, 10), fixed(c.Percent, 2), waitText(c), sizeText(c.Bytes), sig(1e6*c.Seconds/float64(c.Count), 3), sig(1e6*c.Longest, 3),
		} {
			row = append(row, cell{Text: text, Number: true})
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
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
	t := &tableView{Caption: "Messages by size", Heads: []head{{Name: "size"}, {Name: "messages", Number: true}, {Name: "share", Unit: "%", Number: true}}}
	var rows [][]cell
	for _, size := range s.Sizes {
		text := "empty"
		if size.Below > 1 {
			text = fmt.Sprintf("%s to below %s", bytesText(bits.TrailingZeros64(size.Below)-1), bytesText(bits.TrailingZeros64(size.Below)))
		}
		rows = append(rows, []cell{
			{Text: text}, {Text: strconv.FormatUint(size.Messages, 10), Number: true},
			{Text: fixed(100*float64(size.Messages)/float64(total), 1), Number: true},
		})
	}
	t.Groups = []rowGroup{{Rows: rows}}
	return t
}

// newHeat draws the matrix, or nothing where no rank sent to another.
func newHeat(p *MPIProfile) *heatView {
	m := newMatrix(p.Summary)
	if m == nil {
		return nil
	}
	const left, top, side, key = 46.0, 22.0, 320.0, 14.0
	h := &heatView{W: 460, H: 380, Side: side, Label: "rank", Title: fmt.Sprintf("Bytes from rank to rank on %s", plural(p.Ranks, "rank"))}
	if m.block > 1 {
		h.Label = fmt.Sprintf("block of %d ranks", m.block)
	}
	h.Desc = fmt.Sprintf("A square for each pair of senders (rows) and receivers (columns); the darkest stands for %s.", sizeText(uint64(m.most)))
	w := side / float64(m.size)
	least := m.most
	for i, bytes := range m.bytes {
		if bytes > 0 {
			least = min(least, bytes)
		}
		h.Squares = append(h.Squares, heatSquare{
			X: left + w*float64(i%m.size), Y: top + w*float64(i/m.size), W: w,
			Title: fmt.Sprintf("%s %d to %d: %s", h.Label, i/m.size, i%m.size, bytesOrNone(bytes)),
		})
	}
	least = min(least, m.most/leastRange) // or small differences would look large
	for i, bytes := range m.bytes {
		h.Squares[i].Shade = shade(bytes, least, m.most)
	}
	every := (m.size + 15) / 16
	for i := 0; i < m.size; i += every {
		at := (float64(i) + 0.5) * w
		h.From = append(h.From, heatLabel{top + at, strconv.Itoa(i)})
		h.To = append(h.To, heatLabel{left + at, strconv.Itoa(i)})
	}
	for i := range shades + 1 {
		text := "none"
		if i > 0 {
			text = sizeText(uint64(math.Ceil(least * math.Pow(m.most/least, float64(i-1)/(shades-1)))))
		}
		h.Keys = append(h.Keys, heatSquare{X: left + side + 14, Y: top + float64(i)*(key+6), W: key, Shade: i, Title: text})
	}
	return h
}

func bytesOrNone(n float64) string {
	if n == 0 {
		return "nothing"
	}
	return sizeText(uint64(n))
}

// shade is 0 for nothing and from 1 to shades on a logarithmic scale.
func shade(x, least, most float64) int {
	if x <= 0 {
		return 0
	}
	return 1 + int(math.Round((shades-1)*math.Log(x/least)/math.Log(most/least)))
}
