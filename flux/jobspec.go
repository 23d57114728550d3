// SPDX-License-Identifier: MIT

package flux

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Jobspec is what a job asks for, version 1 (RFC 25): one kind of slot, below
// one kind of node or alone, and one command in it. [Job] makes one from plain
// values.
type Jobspec struct {
	Resources  []Resource `json:"resources"`
	Tasks      []Task     `json:"tasks"`
	Attributes Attributes `json:"attributes"`
	Version    int        `json:"version"`
}

// Resource is a vertex of the tree of resources: a node, slot, core or gpu.
type Resource struct {
	Type      string     `json:"type"`
	Count     int        `json:"count"`
	Exclusive bool       `json:"exclusive,omitempty"`
	With      []Resource `json:"with,omitempty"`
	Label     string     `json:"label,omitempty"` // of a slot
	Unit      string     `json:"unit,omitempty"`
}

// Task is what runs in a slot.
type Task struct {
	Command []string  `json:"command"`
	Slot    string    `json:"slot"` // the label of the slot
	Count   TaskCount `json:"count"`
}

// TaskCount is how many tasks there are: one of both is set.
type TaskCount struct {
	PerSlot int `json:"per_slot,omitempty"`
	Total   int `json:"total,omitempty"`
}

// Attributes are what is not about resources. The system's are Flux's, the
// user's are whatever a user finds of use: Flux keeps them and gives them back.
type Attributes struct {
	System System         `json:"system"`
	User   map[string]any `json:"user,omitempty"`
}

// System are the attributes that Flux reads.
type System struct {
	Duration     float64           `json:"duration"` // seconds, 0 for no limit
	Environment  map[string]string `json:"environment,omitempty"`
	Dir          string            `json:"cwd,omitempty"`
	Job          *Naming           `json:"job,omitempty"`
	Queue        string            `json:"queue,omitempty"`
	Bank         string            `json:"bank,omitempty"`
	Dependencies []Dependency      `json:"dependencies,omitempty"`
	Constraints  any               `json:"constraints,omitempty"` // RFC 31
	Files        map[string]File   `json:"files,omitempty"`       // path below {{tmpdir}} to file, RFC 37
	Shell        *Shell            `json:"shell,omitempty"`
	Exec         map[string]any    `json:"exec,omitempty"`
	// Other are the attributes that have no field here.
	Other map[string]any `json:"-"`
}

// Naming is the attribute system.job.
type Naming struct {
	Name string `json:"name,omitempty"`
}

// Shell is the attribute system.shell.
type Shell struct {
	Options map[string]any `json:"options,omitempty"`
}

type systemFields System // without methods

// MarshalJSON writes the fields and Other side by side; fields win.
func (s System) MarshalJSON() ([]byte, error) {
	b, err := marshal(systemFields(s))
	if err != nil || len(s.Other) == 0 {
		return b, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	all := maps.Clone(s.Other)
	for key, value := range fields {
		all[key] = value
	}
	return marshal(all)
}

// systemKeys are the keys that have fields.
var systemKeys = []string{"duration", "environment", "cwd", "job", "queue", "bank", "dependencies",
	"constraints", "files", "shell", "exec"}

// UnmarshalJSON reads the fields and puts what is left into Other.
func (s *System) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, (*systemFields)(s)); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for key, raw := range all {
		if slices.Contains(systemKeys, key) {
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return err
		}
		if s.Other == nil {
			s.Other = map[string]any{}
		}
		s.Other[key] = value
	}
	return nil
}

// ParseJobspec reads a jobspec of version 1 and checks it.
func ParseJobspec(b []byte) (*Jobspec, error) {
	var js Jobspec
	if err := json.Unmarshal(b, &js); err != nil {
		return nil, fmt.Errorf("reading a jobspec: %w", err)
	}
	if err := js.Check(); err != nil {
		return nil, fmt.Errorf("reading a jobspec: %w", err)
	}
	return &js, nil
}

// Check says what of RFC 25 is not kept.
func (js *Jobspec) Check() error {
	switch {
	case js.Version != 1:
		return fmt.Errorf("it is of version %d and not of 1", js.Version)
	case len(js.Resources) != 1:
		return fmt.Errorf("it has %d resources at the top and not one", len(js.Resources))
	case len(js.Tasks) != 1:
		return fmt.Errorf("it has %d entries of tasks and not one", len(js.Tasks))
	}
	slot := js.Resources[0]
	if slot.Type == "node" {
		if slot.Count < 1 || len(slot.With) != 1 {
			return errors.New("a node has to have a count of 1 or more and one kind of slot")
		}
		slot = slot.With[0]
	}
	if slot.Type != "slot" || slot.Count < 1 || slot.Label == "" {
		return errors.New("it has no slot with a label and a count of 1 or more")
	}
	cores := false
	for _, r := range slot.With {
		if r.Count < 1 || r.Type != "core" && r.Type != "gpu" {
			return fmt.Errorf("a slot cannot have %d of %q", r.Count, r.Type)
		}
		cores = cores || r.Type == "core"
	}
	task := js.Tasks[0]
	switch {
	case !cores:
		return errors.New("a slot has no core")
	case len(task.Command) == 0:
		return errors.New("there is no command")
	case task.Slot != slot.Label:
		return fmt.Errorf("tasks are for slot %q, and the slot is %q", task.Slot, slot.Label)
	case (task.Count.PerSlot > 0) == (task.Count.Total > 0):
		return errors.New("the tasks have to have one of per_slot and total")
	case js.Attributes.System.Duration < 0:
		return fmt.Errorf("the duration is %v seconds", js.Attributes.System.Duration)
	}
	return nil
}

// Shape is what the tree of resources of a jobspec comes to.
type Shape struct {
	Nodes        int // 0 where it does not matter
	Slots        int // in all
	CoresPerSlot int
	GPUsPerSlot  int
	Exclusive    bool // nodes are not shared
	// Tasks is how many tasks will run in all, as far as slots tell; the shell
	// option per-resource changes it.
	Tasks int
}

// Shape reads the tree of a jobspec that Check found good.
func (js *Jobspec) Shape() Shape {
	var s Shape
	slot := js.Resources[0]
	if slot.Type == "node" {
		s.Nodes, s.Exclusive = slot.Count, slot.Exclusive
		slot = slot.With[0]
	}
	s.Slots = slot.Count * max(1, s.Nodes)
	for _, r := range slot.With {
		switch r.Type {
		case "core":
			s.CoresPerSlot += r.Count
		case "gpu":
			s.GPUsPerSlot += r.Count
		}
	}
	s.Tasks = js.Tasks[0].Count.Total
	if s.Tasks == 0 {
		s.Tasks = s.Slots * js.Tasks[0].Count.PerSlot
	}
	return s
}

// Name is the name that Flux shows: the one given, or that of the command.
func (js *Jobspec) Name() string {
	if js.Attributes.System.Job != nil && js.Attributes.System.Job.Name != "" {
		return js.Attributes.System.Job.Name
	}
	if len(js.Tasks) > 0 && len(js.Tasks[0].Command) > 0 {
		return js.Tasks[0].Command[0]
	}
	return ""
}
