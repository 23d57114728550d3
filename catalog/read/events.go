// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// readEvents reads a dump of a Kubernetes cluster's events: one JSON object a
// line, as exporters write them, or the list that kubectl get events -o json
// prints. Lines that are no events are passed over.
//
// The run gets the table pulls (image, count, mean_s, max_s, by image): the
// time to pull each image including the wait for other pulls, every event
// counted once by its uid. The metrics are counts of events, of pulls and of
// failed pulls.
func readEvents(ctx context.Context, r io.Reader, out *Run) error {
	limit := &meter{ctx: ctx, r: r}
	e := &eventCounts{images: map[string][]float64{}, seen: map[string]bool{}, out: out}
	head := make([]byte, 4096)
	n, err := io.ReadFull(limit, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err := checkText(head[:n]); err != nil {
		return err
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), limit)
	if isList.Match(head[:n]) {
		err = e.list(json.NewDecoder(all), limit)
	} else {
		err = eachLine(ctx, all, e.line)
	}
	if err != nil {
		return err
	}
	e.finish()
	return nil
}

// isList tells the list of kubectl, which is indented or names its kind, from
// an event a line.
var isList = regexp.MustCompile(`^\s*\{\s*("apiVersion"\s*:\s*"v1"\s*,\s*)?"(items|kind)"\s*:\s*("(Event)?List"|\[)|^\s*\{\s*\n\s*"apiVersion"\s*:\s*"v1"\s*,\s*\n\s*"items"`)

type clusterEvent struct {
	Metadata struct{ UID string }
	Reason   string
	Message  string
	Last     time.Time `json:"lastTimestamp"`
}

type eventCounts struct {
	out            *Run
	events, failed int
	images         map[string][]float64
	seen           map[string]bool
	pulls          int
}

func (e *eventCounts) line(b []byte) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		return
	}
	var c clusterEvent
	d := &jsonText{b: b}
	d.object(func(key []byte) {
		switch string(key) {
		case "metadata":
			d.object(func(key []byte) {
				if string(key) == "uid" {
					c.Metadata.UID = d.text()
				}
			})
		case "reason":
			c.Reason = d.text()
		case "message":
			c.Message = d.text()
		case "lastTimestamp":
			c.Last, _ = time.Parse(time.RFC3339, d.text())
		}
	})
	if d.ended() && c.Metadata.UID != "" {
		e.add(c)
	}
}

// list reads the items of a list one by one.
func (e *eventCounts) list(d *json.Decoder, limit *meter) error {
	if err := expect(d, '{'); err != nil {
		return fmt.Errorf("as a list of events: %w", err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("as a list of events: %w", err)
		}
		if key != "items" {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return fmt.Errorf("as a list of events: %w", err)
			}
			continue
		}
		if err := expect(d, '['); err != nil {
			return fmt.Errorf("as a list of events: %w", err)
		}
		for d.More() {
			limit.n = 0
			var c clusterEvent
			if err := d.Decode(&c); err != nil {
				return fmt.Errorf("as a list of events: %w", err)
			}
			e.add(c)
		}
		if err := expect(d, ']'); err != nil {
			return fmt.Errorf("as a list of events: %w", err)
		}
	}
	return nil
}

var pulled = regexp.MustCompile(`^Successfully pulled image "([^"]+)" in ([0-9][0-9a-zµ.]*)(?: \(([0-9][0-9a-zµ.]*) including waiting\))?`)

func (e *eventCounts) add(c clusterEvent) {
	if uid := c.Metadata.UID; uid != "" {
		if e.seen[uid] {
			return
		}
		if len(e.seen) < MaxPoints {
			e.seen[uid] = true
		} else {
			e.out.flag("truncated")
		}
	}
	e.events++
	if t := &e.out.Times; !c.Last.IsZero() {
		if t.Start.IsZero() || c.Last.Before(t.Start) {
			t.Start = c.Last
		}
		if c.Last.After(t.Finish) {
			t.Finish = c.Last
		}
	}
	var m []string
	if strings.HasPrefix(c.Message, "Successfully pulled") {
		m = pulled.FindStringSubmatch(c.Message)
	}
	if m == nil {
		if c.Reason == "Failed" && strings.Contains(c.Message, "pull image") {
			e.failed++
		}
		return
	}
	d, err := time.ParseDuration(cmp.Or(m[3], m[2]))
	if err != nil {
		return
	}
	if _, known := e.images[m[1]]; e.pulls >= MaxPoints || !known && len(e.images) >= MaxPoints {
		e.out.flag("truncated")
		return
	}
	e.pulls++
	e.images[m[1]] = append(e.images[m[1]], d.Seconds())
}

func (e *eventCounts) finish() {
	out := e.out
	if e.events == 0 {
		out.Status, out.Reason = Incomplete, "no event of Kubernetes is in the file"
		return
	}
	t := Table{Columns: []string{"image", "count", "mean_s", "max_s"}}
	longest := 0.0
	for _, image := range slices.Sorted(maps.Keys(e.images)) {
		seconds := e.images[image]
		sum := 0.0
		for _, s := range seconds {
			sum += s
		}
		most := slices.Max(seconds)
		longest = max(longest, most)
		t.add(spec.Of(image), spec.Of(len(seconds)), spec.Of(sum/float64(len(seconds))), spec.Of(most))
	}
	out.Tables = map[string]Table{"pulls": t}
	out.metric("events", float64(e.events), "count")
	out.metric("pulls_total", float64(e.pulls), "count")
	out.metric("pulls_failed", float64(e.failed), "count")
	if e.pulls > 0 {
		out.metric("pull_longest", longest, "s")
	}
	out.Status = Succeeded
}
