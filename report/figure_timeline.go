// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// maxBoxes is how many jobs the time line draws, for a browser's sake.
const maxBoxes = 4000

const (
	laneHeight = 15
	laneGap    = 3
	nameWidth  = 150
)

// timeline draws jobs over the time: a group of lanes for each application, in
// the order in which they began, and in each lane jobs that do not overlap.
func timeline(jobs []Job) *chart {
	if len(jobs) == 0 {
		return nil
	}
	drawn := jobs[:min(len(jobs), maxBoxes)]
	begin, end := drawn[0].Start, drawn[0].Finish
	var order []string
	byApp := map[string][]Job{}
	for _, j := range drawn {
		if byApp[j.App] == nil {
			order = append(order, j.App)
		}
		byApp[j.App] = append(byApp[j.App], j)
		if j.Finish.After(end) {
			end = j.Finish
		}
	}
	c := &chart{Title: "Jobs over time", Class: "wide", W: 1080, X0: nameWidth, X1: 1068, Y0: 8}
	x := axis{lo: 0, hi: end.Sub(begin).Seconds(), start: float64(c.X0), end: float64(c.X1)}
	y := c.Y0
	for _, app := range order {
		lanes := pack(byApp[app])
		name := plain(app)
		c.Texts = append(c.Texts, caption{X: c.X0 - 10, Y: y + 14, Class: "lane", Text: cut(name, 20), Title: name})
		for lane, jobs := range lanes {
			for _, j := range jobs {
				from, to := x.at(j.Start.Sub(begin).Seconds()), x.at(j.Finish.Sub(begin).Seconds())
				c.Boxes = append(c.Boxes, box{
					X: px(from), W: px(max(to-from, 1.5)), Y: y + px(lane*(laneHeight+laneGap)) + 3, H: laneHeight,
					Class: jobClass(&j), Title: j.text(begin),
				})
			}
		}
		y += px(len(lanes)*(laneHeight+laneGap)) + 7
		c.Rules = append(c.Rules, y-2)
	}
	c.Y1 = y
	c.H = y + 42
	c.XTicks = durationTicks(x)
	c.XLabel = "time since " + begin.UTC().Format("2006-01-02 15:04:05 UTC")
	c.Desc = fmt.Sprintf("%s of %s, from %s to %s.", plural(len(drawn), "job"), plural(len(order), "application"),
		begin.UTC().Format(time.DateTime), end.UTC().Format("2006-01-02 15:04:05 UTC"))
	return c
}

// pack puts jobs, which are in the order of their starts, into as few lanes as
// possible without overlap.
func pack(jobs []Job) (lanes [][]Job) {
next:
	for _, j := range jobs {
		for i, lane := range lanes {
			if !lane[len(lane)-1].Finish.After(j.Start) {
				lanes[i] = append(lane, j)
				continue next
			}
		}
		lanes = append(lanes, []Job{j})
	}
	return lanes
}

// jobClass is the look of a job. A status that is not known looks like a
// failure.
func jobClass(j *Job) string {
	switch j.Status {
	case ensemble.Succeeded:
		if j.noisy() {
			return "succeeded noisy"
		}
		return "succeeded"
	case ensemble.Timeout, ensemble.Cancelled, ensemble.Incomplete, ensemble.Lost:
		return string(j.Status)
	}
	return "failed"
}

func (j *Job) text(begin time.Time) string {
	s := joinWords(j.App, j.Variant, j.Problem, plural(j.Ranks, "rank"))
	if j.Ranks == 0 {
		s = joinWords(j.App, j.Variant, j.Problem)
	}
	s += fmt.Sprintf("\ntrial %s, attempt %d\n", shortID(j.Trial), max(j.Attempt, 1))
	s += fmt.Sprintf("%s after %s for %s", j.Status, durationText(j.Start.Sub(begin)), durationText(j.Finish.Sub(j.Start)))
	if len(j.Flags) > 0 {
		s += ", flagged " + strings.Join(j.Flags, ", ")
	}
	if j.Reason != "" {
		s += "\n" + cut(j.Reason, 200)
	}
	return plainLines(s)
}

// durationTicks are round times.
func durationTicks(a axis) (out []tick) {
	step := time.Duration(0)
	for _, s := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
	} {
		step = s
		if a.hi/s.Seconds() <= 9 {
			break
		}
	}
	for step.Seconds()*12 < a.hi { // many days
		step *= 2
	}
	if a.hi < 2 {
		for _, v := range linearTicks(0, a.hi, 5) {
			out = append(out, tick{px(a.at(v)), short(v) + " s"})
		}
		return out
	}
	for d := time.Duration(0); d.Seconds() <= a.hi*(1+1e-9); d += step {
		out = append(out, tick{px(a.at(d.Seconds())), durationText(d)})
	}
	return out
}

// durationText is a length of time for people: 0.4 s, 12.3 s, 4 min 10 s,
// 2 h 5 min, 3 d 4 h.
func durationText(d time.Duration) string {
	s := d.Seconds()
	switch {
	case d == 0:
		return "0"
	case d < time.Minute:
		return shortened(sig(s, 3)) + " s"
	case d < time.Hour:
		return twoUnits(int(s+0.5), 60, "min", "s")
	case d < 48*time.Hour:
		return twoUnits(int(s/60+0.5), 60, "h", "min")
	}
	return twoUnits(int(s/3600+0.5), 24, "d", "h")
}

func twoUnits(n, per int, large, small string) string {
	if n%per == 0 {
		return fmt.Sprintf("%d %s", n/per, large)
	}
	return fmt.Sprintf("%d %s %d %s", n/per, large, n%per, small)
}
