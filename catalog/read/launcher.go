// SPDX-License-Identifier: MIT

package read

import "strings"

// launchers are the lines with which schedulers, launchers and MPI libraries
// say that a run ended badly, whatever the application. A status of "" is
// decided by the words of the reason. A generic line says that some process
// ended itself, not why: all else that tells of a bad end outranks it.
var launchers = []struct {
	match, reason string
	status        Status
	generic       bool
}{
	// Flux: flux job attach.
	{match: `^\s*[\d.]+s: job\.exception type=(\S+) severity=0 ?(.*)$`, reason: "${1}: ${2}"},
	{match: `flux-job: task\(s\) (exited with exit code [1-9]\d*)$`, reason: "task(s) ${1}", status: Failed, generic: true},
	{match: `flux-job: task\(s\) ([A-Z].*)$`, reason: "task(s) ${1}", status: Failed},
	{match: `^flux-(?:run|submit|job): ERROR: (.*)$`, reason: "${0}", status: Failed},
	// Slurm: slurmstepd and srun.
	{match: `^slurmstepd: error: \*\*\* (.* CANCELLED AT .*) \*\*\*`, reason: "${1}"},
	{match: `^slurmstepd: error: (.*(?:oom.kill|OOM Killed|Exceeded .* limit).*)$`, reason: "${1}", status: Failed},
	{match: `^srun: error: (.*tasks? .*: Exited with.*)$`, reason: "${1}", status: Failed, generic: true},
	{match: `^srun: error: (.*tasks? .*: (?:Killed|Terminated|Aborted|Segmentation|Bus error|Floating|Out Of Memory|Hangup).*)$`, reason: "${1}", status: Failed},
	{match: `^srun: error: (Unable to .*)$`, reason: "${1}", status: Failed},
	// Open MPI and PRRTE.
	{match: `^(?:mpirun|mpiexec|prterun|prun)\S* noticed that (process rank .*)$`, reason: "${1}", status: Failed},
	{match: `^(MPI_ABORT was invoked on rank .*)$`, reason: "${1}", status: Failed, generic: true},
	{match: `^(There are not enough slots available in the system .*)$`, reason: "${1}", status: Failed},
	{match: `\*\*\* Process received signal \*\*\*`, status: Failed},
	// MPICH.
	{match: `^=\s+(BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES.*)$`, reason: "${1}", status: Failed, generic: true},
	{match: `^(Abort\(-?\d+\) on node .*)$`, reason: "${1}", status: Failed, generic: true},
	// The dynamic linker and the shell.
	{match: `^(\S+: error while loading shared libraries: .*)$`, reason: "${1}", status: Failed},
	{match: `^(.*: (?:line \d+: )?\S+: command not found)$`, reason: "${1}", status: Failed},
	{match: `^(.*executable file not found in \$PATH.*)$`, reason: "${1}", status: Failed},
}

// statusBy reads the cause from a launcher's words.
func statusBy(words string) Status {
	w := strings.ToLower(words)
	switch {
	case strings.Contains(w, "time limit"), strings.Contains(w, "timeout"), strings.Contains(w, "timelimit"):
		return TimedOut
	case strings.Contains(w, "cancel"):
		return Cancelled
	}
	return Failed
}

// hints are texts that mark a line as the likely cause when a run did not
// succeed; good runs print them too. Those first in the list outrank. They have
// five bytes at least: the shortest text bounds how fast all are searched for.
var hints = []struct{ text string }{
	{"FATAL"}, {"ERROR"}, {"rror:"}, {"annot open"}, {"WARNI"}, {"WARN "}, {"WARN:"}, {"WARN]"},
}
