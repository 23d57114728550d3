// SPDX-License-Identifier: MIT

package run

import (
	"time"

	"github.com/converged-computing/ensemble/ensemble"
)

// Exit is what the executor says of a finished attempt: RUN/jobs/ID/ATTEMPT/
// exit.json. Whether the application's output is that of a success is judged
// later, from the output.
type Exit struct {
	Status ensemble.Status `json:"status"`
	Reason string          `json:"reason,omitempty"`
	// ExitCode is the launcher's; it is left out where the launcher did not
	// start or was ended by Signal.
	ExitCode *int   `json:"exit_code,omitempty"`
	Signal   string `json:"signal,omitempty"`
	// Command is the argument vector that ran, launcher included.
	Command []string `json:"command"`
	// Cores are the processors that the attempt had to itself.
	Cores []int `json:"cores,omitempty"`
	// Begin is when the attempt began to prepare. Start and Finish are those of
	// the launcher: what lies between them is the application and its launch
	// overhead. End is when everything was cleaned up.
	Begin  time.Time `json:"begin"`
	Start  time.Time `json:"start,omitzero"`
	Finish time.Time `json:"finish,omitzero"`
	End    time.Time `json:"end"`
	// Steps are the commands before and after the application.
	Steps []Step `json:"steps,omitempty"`
	// Resources are those of the launcher and all that it started.
	Resources *Resources `json:"resources,omitempty"`
	// Load is the other work on the machine.
	Load *Load `json:"load,omitempty"`
	// LeftProcesses is how many processes the application left behind; they were
	// ended after Finish.
	LeftProcesses int `json:"left_processes,omitempty"`
	// Flux is what Flux says of the attempt; nil where another executor ran it.
	Flux *FluxJob `json:"flux,omitempty"`
	// Flags mark what a reader of the result should know: noisy, shared,
	// oversubscribed, left-processes, not-sampled, simulated.
	Flags []string `json:"flags,omitempty"`
}

// FluxJob is an attempt as Flux saw it. The times are those of the events of RFC 21:
// the job waits in the queue from Submit to Alloc, is launched from Alloc to Start,
// runs up to Finish, and is cleaned up after by Clean. Events that did not come are
// left out.
type FluxJob struct {
	ID    string `json:"id"`              // F58, in ASCII
	Hosts string `json:"hosts,omitempty"` // RFC 29
	Cores int    `json:"cores,omitempty"` // on all of them

	Submit time.Time `json:"submit"`
	Alloc  time.Time `json:"alloc,omitzero"`
	Start  time.Time `json:"start,omitzero"`
	Finish time.Time `json:"finish,omitzero"`
	Clean  time.Time `json:"clean,omitzero"`
}

// Simulated flags an attempt that was played by a simulation: nothing of it is
// measured.
const Simulated = "simulated"

// Step is one command before or after the application.
type Step struct {
	Name     string   `json:"name"` // before, prepare or after
	Command  []string `json:"command"`
	ExitCode int      `json:"exit_code"`
	Seconds  float64  `json:"seconds"`
}

// Resources are what a tree of processes used, as getrusage counts it.
type Resources struct {
	UserSeconds   float64 `json:"user_s"`
	SystemSeconds float64 `json:"system_s"`
	// MaxRSSBytes is the largest resident set of any one process. Linux counts a
	// process for no less than the one that started it was before exec, which is
	// some 20 MB for the supervisor: smaller programs show that.
	// It is 0 where nobody measured it, as in Flux.
	MaxRSSBytes int64 `json:"max_rss_bytes,omitempty"`
}

// Load is the share of the machine's cores, from 0 to 1, that work other than
// the job's used.
type Load struct {
	// Before is the share just before the application started.
	Before float64 `json:"before"`
	// During is the mean share while it ran, to the 10 ms in which the kernel
	// counts: of a job that is no longer it tells nothing.
	During float64 `json:"during"`
	// WaitedSeconds is how long the attempt waited for an idle machine.
	WaitedSeconds float64 `json:"waited_s"`
}

// Sample is what a job used up to a moment: one line of samples.jsonl.
type Sample struct {
	// Seconds counts from the start of the application.
	Seconds float64 `json:"t"`
	// CPUSeconds is user and system time of all processes of the job.
	CPUSeconds float64 `json:"cpu_s"`
	// RSSBytes is the memory resident now.
	RSSBytes int64 `json:"rss_bytes"`
	// ReadBytes and WriteBytes went to and came from storage.
	ReadBytes  int64 `json:"read_bytes"`
	WriteBytes int64 `json:"write_bytes"`
	// ReceivedBytes and SentBytes are those of all network interfaces of the
	// machine, loopback included: the kernel does not count them by process.
	ReceivedBytes int64 `json:"rx_bytes"`
	SentBytes     int64 `json:"tx_bytes"`
	// Processes is the number of processes of the job now.
	Processes int `json:"processes"`
}
