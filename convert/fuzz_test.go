// SPDX-License-Identifier: MIT

package convert_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/converged-computing/ensemble/convert"
	"github.com/converged-computing/ensemble/ensemble"
	"github.com/converged-computing/ensemble/spec"
	"github.com/google/go-cmp/cmp"
)

// FuzzEnsemblePython converts any file. What comes of it is read back as it is and
// its rules compile; what cannot be converted is a fault with a place.
func FuzzEnsemblePython(f *testing.F) {
	files, err := filepath.Glob("../examples/ensemble-python/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("the examples: %v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, rule := range []string{
		"{trigger: metric, name: count.a.failed, when: '<= 3', action: {name: submit}}",
		"{trigger: metric, name: max.a-pending, when: 1e300, action: {name: shrink, value: '3'}}",
		"{trigger: job-clean, name: a, when: 2, action: {name: submit, label: b, repetitions: 2, backoff: 9}}",
	} {
		f.Add([]byte(two + "- " + rule + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, notes, err := convert.EnsemblePython("f.yaml", data)
		if err != nil {
			var wrong *spec.FileError
			if !errors.As(err, &wrong) || len(wrong.Faults) == 0 {
				t.Fatalf("got the error %v, want a *spec.FileError", err)
			}
			return
		}
		for _, n := range notes {
			if !strings.HasPrefix(n, "f.yaml:") {
				t.Errorf("the note %q has no place", n)
			}
		}
		var text strings.Builder
		if err := spec.Encode(&text, e); err != nil {
			t.Fatal(err)
		}
		doc, err := spec.Decode("f.yaml", []byte(text.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
		e.Default()
		if diff := cmp.Diff(spec.Object(e), doc.Object, cmp.Comparer(func(a, b spec.Value) bool { return a == b })); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		if _, faults := ensemble.NewEngine(&e.Spec, nil); len(faults) > 0 {
			t.Errorf("the rules do not compile: %v", faults)
		}
	})
}
