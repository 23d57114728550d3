// SPDX-License-Identifier: MIT

package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// listing is a result that every format can show: rows for table and csv, a
// value for json and yaml.
type listing struct {
	header []string
	rows   [][]string
	value  any
}

// formats are the ways to show a listing; the first is the default.
var formats = []string{"table", "json", "yaml", "csv"}

// outputFlag adds -o to a command.
func outputFlag(c *cobra.Command, format *string, more ...string) {
	all := append(append([]string{}, formats...), more...)
	c.Flags().StringVarP(format, "output", "o", all[0], strings.Join(all, ", "))
	c.PreRunE = func(*cobra.Command, []string) error {
		for _, f := range all {
			if f == *format {
				return nil
			}
		}
		return input(fmt.Errorf("unknown output format %q; want %s", *format, strings.Join(all, ", ")))
	}
}

// write shows the listing.
func (l *listing) write(w io.Writer, format string) error {
	switch format {
	case "json":
		return writeJSON(w, l.value)
	case "yaml":
		b, err := json.Marshal(l.value)
		if err != nil {
			return err
		}
		if b, err = yaml.JSONToYAML(b); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	case "csv":
		c := csv.NewWriter(w)
		if err := c.WriteAll(append([][]string{l.header}, l.rows...)); err != nil {
			return err
		}
		return c.Error()
	default:
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		used := l.used()
		line := func(cells []string) {
			var kept []string
			for i, c := range cells {
				if used[i] {
					kept = append(kept, c)
				}
			}
			fmt.Fprintln(t, strings.TrimRight(strings.Join(kept, "\t"), "\t"))
		}
		line(strings.Split(strings.ToUpper(strings.Join(l.header, "\t")), "\t"))
		for _, row := range l.rows {
			line(row)
		}
		return t.Flush()
	}
}

// used says which columns have something to show; without rows, all of them.
func (l *listing) used() []bool {
	used := make([]bool, len(l.header))
	for i := range used {
		used[i] = len(l.rows) == 0 || slices.ContainsFunc(l.rows, func(row []string) bool { return row[i] != "" })
	}
	return used
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
