// SPDX-License-Identifier: MIT

package ensemble

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Event is one change with its time. The names of job events are those of
// Flux (RFC 21) where Flux has the same event.
type Event struct {
	Time time.Time
	Name EventName
	// Job and Attempt are empty for an event of the whole run; Attempt is for omit,
	// too.
	Job     string
	Attempt int
	// Status and Reason tell how an attempt (finish) or the run ended; Reason tells
	// why a job is not needed (omit).
	Status Status
	Reason string
	// Note is further text: the version that wrote it, what is waited for, what
	// was decided.
	Note string
	// Group and Nodes tell of a job that is submitted what rules count it by. Nodes
	// of an event of the run are those that the member has (run-start, resize), or
	// how many were asked for more, below zero fewer (decide).
	Group string
	Nodes int
	// Metrics are those of an attempt that ended that rules read.
	Metrics map[string]float64
	// Rule is the one that decided.
	Rule string
}

// EventError says that an event cannot follow the ones before it.
type EventError struct {
	Event Event
	Why   string
}

func (e *EventError) Error() string {
	if e.Event.Job == "" {
		return fmt.Sprintf("event %s: %s", e.Event.Name, e.Why)
	}
	return fmt.Sprintf("event %s of job %s, attempt %d: %s", e.Event.Name, e.Event.Job, e.Event.Attempt, e.Why)
}

// EventName says what happened.
type EventName string

// The events. Those of a run frame its sessions: a driver that was killed
// leaves a run-start without its run-finish.
const (
	RunStart  EventName = "run-start"
	RunFinish EventName = "run-finish"
	Submit    EventName = "submit" // an attempt was handed to the executor
	Wait      EventName = "wait"   // it waits for an idle machine
	Start     EventName = "start"  // the application was launched
	Finish    EventName = "finish" // the attempt ended and what it left is saved
	Omit      EventName = "omit"   // the job is not needed and will not be submitted
	Heartbeat EventName = "heartbeat"
	Resize    EventName = "resize" // the member has more nodes, or fewer
	Decide    EventName = "decide" // the engine decided on an action
)

type eventJSON struct {
	Timestamp float64   `json:"timestamp"`
	Name      EventName `json:"name"`
	Job       string    `json:"job,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Status    Status    `json:"status,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Note      string    `json:"note,omitempty"`
	Group     string    `json:"group,omitempty"`
	Nodes     int       `json:"nodes,omitempty"`
	Rule      string    `json:"rule,omitempty"`

	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// MarshalJSON writes the event with its time in seconds since 1970, as Flux
// event logs have it (RFC 18), to the microsecond.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(eventJSON{
		Timestamp: Seconds(e.Time), Name: e.Name, Job: e.Job, Attempt: e.Attempt,
		Status: e.Status, Reason: e.Reason, Note: e.Note, Group: e.Group, Nodes: e.Nodes, Rule: e.Rule, Metrics: e.Metrics,
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j eventJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if j.Name == "" {
		return fmt.Errorf("an event without a name")
	}
	*e = Event{
		Time: FromSeconds(j.Timestamp), Name: j.Name, Job: j.Job, Attempt: j.Attempt,
		Status: j.Status, Reason: j.Reason, Note: j.Note, Group: j.Group, Nodes: j.Nodes, Rule: j.Rule, Metrics: j.Metrics,
	}
	return nil
}

// Seconds gives a time as seconds since 1970, rounded to the microsecond.
func Seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// FromSeconds is the inverse of Seconds.
func FromSeconds(s float64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(s * 1e6))).UTC()
}
