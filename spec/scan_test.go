// SPDX-License-Identifier: MIT

package spec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

func TestAliasesCannotBlowUp(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(head + "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n")
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("a" + to + ": &a" + to + " [" + strings.Repeat("*a"+from+",", 9) + "*a" + from + "]\n")
	}
	_, err := spec.Decode("bomb.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "too large or too deep") {
		t.Fatalf("got %v, want a file that is too large", err)
	}
}

func TestFilesThatWouldKeepTheParserBusyAreRefusedSoon(t *testing.T) {
	t.Parallel()
	const n = 200_000
	each := func(format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct{ name, file, want string }{
		{"nested lists", strings.Repeat("[", n), "b.yaml:1:101: the file is too deep, want 100 levels at most"},
		{"nested lists that are closed", strings.Repeat("[", n) + strings.Repeat("]", n), "b.yaml:1:101: the file is too deep"},
		{"nested mappings", strings.Repeat("{a: ", n), "b.yaml:1:401: the file is too deep"},
		{"nested block lists", strings.Repeat("- ", n), "b.yaml:1:201: the file is too deep"},
		{"nested explicit keys", strings.Repeat("? ", n), "b.yaml:1:1: the key indicator ? is not used here"},
		{"a mapping of very many fields", each("a%d: 1\n"), "the file would take too long to read"},
		{"very many fields without a value", strings.Repeat("- a:\n", n), "the file would take too long to read"},
		{"very many values under a very long name", strings.Repeat("k", n) + ":\n" + strings.Repeat("- x\n", n), "the file would take too long to read"},
		{"very many documents", strings.Repeat("---\n", n), "b.yaml:2:1: a second document"},
		{"very many signs", "[" + strings.Repeat("x,", 1<<19) + "x]", "the file is too large, want 1048576 words and signs at most"},
		{"very many invalid signs", strings.Repeat("@", n), "b.yaml:1:1: reading YAML: '@' is a reserved character"},
		{"very many signs on a line with a mistake", strings.Repeat("]", n), "b.yaml:1:1: reading YAML: could not find '['"},
		{"very many bytes", "# " + strings.Repeat("x", 1<<22), "b.yaml: the file has 4194306 bytes, want 4194304 at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, err := spec.Decode("b.yaml", []byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.200v, want %s", err, c.want)
			}
			// Any of them took minutes, or all memory.
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestMarksAroundTheDocumentAreRead(t *testing.T) {
	t.Parallel()
	const study = head + "spec: {sweeps: [{apps: lammps}]}\n"
	for _, c := range []struct{ name, file string }{
		{"a byte order mark", "\uFEFF" + study},
		{"a start", "---\n" + study},
		{"an end", study + "...\n# the end\n"},
		{"a directive", "# first\n%YAML 1.2\n---\n" + study},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := spec.Decode("f.yaml", []byte(c.file)); err != nil {
				t.Error(err)
			}
		})
	}
}
