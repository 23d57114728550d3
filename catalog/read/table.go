// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/converged-computing/ensemble/spec"
)

// Table is a list of rows. Its JSON is an array of objects whose fields are in
// the order of Columns; an empty string is left out.
type Table struct {
	Columns []string
	Rows    [][]spec.Value
}

// add appends a row unless the table is full.
func (t *Table) add(row ...spec.Value) bool {
	if len(t.Rows) >= MaxPoints {
		return false
	}
	t.Rows = append(t.Rows, row)
	return true
}

// MarshalJSON writes the rows as objects.
func (t Table) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		first := true
		for j, v := range row {
			if v == (spec.Value{}) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			name, err := json.Marshal(t.Columns[j])
			if err != nil {
				return nil, err
			}
			value, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("writing column %q of row %d: %w", t.Columns[j], i, err)
			}
			b.Write(name)
			b.WriteByte(':')
			b.Write(value)
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes; columns are in the order in
// which they are first seen.
func (t *Table) UnmarshalJSON(data []byte) error {
	*t = Table{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := expect(d, '['); err != nil {
		return err
	}
	for d.More() {
		if err := expect(d, '{'); err != nil {
			return err
		}
		row := make([]spec.Value, len(t.Columns))
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			i := slices.Index(t.Columns, name)
			if i < 0 {
				i = len(t.Columns)
				t.Columns = append(t.Columns, name)
				row = append(row, spec.Value{})
			}
			if err := d.Decode(&row[i]); err != nil {
				return fmt.Errorf("reading column %q: %w", name, err)
			}
		}
		if err := expect(d, '}'); err != nil {
			return err
		}
		t.Rows = append(t.Rows, row)
	}
	for i, row := range t.Rows {
		t.Rows[i] = append(row, make([]spec.Value, len(t.Columns)-len(row))...)
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("got %v, want %v in a table", got, want)
	}
	return nil
}
