// SPDX-License-Identifier: MIT

package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
)

// lineWatch looks for a line in a file that grows.
type lineWatch struct {
	file *os.File
	r    *bufio.Reader
	re   *regexp.Regexp
	line []byte // what there is of the last line
}

func newLineWatch(path, pattern string) (*lineWatch, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("compiling the rule %q: %w", pattern, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &lineWatch{file: f, r: bufio.NewReader(f), re: re}, nil
}

// seen reads what is new and says whether a line matched.
func (w *lineWatch) seen() (bool, error) {
	for {
		part, err := w.r.ReadBytes('\n')
		if w.line = append(w.line, part...); w.re.Match(bytes.TrimRight(w.line, "\r\n")) {
			return true, nil
		}
		switch {
		case err == nil:
			w.line = w.line[:0]
		case errors.Is(err, io.EOF):
			return false, nil
		default:
			return false, err
		}
	}
}

func (w *lineWatch) Close() error { return w.file.Close() }
