// SPDX-License-Identifier: MIT

package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/report"
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
		records    []measure.Record
	}{
		{"everything that happens", "rich.txt", rich()},
		{"the usual demonstration", "demo.txt", demo()},
		{"nothing at all", "empty.txt", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Text(&b, report.Build(test.records, apps(), report.Options{})); err != nil {
				t.Fatal(err)
			}
			golden(t, test.file, b.Bytes())
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
					t.Errorf("a line has %d characters, want 100 at most: %s", n, line)
				}
				if i := strings.IndexFunc(line, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("a line has a character that is not printable: %q", line)
				}
			}
		})
	}
}
