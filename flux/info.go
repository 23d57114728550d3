// SPDX-License-Identifier: MIT

package flux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/converged-computing/ensemble/flux/wire"
)

// MinVersion is the oldest flux-core that is served: resource.sched-status, which
// tells what is free, is there since.
const MinVersion = "0.61.0"

// triedVersions are those against which the tests ran.
var triedVersions = []string{"0.88.0"}

// TriedVersions are the versions of flux-core that this package was tried with.
// Others from MinVersion on are taken for alike.
func TriedVersions() []string { return slices.Clone(triedVersions) }

// Info is what a broker says of itself.
type Info struct {
	Version  string // of flux-core, such as 0.88.0
	Tried    bool   // this package was tried with that version
	Size     int    // brokers of the instance
	Rank     int    // of the broker that is connected to
	Owner    int    // the user who started the instance
	Level    int    // how many instances are around this one
	Hosts    Hostlist
	Instance string // told apart from every other instance by it; "" where the broker has none
}

// Attr reads an attribute of the broker, as flux getattr does. One that is not
// there is an *Error with ENOENT.
func (c *Client) Attr(ctx context.Context, name string) (string, error) {
	var out struct{ Value string }
	err := c.Call(ctx, "attr.get", map[string]string{"name": name}, &out)
	if err != nil {
		err = fmt.Errorf("reading attribute %q: %w", name, err)
	}
	return out.Value, err
}

// askInfo reads attributes all at once.
func (c *Client) askInfo(ctx context.Context) (info Info, err error) {
	names := []string{"version", "size", "rank", "security.owner", "instance-level", "hostlist", "broker.uuid"}
	const needed = 4
	values := make([]string, len(names))
	calls := make([]*Call, len(names))
	for i, name := range names {
		if calls[i], err = c.Start(ctx, wire.NodeAny, "attr.get", map[string]string{"name": name}); err != nil {
			return info, err
		}
	}
	for i, call := range calls {
		var out struct{ Value string }
		if err := call.Wait(ctx, &out); err != nil && (i < needed || !errors.Is(err, syscall.ENOENT)) {
			return info, fmt.Errorf("reading attribute %q: %w", names[i], err)
		}
		values[i] = out.Value
	}
	info = Info{Version: values[0], Instance: values[6], Tried: slices.Contains(triedVersions, values[0])}
	for i, into := range []*int{&info.Size, &info.Rank, &info.Owner, &info.Level} {
		if values[i+1] == "" {
			continue
		}
		if *into, err = strconv.Atoi(values[i+1]); err != nil {
			return info, fmt.Errorf("reading attribute %q: %w", names[i+1], err)
		}
	}
	if info.Hosts, err = ParseHostlist(values[5]); err != nil {
		return info, fmt.Errorf("reading attribute %q: %w", names[5], err)
	}
	if older(info.Version, MinVersion) {
		return info, fmt.Errorf("connecting to the broker at %s: %w", c.uri, &VersionError{info.Version})
	}
	return info, nil
}

// older compares versions such as 0.88.0-59-g4a5e79f56 by their numbers.
func older(a, b string) bool {
	return slices.Compare(numbersOf(a), numbersOf(b)) < 0
}

func numbersOf(version string) (n []int) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	for part := range strings.SplitSeq(version, ".") {
		v, _ := strconv.Atoi(part) // what is no number counts as 0
		n = append(n, v)
	}
	return n
}

// owns says whether this process may sign jobs.
func (c *Client) owns() error {
	if uid := os.Getuid(); uid != c.info.Owner {
		return fmt.Errorf("the instance is user %d's and this is user %d: only its owner may submit without a signature: %w", c.info.Owner, uid, syscall.EPERM)
	}
	return nil
}
