// SPDX-License-Identifier: MIT

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// MaxMessage is how long a message may be where a Decoder is not told
// otherwise. Jobspecs with files in them are the longest that are seen.
const MaxMessage = 256 << 20

// maxRoute is how many ids a route may have. A tree of brokers is a few levels
// deep.
const maxRoute = 256

// FormatError says that what came is no message. The stream cannot be read on.
type FormatError struct {
	Offset int64 // of the message in the stream
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("reading the message at byte %d: %s", e.Offset, e.Reason)
}

// Decoder takes messages off a stream. It is not safe for use by several
// goroutines.
type Decoder struct {
	// Max is how many bytes one message may have; 0 stands for MaxMessage.
	Max int

	r      io.Reader
	offset int64
	frame  [frameSize]byte
	have   int    // bytes of the frame and, behind it, of the body
	body   []byte // grows as bytes arrive
	size   int
	err    error
}

// NewDecoder reads from r in the pieces that it needs; wrap it in a
// bufio.Reader when reading is dear.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{r: r} }

// Next reads the next message. The message owns its memory.
//
// Between two messages the end of the stream is io.EOF, inside of one it is
// io.ErrUnexpectedEOF. What is no message is a *FormatError, and every call
// after it returns the same. Any other error is the reader's, such as a
// deadline; the next call goes on where it struck.
func (d *Decoder) Next() (*Message, error) {
	if d.err != nil {
		return nil, d.err
	}
	for d.have < frameSize {
		n, err := d.r.Read(d.frame[d.have:])
		d.have += n
		if err != nil && d.have < frameSize {
			return nil, d.broken(err)
		}
		if d.have == frameSize {
			if err := d.start(); err != nil {
				return nil, err
			}
		}
	}
	for len(d.body) < d.size {
		if len(d.body) == cap(d.body) {
			d.grow()
		}
		n, err := d.r.Read(d.body[len(d.body):min(cap(d.body), d.size)])
		d.body = d.body[:len(d.body)+n]
		if err != nil && len(d.body) < d.size {
			return nil, d.broken(err)
		}
	}
	m, reason := parse(d.body)
	if reason != "" {
		return nil, d.fail(reason)
	}
	d.offset += frameSize + int64(d.size)
	d.have, d.size, d.body = 0, 0, nil
	return m, nil
}

// start looks at a whole frame.
func (d *Decoder) start() error {
	switch got := binary.NativeEndian.Uint32(d.frame[:4]); got {
	case magic:
	case bits.ReverseBytes32(magic):
		return d.fail("the other side has another byte order")
	default:
		return d.fail(fmt.Sprintf("it begins with %#08x and not with %#08x", got, magic))
	}
	limit := d.Max
	if limit <= 0 {
		limit = MaxMessage
	}
	size := binary.BigEndian.Uint32(d.frame[4:])
	if uint64(size) > uint64(limit) {
		return d.fail(fmt.Sprintf("its %d bytes are more than the %d that are taken", size, limit))
	}
	if size < 1+headerSize {
		return d.fail(fmt.Sprintf("its %d bytes have no room for a header", size))
	}
	d.size = int(size)
	d.body = make([]byte, 0, min(d.size, 64<<10))
	return nil
}

// grow makes room for as much again as arrived: whoever announces a long
// message has to send it before it takes memory.
func (d *Decoder) grow() {
	b := make([]byte, len(d.body), min(d.size, 2*cap(d.body)))
	copy(b, d.body)
	d.body = b
}

func (d *Decoder) broken(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if d.have == 0 {
		d.err = io.EOF
	} else {
		d.err = fmt.Errorf("reading the message at byte %d: %w", d.offset, io.ErrUnexpectedEOF)
	}
	return d.err
}

func (d *Decoder) fail(reason string) error {
	d.err = &FormatError{d.offset, reason}
	return d.err
}

// parse takes a body apart. It returns why it cannot.
func parse(b []byte) (*Message, string) {
	var parts [3][]byte // those between route and header: at most topic and payload
	var route []string
	if len(b) < 1+headerSize || b[len(b)-headerSize-1] != headerSize {
		return nil, "it does not end with a header"
	}
	h := b[len(b)-headerSize:]
	if h[0] != protoMagic {
		return nil, fmt.Sprintf("its header begins with %#02x and not with %#02x", h[0], protoMagic)
	}
	if h[1] != protoVer {
		return nil, fmt.Sprintf("it is of version %d of the protocol and not of %d", h[1], protoVer)
	}
	m := &Message{Type: Type(h[2]), Flags: Flags(h[3]),
		UserID: binary.BigEndian.Uint32(h[4:]), RoleMask: binary.BigEndian.Uint32(h[8:]),
		Aux: binary.BigEndian.Uint32(h[12:]), Tag: binary.BigEndian.Uint32(h[16:])}
	switch m.Type {
	case Request, Response, Event, Control:
	default:
		return nil, fmt.Sprintf("there is no %v", m.Type)
	}
	n, inRoute := 0, m.Flags&HasRoute != 0
	for b = b[:len(b)-headerSize-1]; len(b) > 0; {
		part, rest, ok := cut(b)
		if !ok {
			return nil, "a part of it is longer than what is left"
		}
		b = rest
		switch {
		case inRoute && len(part) == 0:
			inRoute = false
		case inRoute && len(route) == maxRoute:
			return nil, fmt.Sprintf("its route has more than %d ids", maxRoute)
		case inRoute:
			route = append(route, string(part))
		case n == len(parts)-1:
			return nil, "it has more parts than a topic and a payload"
		default:
			parts[n] = part
			n++
		}
	}
	if inRoute {
		return nil, "its route has no end"
	}
	m.Route = route
	want := 0
	if m.Flags&HasTopic != 0 {
		m.Topic = string(parts[want])
		want++
	}
	if m.Flags&HasPayload != 0 {
		m.Payload = parts[want]
		want++
	}
	if n != want {
		return nil, fmt.Sprintf("it has %d parts and its flags (%v) announce %d", n, m.Flags, want)
	}
	return m, ""
}

// cut takes one part off the front.
func cut(b []byte) (part, rest []byte, ok bool) {
	size := uint64(b[0])
	b = b[1:]
	if size == longPart {
		if len(b) < 4 {
			return nil, nil, false
		}
		size = uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if size > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size:size], b[size:], true
}
