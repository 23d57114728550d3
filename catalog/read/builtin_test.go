// SPDX-License-Identifier: MIT

package read_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/converged-computing/ensemble/catalog/read"
)

const queueLine = `{\"jobs\": [{\"id\": 222, \"nnodes\": 4, \"t_submit\": 100.5, \"t_run\": 110.25, \"t_cleanup\": 120.5, \"success\": true}, {\"id\": 111, \"nnodes\": 2, \"t_submit\": 100.25, \"t_run\": 101.0, \"t_cleanup\": 109.0, \"success\": true}]}`

func results(lines ...string) string {
	return `{"jobs": [{"name": "some-ensemble", "times": {"create_cluster": 325.25}, "params": {"size": "1"}}],
	"scale_down_seconds": 12.5, "logs": {"operator-1": ["Ensemble!", "` + strings.Join(lines, `", "`) + `", ""]}}`
}

func TestEnsembleResults(t *testing.T) {
	early := strings.Replace(queueLine, "120.5", "115.5", 1)
	running := strings.Replace(queueLine, `\"t_cleanup\": 120.5, `, "", 1)
	bad := strings.Replace(queueLine, "true", "false", 1)
	for _, c := range []struct {
		name, file string
		status     read.Status
		makespan   float64
		table      string
	}{
		{
			"the last queue in the log counts", results(early, queueLine), read.Succeeded, 20.25,
			`[{"job":"222","nodes":4,"elapsed":10.25,"t_submit":100.5,"t_run":110.25,"t_cleanup":120.5},{"job":"111","nodes":2,"elapsed":8.0,"t_submit":100.25,"t_run":101.0,"t_cleanup":109.0}]`,
		},
		{
			"a job that still runs leaves times out", results(running), read.Incomplete, 8.75,
			`[{"job":"222","nodes":4,"t_submit":100.5,"t_run":110.25},{"job":"111","nodes":2,"elapsed":8.0,"t_submit":100.25,"t_run":101.0,"t_cleanup":109.0}]`,
		},
		{"a job that failed fails the ensemble", results(bad), read.Failed, 20.25, ""},
		{"no queue is an incomplete ensemble", results("nothing"), read.Incomplete, 0, ""},
		{"an empty file is an incomplete ensemble", "", read.Incomplete, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := last(t, reader(t, "ensemble"), strings.NewReader(c.file))
			if got.Status != c.status || got.Metrics["makespan"].Value != c.makespan {
				t.Errorf("got %s (%s), makespan %v, want %s, %v", got.Status, got.Reason, got.Metrics["makespan"], c.status, c.makespan)
			}
			if c.file != "" && (got.RunID != "some-ensemble" || got.Metrics["create_cluster"].Value != 325.25 || got.Metrics["scale_down"].Value != 12.5) {
				t.Errorf("got %q and %v, want the name and the times of the results", got.RunID, got.Metrics)
			}
			table, err := json.Marshal(got.Tables["jobs"])
			if err != nil || c.table != "" && string(table) != c.table {
				t.Errorf("got %s %v, want %s", table, err, c.table)
			}
		})
	}
	for _, err := range reader(t, "ensemble").Read(t.Context(), "x.json", strings.NewReader("no JSON")) {
		if err == nil || !strings.Contains(err.Error(), `"x.json"`) || !strings.Contains(err.Error(), "JSON results of an ensemble") {
			t.Errorf("got the error %v, want one that says what the file should be", err)
		}
	}
}

func event(uid, message string) string {
	b, _ := json.Marshal(map[string]any{
		"metadata": map[string]string{"uid": uid}, "reason": "Pulled", "message": message, "lastTimestamp": "2024-09-03T06:37:48Z",
	})
	return string(b)
}

func TestClusterEvents(t *testing.T) {
	lines := []string{
		`{"level":"info","message":"Reading config file"}`,
		event("1", `Successfully pulled image "b:1" in 1.5s (2.5s including waiting)`),
		event("2", `Successfully pulled image "a@sha256:00" in 1m0.5s (1m1.5s including waiting). Image size: 10 bytes.`),
		event("3", `Successfully pulled image "b:1" in 500ms (3.5s including waiting)`),
		event("3", `Successfully pulled image "b:1" in 500ms (3.5s including waiting)`),
		event("4", `Successfully pulled image "old" in 250ms`),
		event("5", "Created container x"),
	}
	want := `[{"image":"a@sha256:00","count":1,"mean_s":61.5,"max_s":61.5},{"image":"b:1","count":2,"mean_s":3.0,"max_s":3.5},{"image":"old","count":1,"mean_s":0.25,"max_s":0.25}]`
	for _, c := range []struct{ name, file string }{
		{"one event a line", strings.Join(lines, "\n")},
		{"lines that are no JSON are passed over", "W0903 some warning\n" + strings.Join(lines, "\n{broken\n")},
		{"a list of kubectl", "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n" + strings.Join(lines[1:], ",\n") + "],\n\"kind\": \"List\"\n}\n"},
		{"a list in one line", `{"kind":"EventList","apiVersion":"v1","metadata":{},"items":[` + strings.Join(lines[1:], ",") + "]}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := last(t, reader(t, "k8s-events"), strings.NewReader(c.file))
			table, err := json.Marshal(got.Tables["pulls"])
			if err != nil || string(table) != want {
				t.Errorf("got %s, want %s", table, want)
			}
			if got.Status != read.Succeeded || got.Metrics["events"].Value != 5 {
				t.Errorf("got %s and %v, want succeeded and 5 events", got.Status, got.Metrics)
			}
		})
	}
	if got := last(t, reader(t, "k8s-events"), strings.NewReader("nothing\n")); got.Status == read.Succeeded || got.Reason == "" {
		t.Errorf("got %s: %q, want no success for a file without events", got.Status, got.Reason)
	}
}

func TestTablesReadBack(t *testing.T) {
	const text = `[{"a":"x","b":1},{"b":2.5,"c":true}]`
	var table read.Table
	if err := json.Unmarshal([]byte(text), &table); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, table.Columns); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for _, bad := range []string{`{}`, `[1]`, `[{"a":{}}]`, `[{"a":1}`} {
		if err := json.Unmarshal([]byte(bad), &table); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
