// SPDX-License-Identifier: MIT

package cli

import (
	"bytes"
	"regexp"

	"github.com/converged-computing/ensemble/catalog"
	"github.com/converged-computing/ensemble/spec"
)

// beginning keeps the first part of a log that is read.
type beginning struct{ bytes.Buffer }

// beginningSize is how much is kept: an application says what it is at once.
const beginningSize = 1 << 18

func (b *beginning) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, beginningSize-b.Len()))])
	return len(p), nil
}

// others names the applications whose first line is in the log, where that of the
// application asked for is not. Without a rule for the first line nothing can be
// said.
func (b *beginning) others(cat *catalog.Catalog, asked *spec.Application) (names []string) {
	if asked == nil || len(asked.Spec.Output.Begin) == 0 || b.begins(asked) {
		return nil
	}
	for _, name := range cat.Names() {
		if a, _ := cat.App(name); b.begins(a) {
			names = append(names, name)
		}
	}
	return names
}

// begins says whether a line matches a rule for the first line of an application.
func (b *beginning) begins(a *spec.Application) bool {
	for _, rule := range a.Spec.Output.Begin {
		re, err := regexp.Compile(rule)
		if err != nil {
			continue // the reader of the application has said so
		}
		for line := range bytes.Lines(b.Bytes()) {
			if re.Match(bytes.TrimRight(line, "\r\n")) {
				return true
			}
		}
	}
	return false
}
