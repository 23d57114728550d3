// SPDX-License-Identifier: MIT

package flux

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/run"
	"golang.org/x/sys/unix"
)

// said is what task.sh says of the tasks of an attempt.
type said struct {
	root         *os.Root // of the attempt, for the files
	begin, end   time.Time
	user, system float64 // seconds, of all tasks
	steps        []step
	wrong        error // the first thing that makes no sense
}

// step is one command before or after a task, on the node of some first rank.
type step struct {
	run.Step
	number, node int
}

// demux takes the standard output of the tasks apart: what they wrote, and behind the
// mark what task.sh says.
type demux struct {
	said
	mark  []byte // with the line breaks before and behind it
	alone bool   // there is one task
	out   io.Writer
	tasks map[int]*task // by rank
}

// task is one while it is read.
type task struct {
	node  int    // its first rank
	held  []byte // may be the beginning of the mark, or of a line behind it
	fresh bool   // what was written last ended a line
	after bool   // the mark has come
	file  *os.File
}

// stdout takes in what a rank wrote. An error is one of writing.
func (d *demux) stdout(rank int, data []byte) error {
	t := d.tasks[rank]
	if t == nil {
		t = &task{fresh: true}
		d.tasks[rank] = t
	}
	t.held = append(t.held, data...)
	if !t.after {
		if err := d.plain(t); err != nil || !t.after {
			return err
		}
	}
	for {
		line, rest, whole := bytes.Cut(t.held, []byte("\n"))
		if !whole {
			if len(t.held) > lineLimit {
				d.complain(fmt.Errorf("a line is longer than %d bytes", lineLimit))
				t.held = nil
			}
			return nil
		}
		if err := d.line(t, string(line)); err != nil {
			return err
		}
		t.held = rest
	}
}

// lineLimit is longer than any line that task.sh writes.
const lineLimit = 1 << 20

// plain writes what comes before the mark. A line break may be the one that task.sh
// writes before the mark. Of several tasks it is held back only where it is all that
// came, or their lines would be mixed: a task whose last line has no end gets one.
func (d *demux) plain(t *task) error {
	text, rest, found := t.held, []byte(nil), false
	if i := bytes.Index(text, d.mark); i >= 0 {
		text, rest, found = text[:i], text[i+len(d.mark):], true
	} else if t.fresh && bytes.HasPrefix(text, d.mark[1:]) {
		text, rest, found = nil, text[len(d.mark)-1:], true
	} else {
		n := d.ahead(t)
		text, rest = text[:len(text)-n], text[len(text)-n:]
	}
	if len(text) > 0 {
		t.fresh = text[len(text)-1] == '\n'
		if _, err := d.out.Write(text); err != nil {
			return err
		}
	}
	t.held, t.after = bytes.Clone(rest), found
	return nil
}

// ahead is how much of the end of what came is to be held back.
func (d *demux) ahead(t *task) int {
	if t.fresh && bytes.HasPrefix(d.mark[1:], t.held) {
		return len(t.held)
	}
	for n := min(len(t.held), len(d.mark)-1); n > 0; n-- {
		if bytes.HasSuffix(t.held, d.mark[:n]) {
			if n == 1 && !d.alone && len(bytes.Trim(t.held, "\n")) > 0 {
				return 0
			}
			return n
		}
	}
	return 0
}

// end writes what was held back and closes what is open.
func (d *demux) end() (err error) {
	for _, t := range d.tasks {
		if t.file != nil {
			d.complain(errors.New("a file is cut off"))
			err = errors.Join(err, t.file.Close())
		}
		if !t.after {
			_, werr := d.out.Write(t.held)
			err = errors.Join(err, werr)
		}
	}
	return err
}

func (d *demux) complain(err error) {
	if d.wrong == nil {
		d.wrong = err
	}
}

// line takes in a line behind the mark. What makes no sense is kept as wrong; an error
// is one of writing.
func (d *demux) line(t *task, line string) error {
	if t.file != nil {
		if line == "." {
			err := t.file.Sync()
			if errors.Is(err, unix.EINVAL) { // nowhere
				err = nil
			}
			err = errors.Join(err, t.file.Close())
			t.file = nil
			return err
		}
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			d.complain(err)
		}
		_, err = t.file.Write(data)
		return err
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	switch words[0] {
	case "begin":
		if at := moment(words[1:]); !at.IsZero() && (d.begin.IsZero() || at.Before(d.begin)) {
			d.begin = at
		}
	case "end":
		if at := moment(words[1:]); at.After(d.said.end) {
			d.said.end = at
		}
	case "used":
		if len(words) == 5 {
			d.user += minutes(words[3]) - minutes(words[1])
			d.system += minutes(words[4]) - minutes(words[2])
		}
	case "node":
		if len(words) == 2 {
			t.node, _ = strconv.Atoi(words[1])
		}
	case "step":
		if len(words) == 6 {
			number, err := strconv.Atoi(words[2])
			code, err2 := strconv.Atoi(words[3])
			if err != nil || err2 != nil || number < 0 {
				d.complain(fmt.Errorf("the line %q", line))
				return nil
			}
			d.steps = append(d.steps, step{run.Step{Name: words[1], ExitCode: code,
				Seconds: moment(words[5:]).Sub(moment(words[4:])).Seconds()}, number, t.node})
		}
	case "file":
		return d.create(t, words[1:])
	}
	return nil
}

// create begins a file. Those of the node of rank 0 have their own names; those of
// others are in the folder rank-N, after the node's first rank. Names come from the
// job: they cannot lead out of the attempt.
func (d *demux) create(t *task, words []string) error {
	if len(words) != 2 {
		d.complain(fmt.Errorf("a file of %d words", len(words)))
		return d.passOver(t) // its lines are no words of task.sh
	}
	name, err := base64.StdEncoding.DecodeString(words[1])
	to, flag := "", os.O_TRUNC
	switch kind := words[0]; {
	case err != nil:
	case kind == "steps":
		to, flag = run.StepsFile, os.O_APPEND
	case kind == "profile":
		to = path.Join(run.ProfileDir, path.Base(string(name)))
	case kind == "files" && t.node == 0:
		to = path.Join(run.FilesDir, string(name))
	case kind == "files":
		to = path.Join(run.FilesDir, fmt.Sprintf("rank-%d", t.node), string(name))
	}
	if to == "" || !filepath.IsLocal(string(name)) || !filepath.IsLocal(to) {
		d.complain(fmt.Errorf("a file %q of kind %q", name, words[0]))
		return d.passOver(t)
	}
	if err = d.root.MkdirAll(path.Dir(to), 0o755); err == nil {
		t.file, err = d.root.OpenFile(to, os.O_CREATE|os.O_WRONLY|flag, 0o644)
	}
	if err == nil || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EIO) {
		return err
	}
	d.complain(err) // the name is one that cannot be beside the others
	return d.passOver(t)
}

// passOver has the lines of a file go nowhere.
func (d *demux) passOver(t *task) (err error) {
	t.file, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	return err
}

// moment reads seconds since 1970; what is none is zero.
func moment(words []string) time.Time {
	if len(words) == 0 {
		return time.Time{}
	}
	s, err := strconv.ParseFloat(words[0], 64)
	if err != nil {
		return time.Time{}
	}
	return ensemble.FromSeconds(s)
}

// minutes reads a time such as 1m2.500000s, in seconds.
func minutes(word string) float64 {
	d, err := time.ParseDuration(word)
	if err != nil {
		return 0
	}
	return d.Seconds()
}
