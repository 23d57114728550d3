// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/stats"
)

// px is a position or a length in the units of a figure's view box.
type px float64

// String keeps one decimal, which is finer than a screen.
func (p px) String() string {
	s := strings.TrimSuffix(strconv.FormatFloat(float64(p), 'f', 1, 64), ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// chart is a figure as the page's template draws it: geometry and text, without
// a colour. Everything is drawn in the order of the fields.
type chart struct {
	ID, Title, Unit string
	Note            string // which direction is better, and what scale it is
	// Desc says in words what the figure shows, for those who do not see it.
	Desc           string
	Class          string
	W, H           px
	X0, Y0, X1, Y1 px // the frame of the plot
	XTicks, YTicks []tick
	XLabel         string
	Bands          []shape
	Ideals         []shape
	Lines          []shape
	Errors         []errorBar
	Dots           []dot
	Marks          []mark
	Boxes          []box
	Texts          []caption
	Rules          []px // horizontal lines between groups
}

// shape is a path of series S.
type shape struct {
	S int
	D string
}

// errorBar is an interval along the axis of its values, From to To, beside
// which it stands At.
type errorBar struct {
	S          int
	At         px
	From, To   px
	Horizontal bool
	// Beyond says that the interval goes on beyond the frame at From or To.
	Beyond [2]bool
}

// interval makes an error bar of an interval, cut at the ends of the axis.
func (a axis) interval(s int, at px, in stats.Interval, horizontal bool) errorBar {
	outside := func(v float64) bool { return v < a.lo || v > a.hi }
	return errorBar{
		S: s, At: at, From: px(a.clamp(in.Low)), To: px(a.clamp(in.High)), Horizontal: horizontal,
		Beyond: [2]bool{outside(in.Low), outside(in.High)},
	}
}

// D is the bar with a stroke across each end, and an arrow head where it goes
// on.
func (e errorBar) D() string {
	d := fmt.Sprintf("M%s %sV%s", e.At, e.From, e.To)
	if e.Horizontal {
		d = fmt.Sprintf("M%s %sH%s", e.From, e.At, e.To)
	}
	for i, end := range []px{e.From, e.To} {
		back := px(0)
		if e.Beyond[i] {
			back = 5 // towards the other end
			if e.From > e.To == (i == 0) {
				back = -5
			}
		}
		if e.Horizontal {
			d += fmt.Sprintf("M%s %sL%s %sL%s %s", end+back, e.At-4, end, e.At, end+back, e.At+4)
		} else {
			d += fmt.Sprintf("M%s %sL%s %sL%s %s", e.At-4, end+back, e.At, end, e.At+4, end+back)
		}
	}
	return d
}

// dot is one trial: plain, noisy or outlier.
type dot struct {
	S     int
	X, Y  px
	Kind  string
	Title string
}

// mark is the centre of a point, in the marker of its series.
type mark struct {
	S     int
	X, Y  px
	Title string
}

// D is the outline of the mark's marker.
func (m mark) D() string { return markers[m.S%len(markers)] }

// box is one job of the time line.
type box struct {
	X, Y, W, H px
	Class      string
	Title      string
}

// Hatched boxes are those of jobs that did not succeed: colour alone would not
// do.
func (b box) Hatched() bool { return !strings.HasPrefix(b.Class, "succeeded") }

// caption is a text within a figure; Title is it in full.
type caption struct {
	X, Y  px
	Class string
	Text  string
	Title string
}

// hues is how many series one figure tells apart by colour and marker.
const hues = 7

// markers are outlines around the origin, of about the same area: circle,
// square, triangle, diamond, triangle on its tip, hexagon, bar cross.
var markers = [hues]string{
	"M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z",
	"M-4-4H4V4H-4Z",
	"M0-5.4L5 3.6H-5Z",
	"M0-5.6L5.6 0L0 5.6L-5.6 0Z",
	"M0 5.4L5-3.6H-5Z",
	"M-2.5-4.4H2.5L5 0L2.5 4.4H-2.5L-5 0Z",
	"M-1.8-5H1.8V-1.8H5V1.8H1.8V5H-1.8V1.8H-5V-1.8H-1.8Z",
}

// plotFrame is a figure of the usual size, two or three of which stand side by
// side on a wide screen and fill a narrow one.
func plotFrame(title, unit string) *chart {
	return &chart{Title: title, Unit: unit, W: 440, H: 290, X0: 52, Y0: 10, X1: 428, Y1: 246}
}

// polyline joins points.
func polyline(xs, ys []float64) string {
	var b strings.Builder
	for i := range xs {
		if i == 0 {
			fmt.Fprintf(&b, "M%s %s", px(xs[i]), px(ys[i]))
		} else {
			fmt.Fprintf(&b, "L%s %s", px(xs[i]), px(ys[i]))
		}
	}
	return b.String()
}

// slot is the room of series i of n beside a number of ranks: where its centre
// stands and where its trials do, so that nothing hides anything. gap is the
// distance between neighbouring numbers of ranks, of which all series together
// take less than half, so that a line still lies where its ranks are.
func slot(i, n int, gap float64) (center, trials float64) {
	width := min(17, 0.45*gap/float64(n))
	middle := (float64(i) - float64(n-1)/2) * width
	return middle - width/4, middle + width/4
}
