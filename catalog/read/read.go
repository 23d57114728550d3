// SPDX-License-Identifier: MIT

package read

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// fileReader reads a format that is no output of one application.
type fileReader func(ctx context.Context, r io.Reader, out *Run) error

// lineFormat is a built-in reader of an application's lines.
type lineFormat struct {
	open func() lineReader
	// collected says that it reads the collected files too.
	collected bool
}

// The built-in readers: those of an application's lines, by output.reader, and
// those of whole files, by name alone.
var (
	lineReaders = map[string]lineFormat{
		"netpipe": {newNetPIPEReader, true},
		"osu":     {newOSUReader, false},
	}
	fileReaders = map[string]fileReader{
		"caliper":    readCaliper,
		"ensemble":   readEnsemble,
		"k8s-events": readEvents,
		"mpip":       readMPIP,
	}
)

// Builtin lists the formats that New reads by name alone, without an
// application.
func Builtin() []string { return slices.Sorted(maps.Keys(fileReaders)) }

// readers lists the built-in readers.
func readers() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range fileReaders {
			if !yield(name) {
				return
			}
		}
		for name := range lineReaders {
			if !yield(name) {
				return
			}
		}
	})
}

// Reader reads the output of one application. It is safe for use by several
// goroutines at once.
type Reader struct {
	name  string
	rules *rules
	lines func() lineReader
	file  fileReader
	// collected are the patterns of the files that rules or lines come from.
	collected []string
}

// New compiles and checks the rules of the named application. The error names
// every rule that is wrong. A name of Builtin needs no rules.
func New(name string, out spec.Output) (*Reader, error) {
	r := &Reader{name: name}
	format := out.Reader
	if format == "" && slices.Contains(Builtin(), name) {
		format = name
	}
	if r.file = fileReaders[format]; r.file != nil {
		return r, nil
	}
	lines, ok := lineReaders[format]
	if r.lines = lines.open; !ok && format != "" {
		return nil, fmt.Errorf("reading the rules of %q: unknown reader %q; want one of %s", name, format, strings.Join(readers(), ", "))
	}
	var err error
	if r.rules, err = compile(out); err != nil {
		return nil, fmt.Errorf("reading the rules of %q: %w", name, err)
	}
	r.collected = r.rules.sources()
	if lines.collected {
		for _, pattern := range out.Collect {
			if !slices.Contains(r.collected, pattern) {
				r.collected = append(r.collected, pattern)
			}
		}
	}
	return r, nil
}

// Read gives the runs that a log holds, in the order of the log, with its
// wrapper recognised. Rules for collected files apply to it too, so that such a
// file can be read by itself. A log without any run gives one that says so. An
// error, which names the file, ends the sequence: the file cannot be read, is
// no text, or exceeds a bound.
//
// The file is read as runs are asked for, in memory that does not grow with it.
func (r *Reader) Read(ctx context.Context, file string, in io.Reader) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		if r.file != nil {
			run := Run{App: r.name, File: file}
			err := r.file(ctx, in, &run)
			if err != nil {
				run, err = Run{}, fmt.Errorf("reading %q: %w", file, err)
			}
			yield(run, err)
			return
		}
		m := newMachine(r.name, file, r.rules, r.lines, func(run Run) bool { return yield(run, nil) })
		if err := m.read(ctx, in); err != nil {
			if !m.stopped {
				yield(Run{}, fmt.Errorf("reading %q: %w", file, err))
			}
			return
		}
		if m.end(); m.emitted == 0 && !m.stopped {
			m.give(m.current)
		}
	}
}

// read runs the machine to the end of the file.
func (m *machine) read(ctx context.Context, in io.Reader) error {
	b := newBlocks(in)
	defer b.close()
	for {
		block, err := b.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if m.block(block, b.long); m.err != nil || m.stopped {
			return m.err
		}
		b.long = false
	}
}

// ReadFiles reads one run of ours from its directory: the files stdout and
// stderr, of which stdout has to be there, and the collected files that rules
// or a built-in reader want, of which the last one by name counts for each glob
// pattern. No wrapper
// is looked for and nothing is cut: whatever the files hold is one run.
func (r *Reader) ReadFiles(ctx context.Context, dir fs.FS) (Run, error) {
	if r.file != nil {
		run := Run{App: r.name, File: "stdout"}
		in, err := dir.Open("stdout")
		if err != nil {
			return Run{}, fmt.Errorf("reading the output of %q: %w", r.name, err)
		}
		defer in.Close()
		if err := r.file(ctx, in, &run); err != nil {
			return Run{}, fmt.Errorf("reading %q: %w", "stdout", err)
		}
		return run, nil
	}
	var out Run
	m := newMachine(r.name, "", r.rules, r.lines, func(run Run) bool { out = run; return true })
	m.whole = true
	m.current.marked, m.current.ended = true, true // what is not there will not come
	if err := m.readFile(ctx, dir, "stdout", ""); err != nil {
		return Run{}, err
	}
	if err := m.readFile(ctx, dir, "stderr", ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Run{}, err
	}
	for _, pattern := range r.collected {
		names, err := fs.Glob(dir, pattern)
		if err != nil {
			return Run{}, fmt.Errorf("finding the collected files %q: %w", pattern, err)
		}
		if len(names) == 0 {
			continue
		}
		if err := m.readFile(ctx, dir, names[len(names)-1], pattern); err != nil {
			return Run{}, err
		}
	}
	m.give(m.current)
	return out, nil
}

// readFile reads one file with the rules that are for it.
func (m *machine) readFile(ctx context.Context, dir fs.FS, name, pattern string) error {
	in, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("reading the output of %q: %w", m.app, err)
	}
	defer in.Close()
	m.from = pattern
	if err := m.read(ctx, in); err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

// sources lists the patterns of collected files, in the order of the rules.
func (c *rules) sources() []string {
	var all []string
	for _, r := range c.all {
		if r.from != "" && !slices.Contains(all, r.from) {
			all = append(all, r.from)
		}
	}
	return all
}
