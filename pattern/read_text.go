// SPDX-License-Identifier: MIT

package pattern

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/converged-computing/ensemble/catalog/read"
	"github.com/converged-computing/ensemble/measure"
	"github.com/converged-computing/ensemble/spec"
)

func valueOf(n Number) read.Value { return read.Value{Value: n.Value, Unit: n.Unit} }

// splitUnit takes metric.loop_time[s] apart.
func splitUnit(column string) (name, unit string) {
	name = strings.TrimPrefix(column, "metric.")
	if i := strings.IndexByte(name, '['); i > 0 && strings.HasSuffix(name, "]") {
		return name[:i], name[i+1 : len(name)-1]
	}
	return name, ""
}

// unit is that of a metric whose column tells none: the application's, or
// seconds where the name says that it is a time.
func (t *reading) unit(app, metric string) string {
	if a := t.apps[app]; a != nil {
		for _, m := range a.Spec.Output.Metrics {
			if m.Name == metric {
				return m.Unit
			}
		}
	}
	switch {
	case metric == MPIShare || metric == mpiPercent:
		return "%"
	case metric == Memory:
		return "B"
	case metric == LaunchOverhead, strings.Contains(metric, "time"), strings.Contains(metric, "wall"), strings.Contains(metric, "duration"), strings.Contains(metric, "seconds"):
		return "s"
	}
	return ""
}

// metricColumns are the columns that hold a metric; those with the deviation
// or the number of runs of another are a part of it.
func metricColumns(columns []string) (found []string) {
	names := map[string]bool{}
	for _, c := range columns {
		name, _ := splitUnit(c)
		names[name] = true
	}
	for _, c := range columns {
		name, _ := splitUnit(c)
		switch {
		case slices.Contains(about, c), slices.Contains(passedOver, c), c == "status", c == "flags", strings.HasPrefix(c, "parameter."):
		case strings.HasSuffix(name, "_sd") && names[strings.TrimSuffix(name, "_sd")]:
		case strings.HasSuffix(name, "_n") && names[strings.TrimSuffix(name, "_n")]:
		default:
			found = append(found, c)
		}
	}
	return found
}

func (t *reading) csv(b []byte) {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.Comment, r.Comma = -1, '#', separator(b)
	head, err := r.Read()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			t.broken(err)
		}
		return
	}
	seen := map[string]bool{}
	for i, name := range head {
		head[i] = strings.TrimSpace(name)
		line, column := r.FieldPos(i)
		switch {
		case head[i] == "":
			t.fault(line, column, "", "the column has no name")
		case seen[head[i]]:
			t.fault(line, column, "", "the column %q is given twice", head[i])
		}
		seen[head[i]] = true
	}
	metrics := metricColumns(head)
	line, _ := r.FieldPos(0)
	if !seen["nodes"] && !seen["tasks"] {
		t.fault(line, 1, "", "no column nodes or tasks; want one of them at least, got %s", got(head))
	}
	if len(metrics) == 0 {
		t.fault(line, 1, "", "no column with a metric; want one beside %s, such as loop_time[s]", spec.OneOf(about))
	}
	if len(t.faults) > 0 {
		return
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.broken(err)
			return
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(head) {
			t.fault(line, 1, "", "got %d cells, want %d as in the first line", len(cells), len(head))
			continue
		}
		x := row{line: line, cells: map[string]cellText{}}
		for i, name := range head {
			_, column := r.FieldPos(i)
			x.cells[name] = cellText{strings.TrimSpace(cells[i]), column}
		}
		t.add(x, metrics)
	}
}

// separator is what is between the columns: commas, or where the first line has
// none, the semicolons or tabs that it has.
func separator(b []byte) rune {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		for _, c := range ",;\t" {
			if bytes.ContainsRune(line, c) {
				return c
			}
		}
		break
	}
	return ','
}

// misnamed are names that others use for columns.
var misnamed = map[string]string{
	"ranks": "tasks", "processes": "tasks", "procs": "tasks", "np": "tasks", "cores": "tasks", "node": "nodes", "nnodes": "nodes",
}

// got lists columns, and says of one that goes by another name here which.
func got(columns []string) string {
	const shown = 8
	var names []string
	for _, c := range columns[:min(len(columns), shown)] {
		names = append(names, fmt.Sprintf("%.40q", c))
	}
	text := strings.Join(names, ", ")
	if len(columns) > shown {
		text += fmt.Sprintf(" and %d more", len(columns)-shown)
	}
	for _, c := range columns {
		lower := strings.ToLower(c)
		if name := cmp.Or(misnamed[lower], lower); name != c && slices.Contains(about, name) {
			return text + fmt.Sprintf("; did you mean %q by %q?", name, c)
		}
	}
	return text
}

func (t *reading) broken(err error) {
	var p *csv.ParseError
	if errors.As(err, &p) {
		t.fault(p.Line, p.Column, "", "%v", p.Err)
		return
	}
	t.fault(1, 1, "", "%v", err)
}

// json reads objects, in arrays or not.
func (t *reading) json(b []byte) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	at := func(offset int64) (line, column int) {
		before := b[:min(int(offset), len(b))]
		return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
	}
	fail := func(err error) {
		offset := d.InputOffset()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		line, column := at(offset)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("the file ends too early")
		}
		t.fault(line, column, "", "%v", err)
	}
	depth := 0
	for {
		rest := bytes.TrimLeft(b[d.InputOffset():], " \t\r\n,")
		if len(rest) > 0 && (rest[0] == '[' || rest[0] == ']') {
			tok, err := d.Token()
			if err != nil {
				fail(err)
				return
			}
			if depth++; tok == json.Delim(']') {
				depth -= 2
			}
			if depth > 1 {
				fail(errors.New("got an array in an array, want an object"))
				return
			}
			continue
		}
		line, column := at(int64(len(b) - len(rest)))
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) && depth == 0 {
			return
		}
		if err != nil {
			fail(err)
			return
		}
		t.object(raw, line, column)
	}
}

// object reads one object: a record, or fields by the names of columns.
func (t *reading) object(raw json.RawMessage, line, column int) {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil || fields == nil {
		t.fault(line, column, "", "got %.20s, want an object", raw)
		return
	}
	if _, ok := fields["metrics"]; ok {
		var r measure.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			t.fault(line, column, "", "the record makes no sense: %v", err)
			return
		}
		found := FromRecords([]measure.Record{r}, t.apps)
		t.found, t.passed = append(t.found, found...), t.passed || len(found) == 0
		return
	}
	x := row{line: line, cells: map[string]cellText{}}
	var columns []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch v := fields[name].(type) {
		case nil:
			continue
		case string, json.Number:
			x.cells[name] = cellText{fmt.Sprint(v), column}
		default:
			t.fault(line, column, spec.Path(name), "got %s, want a number or text", kind(v))
			return
		}
		columns = append(columns, name)
	}
	metrics := metricColumns(columns)
	if len(metrics) == 0 {
		t.fault(line, column, "", "no metric; want one beside %s, such as loop_time", spec.OneOf(about))
		return
	}
	t.add(x, metrics)
}

// kind names what JSON has where no number and no text is.
func kind(v any) string {
	switch v := v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprint(v)
	}
}
