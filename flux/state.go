// SPDX-License-Identifier: MIT

package flux

import (
	"fmt"
	"syscall"
)

// WaitStatus is how a task ended, as wait(2) has it on Linux: exit code times
// 256, or the number of a signal. The job shell turns signals into exit codes of
// 128 and more, so a killed task is 35072 (exit code 137) and not 9.
type WaitStatus int

// ExitCode is what a shell would show: the exit code, or 128 and the signal.
func (s WaitStatus) ExitCode() int {
	if sig := int(s) & 0x7f; sig != 0 {
		return 128 + sig
	}
	return int(s) >> 8 & 0xff
}

// Signal is the signal that ended the task, told directly or by an exit code
// over 128, and 0 where there was none.
func (s WaitStatus) Signal() syscall.Signal {
	if code := s.ExitCode(); code > 128 {
		return syscall.Signal(code - 128)
	}
	return 0
}

// ExitStatus is the wait status of an exit code.
func ExitStatus(code int) WaitStatus { return WaitStatus(code&0xff) << 8 }

func (s WaitStatus) String() string {
	if sig := s.Signal(); sig != 0 {
		return fmt.Sprintf("exit code %d (%v)", s.ExitCode(), sig)
	}
	return fmt.Sprintf("exit code %d", s.ExitCode())
}

// State is where a job is (RFC 21).
//
//	submit        validate     depend        priority       alloc      finish    clean
//	------> NEW ---------> DEPEND --> PRIORITY -------> SCHED ----> RUN ----> CLEANUP ----> INACTIVE
//	                          \__________\_______________\__________\___________^
//	                                exception of severity 0
type State int

// The states of a job, with the numbers by which Flux selects them.
const (
	New      State = 1
	Depend   State = 2
	Priority State = 4
	Sched    State = 8
	Run      State = 16
	Cleanup  State = 32
	Inactive State = 64
)

func (s State) String() string {
	switch s {
	case New:
		return "NEW"
	case Depend:
		return "DEPEND"
	case Priority:
		return "PRIORITY"
	case Sched:
		return "SCHED"
	case Run:
		return "RUN"
	case Cleanup:
		return "CLEANUP"
	case Inactive:
		return "INACTIVE"
	}
	return fmt.Sprintf("state %d", int(s))
}

// After is the state that follows upon an event. An event that changes nothing,
// such as a memo, leaves it.
func (s State) After(e Event) State {
	switch e.Name {
	case "submit":
		return New
	case "validate":
		return Depend
	case "depend":
		if s == Depend {
			return Priority
		}
	case "priority":
		if s == Priority {
			return Sched
		}
	case "alloc":
		if s == Sched {
			return Run
		}
	case "finish":
		if s == Run {
			return Cleanup
		}
	case "exception":
		if x, ok := e.Exception(); ok && x.Severity == 0 && s != Inactive {
			return Cleanup
		}
	case "clean":
		return Inactive
	}
	return s
}
