// SPDX-License-Identifier: MIT

package read

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/spec"
)

// readEnsemble reads the results of an ensemble under the older
// ensemble-operator: JSON that says what was created and how long that took,
// and holds the operator's log line by line. Some of those lines are the queue
// of Flux as JSON, {"jobs": [...]}; the last one counts.
//
// The run gets the table jobs (job, nodes, elapsed, t_submit, t_run, t_cleanup,
// in the order of the log, seconds), the metric makespan, from the first
// submission to the last cleanup, and the times that the results name, such as
// create_cluster.
func readEnsemble(ctx context.Context, r io.Reader, out *Run) error {
	limit := &meter{ctx: ctx, r: r}
	d := json.NewDecoder(limit)
	p := ensemblePath{out: out}
	for {
		limit.n = 0
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("as the JSON results of an ensemble: %w", err)
		}
		if p.token(t); len(p.keys) > maxDepth {
			return fmt.Errorf("as the JSON results of an ensemble: nested deeper than %d", maxDepth)
		}
	}
	if p.tokens == 0 {
		out.Status, out.Reason = Incomplete, "the file is empty"
		return nil
	}
	p.finish()
	return nil
}

const maxDepth = 1000

// ensemblePath follows the tokens of the document.
type ensemblePath struct {
	out    *Run
	tokens int
	keys   []string // one per level; "" in an array
	isKey  []bool   // whether the next token of the level's object is a key
	last   string   // the queue that the log shows last
}

// queued is a job as flux jobs --json lists it.
type queued struct {
	ID       json.Number `json:"id"`
	NNodes   int         `json:"nnodes"`
	TSubmit  float64     `json:"t_submit"`
	TRun     float64     `json:"t_run"`
	TCleanup float64     `json:"t_cleanup"`
	Success  *bool       `json:"success"`
	Result   *int        `json:"result"`
}

func (p *ensemblePath) token(t json.Token) {
	p.tokens++
	top := len(p.keys) - 1
	switch t := t.(type) {
	case json.Delim:
		switch t {
		case '{', '[':
			p.keys, p.isKey = append(p.keys, ""), append(p.isKey, t == '{')
		default:
			p.keys, p.isKey = p.keys[:top], p.isKey[:top]
			p.value()
		}
	case string:
		if top >= 0 && p.isKey[top] {
			p.keys[top], p.isKey[top] = t, false
			return
		}
		p.text(t)
		p.value()
	case float64:
		p.number(t)
		p.value()
	default:
		p.value()
	}
}

// value notes that a value was there, so that an object's next token is a key.
func (p *ensemblePath) value() {
	if top := len(p.keys) - 1; top >= 0 && p.keys[top] != "" {
		p.keys[top], p.isKey[top] = "", true
	}
}

func (p *ensemblePath) path() string { return strings.Join(p.keys, "/") }

func (p *ensemblePath) text(s string) {
	if top := len(p.keys) - 1; p.out.RunID == "" && top >= 0 && p.keys[top] == "name" && p.path() == "jobs//name" {
		p.out.RunID = s
	}
	i := strings.Index(s, `{"jobs"`)
	if i < 0 {
		return
	}
	d := &jsonText{b: []byte(s[i:])}
	if queue := d.value(); !d.bad {
		p.last = string(queue) // not decoded yet: there is one for every event
	}
}

func (p *ensemblePath) number(x float64) {
	at := p.path()
	name, ok := strings.CutPrefix(at, "jobs//times/")
	if !ok {
		name, ok = strings.CutSuffix(at, "_seconds")
	}
	if ok && !strings.Contains(name, "/") && name != "" {
		p.out.metric(slug(name), x, "s")
	}
}

func (p *ensemblePath) finish() {
	out := p.out
	var q struct{ Jobs []queued }
	if json.Unmarshal([]byte(p.last), &q) != nil {
		out.Status, out.Reason = Incomplete, `no line of the operator's log holds the queue, {"jobs": [...]}`
		return
	}
	t := Table{Columns: []string{"job", "nodes", "elapsed", "t_submit", "t_run", "t_cleanup"}}
	first, end := 0.0, 0.0
	var bad, open []string
	for _, j := range q.Jobs {
		id := j.ID.String()
		switch {
		case j.TCleanup == 0:
			open = append(open, id)
		case j.Success != nil && !*j.Success:
			bad = append(bad, id)
		}
		if first == 0 || j.TSubmit < first {
			first = j.TSubmit
		}
		end = max(end, j.TCleanup)
		out.Nodes = max(out.Nodes, j.NNodes)
		elapsed := spec.Value{}
		if j.TCleanup > 0 && j.TRun > 0 {
			elapsed = spec.Of(j.TCleanup - j.TRun)
		}
		if !t.add(spec.Of(id), spec.Of(j.NNodes), elapsed, second(j.TSubmit), second(j.TRun), second(j.TCleanup)) {
			out.flag("truncated")
			break
		}
	}
	out.Tables = map[string]Table{"jobs": t}
	out.Times = Times{Submit: moment(first), Finish: moment(end)}
	out.metric("jobs_total", float64(len(q.Jobs)), "count")
	if end > first {
		out.metric("makespan", end-first, "s")
	}
	switch {
	case len(q.Jobs) == 0:
		out.Status, out.Reason = Failed, "the last queue in the log has no job"
	case len(bad) > 0:
		out.Status, out.Reason = Failed, jobList(bad, len(q.Jobs), "did not succeed")
	case len(open) > 0:
		out.Status, out.Reason = Incomplete, jobList(open, len(q.Jobs), "had not finished")
	default:
		out.Status = Succeeded
	}
}

// second leaves out a time that is not known.
func second(x float64) spec.Value {
	if x == 0 {
		return spec.Value{}
	}
	return spec.Of(x)
}

func jobList(ids []string, of int, what string) string {
	return strconv.Itoa(len(ids)) + " of " + strconv.Itoa(of) + " jobs " + what + ", " + ids[0] + " the first"
}

// meter ends a read when the context does, and when one value takes more than
// its share of memory.
type meter struct {
	ctx context.Context
	r   io.Reader
	n   int
}

const maxValue = 64 << 20

func (m *meter) Read(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	if m.n > maxValue {
		return 0, fmt.Errorf("one value is longer than %d MiB", maxValue>>20)
	}
	n, err := m.r.Read(b)
	m.n += n
	return n, err
}
