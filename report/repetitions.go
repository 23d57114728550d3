// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
)

// Repetitions is what the repetitions of a point bought, where the study repeats
// until the interval of the mean time is tight enough.
type Repetitions struct {
	// Asked is when they are enough.
	Asked spec.Until `json:"asked"`
	// Enough says that they were.
	Enough bool `json:"enough"`
	// N is how many tell the time: trials that succeeded and are not noisy.
	N int `json:"n"`
	// Half has half the width of the 95 % interval of the mean, by the mean, after
	// two of them, after three and so on, in the order in which they ran.
	Half []float64 `json:"half,omitempty"`
	// Needed is how many it would take where they are not enough, as the width
	// goes with one over the square root of their number; zero where that cannot
	// be told.
	Needed int `json:"needed,omitempty"`
}

// repetitions fills in what the repetitions of a point bought. The trials are
// those of the records, one by one.
func (b *builder) repetitions(p *Point, records []*measure.Record) {
	i := slices.IndexFunc(records, func(r *measure.Record) bool { return r.Until != nil })
	if i < 0 {
		return
	}
	order := make([]int, len(records))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(x, y int) int { return moment(records[x]).Compare(moment(records[y])) })
	var times []float64
	out := &Repetitions{Asked: *records[i].Until}
	var now measure.Precision
	for _, k := range order {
		t := &p.Trials[k]
		if t.Time == nil || slices.Contains(t.Flags, flagNoisy) {
			continue
		}
		times = append(times, *t.Time)
		if now = measure.PrecisionOf(times); now.N > 1 {
			out.Half = append(out.Half, now.Half)
		}
	}
	out.N, out.Enough = len(times), now.Meets(out.Asked.Interval)
	if share := now.Half / float64(out.Asked.Interval); !out.Enough && share > 1 {
		out.Needed = int(math.Ceil(float64(out.N) * share * share))
	}
	p.Repetitions = out
}

// shownCounts are the numbers of repetitions after which the interval is shown.
var shownCounts = []int{2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000}

// repetitionRow is a line of the table of repetitions.
type repetitionRow struct {
	place, n, most, asked, now string
	after                      []string // for each of the counts
	note                       string
}

// repetitionRows are the rows of a series, and the counts that any of them has.
func repetitionRows(s *Series) (rows []repetitionRow, counts []int) {
	most := 0
	for i := range s.Points {
		if r := s.Points[i].Repetitions; r != nil {
			most = max(most, r.N)
		}
	}
	for _, n := range shownCounts {
		if n <= most {
			counts = append(counts, n)
		}
	}
	for i := range s.Points {
		p := &s.Points[i]
		r := p.Repetitions
		if r == nil {
			continue
		}
		row := repetitionRow{place: p.place(), n: fmt.Sprint(r.N), most: fmt.Sprint(r.Asked.AtMost), asked: r.Asked.Interval.String()}
		if n := len(r.Half); n > 0 {
			row.now = halfText(r.Half[n-1])
		}
		for _, n := range counts {
			text := ""
			if n-2 < len(r.Half) {
				text = halfText(r.Half[n-2])
			}
			row.after = append(row.after, text)
		}
		row.note = r.shortfall(p)
		rows = append(rows, row)
	}
	return rows, counts
}

// shortfall says what is missing where repetitions are not enough.
func (r *Repetitions) shortfall(p *Point) string {
	if r.Enough {
		return ""
	}
	text := fmt.Sprintf("%s: %s tell too little for ±%s", p.place(), plural(r.N, "quiet repetition"), r.Asked.Interval)
	if r.Needed > r.Asked.AtMost {
		text += fmt.Sprintf("; about %d would", r.Needed)
	}
	return text
}

// halfText is half a width in percent.
func halfText(half float64) string { return sig(100*half, 2) }

// repetitions shows what each repetition of a series bought.
func (p *printer) repetitions(s *Series) {
	rows, counts := repetitionRows(s)
	if len(rows) == 0 {
		return
	}
	p.WriteByte('\n')
	p.note(4, 2, "What the repetitions bought: ± percent of the mean, at 95 %, after so many quiet trials")
	place := column{head: []string{"on"}, left: true}
	n, most, asked, now := column{head: []string{"n"}}, column{head: []string{"at most"}}, column{head: []string{"asked"}}, column{head: []string{"now"}}
	after := make([]column, len(counts))
	for i, c := range counts {
		after[i].head = []string{"after", fmt.Sprint(c)}
	}
	for _, r := range rows {
		place.add(r.place)
		n.add(r.n)
		most.add(r.most)
		asked.add(r.asked)
		now.add(r.now)
		for i, text := range r.after {
			after[i].add(text)
		}
	}
	p.table(append([]column{place, n, most, asked, now}, after...), 1, 6)
	for _, r := range rows {
		if r.note != "" {
			p.note(6, 2, "! "+plain(r.note))
		}
	}
}

// repetitionTable shows the same on the page; it is nil where the study asks for
// no interval.
func repetitionTable(a *Application) *tableView {
	t := &tableView{Caption: "What the repetitions bought: ± percent of the mean, at 95 %, after so many quiet trials"}
	all := []int{}
	for i := range a.Series {
		if _, counts := repetitionRows(&a.Series[i]); len(counts) > len(all) {
			all = counts
		}
	}
	t.Heads = []head{{Name: "on"}, {Name: "n", Number: true, Help: "trials that succeeded and are not noisy"},
		{Name: "at most", Number: true}, {Name: "asked", Number: true}, {Name: "now", Unit: "%", Number: true}}
	for _, n := range all {
		t.Heads = append(t.Heads, head{Name: fmt.Sprintf("after %d", n), Number: true})
	}
	for i := range a.Series {
		s := &a.Series[i]
		rows, _ := repetitionRows(s)
		if len(rows) == 0 {
			continue
		}
		g := rowGroup{Label: plain(s.title())}
		for _, r := range rows {
			cells := []cell{{Text: plain(r.place)}}
			texts := append([]string{r.n, r.most, r.asked, r.now}, r.after...)
			for len(texts) < len(t.Heads)-1 {
				texts = append(texts, "")
			}
			for _, text := range texts {
				cells = append(cells, cell{Text: text, Number: true})
			}
			g.Rows = append(g.Rows, cells)
			if r.note != "" {
				g.Notes = append(g.Notes, plain(r.note))
			}
		}
		t.Groups = append(t.Groups, g)
	}
	if len(t.Groups) == 0 {
		return nil
	}
	return t
}
