// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// expressions are all those of the catalog, and some that steps cannot express.
func expressions(t testing.TB) []string {
	files, err := filepath.Glob("../apps/*/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`(?:match|after): '((?:[^']|'')+)'`)
	all := []string{
		`a|b`, `(a*)(a|b)*c`, `^x?(y+)z*$`, `(?i)loop`, `^(\d+):(\d\d?) (.)$`, `ä+(\S+)`, `^[^|]*\|\s*(é*)`, `(.*)(.*)(.*)=$`, `x*`, `^$`, `(\w+)\s(\w+)`,
		`^(?:a|aa|x)(.*?)b`, `a.*?`, `(?:ab|a)(\w*?)=$`, `[^,]*?(a)`, `(.??)(?:y|yy)z`, `(?:|a)+`, `((?:1|12):?)(\d*)`, `(.+)(.+)`, `(.+?)(.*)`,
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllStringSubmatch(string(b), -1) {
			if e := strings.ReplaceAll(m[1], "''", "'"); !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	return all
}

func logLines(t testing.TB) []string {
	logs, err := filepath.Glob("testdata/*.log")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"", " ", "a", "aaab", "x", "yyz", "1:23 é", "ä\xffb", "a|  éé", strings.Repeat(" ", 3000), strings.Repeat("a=", 2000), "\xc3(", "Loop LOOP loop"}
	for _, l := range logs {
		b, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(b), "\n")...)
	}
	return lines
}

func TestPatternsMatchAsRegexpDoes(t *testing.T) {
	lines := logLines(t)
	fast := 0
	for _, e := range expressions(t) {
		p, err := newPattern(e)
		if err != nil {
			t.Errorf("%s: %v", e, err)
			continue
		}
		if p.steps != nil {
			fast++
		}
		literals := required(e)
		for _, l := range lines {
			want := p.re.FindSubmatchIndex([]byte(l))
			if d := cmp.Diff(want, p.find([]byte(l), nil)); d != "" {
				t.Errorf("%s on %q: -want +got:\n%s", e, l, d)
			}
			if want != nil && literals != nil && !slices.ContainsFunc(literals, func(s string) bool { return strings.Contains(l, s) }) {
				t.Errorf("%s matches %q, which has none of the required %q", e, l, literals)
			}
		}
	}
	t.Logf("%d of %d expressions are fast", fast, len(expressions(t)))
}

func FuzzPattern(f *testing.F) {
	for _, e := range expressions(f) {
		f.Add(e, "Loop time of 1.25 on 8 procs for 100 steps with 32000 atoms")
	}
	f.Fuzz(func(t *testing.T, expression, line string) {
		p, err := newPattern(expression)
		if err != nil || strings.Contains(line, "\n") {
			return
		}
		want := p.re.FindSubmatchIndex([]byte(line))
		if d := cmp.Diff(want, p.find([]byte(line), nil)); d != "" {
			t.Errorf("%s on %q: -want +got:\n%s", expression, line, d)
		}
		if l := required(expression); want != nil && l != nil && !slices.ContainsFunc(l, func(s string) bool { return strings.Contains(line, s) }) {
			t.Errorf("%s matches %q, which has none of the required %q", expression, line, l)
		}
	})
}

func TestRequiredLiterals(t *testing.T) {
	for _, c := range []struct {
		expression string
		want       []string
	}{
		{`^Comm\s+\|.*\|\s*([0-9.]+)\s*$`, []string{"Comm"}},
		{`^(?:PCG|GMRES) Setup:`, []string{" Setup:"}},
		{`^W[RC]([01])`, []string{"WC0", "WC1", "WR0", "WR1"}},
		{`(error|critical)`, []string{"error", "critical"}},
		{`(?i)loop`, nil},
		{`\d+`, nil},
		{`x`, nil},
		{`(abc)?`, nil},
		{`(abc)+d`, []string{"abc"}},
		{`Time: (\S+) s`, []string{"Time: "}},
	} {
		if d := cmp.Diff(c.want, required(c.expression)); d != "" {
			t.Errorf("%s: -want +got:\n%s", c.expression, d)
		}
	}
}

func TestSearchFindsEveryLiteral(t *testing.T) {
	text := "abracadabra c zzz"
	for _, c := range []struct {
		name     string
		literals []string
	}{
		{"of two bytes and more", []string{"abra", "bra", "cadabra", "ra c", "zz", "no"}},
		{"of four bytes and more", []string{"abra", "cadabra", "ra c", "abracadabra c zzz"}},
		{"of five bytes and more", []string{"adabr", "bra c zzz", "c zzz", "abrac", "abracadabra c zzz!"}},
		{"of nine bytes and more", []string{"abracadab", "dabra c zzz", "a c zzz!!"}},
		{"that begin alike", []string{"abrac", "abraca", "abracad"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSearcher(c.literals)
			for from := range text {
				line := []byte(text[from:])
				want := map[string]int{}
				for _, l := range c.literals {
					for i := range line {
						if strings.HasPrefix(string(line[i:]), l) {
							want[l]++
						}
					}
				}
				got := map[string]int{}
				for _, id := range s.find(line, nil) {
					got[c.literals[id]]++
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%q: -want +got:\n%s", line, d)
				}
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
		ok   bool
	}{
		{"12.5", 12.5, true},
		{"1.5e+02", 150, true},
		{"1.5D+02", 150, true},
		{" 7 ", 7, true},
		{"0:01:05", 65, true},
		{"26:00:00.5", 93600.5, true},
		{"1:75", 0, false},
		{"1:2:3:4", 0, false},
		{"-1:00", 0, false},
		{"", 0, false},
		{"12x", 0, false},
	} {
		if got, ok := parseNumber([]byte(c.text)); got != c.want || ok != c.ok {
			t.Errorf("%q: got %v %v, want %v %v", c.text, got, ok, c.want, c.ok)
		}
	}
	if got := scaled(774.379, 1e-3); got != 0.774379 {
		t.Errorf("got %v, want 0.774379 to the last bit", got)
	}
}

func TestFormulas(t *testing.T) {
	values := map[string]Value{"a": {Value: 6}, "b_1": {Value: 2}}
	names := []string{"a", "b_1", "absent", "bytes", "loop", "string", "type"}
	for _, c := range []struct {
		text string
		want float64
		ok   bool
	}{
		{"a - b_1 - 1", 3, true},
		{"a / b_1 * 100", 300, true},
		{"a * (b_1 + 1.5) - -1", 22, true},
		{"2 + 3 * 4", 14, true},
		{"a + absent", 0, false},
		{"a > 5 ? 100 * a : absent", 600, true},
		{"-a", -6, true},
	} {
		f, err := parseFormula(c.text, names)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := f(values); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: got %v %v, want %v %v", c.text, got, ok, c.want, c.ok)
		}
	}
	for _, bad := range []string{"", "a +", "(a", "a b_1", "a ? 1", "x", strings.Repeat("(", 100), "1..2", "a > 1", "'text'", "[a].all(x, x > 1)"} {
		if _, err := parseFormula(bad, names); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// FuzzDecimal compares numbers to the last bit with those of strconv.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"12.5", "-0", "1.5e+02", "1e23", "9007199254740993", ".5", "5.", "-.5e-3", "1e", "1e+", "--1", "0x1p-2", "00000000000000000001", "123456789012345678901234567890", "1e999999999999", "", "-", "e5", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) && !math.IsNaN(want) {
			t.Errorf("%q: got %v %v, want %v %v", s, got, ok, want, err)
		}
		var row row
		row.cut([]byte(s))
		for i, want := range bytes.FieldsFunc([]byte(s), func(r rune) bool { return r < 0x80 && isSpace[r] }) {
			if i >= len(row.cells) || string(row.text(i)) != string(want) {
				t.Fatalf("%q: got the cells %v, want %q", s, row.cells, want)
			}
		}
	})
}

// FuzzJSON compares what a walk finds with what package json decodes.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"name":"done","timestamp":1.5,"context":{"status":256}}`, `{"name":"\"\\","context":[{}]}`, `{"name":"a\\\"b\\\\c\\n\\"}`, `{"context":{"status":null},"name":"é"}`,
		`{"name":"a"`, `{"name":}`, `{}x`, `{"a":[1,2,{"b":"]"}],"name":"x"}`, `{"name":1,"timestamp":"x"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var name string
		var timestamp float64
		d := &jsonText{b: []byte(s)}
		d.object(func(key []byte) {
			switch string(key) {
			case "name":
				name = d.text()
			case "timestamp":
				timestamp = d.number()
			}
		})
		ok := d.ended()
		var want map[string]any
		if json.Unmarshal([]byte(s), &want) != nil || want == nil {
			return
		}
		if !ok && strings.Count(s, "[")+strings.Count(s, "{") < maxDepth {
			t.Fatalf("%q is refused", s)
		}
		if strings.Contains(s, `\u`) {
			return // in a key, which is compared as it is written
		}
		if n, _ := want["name"].(string); n != name {
			t.Errorf("%q: got the name %q, want %q", s, name, n)
		}
		if x, _ := want["timestamp"].(float64); x != timestamp {
			t.Errorf("%q: got the timestamp %v, want %v", s, timestamp, x)
		}
	})
}
