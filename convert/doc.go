// SPDX-License-Identifier: MIT

// Package convert reads files of other projects and gives what they mean as files
// of this one.
//
// A conversion keeps the meaning and not the letter: where the other format has a
// fault that nobody can have wanted, the result is what was meant, and a note says
// so. What cannot be kept is refused; it is never left out in silence. Errors and
// notes say where in the file that was given: file, line, column and field.
//
// The formats:
//   - ensemble-python, https://github.com/converged-computing/ensemble-python: jobs
//     and rules; see docs/ensemble-python.md.
package convert
