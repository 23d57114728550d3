// SPDX-License-Identifier: MIT

package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Repetitions is how often each configuration runs: a number, or until the
// interval of its time is tight enough.
type Repetitions struct {
	// Count is the number; 0 where Until is set.
	Count int
	// Until is set where the file gives it.
	Until *Until
}

// Until says when the repetitions of a configuration are enough.
type Until struct {
	// Interval is how wide the confidence interval of the mean time may be, at
	// 95 %: half its width by the mean, so 5% asks for the mean ± 5 %.
	Interval Percent `json:"interval"`
	// AtMost ends the repetitions of a configuration that does not get there.
	AtMost int `json:"at most" jsonschema:"minimum=3,maximum=1000"`
}

// Most is how often a configuration runs at most.
func (r Repetitions) Most() int {
	if r.Until != nil {
		return r.Until.AtMost
	}
	return r.Count
}

// untilForm is the form of Repetitions that is no number.
type untilForm struct {
	// Until says when the repetitions are enough.
	Until *Until `json:"until"`
}

// MarshalJSON writes the form that is set.
func (r Repetitions) MarshalJSON() ([]byte, error) {
	if r.Until != nil {
		return json.Marshal(untilForm{r.Until})
	}
	return json.Marshal(r.Count)
}

// UnmarshalJSON reads either form.
func (r *Repetitions) UnmarshalJSON(b []byte) error {
	*r = Repetitions{}
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		var form untilForm
		err := json.Unmarshal(b, &form)
		r.Until = form.Until
		return err
	}
	return json.Unmarshal(b, &r.Count)
}

// JSONSchema describes the two forms.
func (Repetitions) JSONSchema() *jsonschema.Schema {
	r := &jsonschema.Reflector{Anonymous: true, DoNotReference: true}
	until := r.Reflect(&untilForm{})
	until.Version = ""
	return &jsonschema.Schema{
		Description: "How often each configuration runs: a number, or until the interval of its time is tight enough.",
		AnyOf:       []*jsonschema.Schema{{Type: "integer", Minimum: "1"}, until},
	}
}

func (r Repetitions) check(at Path) (faults []Fault) {
	if r.Until == nil {
		return nil
	}
	if p := r.Until.Interval; p <= 0 || p >= 1 {
		faults = append(faults, Faultf(at.Key("until").Key("interval"), "got %s, want more than 0%% and less than 100%%", p))
	}
	return faults
}

// Percent is a share, written as in 5% or 2.5%; 5% is 0.05.
type Percent float64

// String gives the share as it is written.
func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)*100, 'g', 12, 64) + "%"
}

// MarshalJSON writes the share as a string.
func (p Percent) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads a string such as 5%.
func (p *Percent) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("got %s, want a percentage such as 5%%", b)
	}
	x, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !strings.HasSuffix(s, "%") {
		return fmt.Errorf("got %q, want a percentage such as 5%%", s)
	}
	*p = Percent(x / 100)
	return nil
}

// JSONSchema describes the string.
func (Percent) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: percentPattern, Description: "A share such as 5% or 2.5%."}
}

const percentPattern = `^[0-9]+(\.[0-9]+)?%$`
