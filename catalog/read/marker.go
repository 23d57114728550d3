// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mark is what a line of a wrapper says.
type mark int

const (
	markNone mark = iota
	markRunStart
	markRunEnd
	markJobStart
	markJobEnd
	markJobspec
	markResources
	markEvents
	markBlockEnd // of a job's jobspec, resources or eventlog
	markAttachJobspec
	markAttachEvents
	markSlurmStart
	markSlurmEnd
	markCommand
)

// markers are the texts of the wrappers. The argument, if a marker has one,
// follows the text and ends the line.
var markers = []struct {
	text string
	mark mark
	args int
}{
	// A pod's script that runs an application several times and prints the jobs
	// when all are done.
	{"FLUX-RUN START ", markRunStart, 1},
	{"FLUX-RUN END ", markRunEnd, 1},
	{"FLUX-JOB START ", markJobStart, 2},
	{"FLUX-JOB END ", markJobEnd, 2},
	{"FLUX-JOB-JOBSPEC START", markJobspec, 0},
	{"FLUX-JOB-JOBSPEC END", markBlockEnd, 0},
	{"FLUX-JOB-RESOURCES START", markResources, 0},
	{"FLUX-JOB-RESOURCES END", markBlockEnd, 0},
	{"FLUX-JOB-EVENTLOG START", markEvents, 0},
	{"FLUX-JOB-EVENTLOG END", markBlockEnd, 0},
	// The output of an attached job, then its jobspec and eventlog.
	{"START OF JOBSPEC", markAttachJobspec, 0},
	{"START OF EVENTLOG", markAttachEvents, 0},
	// A batch script under Slurm.
	{"Start time: ", markSlurmStart, 1},
	{"End time: ", markSlurmEnd, 1},
	// A launcher's command line that a script printed.
	{"srun -", markCommand, 1},
	{"mpirun -", markCommand, 1},
	{"mpiexec -", markCommand, 1},
	{"flux run -", markCommand, 1},
	{"flux submit -", markCommand, 1},
}

// marking is a marker found in a line.
type marking struct {
	mark   mark
	prefix []byte // output without a line's end in front of the marker
	args   []string
	moment float64 // of a Slurm marker
}

// findMarking reads a line that holds a marker's text. A script that is printed
// before it runs holds the same texts: those follow echo or a quote, or name a
// shell variable, and are no markers. Output whose last line has no end stands
// in front of the marker on the same line. Only the markers with the given
// numbers are looked for.
func findMarking(line []byte, numbers []int32) (m marking, ok bool) {
	line = bytes.TrimRight(line, " \t\r\n")
	for number, k := range markers {
		if !slices.Contains(numbers, int32(number)) {
			continue
		}
		i := bytes.Index(line, []byte(k.text))
		if k.args == 0 {
			i = len(line) - len(k.text)
			if i < 0 || string(line[i:]) != k.text {
				i = -1
			}
		}
		if i < 0 || quoted(line[:i]) {
			continue
		}
		m = marking{mark: k.mark, prefix: line[:i]}
		rest := string(line[i+len(k.text):])
		switch k.mark {
		case markCommand:
			if p := strings.TrimSpace(string(m.prefix)); p != "" && p != "+" || strings.Contains(rest, "$") {
				continue
			}
			m.args, m.prefix = strings.Fields(string(line[i:])), nil
		case markSlurmStart, markSlurmEnd:
			if m.moment, ok = parseMoment(strings.TrimSpace(rest)); !ok {
				continue
			}
		default:
			m.args = strings.Fields(rest)
			if len(m.args) > k.args || k.args > 0 && len(m.args) == 0 || strings.ContainsAny(rest, `$"'`) {
				continue
			}
		}
		return m, true
	}
	return marking{}, false
}

// quoted says whether the text so far is a script's.
func quoted(before []byte) bool {
	b := bytes.TrimRight(before, " \t")
	return bytes.HasSuffix(b, []byte("echo")) || bytes.HasSuffix(b, []byte(`"`)) ||
		bytes.HasSuffix(b, []byte("'")) || bytes.HasSuffix(b, []byte("printf")) ||
		bytes.Contains(b, []byte("echo "))
}

// parseMoment reads seconds since 1970, RFC 3339, or what date prints.
func parseMoment(s string) (float64, bool) {
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return x, x > 1e8 && x < 1e11
	}
	for _, layout := range []string{time.RFC3339Nano, time.UnixDate, time.ANSIC, "Mon 02 Jan 2006 03:04:05 PM MST", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return float64(t.UnixNano()) / 1e9, true
		}
	}
	return 0, false
}

// moment turns seconds since 1970 into a time, to the microsecond that doubles
// carry.
func moment(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC()
}
