// SPDX-License-Identifier: MIT

package convert

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestACommandIsCutLikeAShellCutsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, command string
		want          []string
		err           string
	}{
		{"blanks are between words", " sleep\t10 \n", []string{"sleep", "10"}, ""},
		{"quotes keep blanks", `echo 'a  b' "c d"`, []string{"echo", "a  b", "c d"}, ""},
		{"quotes within a word are taken away", `--x='a b'c"d"`, []string{"--x=a bcd"}, ""},
		{"quotes around nothing are a word", `a '' ""`, []string{"a", "", ""}, ""},
		{"a backslash escapes a blank", `a\ b \'c`, []string{"a b", "'c"}, ""},
		{"a backslash in single quotes is one", `'a\b'`, []string{`a\b`}, ""},
		{"a backslash in double quotes escapes itself and the quote", `"a\"b\\c\d\$"`, []string{`a"b\c\d\$`}, ""},
		{"signs of the shell stand for themselves", `echo $HOME * | wc > x # y`, []string{"echo", "$HOME", "*", "|", "wc", ">", "x", "#", "y"}, ""},
		{"nothing is no word", " ", nil, ""},
		{"a single quote without end", `echo 'a`, nil, "a quote ' has no end"},
		{"a double quote without end", `echo "a\"`, nil, `a quote " has no end`},
		{"a backslash at the end", `echo \`, nil, "a backslash stands before nothing"},
	} {
		got, err := words(c.command)
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: got the error %v, want %q", c.name, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
