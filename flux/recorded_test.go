// SPDX-License-Identifier: MIT

package flux_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/flux"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// recorded is what commands of Flux printed, by name of the recording: those in
// testdata, and those of a folder that ENSEMBLE_FLUX names or that is beside
// the repository.
func recorded(t testing.TB) map[string]string {
	dir := os.Getenv("ENSEMBLE_FLUX")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "flux")
	}
	out := map[string]string{}
	for _, path := range []string{filepath.Join("testdata", "jobs.txtar"), filepath.Join(dir, "cli.txtar")} {
		archive, err := txtar.ParseFile(path)
		if os.IsNotExist(err) {
			t.Logf("no recordings at %s (ENSEMBLE_FLUX names another place)", path)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			out[filepath.Base(path)+" "+f.Name] = string(f.Data)
		}
	}
	return out
}

// recordedLines are the lines of all recordings that begin with a text.
func recordedLines(t testing.TB, prefix string) (lines []string) {
	for _, text := range recorded(t) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatalf("no recording has a line that begins with %s", prefix)
	}
	return lines
}

// sameJSON compares two texts by what they mean.
func sameJSON(t testing.TB, want, got []byte) string {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &b); err != nil {
		t.Fatal(err)
	}
	return cmp.Diff(a, b)
}

func TestRecordedEventsAreWrittenAsTheyWereRead(t *testing.T) {
	t.Parallel()
	n := 0
	for _, line := range recordedLines(t, `{"timestamp":`) {
		e, err := flux.ParseEvent([]byte(line))
		if err != nil {
			t.Error(err)
			continue
		}
		// Not all that writes events of Flux gives a time as many digits.
		if diff := sameJSON(t, []byte(line), []byte(e.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		n++
	}
	t.Logf("%d events", n)
}

func TestRecordedResourcesAreWrittenAsTheyWereRead(t *testing.T) {
	t.Parallel()
	for _, line := range recordedLines(t, `{"version": 1, "execution"`) {
		r, err := flux.ParseR([]byte(line))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameJSON(t, []byte(line), got); diff != "" {
			t.Errorf("%s changes (-want +got):\n%s", line, diff)
		}
		if hosts, _ := r.Hosts(); hosts.Len() != r.Nodes() || r.Cores() < r.Nodes() {
			t.Errorf("%s: %d hosts, %d nodes, %d cores", line, hosts.Len(), r.Nodes(), r.Cores())
		}
	}
}

func TestRecordedJobspecsAreWrittenAsTheyWereRead(t *testing.T) {
	t.Parallel()
	for _, line := range recordedLines(t, `{"resources": [`) {
		js, err := flux.ParseJobspec([]byte(line))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := json.Marshal(js)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameJSON(t, []byte(line), got); diff != "" {
			t.Errorf("%s changes (-want +got):\n%s", line, diff)
		}
	}
}

// jobsJSON are the objects that flux jobs --json prints, as far as tests look.
var jobsJSON = regexp.MustCompile(`\{"t_depend[^{}]*(\{[^{}]*\}[^{}]*)*`)

func TestRecordedJobIDsAndStatusesAgree(t *testing.T) {
	t.Parallel()
	ids, statuses := 0, 0
	number := regexp.MustCompile(`"id": (\d+)`)
	spelled := regexp.MustCompile(`"jobid": "\\u0192(\w+)"`)
	status := regexp.MustCompile(`"waitstatus": (\d+).*"returncode": (\d+)`)
	for name, text := range recorded(t) {
		for _, job := range jobsJSON.FindAllString(text, -1) {
			n, s := number.FindStringSubmatch(job), spelled.FindStringSubmatch(job)
			if n == nil || s == nil {
				continue
			}
			ids++
			for _, form := range []string{n[1], "ƒ" + s[1], "f" + s[1]} {
				id, err := flux.ParseJobID(form)
				if err != nil || id.Decimal() != n[1] || id.Plain() != "f"+s[1] {
					t.Errorf("%s: %s is read as %s (%s), %v", name, form, id.Decimal(), id, err)
				}
			}
			if m := status.FindStringSubmatch(job); m != nil {
				statuses++
				var ws, code int
				if err := json.Unmarshal([]byte("["+m[1]+","+m[2]+"]"), &[]any{&ws, &code}); err != nil {
					t.Fatal(err)
				}
				if got := flux.WaitStatus(ws).ExitCode(); got != code {
					t.Errorf("%s: status %d is exit code %d, want %d", name, ws, got, code)
				}
			}
		}
	}
	if ids == 0 || statuses == 0 {
		t.Errorf("only %d IDs and %d statuses are in the recordings", ids, statuses)
	}
	t.Logf("%d IDs, %d statuses", ids, statuses)
}

func TestAllFormsOfARecordedJobIDAreTheSameJob(t *testing.T) {
	t.Parallel()
	all := recorded(t)
	want, err := flux.ParseJobID(strings.TrimSpace(all["jobs.txtar id-dec/stdout"]))
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{"dec": want.Decimal(), "hex": want.Hex(), "dothex": want.DottedHex(),
		"kvs": want.KVS(), "words": want.Words(), "f58": want.String(), "f58plain": want.Plain()}
	for name, printed := range forms {
		text := strings.TrimSpace(all["jobs.txtar id-"+name+"/stdout"])
		if printed != text {
			t.Errorf("as %s it is printed %q, Flux prints %q", name, printed, text)
		}
		if got, err := flux.ParseJobID(text); err != nil || got != want {
			t.Errorf("%s: %q is read as %s, %v", name, text, got, err)
		}
	}
}
