// SPDX-License-Identifier: MIT

package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Type is the kind of a message.
type Type uint8

// The types of messages. RFC 3 also calls the last one keepalive.
const (
	Request  Type = 0x01
	Response Type = 0x02
	Event    Type = 0x04
	Control  Type = 0x08
)

func (t Type) String() string {
	switch t {
	case Request:
		return "request"
	case Response:
		return "response"
	case Event:
		return "event"
	case Control:
		return "control"
	}
	return fmt.Sprintf("type %#x", uint8(t))
}

// Flags say what a message has and how it is to be treated.
type Flags uint8

// The flags of RFC 3. The first two and Route announce parts of the message.
const (
	HasTopic   Flags = 0x01
	HasPayload Flags = 0x02
	NoResponse Flags = 0x04 // nobody waits for an answer
	HasRoute   Flags = 0x08
	Upstream   Flags = 0x10 // go towards the root of the tree first
	Private    Flags = 0x20 // of an event: only for the owner and the user who sent it
	Streaming  Flags = 0x40 // there may be several answers; the last one has an errno
)

func (f Flags) String() string {
	names := []string{"topic", "payload", "noresponse", "route", "upstream", "private", "streaming", "0x80"}
	var set []string
	for i, name := range names {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, "|")
}

// Values of the header that a client writes when it leaves them to the broker.
const (
	UserUnknown uint32 = 0xffffffff
	NodeAny     uint32 = 0xffffffff
	NoTag       uint32 = 0
)

// Message is one message. Flags decide what is written: a topic without
// HasTopic is not.
type Message struct {
	Type     Type
	Flags    Flags
	UserID   uint32
	RoleMask uint32
	// Aux is the node of a request, the errno of a response, the sequence
	// number of an event, and what a control message is about.
	Aux uint32
	// Tag is the matchtag by which an answer finds its request, and the status
	// that a control message tells.
	Tag     uint32
	Route   []string // outermost first
	Topic   string
	Payload []byte // JSON payloads end with a NUL
}

const (
	magic      uint32 = 0xffee0012
	frameSize         = 8
	headerSize        = 20
	protoMagic        = 0x8e
	protoVer          = 1
	longPart          = 0xff
)

// Append writes m behind b. It fails for what cannot be told on the wire: a
// type that is none, an empty id in a route, 4 GiB.
func Append(b []byte, m *Message) ([]byte, error) {
	switch m.Type {
	case Request, Response, Event, Control:
	default:
		return b, fmt.Errorf("writing a message: there is no %v", m.Type)
	}
	size := partSize(headerSize)
	if m.Flags&HasRoute != 0 {
		for _, id := range m.Route {
			if id == "" {
				return b, fmt.Errorf("writing a %v: the route has an empty id", m.Type)
			}
			size += partSize(len(id))
		}
		size += partSize(0)
	}
	if m.Flags&HasTopic != 0 {
		size += partSize(len(m.Topic))
	}
	if m.Flags&HasPayload != 0 {
		size += partSize(len(m.Payload))
	}
	if uint64(size) > 0xffffffff {
		return b, fmt.Errorf("writing a %v: %d bytes do not fit into a message", m.Type, size)
	}
	b = binary.NativeEndian.AppendUint32(b, magic)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	if m.Flags&HasRoute != 0 {
		for _, id := range m.Route {
			b = append(appendSize(b, len(id)), id...)
		}
		b = appendSize(b, 0)
	}
	if m.Flags&HasTopic != 0 {
		b = append(appendSize(b, len(m.Topic)), m.Topic...)
	}
	if m.Flags&HasPayload != 0 {
		b = append(appendSize(b, len(m.Payload)), m.Payload...)
	}
	b = append(appendSize(b, headerSize), protoMagic, protoVer, byte(m.Type), byte(m.Flags))
	for _, v := range [...]uint32{m.UserID, m.RoleMask, m.Aux, m.Tag} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b, nil
}

func partSize(n int) int {
	if n < longPart {
		return 1 + n
	}
	return 5 + n
}

func appendSize(b []byte, n int) []byte {
	if n < longPart {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, longPart), uint32(n))
}
