// SPDX-License-Identifier: MIT

package ensemble

import (
	"fmt"
	"slices"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// Ended says how a rule or a limit ended the run, and which; the outcome is empty
// while none did.
func (g *Engine) Ended() (outcome spec.Outcome, why string) { return g.ended, g.why }

// Stopped says whether a rule stopped a group.
func (g *Engine) Stopped(group string) bool { return g.stopped[group] }

// Open says whether any job is not done with.
func (g *Engine) Open() bool { return len(g.follows) > 0 }

// Waits says whether more can happen when no job is open: the file asks to be kept,
// or a rule waits for a heartbeat.
func (g *Engine) Waits() bool {
	return g.ended == "" && (g.spec.Keep || g.spec.Heartbeat > 0 && slices.ContainsFunc(g.rules, func(r *rule) bool {
		return r.On == spec.OnHeartbeat && !r.spent()
	}))
}

// Wake is when the engine wants a heartbeat at the latest: the next of its own, or
// at a limit.
func (g *Engine) Wake() time.Time {
	wake := g.began.Add(g.gaps + g.mostTime())
	earlier := func(t time.Time) {
		if t.Before(wake) {
			wake = t
		}
	}
	if every := time.Duration(g.spec.Heartbeat); every > 0 {
		earlier(g.beaten.Add(every))
	}
	if most := g.spec.Limits.NodeHours * 3600; most > 0 && g.used.nodes > 0 {
		// It is reached where done + nodes * t - starts = most.
		t := (most - g.used.done + g.used.starts) / g.used.nodes
		earlier(g.began.Add(time.Duration(t * float64(time.Second))))
	}
	return wake
}

// Unused says what of the file came to nothing: rules that were never carried out,
// or cannot be, and groups that were never submitted.
func (g *Engine) Unused() (notes []string) {
	for _, r := range g.rules {
		if note := r.ending(); note != "" {
			notes = append(notes, note)
		}
	}
	for i := range g.spec.Groups {
		if group := &g.spec.Groups[i]; g.tallies[group.Name].submitted == 0 && !g.byRule(group.Name) {
			notes = append(notes, fmt.Sprintf("group %s was never submitted: %s", group.Name, g.whyNot(group)))
		}
	}
	return notes
}

// whyNot says why a group that no rule submits was not submitted.
func (g *Engine) whyNot(group *spec.Group) string {
	if g.stopped[group.Name] {
		return "a rule stopped it"
	}
	if g.ended != "" {
		return "the run ended before"
	}
	for _, name := range group.After {
		t := g.tallies[name]
		of := func(n int, what string) string {
			return fmt.Sprintf("it comes after %s, of which %d of %s %s", name, n, plural(t.submitted, "job"), what)
		}
		switch {
		case t.submitted == 0:
			return fmt.Sprintf("it comes after %s, which was not submitted", name)
		case t.failed > 0:
			return of(t.failed, "failed")
		case t.cancelled > 0:
			return of(t.cancelled, was(t.cancelled)+" cancelled")
		case t.succeeded < t.submitted:
			return of(t.open(), "did not end")
		}
	}
	return "the run was cut off before"
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// Faulty says whether a rule could not do what the file says, which Unused tells.
func (g *Engine) Faulty() bool { return slices.ContainsFunc(g.rules, (*rule).faulty) }

// Reads gives those of an attempt's metrics that rules read; nil is none.
func (g *Engine) Reads(all map[string]float64) (read map[string]float64) {
	for name, x := range all {
		if slices.ContainsFunc(g.rules, func(r *rule) bool { return slices.Contains(r.reads, name) || slices.Contains(r.reads, "*") }) {
			if read == nil {
				read = map[string]float64{}
			}
			read[name] = x
		}
	}
	return read
}

// Want is what a rule does that not every executor can: grow, shrink or urgency.
type Want struct {
	Rule, What string
	At         spec.Path // in the file
}

// Wants lists them in the order of the file.
func (g *Engine) Wants() (wants []Want) {
	for i, r := range g.rules {
		what := ""
		switch {
		case r.grow != nil:
			what = "grow"
		case r.shrink != nil:
			what = "shrink"
		case r.Do.Urgency != nil:
			what = "urgency"
		default:
			continue
		}
		wants = append(wants, Want{r.Name, what, spec.Path("spec").Key("rules").Index(i).Key("do").Key(what)})
	}
	return wants
}
