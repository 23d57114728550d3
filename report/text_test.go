// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	gocmp "cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares output with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, diff)
	}
}

func demo() []measure.Record {
	m := newMaker()
	m.lammps("debian-openmpi", []int{1, 2}, 3, 24.3)
	return m.records
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, file string
		width      int // 0 is 100
		records    []measure.Record
	}{
		{"everything that happens", "rich.txt", 0, rich()},
		{"everything that happens, on 80 columns", "rich-80.txt", 80, rich()},
		{"everything that happens, on fewer than can be", "rich-72.txt", 20, rich()},
		{"the usual demonstration", "demo.txt", 0, demo()},
		{"the usual demonstration, on 80 columns", "demo-80.txt", 80, demo()},
		{"the usual demonstration, on 120 columns", "demo-120.txt", 120, demo()},
		{"nothing at all", "empty.txt", 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Text(&b, report.Build(test.records, apps(), report.Options{}), report.TextOptions{Width: test.width}); err != nil {
				t.Fatal(err)
			}
			golden(t, test.file, b.Bytes())
			width := max(gocmp.Or(test.width, 100), 72)
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("a line has %d characters, want %d at most: %s", n, width, line)
				}
				if i := strings.IndexFunc(line, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("a line has a character that is not printable: %q", line)
				}
			}
		})
	}
}

func TestTextSaysWhatNumbersDoNotCarry(t *testing.T) {
	times := func(ranks int, took ...float64) (records []measure.Record) {
		for _, x := range took {
			records = append(records, run("lammps", ranks, "loop_time", x))
		}
		return records
	}
	failed := func(n int, reason string) (records []measure.Record) {
		for i := range n {
			records = append(records, with(run("lammps", 2, "", 1), func(r *measure.Record) {
				r.Status, r.Reason, r.Job = ensemble.Failed, reason, fmt.Sprintf("%016x", i)
			}))
		}
		return records
	}
	for _, test := range []struct {
		name    string
		records []measure.Record
		want    []string
	}{
		{
			"equal times may be those of a coarse clock", times(1, 3, 3, 3),
			[]string{"! 1 rank: all 3 times are equal: the interval says nothing beyond the resolution of the"},
		},
		{
			"no time is below zero", times(1, 2, 30),
			[]string{"! 1 rank: the interval reaches below zero: 2 times that lie so far apart do not tell the mean"},
		},
		{
			"a speed-up without an interval has a reason", slices.Concat(times(1, 8, 8.1), times(2, 1, 9)),
			[]string{"! 2 ranks: no interval of the ratio: the denominator varies too much"},
		},
		{
			"a thousand failures alike are one", slices.Concat(failed(1000, "no space"), failed(1, "lost atoms")),
			[]string{"no space (and 999 more attempts alike)", "lost atoms"},
		},
		{
			"an application that never succeeded is named", append(failed(2, "no space"), run("hpcc", 1, "hpl_time", 3)),
			[]string{"\nWithout a result: lammps\n"},
		},
		{
			"two grids on the same ranks are told apart", []measure.Record{
				with(run("hpcc", 4, "hpl_time", 4), func(r *measure.Record) { r.Parameters = map[string]spec.Value{"p": spec.Of(2), "q": spec.Of(2)} }),
				with(run("hpcc", 4, "hpl_time", 5), func(r *measure.Record) { r.Parameters = map[string]spec.Value{"p": spec.Of(1), "q": spec.Of(4)} }),
			},
			[]string{"ranks  grid     n", "4  p=1 q=4  1", "4  p=2 q=2  1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Text(&b, report.Build(test.records, apps(), report.Options{}), report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
		})
	}
}

func TestAReportNamesTheImagesOfItsNumbers(t *testing.T) {
	records := []measure.Record{run("a", 1, "", 2), run("a", 1, "", 3), run("a", 1, "", 2.5)}
	records[0].Image, records[1].Image = "a:one@sha256:11", "a:one@sha256:22"
	for i := range records {
		records[i].Variant = "one"
	}
	records[2].Variant = "native"
	r := report.Build(records, nil, report.Options{})
	var text, page, table bytes.Buffer
	if err := errors.Join(report.Text(&text, r, report.TextOptions{}), report.HTML(&page, r, report.Meta{}), report.CSV(&table, r)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n    image a:one@sha256:11\n    image a:one@sha256:22\n", "! the trials ran in 2 images"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{"image a:one@sha256:11</code>", "image a:one@sha256:22</code>"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if want := "a:one@sha256:11;a:one@sha256:22"; !strings.Contains(table.String(), want) {
		t.Errorf("the table lacks %q:\n%s", want, table.String())
	}
}
