// SPDX-License-Identifier: MIT

package convert

import (
	"errors"
	"strings"
)

// words cuts a command into its arguments as a POSIX shell does, without being
// one: quotes and backslashes have their meaning, and every other sign stands for
// itself. Source: POSIX.1-2017, Shell Command Language, 2.2 Quoting; inside of
// double quotes a backslash escapes only another and a quote.
func words(command string) (args []string, err error) {
	var word strings.Builder
	begun := false // also by quotes around nothing
	for i := 0; i < len(command); i++ {
		switch c := command[i]; c {
		case ' ', '\t', '\n', '\r':
			if begun {
				args = append(args, word.String())
				word.Reset()
				begun = false
			}
			continue
		case '\'':
			end := strings.IndexByte(command[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote ' has no end")
			}
			word.WriteString(command[i+1 : i+1+end])
			i += end + 1
		case '"':
			for i++; i < len(command) && command[i] != '"'; i++ {
				if command[i] == '\\' && i+1 < len(command) && (command[i+1] == '"' || command[i+1] == '\\') {
					i++
				}
				word.WriteByte(command[i])
			}
			if i == len(command) {
				return nil, errors.New(`a quote " has no end`)
			}
		case '\\':
			if i++; i == len(command) {
				return nil, errors.New(`a backslash stands before nothing`)
			}
			word.WriteByte(command[i])
		default:
			word.WriteByte(c)
		}
		begun = true
	}
	if begun {
		args = append(args, word.String())
	}
	return args, nil
}
