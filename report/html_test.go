// SPDX-License-Identifier: MIT

package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/measure"
)

func TestPageNeedsNothingElse(t *testing.T) {
	text, _ := page(t, rich())
	for _, never := range []string{"http:", "https:", "//", "@import", "<script", "<img", "<link rel=\"stylesheet", "<iframe", " onerror=", " style="} {
		// What records say is on the page as text, with its brackets escaped.
		if i := strings.Index(strings.ReplaceAll(text, html.EscapeString(hostileVariant), ""), never); i >= 0 {
			t.Errorf("the page has %q: …%.80s", never, text[i:])
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)
	if style == nil {
		t.Fatal("the page has no style sheet")
	}
	sum := sha256.Sum256([]byte(style[1]))
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	if policy == nil || html.UnescapeString(policy[1]) != want {
		t.Errorf("the policy is %q, want %s", policy, want)
	}
}

func TestPageEscapesWhatRecordsSay(t *testing.T) {
	text, _ := page(t, rich())
	for _, raw := range []string{hostileName, hostileVariant, "<b>bold</b>", "</title></svg>", "\x1b", "\u202e"} {
		if strings.Contains(text, raw) {
			t.Errorf("the page has %q as it came", raw)
		}
	}
	for _, want := range []string{html.EscapeString(hostileName), "&lt;b&gt;bold&lt;/b&gt;", longName} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
}

// Those who do not see a figure have its title, its description and a table.
func TestFiguresAreDescribed(t *testing.T) {
	text, _ := page(t, rich())
	charts := strings.Count(text, `role="img"`)
	if described := len(regexp.MustCompile(`role="img"><title>[^<]+</title><desc>[^<]+</desc>`).FindAllString(text, -1)); described != charts || charts == 0 {
		t.Errorf("%d of %d figures have a title and a description", described, charts)
	}
	for _, want := range []string{
		"<desc>Efficiency over the number of MPI ranks. debian-mpich: 1 rank: efficiency 100 %; 16 ranks: efficiency 79 % [79, 80].",
		"<caption>lammps: all points</caption>", "<caption>netpipe_latency: medians</caption>", "<caption>Jobs by start</caption>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestPageNamesApplicationsWithoutAResult(t *testing.T) {
	if text, _ := page(t, rich()); !strings.Contains(text, "<li>without a result: nwchem</li>") {
		t.Error("the page does not say that no trial of nwchem succeeded")
	}
}

func TestPageSaysHowNoiseChangesTheMean(t *testing.T) {
	text, _ := page(t, rich())
	section := text[strings.Index(text, `id="noise"`):]
	for _, want := range []string{"lammps, debian-openmpi, 2 ranks", "2 of 6", "14.2 s [9.4, 19.0]", "12.14 s [11.72, 12.56]", "−14.4 %"} {
		if !strings.Contains(section, want) {
			t.Errorf("the section on noise has no %q", want)
		}
	}
}

func TestPageIsTheSameEveryTime(t *testing.T) {
	first, _ := page(t, rich())
	second, _ := page(t, rich())
	if first != second {
		t.Error("two pages of the same records differ")
	}
}

func TestFiguresDoNotMislead(t *testing.T) {
	times := func(ranks, nodes int, took ...float64) (records []measure.Record) {
		for _, x := range took {
			records = append(records, with(run("lammps", ranks, "loop_time", x), func(r *measure.Record) { r.Nodes = nodes }))
		}
		return records
	}
	arrow := regexp.MustCompile(`class="error s0" d="M[\d.]+ [\d.]+V[\d.]+M[\d.]+ ([\d.]+)L[\d.]+ ([\d.]+)L`)
	for _, test := range []struct {
		name    string
		records []measure.Record
		check   func(text string) bool
	}{
		{"an efficiency above every expectation is within its axis", slices.Concat(times(1, 1, 40), times(2, 1, 4)),
			func(text string) bool { return strings.Contains(text, ">400 %</text>") }},
		{"an interval that goes on beyond the axis ends in an arrow", slices.Concat(times(1, 1, 8, 9), times(2, 1, 2, 30)),
			func(text string) bool {
				for _, m := range arrow.FindAllStringSubmatch(text, -1) {
					if m[1] != m[2] {
						return strings.Contains(text, "an arrow where it goes on")
					}
				}
				return false
			}},
		{"an interval within the axis has none", slices.Concat(times(1, 1, 8, 8.1), times(2, 1, 4, 4.1)),
			func(text string) bool { return !strings.Contains(text, "an arrow where it goes on") }},
		{"a line joins one point for each number of ranks", slices.Concat(times(1, 1, 8), times(2, 1, 4), times(4, 2, 2)),
			func(text string) bool { return strings.Contains(text, `path class="line s0"`) }},
		{"no line joins the same ranks on one node and on two", slices.Concat(times(1, 1, 8), times(2, 1, 4), times(2, 2, 5), times(4, 2, 3)),
			func(text string) bool { return !strings.Contains(text, `path class="line s0"`) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if text, _ := page(t, test.records); !test.check(text) {
				t.Errorf("the page does not show it:\n%s", regexp.MustCompile(`(?s)<section class="card".*?</section>`).FindString(text))
			}
		})
	}
}
