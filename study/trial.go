// SPDX-License-Identifier: MIT

package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// A Trial is one configuration to run once. It is written as records are.
type Trial struct {
	// ID is a digest of all that decides the trial: 16 hexadecimal digits.
	ID string `json:"trial"`
	// Group is the name of the sweep.
	Group string `json:"group"`
	// App and Variant name what runs.
	App     string `json:"app"`
	Variant string `json:"variant"`
	// Environment names where it runs; empty where the study declares none.
	Environment string `json:"environment,omitempty"`
	// Nodes times TasksPerNode is Tasks, the number of ranks.
	Nodes        int `json:"nodes"`
	Tasks        int `json:"tasks"`
	TasksPerNode int `json:"tasks_per_node"`
	// Threads and CoresPerTask are per rank.
	Threads      int `json:"threads"`
	CoresPerTask int `json:"cores_per_task"`
	// MapBy is how ranks are placed; empty leaves it to the launcher.
	MapBy string `json:"map_by,omitempty"`
	// BindTo is what ranks are bound to.
	BindTo string `json:"bind_to,omitempty"`
	// Parameters has a value for every parameter of the application.
	Parameters map[string]spec.Value `json:"parameters,omitempty"`
	// Repetition counts from 1.
	Repetition int `json:"repetition"`

	// Cell is a digest like the ID, but of all repetitions alike, and Until says
	// when they are enough, where that is decided while the study runs.
	Cell  string      `json:"cell,omitempty"`
	Until *spec.Until `json:"until,omitempty"`
}

// Config is what the catalog needs to render the application.
func (t *Trial) Config() catalog.Config {
	return catalog.Config{
		Nodes: t.Nodes, Tasks: t.Tasks, TasksPerNode: t.TasksPerNode,
		Threads: t.Threads, CoresPerTask: t.CoresPerTask, Parameters: t.Parameters,
	}
}

// A maker makes trials of points. It is not safe for concurrent use.
type maker struct {
	config config
	text   []byte
}

func (m *maker) trial(s *sweep, row []int, repetition int) Trial {
	c := &m.config
	s.resolve(row, c)
	app := s.apps[c.app]
	t := Trial{
		Group: s.name, App: app.def.Metadata.Name, Variant: c.variant.Name, Environment: s.environments[c.env].Name,
		Nodes: int(c.nodes), Tasks: int(c.tasks), TasksPerNode: int(c.perNode),
		Threads: int(c.threads), CoresPerTask: int(c.cores), MapBy: c.mapBy, BindTo: c.bindTo,
		Repetition: repetition,
	}
	if len(app.params) > 0 {
		t.Parameters = make(map[string]spec.Value, len(app.params))
		for j := range app.params {
			t.Parameters[app.params[j].name] = s.parameter(row, app, j)
		}
	}
	id := func() string {
		m.text = t.appendIdentity(m.text[:0], app, app.definitions[c.variant], s.policyDigest)
		sum := sha256.Sum256(m.text)
		return hex.EncodeToString(sum[:8])
	}
	t.ID = id()
	if t.Until = s.spec.Repetitions.Until; t.Until != nil {
		t.Repetition = 0
		t.Cell = id()
		t.Repetition = repetition
	}
	return t
}

// appendIdentity appends all that decides a trial as JSON in canonical form:
// keys sorted, no spaces, numbers as spec.Value writes them. Two digests stand
// for what is too long to repeat: definition for what the application and its
// variant execute, and run for the commands before and after a job. The group
// is part of it: the same configuration in two groups is run for each of them,
// so that each is complete by itself.
func (t *Trial) appendIdentity(b []byte, app *application, definition, run string) []byte {
	b = appendText(append(b, `{"app":`...), t.App)
	b = appendText(append(b, `,"bind_to":`...), t.BindTo)
	b = strconv.AppendInt(append(b, `,"cores_per_task":`...), int64(t.CoresPerTask), 10)
	b = appendText(append(b, `,"definition":`...), definition)
	b = appendText(append(b, `,"environment":`...), t.Environment)
	b = appendText(append(b, `,"group":`...), t.Group)
	b = appendText(append(b, `,"map_by":`...), t.MapBy)
	b = strconv.AppendInt(append(b, `,"nodes":`...), int64(t.Nodes), 10)
	b = append(b, `,"parameters":{`...)
	for j := range app.params {
		if j > 0 {
			b = append(b, ',')
		}
		name := app.params[j].name
		b = append(appendText(b, name), ':')
		switch v := t.Parameters[name]; x := v.Any().(type) {
		case int64:
			b = strconv.AppendInt(b, x, 10)
		case string:
			b = appendText(b, x)
		default:
			b = append(b, v.String()...)
		}
	}
	b = strconv.AppendInt(append(b, `},"repetition":`...), int64(t.Repetition), 10)
	b = appendText(append(b, `,"run":`...), run)
	b = strconv.AppendInt(append(b, `,"tasks":`...), int64(t.Tasks), 10)
	b = strconv.AppendInt(append(b, `,"tasks_per_node":`...), int64(t.TasksPerNode), 10)
	b = strconv.AppendInt(append(b, `,"threads":`...), int64(t.Threads), 10)
	b = appendText(append(b, `,"variant":`...), t.Variant)
	return append(b, '}')
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// definition is the digest of what an application and its variant execute:
// neither descriptions nor rules for output are part of it.
func definition(a *spec.ApplicationSpec, v *spec.Variant) string {
	type deck struct {
		Path, Content string
		Verbatim      bool
	}
	var decks []deck
	for _, d := range a.Decks {
		decks = append(decks, deck{d.Path, d.Content, d.Verbatim})
	}
	command, prepare := a.Command, a.Prepare
	if len(v.Command) > 0 {
		command = v.Command
	}
	if len(v.Prepare) > 0 {
		prepare = v.Prepare
	}
	env := map[string]string{}
	maps.Copy(env, a.Env)
	maps.Copy(env, v.Env)
	what := []any{list(command), list(prepare), list(a.Services), env, a.Ranks, list(decks), v.Name, v.MPI, list(v.Packages)}
	if v.Image != "" { // others keep the digest that they had before there were images
		what = append(what, v.Image)
	}
	return digest(what...)
}

// list makes an absent list an empty one, so that both have the same digest.
func list[T any](l []T) []T { return append([]T{}, l...) }

// digest is the SHA-256 of values as JSON, in hexadecimal.
func digest(values ...any) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("study: a type of a file cannot be written as JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
