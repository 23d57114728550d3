// SPDX-License-Identifier: MIT

package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

type position struct{ line, column int }

// tree turns YAML nodes into the values of encoding/json (with json.Number for
// numbers) and remembers where each stood. For a field of a mapping that is
// the position of its key.
type tree struct {
	positions map[Path]position
	anchors   map[string]ast.Node
	nodes     int
	faults    []Fault
}

// parse reads one YAML document.
func parse(data []byte) (any, *tree) {
	t := &tree{positions: map[Path]position{}, anchors: map[string]ast.Node{}}
	tokens, fault := scan(data)
	if fault != nil {
		t.faults = append(t.faults, *fault)
		return nil, t
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		// Not err.Error() of a yaml.Error: it draws the place, in time that is
		// quadratic in the length of the line.
		var f Fault
		if y := yaml.Error(nil); errors.As(err, &y) {
			f.Message = "reading YAML: " + y.GetMessage()
			if tok := y.GetToken(); tok != nil {
				f.Line, f.Column = tok.Position.Line, tok.Position.Column
			}
		} else {
			f.Message = err.Error()
		}
		t.faults = append(t.faults, f)
		return nil, t
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.CommentGroupType {
			body = d.Body
		}
	}
	if body == nil {
		t.fault("", nil, "the file is empty; want apiVersion, kind, metadata and spec")
		return nil, t
	}
	return t.value("", body, 0), t
}

func (t *tree) fault(p Path, n ast.Node, format string, args ...any) {
	f := Faultf(p, format, args...)
	if n != nil {
		at := start(n)
		f.Line, f.Column = at.line, at.column
	}
	t.faults = append(t.faults, f)
}

func (t *tree) place(p Path, n ast.Node) {
	if _, ok := t.positions[p]; ok {
		return // the key, or the alias rather than its anchor
	}
	t.positions[p] = start(n)
}

// start gives the position of a node: of a mapping in block style, whose token
// is a colon, that of its first key.
func start(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	}
	if t := n.GetToken(); t != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{}
}

func (t *tree) value(p Path, n ast.Node, depth int) any {
	t.nodes++
	if t.nodes == maxNodes || depth == maxDepth {
		t.fault(p, n, "the file is too large or too deep: want %d values and %d levels at most", maxNodes, maxDepth)
	}
	if t.nodes >= maxNodes || depth >= maxDepth {
		return nil
	}
	t.place(p, n)
	switch n := n.(type) {
	case *ast.MappingNode:
		return t.mapping(p, n.Values, depth)
	case *ast.MappingValueNode:
		return t.mapping(p, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for i, e := range n.Values {
			list = append(list, t.value(p.Index(i), e, depth+1))
		}
		return list
	case *ast.AnchorNode:
		v := t.value(p, n.Value, depth)
		t.anchors[n.Name.GetToken().Value] = n.Value // after: an anchor cannot hold itself
		return v
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, ok := t.anchors[name]
		if !ok {
			t.fault(p, n, "the alias *%s has no anchor before it", name)
			return nil
		}
		return t.value(p, target, depth+1)
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode:
		return json.Number(fmt.Sprint(n.Value))
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) || math.IsNaN(n.Value) {
			t.fault(p, n, "got %s, want a finite number", n.Token.Value)
			return nil
		}
		return json.Number(formatFloat(n.Value))
	case *ast.StringNode:
		if plain(n) && decimal.MatchString(n.Value) {
			if x, err := strconv.ParseFloat(n.Value, 64); err == nil {
				return json.Number(formatFloat(x))
			}
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.TagNode, *ast.InfinityNode, *ast.NanNode:
		t.fault(p, n, "%q is not used here; want a plain value", n.GetToken().Value)
		return nil
	default:
		t.fault(p, n, "%s is not used here", n.Type())
		return nil
	}
}

// mapping gives the fields of a mapping. Its own fields win over merged ones,
// wherever the merge key stands.
func (t *tree) mapping(p Path, values []*ast.MappingValueNode, depth int) any {
	m := make(map[string]any, len(values))
	merged := map[string]bool{}
	for _, v := range values {
		if v.Key.IsMergeKey() {
			t.merge(p, m, merged, v, depth)
			continue
		}
		key := v.Key.GetToken().Value
		at := p.Key(key)
		if _, dup := m[key]; dup && !merged[key] {
			t.fault(at, v.Key, "the field is given twice")
			continue
		}
		if merged[key] {
			delete(merged, key)
			delete(t.positions, at)
		}
		t.place(at, v.Key)
		m[key] = t.value(at, v.Value, depth+1)
	}
	return m
}

// merge applies a "<<" key: an alias of a mapping, or a list of some of which
// the earlier win. It notes which fields came with it.
func (t *tree) merge(p Path, m map[string]any, merged map[string]bool, v *ast.MappingValueNode, depth int) {
	from := t.value(p.Key("<<"), v.Value, depth+1)
	list, ok := from.([]any)
	if !ok {
		list = []any{from}
	}
	for _, x := range list {
		fields, ok := x.(map[string]any)
		if !ok {
			t.fault(p, v.Key, "the merge key << wants an alias of a mapping, or a list of them")
			return
		}
		for k, x := range fields {
			if _, has := m[k]; !has {
				m[k], merged[k] = x, true
				t.place(p.Key(k), v.Key)
			}
		}
	}
}

// lookup finds the value at a path given as the schema library gives it.
func lookup(doc any, location []string) any {
	for _, k := range location {
		switch d := doc.(type) {
		case map[string]any:
			doc = d[k]
		case []any:
			i, err := strconv.Atoi(k)
			if err != nil || i >= len(d) {
				return nil
			}
			doc = d[i]
		default:
			return nil
		}
	}
	return doc
}

// pathOf turns the schema library's location into a path.
func pathOf(doc any, location []string) Path {
	var p Path
	for _, k := range location {
		if list, ok := doc.([]any); ok {
			i, _ := strconv.Atoi(k)
			p, doc = p.Index(i), nil
			if i < len(list) {
				doc = list[i]
			}
			continue
		}
		p = p.Key(k)
		m, _ := doc.(map[string]any)
		doc = m[k]
	}
	return p
}

// prune removes the value at a location, so that the rest can be checked.
func prune(doc any, location []string) {
	if len(location) == 0 {
		return
	}
	last := location[len(location)-1]
	switch parent := lookup(doc, location[:len(location)-1]).(type) {
	case map[string]any:
		delete(parent, last)
	case []any:
		if i, err := strconv.Atoi(last); err == nil && i < len(parent) {
			parent[i] = nil
		}
	}
}
