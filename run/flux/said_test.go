// SPDX-License-Identifier: MIT

package flux

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/flux"
	"github.com/converged-computing/ensemble/run"
)

// reader takes apart what is written into a directory of its own.
func reader(t testing.TB, tasks int) (*demux, *bytes.Buffer, string) {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "attempt")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	out := new(bytes.Buffer)
	return &demux{said: said{root: root}, mark: []byte("\n@mark\n"), alone: tasks == 1, out: out, tasks: map[int]*task{}}, out, parent
}

func TestOutputIsTakenApartHoweverItComes(t *testing.T) {
	t.Parallel()
	behind := "begin 10.5\nend 12.25\nused 0m1.000000s 0m0.500000s 0m3.500000s 0m0.750000s\nnode 0\nstep before 0 0 1.5 2.0\n" +
		"file files " + base64.StdEncoding.EncodeToString([]byte("a b.txt")) + "\n" + base64.StdEncoding.EncodeToString([]byte("con")) + "\n" +
		base64.StdEncoding.EncodeToString([]byte("tent\n")) + "\n.\n"
	for name, text := range map[string]string{
		"whole lines": "one\ntwo\n", "no last line break": "one\ntwo", "nothing": "", "empty lines": "\n\n\n",
		"what looks like the mark": "\n@mar\n@mark \n@markt\n", "the beginning of the mark at the end": "x\n@ma",
	} {
		for size := 1; size < 40; size += 3 {
			d, out, parent := reader(t, 1)
			for chunk := range slices.Chunk([]byte(text+"\n@mark\n"+behind), size) {
				if err := d.stdout(0, chunk); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.end(); err != nil {
				t.Fatal(err)
			}
			if out.String() != text || d.wrong != nil {
				t.Errorf("%s by %d bytes: got %q, %v, want %q", name, size, out, d.wrong, text)
			}
			b, err := os.ReadFile(filepath.Join(parent, "attempt", run.FilesDir, "a b.txt"))
			if err != nil || string(b) != "content\n" {
				t.Errorf("%s by %d bytes: the file is %q, %v", name, size, b, err)
			}
			if took := d.said.end.Sub(d.begin).Seconds(); took != 1.75 || d.user != 2.5 || d.system != 0.25 || len(d.steps) != 1 || d.steps[0].Seconds != 0.5 {
				t.Errorf("%s by %d bytes: got %+v", name, size, d.said)
			}
		}
	}
}

func TestLinesOfSeveralTasksAreNotMixed(t *testing.T) {
	t.Parallel()
	d, out, _ := reader(t, 2)
	for _, c := range []struct {
		rank int
		line string
	}{{0, "a\n"}, {1, "b\n"}, {0, "c"}, {0, "\n"}, {1, "\n"}, {0, "\n"}, {0, "@mark\n"}, {1, "d\n"}, {1, "\n"}, {1, "@mark\n"}, {1, "end 1\n"}} {
		if err := d.stdout(c.rank, []byte(c.line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.end(); err != nil || out.String() != "a\nb\nc\n\nd\n" || d.said.end.IsZero() {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestNoNameLeadsOutOfTheAttempt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../out", "/tmp/out", "a/../../out", "..", ".", "", "a\x00b", strings.Repeat("x", 5000)} {
		for _, kind := range []string{"files", "profile", "steps", "others"} {
			d, _, parent := reader(t, 1)
			for _, text := range []string{"\n@mark\n", "file " + kind + " " + base64.StdEncoding.EncodeToString([]byte(name)) + "\n", "AAAA\n.\n", "end 5\n"} {
				if err := d.stdout(0, []byte(text)); err != nil {
					t.Fatalf("%s %q: %v", kind, name, err)
				}
			}
			if err := d.end(); err != nil {
				t.Fatal(err)
			}
			outside, err := os.ReadDir(parent)
			if err != nil || len(outside) != 1 {
				t.Errorf("%s %q: %v is beside the attempt, %v", kind, name, outside, err)
			}
			if d.said.end.IsZero() {
				t.Errorf("%s %q: what follows is not read", kind, name)
			}
		}
	}
}

func TestAFileWithoutANameIsPassedOver(t *testing.T) {
	t.Parallel()
	d, _, _ := reader(t, 1)
	if err := d.stdout(0, []byte("\n@mark\nfile files \nstep before 0 7 1 2\n.\nstep after 0 0 1 2\n")); err != nil {
		t.Fatal(err)
	}
	if d.wrong == nil || len(d.steps) != 1 || d.steps[0].Name != "after" {
		t.Errorf("got steps %v and %v, want the step behind the file", d.steps, d.wrong)
	}
}

func TestWhatComesBehindTheEndOfAJobChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"cancel", "timeout"} {
		a := &attempt{exception: &flux.Exception{Type: kind}, told: run.FluxJob{Finish: time.Unix(1, 0)}}
		if status, reason := a.verdict(); status != ensemble.Succeeded {
			t.Errorf("%s: got %s because %q", kind, status, reason)
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\n\n@mark\nbegin 1\nend 2\nused 0m1s 0m1s 0m1s 0m1s\nnode 4\nstep after 0 1 1 2\nfile files YQ==\nYQ==\n.\n"), 7, 2)
	f.Add([]byte("\n@mark\nfile steps\nfile\nbegin\nend x\nstep\nnode\nfile profile Li4vYQ==\n"), 3, 1)
	f.Fuzz(func(t *testing.T, data []byte, size, tasks int) {
		d, _, parent := reader(t, max(1, tasks))
		rank := 0
		for chunk := range slices.Chunk(data, max(1, size)) {
			if err := d.stdout(rank%max(1, tasks), chunk); err != nil {
				t.Fatal(err)
			}
			rank++
		}
		if err := d.end(); err != nil {
			t.Fatal(err)
		}
		if outside, err := os.ReadDir(parent); err != nil || len(outside) != 1 {
			t.Errorf("%v is beside the attempt, %v", outside, err)
		}
		exit := &run.Exit{Flux: &run.FluxJob{}, Status: ensemble.Succeeded}
		d.into(exit, &ensemble.Job{Launch: ensemble.Launch{After: [][]string{{"true"}}}})
	})
}
