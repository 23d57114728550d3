// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// waitCreate has a watch wait for a log that is not there yet.
const waitCreate = 1

// Events is the stream of one event log of a job.
type Events struct {
	id     JobID
	path   string
	stream *Stream
}

// WatchEvents follows an event log of a job from its beginning: "eventlog", which
// ends after clean, or one of those that the job writes while it runs, such as
// "guest.output" and "guest.exec.eventlog", which end when it is over. A job that
// is not there is an *Error with ENOENT at the first Next.
func (c *Client) WatchEvents(ctx context.Context, id JobID, path string) (*Events, error) {
	in := struct {
		ID    JobID  `json:"id"`
		Path  string `json:"path"`
		Flags int    `json:"flags"`
		Guest bool   `json:"guest"`
	}{id, path, 0, strings.HasPrefix(path, "guest.")}
	if in.Guest {
		in.Flags = waitCreate
	}
	s, err := c.Stream(ctx, "job-info.eventlog-watch", in)
	if err != nil {
		return nil, fmt.Errorf("watching %s of job %s: %w", path, id, err)
	}
	return &Events{id, path, s}, nil
}

// Next waits for the next event; the end is io.EOF.
func (w *Events) Next() (Event, error) {
	b, err := w.stream.Next()
	if err != nil {
		return Event{}, fmt.Errorf("watching %s of job %s: %w", w.path, w.id, err)
	}
	var out struct{ Event string }
	if err := json.Unmarshal(b, &out); err != nil {
		return Event{}, fmt.Errorf("watching %s of job %s: %w", w.path, w.id, err)
	}
	return ParseEvent([]byte(out.Event))
}

// All gives the events up to the end, or up to an error, and then closes the
// stream.
func (w *Events) All() iter.Seq2[Event, error] { return each(w.Next, w.Close) }

// Close ends the watch.
func (w *Events) Close() error { return w.stream.Close() }

// Chunk is a piece of what tasks wrote, or where it went (RFC 24).
type Chunk struct {
	Stream string // stdout or stderr; "" for a word of the job shell
	Ranks  IDSet  // the tasks: one, or several that wrote the same
	Data   []byte // as they wrote it
	EOF    bool   // they write no more
	// Path is the file on the nodes that the stream goes to: no data will come.
	Path string
	// Event is the one that said so. The first is the header.
	Event Event
}

// Output is the stream of what the tasks of a job write.
type Output struct {
	events *Events
	d      OutputDecoder
}

// Output follows what the tasks of a job write, from the beginning, and ends
// when the job is over. Flux keeps it as long as the job.
func (c *Client) Output(ctx context.Context, id JobID) (*Output, error) {
	events, err := c.WatchEvents(ctx, id, "guest.output")
	if err != nil {
		return nil, err
	}
	return &Output{events: events}, nil
}

// Next waits for the next piece; the end is io.EOF.
func (o *Output) Next() (Chunk, error) {
	e, err := o.events.Next()
	if err != nil {
		return Chunk{}, err
	}
	return o.d.Decode(e)
}

// All gives the pieces up to the end, or up to an error, and then closes the
// stream.
func (o *Output) All() iter.Seq2[Chunk, error] { return each(o.Next, o.Close) }

// Close ends the watch.
func (o *Output) Close() error { return o.events.Close() }

// LookupOutput reads what the tasks of a job wrote up to now.
func (c *Client) LookupOutput(ctx context.Context, id JobID) (chunks []Chunk, err error) {
	values, err := c.Lookup(ctx, id, "guest.output")
	if err != nil {
		return nil, err
	}
	events, err := ParseEventlog(values["guest.output"])
	if err != nil {
		return nil, err
	}
	var d OutputDecoder
	for _, e := range events {
		chunk, err := d.Decode(e)
		if err != nil {
			return chunks, err
		}
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

// OutputDecoder reads the events of one guest.output, the header first.
type OutputDecoder struct {
	encodings map[string]string // of each stream, from the header
}

// Decode reads an event: header, data, redirect or log. Any other is a Chunk of
// nothing but the event.
func (d *OutputDecoder) Decode(e Event) (Chunk, error) {
	chunk, err := d.decode(e)
	if err != nil {
		err = fmt.Errorf("reading output %s: %w", shorten(e.String()), err)
	}
	return chunk, err
}

func (d *OutputDecoder) decode(e Event) (Chunk, error) {
	chunk := Chunk{Event: e}
	switch e.Name {
	case "header":
		var in struct{ Encoding map[string]string }
		err := json.Unmarshal(e.Context, &in)
		d.encodings = in.Encoding
		return chunk, err
	case "log":
		var in struct{ Message string }
		err := json.Unmarshal(e.Context, &in)
		chunk.Data = []byte(in.Message)
		return chunk, err
	case "data", "redirect":
	default:
		return chunk, nil
	}
	var in struct {
		Stream   string
		Rank     json.RawMessage // a set of ids; old versions wrote a number
		Data     string
		Encoding string
		EOF      bool
		Path     string
	}
	err := json.Unmarshal(e.Context, &in)
	if err != nil {
		return chunk, err
	}
	if chunk.Ranks, err = ParseIDSet(strings.Trim(string(in.Rank), `"`)); err != nil {
		return chunk, err
	}
	chunk.Stream, chunk.EOF, chunk.Path = in.Stream, in.EOF, in.Path
	if in.Data == "" {
		return chunk, nil
	}
	if in.Encoding == "" {
		in.Encoding = d.encodings[in.Stream]
	}
	switch in.Encoding {
	case "", "UTF-8":
		chunk.Data = []byte(in.Data)
	case "base64":
		chunk.Data, err = base64.StdEncoding.DecodeString(in.Data)
	default:
		err = fmt.Errorf("the encoding %q is not known", in.Encoding)
	}
	return chunk, err
}
