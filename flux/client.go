// SPDX-License-Identifier: MIT

package flux

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/converged-computing/ensemble/flux/wire"
)

// maxQueued is how many requests wait for the writer before a caller waits.
const maxQueued = 256

// Client is a connection to a broker. It is safe for use by several goroutines.
//
// Requests share the connection; each finds its answer by a number. Streams have
// connections of their own. A client has two goroutines until it is closed.
type Client struct {
	uri, path string
	info      Info
	conn      net.Conn
	out       chan []byte
	done      chan struct{} // closed when the connection is of no more use
	workers   sync.WaitGroup

	mu      sync.Mutex
	err     error // why it is of no more use
	tag     uint32
	calls   map[uint32]*Call
	streams map[*Stream]struct{}
}

// Dial connects to the broker at a URI such as local:///run/flux/local, and asks
// for its version and what else [Info] has. A broker that is too old is a
// *VersionError. The context is for dialling only.
func Dial(ctx context.Context, uri string) (*Client, error) {
	path, err := SocketOf(uri)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, uri, path)
	if err != nil {
		return nil, err
	}
	c := &Client{uri: uri, path: path, conn: conn, out: make(chan []byte, maxQueued), done: make(chan struct{}),
		calls: map[uint32]*Call{}, streams: map[*Stream]struct{}{}}
	c.workers.Go(c.write)
	c.workers.Go(c.read)
	if c.info, err = c.askInfo(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// DialEnv connects to the broker that FLUX_URI names, or to the system's.
func DialEnv(ctx context.Context) (*Client, error) { return Dial(ctx, envURI()) }

// URI is where the broker listens.
func (c *Client) URI() string { return c.uri }

// Info is what the broker said of itself when it was dialled.
func (c *Client) Info() Info { return c.info }

// Done is closed when the broker is lost or the client closed; Err says which.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil while the connection stands, and then ErrLost or ErrClosed.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection, whatever is under way on it, and its streams. It
// returns when all is gone. Closing again does nothing.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	c.mu.Lock()
	streams := c.streams
	c.streams = nil
	c.mu.Unlock()
	for s := range streams {
		s.Close()
	}
	c.workers.Wait()
	return nil
}

// fail ends the connection. The first reason counts.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	for _, call := range c.calls {
		call.err = err
		close(call.done)
	}
	c.calls = nil
	close(c.done)
	c.conn.Close()
}

// write sends what is queued, many messages at once where there are many.
func (c *Client) write() {
	w := bufio.NewWriterSize(c.conn, 64<<10)
	for {
		select {
		case b := <-c.out:
			_, err := w.Write(b)
			if err == nil && len(c.out) == 0 {
				err = w.Flush()
			}
			if err != nil {
				c.fail(lost(c.uri, err))
				return
			}
		case <-c.done:
			return
		}
	}
}

// read hands answers to their calls.
func (c *Client) read() {
	d := wire.NewDecoder(bufio.NewReaderSize(c.conn, 64<<10))
	for {
		m, err := d.Next()
		if err != nil {
			c.fail(lost(c.uri, err))
			return
		}
		if m.Type != wire.Response {
			continue // an event or a word between brokers: nothing here asked for it
		}
		c.mu.Lock()
		if call := c.calls[m.Tag]; call != nil { // else nobody waits any more
			delete(c.calls, m.Tag)
			call.answer = m
			close(call.done)
		}
		c.mu.Unlock()
	}
}

// Call is a request under way.
type Call struct {
	client *Client
	topic  string
	tag    uint32
	done   chan struct{}
	answer *wire.Message // or
	err    error
}

// Done is closed when there is an answer.
func (k *Call) Done() <-chan struct{} { return k.done }

// Wait waits for the answer and reads it into out, unless that is nil. A
// context that ends gives the call up: the broker may still carry it out.
func (k *Call) Wait(ctx context.Context, out any) error {
	select {
	case <-k.done:
	case <-ctx.Done():
		k.client.forget(k)
		return fmt.Errorf("asking for %s: %w", k.topic, context.Cause(ctx))
	}
	if k.err != nil {
		return fmt.Errorf("asking for %s: %w", k.topic, k.err)
	}
	return readAnswer(k.topic, k.answer, out)
}

// forget drops a call whose answer nobody waits for.
func (c *Client) forget(k *Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[k.tag] == k {
		delete(c.calls, k.tag)
	}
}

// Call asks a service and waits for its one answer. in is written as JSON, nil
// as nothing; the answer is read into out, unless that is nil. A refusal is an
// *Error.
func (c *Client) Call(ctx context.Context, topic string, in, out any) error {
	return c.CallNode(ctx, wire.NodeAny, topic, in, out)
}

// CallNode is Call on the broker of one rank.
func (c *Client) CallNode(ctx context.Context, node uint32, topic string, in, out any) error {
	call, err := c.Start(ctx, node, topic, in)
	if err != nil {
		return err
	}
	return call.Wait(ctx, out)
}

// Start sends a request and does not wait for the answer. Any number of calls
// may be under way; their answers come in any order. It waits while the broker
// takes nothing in. wire.NodeAny leaves it to the broker which one is asked.
func (c *Client) Start(ctx context.Context, node uint32, topic string, in any) (*Call, error) {
	call := &Call{client: c, topic: topic, done: make(chan struct{})}
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, fmt.Errorf("asking for %s: %w", topic, c.err)
	}
	for {
		c.tag++
		if _, used := c.calls[c.tag]; c.tag != wire.NoTag && !used {
			break
		}
	}
	call.tag = c.tag
	c.calls[call.tag] = call
	c.mu.Unlock()
	b, err := request(topic, node, call.tag, 0, in)
	if err != nil {
		c.forget(call)
		return nil, err
	}
	select {
	case c.out <- b:
		return call, nil
	case <-c.done:
		return nil, fmt.Errorf("asking for %s: %w", topic, c.Err())
	case <-ctx.Done():
		c.forget(call)
		return nil, fmt.Errorf("asking for %s: %w", topic, context.Cause(ctx))
	}
}

// request writes a request with a payload of JSON.
func request(topic string, node, tag uint32, flags wire.Flags, in any) ([]byte, error) {
	m := wire.Message{Type: wire.Request, Flags: flags | wire.HasTopic, UserID: wire.UserUnknown, Aux: node, Tag: tag, Topic: topic}
	if in != nil {
		payload, err := marshal(in)
		if err != nil {
			return nil, fmt.Errorf("asking for %s: %w", topic, err)
		}
		m.Flags |= wire.HasPayload
		m.Payload = append(payload, 0)
	}
	b, err := wire.Append(nil, &m)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", topic, err)
	}
	return b, nil
}

// readAnswer reads an answer into out, or as an error.
func readAnswer(topic string, m *wire.Message, out any) error {
	payload := trimNUL(m.Payload)
	if m.Aux != 0 {
		return &Error{Topic: topic, Errno: errno(m.Aux), Text: string(payload)}
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = slices.Clone(payload)
		return nil
	}
	if err := json.Unmarshal(payload, out); err != nil {
		return fmt.Errorf("reading the answer to %s (%s): %w", topic, shorten(string(payload)), err)
	}
	return nil
}

// isLoss says whether an error of a connection means that the broker is gone.
func isLoss(err error) bool {
	var format *wire.FormatError
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &format) || errors.As(err, &op)
}
