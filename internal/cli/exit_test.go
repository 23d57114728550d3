// SPDX-License-Identifier: MIT

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

// command is a command line in a directory. It is killed where it does not end;
// no test is judged by the time it takes.
func command(t *testing.T, dir string, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, "ensemble", args...)
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, stdout, stderr
	return cmd, stdout, stderr
}

func TestParseIsInterruptedWhileItWaitsForMore(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd, _, stderr := command(t, t.TempDir(), "parse", "--app", "hpcg", "-")
	cmd.Stdin = r
	if err := errors.Join(cmd.Start(), r.Close()); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: once it is written, somebody reads.
	if _, err := w.WriteString(strings.Repeat("a line of a log\n", 1<<15)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := exitCodeOf(cmd.Wait()); code != "130" {
		t.Errorf("got exit code %s, want 130\n%s", code, stderr)
	}
	if want := "interrupted (interrupt)\n"; !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("got %q, want it to end with %q", stderr, want)
	}
}

// begun makes a run of three trials and gives its directory.
func begun(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "apps/short/app.yaml"), shortApp)
	write(t, filepath.Join(dir, "short.yaml"), strings.ReplaceAll(shortStudy, "repetitions: 4", "budget: {trials: 3}"))
	cmd, _, stderr := command(t, dir, "--catalog", "apps", "run", "short.yaml")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	return dir
}

func TestARunThatCannotGoOnSaysWhyAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, journal string)
		args  []string
		want  string
	}{
		{"a second driver", func(t *testing.T, journal string) {
			j, err := run.OpenJournal(journal, new(ensemble.State).Apply)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = j.Close() })
		}, []string{"run", "--resume", "--dir", "runs/short"}, "runs/short/journal.jsonl: another driver works in this run directory\n"},
		{"a broken journal", breakJournal, []string{"run", "--resume", "--dir", "runs/short"}, "runs/short/journal.jsonl:2: the event cannot be read: "},
		{"records of a broken journal", breakJournal, []string{"records", "runs/short"}, "runs/short/journal.jsonl:2: the event cannot be read: "},
		{"the status of a broken journal", breakJournal, []string{"status", "runs/short"}, "runs/short/journal.jsonl:2: the event cannot be read: "},
		{"a report of a broken journal", breakJournal, []string{"report", "runs/short"}, "runs/short/journal.jsonl:2: the event cannot be read: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := begun(t)
			records := filepath.Join(dir, "runs/short/records.jsonl")
			if err := os.Remove(records); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, filepath.Join(dir, "runs/short/journal.jsonl"))
			cmd, stdout, stderr := command(t, dir, c.args...)
			if code := exitCodeOf(cmd.Run()); code != "2" {
				t.Errorf("got exit code %s, want 2", code)
			}
			if text := stderr.String(); !strings.HasPrefix(text, "ensemble: ") || !strings.Contains(text, c.want) || strings.Contains(text, "trials:") || stdout.Len() > 0 {
				t.Errorf("got %q and %q, want nothing and %q", stdout, text, c.want)
			}
			if _, err := os.Stat(records); err == nil {
				t.Error("records were written")
			}
		})
	}
}

func breakJournal(t *testing.T, journal string) {
	t.Helper()
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	lines[1] = []byte("garbage\n")
	write(t, journal, string(bytes.Join(lines, nil)))
}

func TestARunOnAFullDiskGoesOnWhenThereIsSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "apps/short/app.yaml"), shortApp)
	write(t, filepath.Join(dir, "short.yaml"), shortStudy)
	disk := filepath.Join(dir, "runs")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=300k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	cmd, _, stderr := command(t, dir, "--catalog", "apps", "run", "short.yaml")
	if code := exitCodeOf(cmd.Run()); code != "4" {
		t.Errorf("got exit code %s, want 4", code)
	}
	if want := "no space left on device; free some space and go on with --resume"; !strings.Contains(stderr.String(), want) {
		t.Errorf("got %q, want it to say %q", stderr, want)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	cmd, _, stderr = command(t, dir, "run", "--resume", "--dir", "runs/short")
	if code := exitCodeOf(cmd.Run()); code != "0" || !strings.Contains(stderr.String(), "\n40 trials: 40 succeeded") {
		t.Errorf("got exit code %s and %q, want 0 and 40 successes", code, stderr)
	}
}

func TestAResultThatCannotBeWrittenIsAServiceThatFailed(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("this container has no full device: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	cmd, _, stderr := command(t, t.TempDir(), "apps", "-o", "json")
	cmd.Stdout = full
	if code := exitCodeOf(cmd.Run()); code != "4" || !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("got exit code %s and %q, want 4 and why", code, stderr)
	}
}
