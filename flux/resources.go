// SPDX-License-Identifier: MIT

package flux

import (
	"encoding/json"
	"errors"
	"fmt"
)

// R is a set of concrete resources, version 1 (RFC 20): what a job got, or what
// an instance has.
type R struct {
	Version   int        `json:"version"`
	Execution RExecution `json:"execution"`
	// Scheduling is the scheduler's own and kept as it came.
	Scheduling json.RawMessage `json:"scheduling,omitempty"`
}

// RExecution is the part of R that everybody reads.
type RExecution struct {
	Lite []RLite `json:"R_lite"`
	// Nodelist names the hosts of the ranks in ascending order of ranks; its
	// strings are lists and follow upon one another.
	Nodelist   []string         `json:"nodelist,omitempty"`
	Properties map[string]IDSet `json:"properties,omitempty"` // name to ranks
	Slots      int              `json:"nslots,omitempty"`
	Start      float64          `json:"starttime"`  // seconds since 1970, 0 for none
	Expiration float64          `json:"expiration"` // the same; Fluxion writes 9223372036 for never
}

// RLite says which cores and GPUs some ranks have.
type RLite struct {
	Ranks    IDSet     `json:"rank"`
	Children RChildren `json:"children"`
}

// RChildren is what each of the ranks has, by logical number.
type RChildren struct {
	Cores IDSet  `json:"core"`
	GPUs  *IDSet `json:"gpu,omitempty"`
}

// ParseR reads R and checks it: version 1, a rank at most once, a host for each, and
// no more of anything than a machine could have.
func ParseR(b []byte) (*R, error) {
	var r R
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("reading R: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("reading R: %w", err)
	}
	return &r, nil
}

// maxChildren is how many cores or GPUs one rank may have. A short text can name
// billions.
const maxChildren = 1 << 20

func (r *R) check() error {
	if r.Version != 1 {
		return fmt.Errorf("it is of version %d and not of 1", r.Version)
	}
	n := 0
	for _, lite := range r.Execution.Lite {
		ranks := lite.Ranks.Len()
		if ranks == 0 {
			return errors.New("an entry of R_lite has no rank")
		}
		if n += ranks; n > maxHosts {
			return fmt.Errorf("it has more than %d ranks", maxHosts)
		}
		if lite.Children.Cores.Len() > maxChildren || lite.Children.GPUs != nil && lite.Children.GPUs.Len() > maxChildren {
			return fmt.Errorf("a rank of %q has more than %d cores or GPUs", shorten(lite.Ranks.String()), maxChildren)
		}
	}
	if r.Ranks().Len() != n {
		return errors.New("a rank is there twice")
	}
	hosts, err := r.Hosts()
	if err != nil {
		return err
	}
	if hosts.Len() > 0 && hosts.Len() != n {
		return fmt.Errorf("it has %d ranks and %d hosts", n, hosts.Len())
	}
	return nil
}

// Ranks are the brokers of which R has something.
func (r *R) Ranks() IDSet {
	sets := make([]IDSet, len(r.Execution.Lite))
	for i, lite := range r.Execution.Lite {
		sets[i] = lite.Ranks
	}
	return union(sets...)
}

// Hosts are the names of the ranks, in ascending order of ranks.
func (r *R) Hosts() (all Hostlist, err error) {
	for _, text := range r.Execution.Nodelist {
		h, err := ParseHostlist(text)
		if err != nil {
			return Hostlist{}, err
		}
		if all.Len()+h.Len() > maxHosts {
			return Hostlist{}, fmt.Errorf("it names more than %d hosts", maxHosts)
		}
		all = all.Append(h)
	}
	return all, nil
}

// Nodes, Cores and GPUs count what there is.
func (r *R) Nodes() int { return r.Ranks().Len() }

// Cores is how many cores there are in all.
func (r *R) Cores() (n int) {
	for _, lite := range r.Execution.Lite {
		n += lite.Ranks.Len() * lite.Children.Cores.Len()
	}
	return n
}

// GPUs is how many GPUs there are in all.
func (r *R) GPUs() (n int) {
	for _, lite := range r.Execution.Lite {
		if lite.Children.GPUs != nil {
			n += lite.Ranks.Len() * lite.Children.GPUs.Len()
		}
	}
	return n
}

// String is like rank[0-1]/core[0-1], as annotations have it.
func (r *R) String() string {
	text := ""
	for i, lite := range r.Execution.Lite {
		if i > 0 {
			text += " "
		}
		text += "rank" + bracketed(lite.Ranks) + "/core" + bracketed(lite.Children.Cores)
		if g := lite.Children.GPUs; g != nil && g.Len() > 0 {
			text += ",gpu" + bracketed(*g)
		}
	}
	return text
}

func bracketed(s IDSet) string {
	if s.Len() == 1 {
		return s.String()
	}
	return "[" + s.String() + "]"
}
