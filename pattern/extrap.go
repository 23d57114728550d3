// SPDX-License-Identifier: MIT

package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrUneven is why series do not go into one file of Extra-P's text format.
var ErrUneven = errors.New("Extra-P's text format has one list of sizes for all")

// ExtraP writes series as Extra-P's text format: the parameter, its points, and
// a region for each application, variant, environment and problem with a line of
// values for each point. All have to be over one axis with the same sizes, else
// the error is [ErrUneven]. A summary is one value, the mean.
//
// Source: Extra-P, "File Formats", github.com/extra-p/extrap, docs/file-formats.md.
func ExtraP(w io.Writer, all []Series) error {
	var b strings.Builder
	for i := range all {
		s := &all[i]
		if s.Axis != all[0].Axis || !slices.EqualFunc(s.Points, all[0].Points, func(a, b Point) bool { return a.X == b.X }) {
			return fmt.Errorf("%w: %s and %s differ", ErrUneven, all[0].title(), s.title())
		}
		if i == 0 {
			fmt.Fprintf(&b, "PARAMETER %s\nPOINTS", s.Axis)
			for _, p := range s.Points {
				b.WriteString(" " + decimal(p.X))
			}
			b.WriteByte('\n')
		}
	}
	// A metric that comes again would be counted as the one before it.
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Series) int { return strings.Compare(a.Metric, b.Metric) })
	for i := range sorted {
		s := &sorted[i]
		if i == 0 || s.Metric != sorted[i-1].Metric {
			fmt.Fprintf(&b, "\nMETRIC %s\n", s.Metric)
		}
		fmt.Fprintf(&b, "REGION %s\n", s.region())
		for _, p := range s.Points {
			b.WriteString("DATA")
			for _, v := range p.runs() {
				b.WriteString(" " + decimal(v))
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ExtraPLines writes series as Extra-P's JSON Lines format, a line for each
// value. All have to be over one axis; sizes may differ.
func ExtraPLines(w io.Writer, all []Series) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range all {
		s := &all[i]
		if s.Axis != all[0].Axis {
			return fmt.Errorf("%w: %s and %s differ", ErrUneven, all[0].title(), s.title())
		}
		for _, p := range s.Points {
			for _, v := range p.runs() {
				line := struct {
					Params   map[Axis]float64 `json:"params"`
					Callpath string           `json:"callpath"`
					Metric   string           `json:"metric"`
					Value    float64          `json:"value"`
				}{map[Axis]float64{s.Axis: p.X}, s.region(), s.Metric, v}
				if err := enc.Encode(line); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// decimal writes a number without an exponent, which the grammar of the format
// does not have.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (p *Point) runs() []float64 {
	if len(p.Values) == 0 {
		return []float64{p.Mean}
	}
	return p.Values
}

// region names a series in one word of Extra-P, which takes -> for a call.
func (s *Series) region() string {
	var parts []string
	for _, part := range []string{s.App, s.Variant, s.Environment, s.Problem} {
		if part != "" {
			parts = append(parts, strings.Join(strings.Fields(strings.ReplaceAll(part, "->", "-")), "_"))
		}
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, "/")
}

func (s *Series) title() string { return fmt.Sprintf("%s %s over %s", s.region(), s.Metric, s.Axis) }
