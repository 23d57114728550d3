// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// blocks reads a file in pieces that end where a line ends. A line longer than
// MaxLine is cut there and its rest is dropped.
type blocks struct {
	r    io.Reader
	buf  []byte
	n    int // bytes in buf
	used int // bytes of buf that the last block held
	skip bool
	end  bool
	long bool // whether a line was cut
	some bool // whether anything was read
}

// pieceSize is how much is read at a time; it stays in the processor's cache.
const pieceSize = 1 << 18

// buffers keep those of files that were read: most logs are far smaller, and to
// clear a new buffer took most of their time.
var buffers = sync.Pool{New: func() any { return new([MaxLine]byte) }}

// newBlocks needs a close.
func newBlocks(r io.Reader) *blocks {
	buf := buffers.Get().(*[MaxLine]byte)
	return &blocks{r: r, buf: buf[:]}
}

// close gives the buffer back: no block of it may be in use.
func (b *blocks) close() { buffers.Put((*[MaxLine]byte)(b.buf)) }

// next gives the next block, valid until the next call, or io.EOF.
func (b *blocks) next(ctx context.Context) ([]byte, error) {
	b.n = copy(b.buf, b.buf[b.used:b.n])
	b.used = 0
	for empty := 0; !b.end; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from := b.n
		n, err := b.r.Read(b.buf[from:min(len(b.buf), from+pieceSize)])
		if empty++; n > 0 {
			empty = 0
		}
		if empty > 100 {
			return nil, io.ErrNoProgress
		}
		b.n += n
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		b.end = err != nil
		if b.skip && !b.drop() {
			continue
		}
		if !b.some && n > 0 {
			b.some = true
			if err := checkText(b.buf[:b.n]); err != nil {
				return nil, err
			}
		}
		if i := bytes.LastIndexByte(b.buf[from:b.n], '\n'); i >= 0 && !b.skip {
			b.used = from + i + 1
			return b.buf[:b.used], nil
		}
		if b.n == len(b.buf) {
			b.skip, b.long, b.used = true, true, b.n
			return b.buf[:b.n], nil
		}
	}
	if b.used = b.n; b.n == 0 {
		return nil, io.EOF
	}
	return b.buf[:b.n], nil
}

// drop removes the rest of a long line; it gives false while that goes on.
func (b *blocks) drop() bool {
	i := bytes.IndexByte(b.buf[:b.n], '\n')
	if i < 0 {
		b.n = 0
		return false
	}
	b.n = copy(b.buf, b.buf[i+1:b.n])
	b.skip = false
	return b.n > 0
}

// eachLine hands over the lines of a text, without the spaces behind them.
func eachLine(ctx context.Context, in io.Reader, line func([]byte)) error {
	b := newBlocks(in)
	defer b.close()
	for {
		block, err := b.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for l := range bytes.Lines(block) {
			line(bytes.TrimRight(l, " \t\r\n"))
		}
	}
}

// checkText refuses what is plainly no log.
func checkText(b []byte) error {
	b = b[:min(len(b), 2048)]
	for _, f := range []struct{ magic, what string }{
		{"\x1f\x8b", "it is compressed with gzip; want it unpacked (gunzip)"},
		{"\x28\xb5\x2f\xfd", "it is compressed with zstd; want it unpacked (unzstd)"},
		{"\xfd7zXZ", "it is compressed with xz; want it unpacked (unxz)"},
		{"BZh", "it is compressed with bzip2; want it unpacked (bunzip2)"},
		{"\xff\xfe", "it is UTF-16; want UTF-8"},
		{"\xfe\xff", "it is UTF-16; want UTF-8"},
	} {
		if bytes.HasPrefix(b, []byte(f.magic)) {
			return errors.New(f.what)
		}
	}
	odd := 0
	for i := 0; i < len(b); {
		n := 1
		if c := b[i]; c < utf8.RuneSelf {
			if c < ' ' && bytes.IndexByte([]byte("\t\n\v\f\r\b\x1b"), c) < 0 {
				odd++
			}
		} else if _, n = utf8.DecodeRune(b[i:]); n == 1 {
			odd++
		}
		i += n
	}
	if odd*10 > len(b)*3 {
		return fmt.Errorf("%d of its first %d bytes are not text; want the log as the application printed it", odd, len(b))
	}
	return nil
}
