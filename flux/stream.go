// SPDX-License-Identifier: MIT

package flux

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/flux/wire"
)

// streamTag is the number of the one request on the connection of a stream.
const streamTag = 1

// Stream is a request that has several answers. It is read by one goroutine at
// a time; Close may be called from any.
//
// A stream has a connection of its own and no buffer but the kernel's: it is
// read at the pace of its reader, who may take as long as he likes, and ask the
// broker other things meanwhile. On a shared connection he would hold up every
// other answer, or what he does not read would have to be kept.
type Stream struct {
	client *Client
	topic  string
	ctx    context.Context // of the stream: it ends when this does
	conn   net.Conn
	d      *wire.Decoder
	stop   func() bool
	err    error

	mu     sync.Mutex
	closed bool
	ended  bool // the broker sends no more
}

// Stream asks for a stream. It ends when the context does, when it is closed,
// and when the client is closed.
func (c *Client) Stream(ctx context.Context, topic string, in any) (*Stream, error) {
	conn, err := connect(ctx, c.uri, c.path)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", topic, err)
	}
	s := &Stream{client: c, topic: topic, ctx: ctx, conn: conn, d: wire.NewDecoder(bufio.NewReaderSize(conn, 16<<10))}
	b, err := request(topic, wire.NodeAny, streamTag, wire.Streaming, in)
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	c.mu.Lock()
	if err = c.err; err == nil {
		c.streams[s] = struct{}{}
	}
	c.mu.Unlock()
	if err == nil {
		_, err = conn.Write(b)
	}
	if err != nil {
		err = s.reason(err)
		s.Close()
		return nil, err
	}
	return s, nil
}

// Next waits for the next answer and returns its payload without the NUL. The
// end is io.EOF; a refusal is an *Error; a broker that goes away is ErrLost.
// After an error every call returns the same.
func (s *Stream) Next() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	for {
		m, err := s.d.Next()
		if err != nil {
			s.err = s.reason(err)
			return nil, s.err
		}
		if m.Type != wire.Response || m.Tag != streamTag {
			continue
		}
		if m.Aux != 0 {
			s.mu.Lock()
			s.ended = true
			closed := s.closed
			s.mu.Unlock()
			switch {
			case closed: // and this is how the broker takes it
				s.err = s.reason(ErrClosed)
			case errno(m.Aux) == syscall.ENODATA:
				s.err = io.EOF
			default:
				s.err = readAnswer(s.topic, m, nil)
			}
			return nil, s.err
		}
		return trimNUL(m.Payload), nil
	}
}

// All gives the answers up to the end, or up to an error, and then closes the
// stream.
func (s *Stream) All() iter.Seq2[[]byte, error] {
	return each(s.Next, s.Close)
}

// each makes a sequence of a function that ends with io.EOF.
func each[T any](next func() (T, error), done func() error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer func() { _ = done() }()
		for {
			v, err := next()
			if isEnd(err) {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// isEnd says whether a stream came to its proper end.
func isEnd(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, ErrLost) }

// reason is why the connection failed.
func (s *Stream) reason(err error) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil:
		err = context.Cause(s.ctx)
	case closed || errors.Is(s.client.Err(), ErrClosed):
		err = ErrClosed
	case isLoss(err):
		err = lost(s.client.uri, err)
	}
	return fmt.Errorf("asking for %s: %w", s.topic, err)
}

// Close tells the broker that no more answers are wanted. Closing again does
// nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.stop()
	if !s.ended {
		// The services of Flux take this under the name of the stream and a
		// hyphen. Who does not know it hears of the end of the connection.
		b, err := request(s.topic+"-cancel", wire.NodeAny, wire.NoTag, wire.NoResponse, map[string]uint32{"matchtag": streamTag})
		if err == nil {
			_ = s.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = s.conn.Write(b)
		}
	}
	c := s.client
	c.mu.Lock()
	delete(c.streams, s)
	c.mu.Unlock()
	return s.conn.Close()
}

func trimNUL(payload []byte) []byte { return bytes.TrimSuffix(payload, []byte{0}) }

func errno(n uint32) syscall.Errno { return syscall.Errno(n) }
