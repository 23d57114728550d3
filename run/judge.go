// SPDX-License-Identifier: MIT

package run

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
)

// Output is what an attempt printed and saved, as catalog/read wants it:
// stdout, stderr, and the collected files by the names that they had in the
// job's directory.
func Output(attempt string) fs.FS {
	return output{attempt: os.DirFS(attempt), files: os.DirFS(filepath.Join(attempt, FilesDir))}
}

type output struct{ attempt, files fs.FS }

func (o output) Open(name string) (fs.File, error) {
	if name == StdoutFile || name == StderrFile {
		return o.attempt.Open(name)
	}
	return o.files.Open(name)
}

// NewJudge makes a judge of the rules of applications.
func NewJudge(apps []spec.Application) (Judge, error) {
	readers := map[string]*read.Reader{}
	for _, a := range apps {
		r, err := read.New(a.Metadata.Name, a.Spec.Output)
		if err != nil {
			return nil, err
		}
		readers[a.Metadata.Name] = r
	}
	return func(ctx context.Context, job *ensemble.Job, dir string, e ensemble.Event) Judgement {
		j := Judgement{Status: e.Status, Reason: e.Reason}
		reader := readers[job.App]
		if reader == nil {
			return j
		}
		out, err := reader.ReadFiles(ctx, Output(dir))
		if len(out.Metrics) > 0 {
			j.Metrics = make(map[string]float64, len(out.Metrics))
			for name, v := range out.Metrics {
				j.Metrics[name] = v.Value
			}
		}
		switch {
		case e.Status == ensemble.Succeeded && err != nil:
			j.Status, j.Reason = ensemble.Failed, err.Error()
		case e.Status == ensemble.Succeeded:
			j.Status, j.Reason = ensemble.Status(out.Status), out.Reason
		case e.Status == ensemble.Failed:
			j.Reason = because(e.Reason, out, dir)
		}
		return j
	}, nil
}

// because adds to what the launcher says of a failure what the application
// says: the reason that a rule finds, or else the last line of what went to
// standard error.
func because(reason string, out read.Run, dir string) string {
	if out.Status == read.Failed && out.Reason != "" {
		return fmt.Sprintf("%s: %s", reason, out.Reason)
	}
	if line := lastLine(filepath.Join(dir, StderrFile)); line != "" {
		return fmt.Sprintf("%s: %s", reason, line)
	}
	return reason
}

// lastLine gives the last line of a file that says something: launchers draw
// rules of dashes around their messages.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const tail = 4096
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, end-tail), io.SeekStart)
	}
	b, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return ""
	}
	last := ""
	for line := range strings.Lines(strings.ToValidUTF8(string(b), "\uFFFD")) {
		if line = strings.TrimSpace(line); strings.Trim(line, "-=* ") != "" {
			last = line
		}
	}
	return last
}
