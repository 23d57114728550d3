// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"math"
)

// netpipeReader reads NetPIPE 3: the rows that it prints, and those of its file
// np.out, which have more digits:
//
//	3:       4 bytes   1000 times -->    183.38 Mbps in       0.17 usec
//	     4 183.381089   0.00000017
//
// Its Mbps are 2^20 bits a second. The series are netpipe_bandwidth, in bytes
// and Gbit/s, and netpipe_latency, half a round trip in bytes and us. The file
// counts unless it holds fewer rows: it may be missing, or cut short.
type netpipeReader struct {
	printed, file netpipeRows
	cells         row
}

type netpipeRows struct {
	bandwidth, latency [][2]float64
	full               bool
}

func newNetPIPEReader() lineReader { return &netpipeReader{} }

const (
	netpipeMbps = 0.001048576 // Gbit/s
	// netpipeTick is the last digit of both times, 10 ns, per microsecond.
	netpipeTick = 100
)

var netpipeWords = []struct {
	cell int
	word string
}{{2, "bytes"}, {4, "times"}, {5, "-->"}, {7, "Mbps"}, {8, "in"}, {10, "usec"}}

func (n *netpipeReader) line(b []byte) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return
	}
	n.cells.cut(b)
	switch len(n.cells.cells) {
	case 3:
		n.file.add(&n.cells, 0, 1, 2, 1e6)
	case 11:
		n.row()
	}
}

// row takes the cells of a printed row.
func (n *netpipeReader) row() {
	for _, w := range netpipeWords {
		if string(n.cells.text(w.cell)) != w.word {
			return
		}
	}
	n.printed.add(&n.cells, 1, 6, 9, 1)
}

// add takes the cells of a row whose time is in units of scale microseconds.
func (r *netpipeRows) add(of *row, size, rate, time int, scale float64) {
	s, sized := of.number(size)
	x, rated := of.number(rate)
	t, timed := of.number(time)
	// Rounded, so that 0.00000017 s are 0.17 us to the last bit.
	t = math.Round(t*scale*netpipeTick) / netpipeTick
	switch {
	case !sized || !rated || !timed || !finite(s) || !finite(x) || !finite(t):
	case len(r.latency) >= MaxPoints:
		r.full = true
	default:
		r.bandwidth = append(r.bandwidth, [2]float64{s, x * netpipeMbps})
		r.latency = append(r.latency, [2]float64{s, t})
	}
}

func (n *netpipeReader) finish(r *Run) string {
	rows := n.file
	if len(rows.latency) < len(n.printed.latency) {
		rows = n.printed
	}
	if len(rows.latency) == 0 {
		return "no size was measured"
	}
	if rows.full {
		r.flag("truncated")
	}
	r.Series = map[string]Series{
		"netpipe_bandwidth": {Unit: [2]string{"bytes", "Gbit/s"}, Points: rows.bandwidth},
		"netpipe_latency":   {Unit: [2]string{"bytes", "us"}, Points: rows.latency},
	}
	return ""
}
