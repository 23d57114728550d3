// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/stats"
)

// flagMeanings are what the flags of package run, measure and catalog/read
// mean, for a page that shows them.
var flagMeanings = map[string]string{
	"noisy":           "other work used the machine",
	"shared":          "another job ran beside",
	"oversubscribed":  "there were more ranks than cores",
	"not-sampled":     "samples were asked for, which are not taken in Flux",
	"unreadable":      "files of the attempt are missing or broken",
	"no-profile":      "it should have been profiled, and no rank left a profile that can be read",
	"partial-profile": "some ranks left no profile, or did not reach MPI_Finalize",
	"simulated":       "the attempt was played by a simulation: its times are not measured",
	"not-needed":      "a rule of the ensemble cancelled the job for good",
	"other-mpi":       "processes use another MPI than the variant names, and have no profile",
	"left-processes":  "the application left processes behind, which were ended",
	"truncated":       "the log has more values than are kept",
	"long-lines":      "the log has lines too long to be read whole",
	"restarted":       "the application began to print again",
	"tasks-differ":    "the application counts other tasks than the launcher",
	"not-finite":      "a value was no number and is left out",
	"shared-wrapper":  "the launcher's time covers other runs as well and is left out",
}

// flagMeaning is what a flag means, or nothing where that is not known.
func flagMeaning(flag string) string {
	if s := flagMeanings[flag]; s != "" {
		return s
	}
	if metric, ok := strings.CutPrefix(flag, "no-"); ok {
		return "it succeeded, but its output has no " + metric + ", the application's own time"
	}
	return ""
}

// hasOverhead says whether any point tells the launcher's time from the
// application's own.
func (a *Application) hasOverhead() bool {
	return slices.ContainsFunc(a.Series, func(s Series) bool {
		return slices.ContainsFunc(s.Points, func(p Point) bool { return p.Overhead != nil })
	})
}

// flagText is what is marked at a point, in short: "noisy 2 of 5, 1 outlier".
func (p *Point) flagText() string {
	parts := p.flagList()
	if p.Outliers > 0 {
		parts = append(parts, plural(p.Outliers, "outlier"))
	}
	return strings.Join(parts, ", ")
}

// flagList are the flags that trials carry.
func (p *Point) flagList() (parts []string) {
	for _, f := range slices.Sorted(maps.Keys(p.Flags)) {
		s := plain(f)
		if k := p.Flags[f]; k < len(p.Trials) {
			s += fmt.Sprintf(" %d of %d", k, len(p.Trials))
		}
		parts = append(parts, s)
	}
	return parts
}

// notes are the sentences about what is marked at a point: which trials are
// outliers, what noise does to the mean, and what the numbers do not carry.
func (p *Point) notes(a *Application) []string {
	var notes []string
	for _, t := range p.Trials {
		if t.Outlier != 0 {
			notes = append(notes, "outlier: "+t.outlierText(a, p.Time))
		}
	}
	if s := p.noiseText(a); s != "" {
		notes = append(notes, s)
	}
	return append(notes, p.cautions()...)
}

// cautions are what a reader of the point's numbers has to know and cannot see.
// That one value has no interval can be seen.
func (p *Point) cautions() []string {
	var notes []string
	if in := p.Time.MeanInterval; in != nil {
		switch {
		case p.Time.Min == p.Time.Max:
			notes = append(notes, fmt.Sprintf("all %d times are equal: the interval says nothing beyond the resolution of the measurement", p.Time.N))
		case in.Low < 0 && p.Time.Min >= 0:
			notes = append(notes, fmt.Sprintf("the interval reaches below zero: %d times that lie so far apart do not tell the mean", p.Time.N))
		}
		if e := p.Efficiency; e != nil && !p.Base && p.Time.Min != p.Time.Max {
			notes = append(notes, e.Warnings...)
		}
	}
	return append(notes, p.Warnings...)
}

func (t *Trial) outlierText(a *Application, s stats.Summary) string {
	text := fmt.Sprintf("%s took %s", t.name(), withUnit(sig(*t.Time, digits), a.Time.Unit))
	if s.Median > 0 {
		change, side := 100*(*t.Time/s.Median-1), "above"
		if change < 0 {
			change, side = -change, "below"
		}
		text += fmt.Sprintf(", %s %% %s the median", sig(change, 2), side)
	}
	return text + fmt.Sprintf(" (modified z-score %s)", scoreText(t.Outlier))
}

func scoreText(score float64) string { return strings.Replace(fixed(score, 1), "-", "−", 1) }

// name is the trial with what tells its repetitions apart.
func (t *Trial) name() string {
	s := "a trial"
	if t.ID != "" {
		s = "trial " + shortID(t.ID)
	}
	if t.Repetition > 0 {
		s += fmt.Sprintf(" repetition %d", t.Repetition)
	}
	if t.Attempt > 1 {
		s += fmt.Sprintf(" attempt %d", t.Attempt)
	}
	return s
}

// noiseText says how the mean changes without the noisy trials.
func (p *Point) noiseText(a *Application) string {
	switch {
	case p.Quiet != nil:
	case p.Noisy > 0 && p.Noisy == len(p.Trials):
		return "every trial is noisy: there is no quiet one to compare with"
	case p.QuietEfficiency != nil:
		return "the base has noisy trials: efficiency " + percentText(p.QuietEfficiency, false) + " without them"
	default:
		return ""
	}
	all, quiet := meanText(p.Time, a.Time.Unit), meanText(*p.Quiet, a.Time.Unit)
	s := fmt.Sprintf("mean %s with all %d, %s without the %d noisy", all, p.Time.N, quiet, p.Time.N-p.Quiet.N)
	if p.Time.Mean != 0 {
		change := 100 * (p.Quiet.Mean - p.Time.Mean) / p.Time.Mean
		s += fmt.Sprintf(" (%s %%)", signed(change))
	}
	if e := p.QuietEfficiency; e != nil {
		s += "; efficiency " + percentText(e, false) + " without noisy trials"
	}
	return s
}

// meanText is a mean and its interval: 28.14 s [27.92, 28.36].
func meanText(s stats.Summary, unit string) string {
	r := summaryRow(s)
	text := withUnit(r.Mean, unit)
	if r.Interval != "" {
		text += " " + r.Interval
	}
	return text
}

func withUnit(number, unit string) string {
	if unit == "" {
		return number
	}
	return number + " " + unit
}

// signed is a change in per cent.
func signed(x float64) string {
	s := fixed(math.Abs(x), 1)
	switch {
	case s == "0":
		return s
	case x < 0:
		return "−" + s
	}
	return "+" + s
}

func (t *Trial) noisy() bool { return slices.Contains(t.Flags, flagNoisy) }

func (j *Job) noisy() bool { return slices.Contains(j.Flags, flagNoisy) }

// marks are the flags of a trial in brackets.
func (t *Trial) marks() string {
	words := slices.Clone(t.Flags)
	if t.Outlier != 0 {
		words = append(words, "outlier")
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}
