// SPDX-License-Identifier: MIT

// Package wire reads and writes the messages of a Flux broker.
//
// The model: a message is a header of 20 bytes (RFC 3) and up to three other
// things that the flags of the header announce: a route, a topic and a payload.
// On a local:// socket each message is framed as
//
//	magic    4 bytes, 0xffee0012 in the byte order of the machine
//	length   4 bytes, big endian, of all that follows
//	parts    each 1 byte length, or 0xff and 4 bytes (big endian) from 255 on
//
// with the parts in this order: the ids of the route and an empty delimiter,
// topic, payload, header. A client reads one byte before the first message:
// zero, or the errno because of which it was not let in.
//
// The steps: [Append] writes a message behind others in a buffer; a [Decoder]
// takes them one by one off a stream that may break off anywhere and hold
// anything. It allocates no more than arrived, and never more than its limit.
//
// What payloads mean is not known here.
package wire
