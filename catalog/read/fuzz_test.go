// SPDX-License-Identifier: MIT

package read_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/catalog/read"
)

// FuzzRead throws logs of every shape at every reader: none may crash, and what
// comes out is a record that can be written.
func FuzzRead(f *testing.F) {
	apps := []string{"lammps", "osu", "minife", "stream", "ensemble", "k8s-events", "mpip", "caliper"}
	readers := map[string]*read.Reader{}
	for _, app := range apps {
		readers[app] = reader(f, app)
	}
	shapes := []string{
		good, script + marked("a-iter-1", good) + podJob(1, "a-iter-1", 1700000000, 5, 0),
		attached(good, "a-iter-1", 1700000000, 5, 256),
		"Start time: 1700000000\n" + good + "End time: 1700000009\n",
		results(queueLine), event("1", `Successfully pulled image "b:1" in 1.5s (2.5s including waiting)`),
	}
	logs, _ := filepath.Glob("testdata/*.log")
	for _, log := range logs {
		b, err := os.ReadFile(log)
		if err != nil {
			f.Fatal(err)
		}
		shapes = append(shapes, string(b))
	}
	for i, s := range shapes {
		f.Add(uint8(i), s)
	}
	f.Fuzz(func(t *testing.T, which uint8, log string) {
		app := apps[int(which)%len(apps)]
		n := 0
		for run, err := range readers[app].Read(t.Context(), "x", strings.NewReader(log)) {
			n++
			if err != nil {
				return
			}
			if run.Status == "" || (run.Reason == "") != (run.Status == read.Succeeded) {
				t.Fatalf("got %q because of %q", run.Status, run.Reason)
			}
			if _, err := json.Marshal(run); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			t.Fatal("no run and no error")
		}
	})
}
