// SPDX-License-Identifier: MIT

package fluxtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/flux"
)

// need is a dependency.
type need struct {
	scheme string
	on     *job
	text   string // as events tell it
	until  float64
}

// kept says whether a need is met, and whether it can still be.
func (n *need) kept(now float64) (met, possible bool) {
	if n.scheme == "begin-time" {
		return now >= n.until, true
	}
	over := n.on.state == flux.Inactive
	switch n.scheme {
	case "after":
		for _, e := range n.on.logs["eventlog"] {
			if e.Name == "start" {
				return true, true
			}
		}
		return false, !over
	case "afterok":
		return over && n.on.result.Success(), !over || n.on.result.Success()
	case "afternotok":
		return over && !n.on.result.Success(), !over || !n.on.result.Success()
	}
	return over, true
}

// descriptions are how Flux tells of its schemes.
var descriptions = map[string]string{"after": "after-start", "afterok": "after-success", "afternotok": "after-failure", "afterany": "after-finish"}

// needsOf reads the dependencies of a job that is not yet taken.
func (b *Broker) needsOf(j *job) (needs []*need, err error) {
	for _, d := range j.spec.Attributes.System.Dependencies {
		switch d.Scheme {
		case "after", "afterok", "afternotok", "afterany":
			id, err := flux.ParseJobID(d.Value)
			if err != nil {
				return nil, fmt.Errorf("dependency: %s: %q is not a valid jobid", d.Scheme, d.Value)
			}
			on := b.jobs[id]
			if on == nil {
				return nil, fmt.Errorf("dependency: %s: id %s: job not found", d.Scheme, d.Value)
			}
			n := &need{scheme: d.Scheme, on: on, text: descriptions[d.Scheme] + "=" + id.String()}
			if _, possible := n.kept(0); !possible {
				return nil, fmt.Errorf("dependency: %s: %s", d.Scheme, impossible(n))
			}
			needs = append(needs, n)
		case "singleton":
			for _, o := range b.order {
				if o.state != flux.Inactive && o.spec.Name() == j.spec.Name() {
					needs = append(needs, &need{scheme: d.Scheme, on: o, text: "singleton"})
				}
			}
		case "begin-time":
			until, err := strconv.ParseFloat(d.Value, 64)
			if err != nil {
				return nil, fmt.Errorf("begin-time: invalid value %q", d.Value)
			}
			needs = append(needs, &need{scheme: d.Scheme, until: until, text: fmt.Sprintf("begin-time=%.3f", until)})
		default:
			return nil, fmt.Errorf("dependency scheme %q not supported", d.Scheme)
		}
	}
	return needs, nil
}

func impossible(n *need) string {
	switch {
	case n.scheme == "after":
		return fmt.Sprintf("%s never started", n.on.id)
	case n.scheme == "afterok":
		return fmt.Sprintf("job %s failed or was canceled", n.on.id)
	}
	return fmt.Sprintf("job %s succeeded", n.on.id)
}

// meet takes off the needs of a job that are met, and says whether none is left.
func (b *Broker) meet(j *job) bool {
	now := float64(time.Now().UnixMicro()) / 1e6
	for _, n := range slices.Clone(j.needs) {
		met, possible := n.kept(now)
		switch {
		case met:
			j.needs = slices.DeleteFunc(j.needs, func(o *need) bool { return o == n })
			if !slices.ContainsFunc(j.needs, func(o *need) bool { return o.text == n.text }) {
				b.post(j, "dependency-remove", pairs("description", n.text))
			}
		case !possible:
			b.raise(j, "dependency", 0, "dependency "+n.text+" can never be satisfied")
			return false
		case n.scheme == "begin-time":
			b.later(time.Duration((n.until-now)*1e9)+time.Millisecond, func() { b.advance(j) })
		}
	}
	return len(j.needs) == 0
}

// released looks after those who waited for something of a job.
func (b *Broker) released(on *job) {
	for _, j := range on.others {
		b.advance(j)
	}
}

// unwrap takes the jobspec out of what is signed "none" by the owner (RFC 15).
func unwrap(signed string, owner int) ([]byte, error) {
	parts := strings.Split(signed, ".")
	if len(parts) != 3 || parts[2] != "none" {
		return nil, errors.New("J is not a header, a payload and a signature none")
	}
	header, err := base64.StdEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("version\x00i1\x00userid\x00i%d\x00mechanism\x00snone\x00", owner); string(header) != want {
		return nil, fmt.Errorf("only instance owner can use sign-type=none (%q)", header)
	}
	return base64.StdEncoding.DecodeString(parts[1])
}

// pairs is an object with its keys in the order given.
func pairs(keysAndValues ...any) json.RawMessage {
	b := []byte{'{'}
	for i := 0; i < len(keysAndValues); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		for k, v := range keysAndValues[i : i+2] {
			if k == 1 {
				b = append(b, ':')
			}
			var text strings.Builder
			enc := json.NewEncoder(&text)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				panic(err)
			}
			b = append(b, strings.TrimSpace(text.String())...)
		}
	}
	return append(b, '}')
}
