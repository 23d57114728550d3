// SPDX-License-Identifier: MIT

package fluxtest

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/converged-computing/ensemble/flux/wire"
)

// conn is a client.
type conn struct {
	b    *Broker
	conn net.Conn

	mu     sync.Mutex
	more   *sync.Cond
	out    []parcel
	closed bool
}

// parcel is what is written at once, as the faults will have it.
type parcel struct {
	bytes []byte
	delay time.Duration
	last  bool // the connection ends behind it
}

func newConn(b *Broker, nc net.Conn) *conn {
	c := &conn{b: b, conn: nc, out: []parcel{{bytes: []byte{0}}}}
	c.more = sync.NewCond(&c.mu)
	return c
}

// close breaks the connection.
func (c *conn) close() {
	c.mu.Lock()
	c.closed = true
	c.more.Signal()
	c.mu.Unlock()
	c.conn.Close()
}

// send queues what is to be written. Like a real broker it keeps all that a
// client does not read.
func (c *conn) send(p parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, p)
	c.more.Signal()
}

func (c *conn) write() {
	for {
		c.mu.Lock()
		for len(c.out) == 0 && !c.closed {
			c.more.Wait()
		}
		out, closed := c.out, c.closed
		c.out = nil
		c.mu.Unlock()
		if closed {
			return
		}
		var b []byte
		for _, p := range out {
			if p.delay > 0 {
				_, _ = c.conn.Write(b)
				b = nil
				select {
				case <-time.After(p.delay):
				case <-c.b.ctx.Done():
				}
			}
			b = append(b, p.bytes...)
			if p.last {
				_, _ = c.conn.Write(b)
				c.close()
				return
			}
		}
		if _, err := c.conn.Write(b); err != nil {
			c.close()
			return
		}
	}
}

func (c *conn) read() {
	d := wire.NewDecoder(bufio.NewReaderSize(c.conn, 64<<10))
	for {
		m, err := d.Next()
		if err != nil {
			break
		}
		if m.Type == wire.Request {
			c.b.handle(&request{c: c, m: m})
		}
	}
	c.close()
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	delete(c.b.conns, c)
	c.b.drop(func(r *request) bool { return r.c == c })
}

// request is a request that may be answered.
type request struct {
	c *conn
	m *wire.Message
}

func (r *request) is(c *conn, tag uint32) bool { return r.c == c && r.m.Tag == tag }

// in reads the payload.
func (r *request) in(v any) error {
	if err := json.Unmarshal([]byte(strings.TrimSuffix(string(r.m.Payload), "\x00")), v); err != nil {
		return refuse(syscall.EPROTO, "")
	}
	return nil
}

// refusal is an error answer.
type refusal struct {
	errno syscall.Errno
	text  string
}

func (r refusal) Error() string { return r.text }

func refuse(errno syscall.Errno, text string) error { return refusal{errno, text} }

// answer sends out as JSON; nil is an answer without anything in it.
func (r *request) answer(out any) {
	m := r.response()
	if out != nil {
		text, err := json.Marshal(out)
		if err != nil {
			panic(err) // all of them can be written
		}
		m.Flags |= wire.HasPayload
		m.Payload = append(text, 0)
	}
	r.send(m)
}

// fail sends an error.
func (r *request) fail(err error) {
	m := r.response()
	no, ok := err.(refusal)
	if !ok {
		no = refusal{syscall.EINVAL, err.Error()}
	}
	m.Aux = uint32(no.errno)
	if no.text != "" {
		m.Flags |= wire.HasPayload
		m.Payload = append([]byte(no.text), 0)
	}
	r.send(m)
}

// end ends a stream.
func (r *request) end() { r.fail(refuse(syscall.ENODATA, "")) }

func (r *request) response() *wire.Message {
	return &wire.Message{Type: wire.Response, Flags: wire.HasTopic | r.m.Flags&wire.Streaming, UserID: uint32(r.c.b.owner),
		RoleMask: 5, Tag: r.m.Tag, Topic: r.m.Topic}
}

func (r *request) send(m *wire.Message) {
	if r.m.Flags&wire.NoResponse != 0 {
		return
	}
	b, err := wire.Append(nil, m)
	if err != nil {
		panic(err)
	}
	r.c.send(r.c.b.spoil(r.m.Topic, b))
}
