// SPDX-License-Identifier: MIT

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/run"
)

// describeSummary says how a run of so many trials stands, in the words of the
// report: a trial that did not succeed failed, and how comes in brackets. What
// flags say of the trials that succeeded is worth a line.
func describeSummary(jobs int, s run.Summary, records []measure.Record) string {
	var parts, ways []string
	succeeded := s.Status[ensemble.Succeeded]
	if succeeded > 0 {
		parts = append(parts, fmt.Sprintf("%d succeeded", succeeded))
	}
	if n := s.Settled() - s.Omitted - succeeded; n > 0 {
		for _, status := range slices.Sorted(maps.Keys(s.Status)) {
			if status != ensemble.Succeeded && status != ensemble.Failed {
				ways = append(ways, fmt.Sprintf("%d %s", s.Status[status], status))
			}
		}
		text := fmt.Sprintf("%d failed", n)
		if len(ways) > 0 {
			text += fmt.Sprintf(" (%s)", strings.Join(ways, ", "))
		}
		parts = append(parts, text)
	}
	if s.Omitted > 0 {
		parts = append(parts, fmt.Sprintf("%d not needed", s.Omitted))
	}
	if left := jobs - s.Settled(); left > 0 {
		parts = append(parts, fmt.Sprintf("%d not finished", left))
	}
	text := plural(jobs, "trial")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if s.Skipped > 0 {
		text += fmt.Sprintf(" (%d of them before)", s.Skipped)
	}
	if flags := flagCounts(records); flags != "" {
		text += "\nflags: " + flags
	}
	return text
}

// flagCounts says how many of the records that succeeded carry each flag.
func flagCounts(records []measure.Record) string {
	counts, succeeded := map[string]int{}, 0
	for _, r := range records {
		if r.Status != ensemble.Succeeded {
			continue
		}
		succeeded++
		for _, f := range slices.Compact(slices.Sorted(slices.Values(r.Flags))) {
			counts[f]++
		}
	}
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d of %d", f, counts[f], succeeded))
	}
	return strings.Join(parts, ", ")
}
