// SPDX-License-Identifier: MIT

package flux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Event is one entry of an event log (RFC 18). RFC 21 lists the events of a job.
type Event struct {
	Timestamp float64         `json:"timestamp"` // seconds since 1970, to the microsecond
	Name      string          `json:"name"`
	Context   json.RawMessage `json:"context,omitempty"` // an object, or nothing
}

// Time is the timestamp, rounded to microseconds: a float64 has no more.
func (e Event) Time() time.Time {
	whole, part := math.Modf(e.Timestamp)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1e3)
}

// timestamp is t as Flux writes it.
func timestamp(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// NewEvent makes an event. A nil context is none; any other has to be written
// as an object.
func NewEvent(t time.Time, name string, context any) (Event, error) {
	e := Event{Timestamp: timestamp(t), Name: name}
	if context != nil {
		b, err := marshal(context)
		if err != nil {
			return e, fmt.Errorf("making event %q: %w", name, err)
		}
		e.Context = b
	}
	return e, e.check()
}

func (e Event) check() error {
	switch {
	case e.Name == "":
		return errors.New("an event has no name")
	case !(e.Timestamp > 0) || e.Timestamp > 1e12:
		return fmt.Errorf("event %q is at %v seconds since 1970", e.Name, e.Timestamp)
	case len(e.Context) > 0 && e.Context[0] != '{':
		return fmt.Errorf("the context of event %q is no object", e.Name)
	}
	return nil
}

// ParseEvent reads one line of an event log. Keys that RFC 18 does not have are
// passed over.
func ParseEvent(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("reading event %q: %w", shorten(string(line)), err)
	}
	if string(e.Context) == "null" {
		e.Context = nil
	}
	if err := e.check(); err != nil {
		return Event{}, fmt.Errorf("reading event %q: %w", shorten(string(line)), err)
	}
	return e, nil
}

// ParseEventlog reads a whole event log. It stops at the first line that is no
// event; those before it are returned with the error.
func ParseEventlog(log string) (events []Event, err error) {
	n := 0
	for line := range strings.Lines(log) {
		n++
		e, err := ParseEvent([]byte(line))
		if err != nil {
			return events, fmt.Errorf("line %d: %w", n, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// Append writes the event behind b as Flux does: one line without spaces, and
// without its end.
func (e Event) Append(b []byte) []byte {
	b = append(b, `{"timestamp":`...)
	b = strconv.AppendFloat(b, e.Timestamp, 'g', 17, 64) // as jansson does
	b = append(b, `,"name":`...)
	name, _ := marshal(e.Name) // a string can be written
	b = append(b, name...)
	if len(e.Context) > 0 {
		b = append(append(b, `,"context":`...), e.Context...)
	}
	return append(b, '}')
}

// String is the event as one line of JSON.
func (e Event) String() string { return string(e.Append(nil)) }

// MarshalJSON writes what String does.
func (e Event) MarshalJSON() ([]byte, error) { return e.Append(nil), nil }

// Exception is why a job was disturbed (RFC 21). At severity 0 it ends the job.
type Exception struct {
	Type     string `json:"type"` // cancel, timeout, exec, alloc, dependency, ...
	Severity int    `json:"severity"`
	Note     string `json:"note"`
	UserID   int64  `json:"userid,omitempty"`
}

func (x *Exception) String() string {
	return fmt.Sprintf("exception of type %s and severity %d: %s", x.Type, x.Severity, x.Note)
}

// Exception is what an event "exception" tells.
func (e Event) Exception() (*Exception, bool) {
	var x Exception
	ok := e.Name == "exception" && json.Unmarshal(e.Context, &x) == nil && x.Type != ""
	return &x, ok
}

// Finish is the status that an event "finish" tells: the highest of all tasks.
func (e Event) Finish() (WaitStatus, bool) {
	var c struct{ Status *int }
	if e.Name != "finish" || json.Unmarshal(e.Context, &c) != nil || c.Status == nil {
		return 0, false
	}
	return WaitStatus(*c.Status), true
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
