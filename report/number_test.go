// SPDX-License-Identifier: MIT

package report

import (
	"testing"
	"time"

	"github.com/converged-computing/ensemble/stats"
	"github.com/google/go-cmp/cmp"
)

func TestNumbersForPeople(t *testing.T) {
	interval := func(low, high float64) *stats.Interval { return &stats.Interval{Low: low, High: high, Level: 0.95} }
	for _, test := range []struct{ name, got, want string }{
		{"four digits of a number", sig(28.13724, 4), "28.14"},
		{"four digits of a fraction", sig(0.0128137, 4), "0.01281"},
		{"zeros at the end say how exact a number is", sig(15, 4), "15.00"},
		{"a large number keeps its digits before the point", sig(131512.7, 4), "131513"},
		{"a very large number has an exponent", sig(3.21456e12, 4), "3.215e12"},
		{"a very small number has an exponent", sig(3.21456e-9, 4), "3.215e-9"},
		{"zero", sig(0, 4), "0"},
		{"zeros are cut off where they say nothing", short(1.5), "1.5"},
		{"an exponent survives that", short(1e9), "1e9"},
		{"rounding to zero has no sign", fixed(-0.0004, 2), "0"},
		{"the interval decides on the digits of the mean", meanText(stats.Summary{N: 5, Mean: 28.13724, MeanInterval: interval(28.0123, 28.2621)}, "s"), "28.14 s [28.01, 28.26]"},
		{"a wide interval leaves three digits", meanText(stats.Summary{N: 2, Mean: 28.13724, MeanInterval: interval(-20, 76)}, "s"), "28.1 s [-20.0, 76.0]"},
		{"without an interval there are four", meanText(stats.Summary{N: 1, Mean: 28.13724}, "s"), "28.14 s"},
		{"a speed-up", estimateText(&stats.Estimate{Value: 1.9213, Interval: interval(1.8812, 1.9721)}, false), "1.92 [1.88, 1.97]"},
		{"a speed-up without an interval", estimateText(&stats.Estimate{Value: 1.9213}, false), "1.92"},
		{"the base of a speed-up", estimateText(&stats.Estimate{Value: 1}, true), "1 (base)"},
		{"an efficiency", percentText(&stats.Estimate{Value: 0.9613, Interval: interval(0.9412, 0.981)}, false), "96 % [94, 98]"},
		{"a change down", signed(-14.44), "−14.4"},
		{"a change up", signed(3.21), "+3.2"},
		{"no change", signed(0.001), "0"},
		{"seconds", durationText(12340 * time.Millisecond), "12.3 s"},
		{"minutes", durationText(250 * time.Second), "4 min 10 s"},
		{"hours", durationText(2 * time.Hour), "2 h"},
		{"days", durationText(76 * time.Hour), "3 d 4 h"},
		{"text that a terminal would obey", plain("\x1b[2Ja\tb\u202e"), "\ufffd[2Ja b\ufffd"},
		{"text that is too long", cut("abcdefgh", 5), "abcd…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %q, want %q", test.got, test.want)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		name string
		axis axis
		want []string
	}{
		{"decades of a wide range", axis{lo: 0.5, hi: 2e4, log: true}, []string{"1", "10", "100", "1000", "10k"}},
		{"one, two and five of a narrower one", axis{lo: 0.9, hi: 12, log: true}, []string{"1", "2", "5", "10"}},
		{"a factor of two", axis{lo: 12, hi: 25, log: true}, []string{"12", "14", "16", "18", "20", "25"}},
		{"from zero", axis{lo: 0, hi: 33}, []string{"0", "10", "20", "30"}},
		{"a fraction is not 0.30000000000000004", axis{lo: 0, hi: 0.5}, []string{"0", "0.1", "0.2", "0.3", "0.4", "0.5"}},
		{"across zero", axis{lo: -0.2, hi: 1}, []string{"0", "0.5", "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.axis.end = 100
			var got []string
			for _, tick := range test.axis.ticks() {
				got = append(got, tick.Label)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ticks (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("powers of two have the prefixes of IEC", func(t *testing.T) {
		var got []string
		for _, tick := range (axis{lo: 1, hi: 1 << 22, log: true, end: 100}).byteTicks() {
			got = append(got, tick.Label)
		}
		if diff := cmp.Diff([]string{"1 B", "32 B", "1 KiB", "32 KiB", "1 MiB"}, got); diff != "" {
			t.Errorf("ticks (-want +got):\n%s", diff)
		}
	})
}

func TestCompareNames(t *testing.T) {
	for _, pair := range [][2]string{{"base-2", "base-10"}, {"a", "b"}, {"a1b2", "a1b10"}, {"x", "x1"}, {"v1.9", "v1.10"}} {
		if compareNames(pair[0], pair[1]) >= 0 || compareNames(pair[1], pair[0]) <= 0 || compareNames(pair[0], pair[0]) != 0 {
			t.Errorf("%q is not before %q", pair[0], pair[1])
		}
	}
}

func TestJobsShareLanesWithoutOverlap(t *testing.T) {
	at := func(from, to int) Job {
		t0 := time.Unix(0, 0)
		return Job{Start: t0.Add(time.Duration(from) * time.Second), Finish: t0.Add(time.Duration(to) * time.Second)}
	}
	lanes := pack([]Job{at(0, 10), at(2, 4), at(3, 9), at(4, 6), at(10, 12)})
	var got []int
	for _, lane := range lanes {
		got = append(got, len(lane))
	}
	if diff := cmp.Diff([]int{2, 2, 1}, got); diff != "" {
		t.Errorf("jobs in each lane (-want +got):\n%s", diff)
	}
}
